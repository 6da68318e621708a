/* Keywords and messages by which features are known. */
#include "feature.h"

#include "base/banned.h"

const char *feature_name(enum feature feature)
{
    static const char *const names[FEATURE_COUNT] = {
        [FEATURE_NONE] = "nothing",
        [FEATURE_THREADS] = "threads",
        [FEATURE_EXCEPTIONS] = "exception handling",
        [FEATURE_RELAXED_SIMD] = "relaxed SIMD",
        [FEATURE_MEMORY64] = "memory64",
        [FEATURE_FUNCTION_REFERENCES] = "function references",
        [FEATURE_GC] = "garbage collection",
        [FEATURE_REFERENCE_TYPES] = "reference types",
        [FEATURE_MULTI_MEMORY] = "multi-memory",
    };
    return names[feature];
}

/* A keyword of a feature; one that ends in a dot or underscore is the beginning of many. */
static const struct keyword {
    const char *text;
    enum feature feature;
} keywords[] = {
    {"shared", FEATURE_THREADS},
    {"thread", FEATURE_THREADS},
    {"wait", FEATURE_THREADS},
    {"atomic.", FEATURE_THREADS},
    {"memory.atomic.", FEATURE_THREADS},
    {"i32.atomic.", FEATURE_THREADS},
    {"i64.atomic.", FEATURE_THREADS},
    {"try", FEATURE_EXCEPTIONS},
    {"try_table", FEATURE_EXCEPTIONS},
    {"throw", FEATURE_EXCEPTIONS},
    {"throw_ref", FEATURE_EXCEPTIONS},
    {"rethrow", FEATURE_EXCEPTIONS},
    {"delegate", FEATURE_EXCEPTIONS},
    {"catch", FEATURE_EXCEPTIONS},
    {"catch_", FEATURE_EXCEPTIONS},
    {"tag", FEATURE_EXCEPTIONS},
    {"exn", FEATURE_EXCEPTIONS},
    {"exnref", FEATURE_EXCEPTIONS},
    {"assert_exception", FEATURE_EXCEPTIONS},
    {"i8x16.relaxed_", FEATURE_RELAXED_SIMD},
    {"i16x8.relaxed_", FEATURE_RELAXED_SIMD},
    {"i32x4.relaxed_", FEATURE_RELAXED_SIMD},
    {"i64x2.relaxed_", FEATURE_RELAXED_SIMD},
    {"f32x4.relaxed_", FEATURE_RELAXED_SIMD},
    {"f64x2.relaxed_", FEATURE_RELAXED_SIMD},
    {"ref", FEATURE_FUNCTION_REFERENCES},
    {"call_ref", FEATURE_FUNCTION_REFERENCES},
    {"return_call_ref", FEATURE_FUNCTION_REFERENCES},
    {"ref.as_non_null", FEATURE_FUNCTION_REFERENCES},
    {"br_on_null", FEATURE_FUNCTION_REFERENCES},
    {"br_on_non_null", FEATURE_FUNCTION_REFERENCES},
    {"rec", FEATURE_GC},
    {"sub", FEATURE_GC},
    {"struct", FEATURE_GC},
    {"struct.", FEATURE_GC},
    {"array", FEATURE_GC},
    {"array.", FEATURE_GC},
    {"anyref", FEATURE_GC},
    {"eqref", FEATURE_GC},
    {"i31ref", FEATURE_GC},
    {"i31.", FEATURE_GC},
    {"ref.i31", FEATURE_GC},
    {"ref.eq", FEATURE_GC},
    {"ref.test", FEATURE_GC},
    {"ref.cast", FEATURE_GC},
};

static enum feature word_feature(struct bytes word)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        struct bytes keyword = bytes_of(keywords[i].text);
        uint8_t last = keyword.data[keyword.size - 1];
        if (last == '.' || last == '_' ? bytes_starts_with(word, keyword)
                                       : bytes_equal(word, keyword))
            return keywords[i].feature;
    }
    return FEATURE_NONE;
}

/* The depth is limited by sexpr_parse. */
enum feature feature_used(const struct sexpr *e) // NOLINT(misc-no-recursion)
{
    enum feature found = FEATURE_NONE;

    if (e->kind != SEXPR_LIST)
        return e->kind == SEXPR_WORD ? word_feature(e->text) : FEATURE_NONE;
    bool has_address_type = sexpr_is_list(e, "memory") || sexpr_is_list(e, "table");
    for (const struct sexpr *item = e->first; item != NULL && found == FEATURE_NONE;
         item = item->next) {
        if (has_address_type && sexpr_is_word(item, "i64"))
            return FEATURE_MEMORY64;
        found = feature_used(item);
    }
    return found;
}

enum feature feature_missing(const char *message)
{
    for (enum feature f = FEATURE_NONE + 1; f < FEATURE_COUNT; f++)
        if (strstr(message, feature_name(f)) != NULL)
            return f;
    return FEATURE_NONE;
}

enum feature feature_lifting(struct bytes expected)
{
    static const struct {
        const char *text;
        enum feature feature;
    } lifted[] = {
        {"multiple tables", FEATURE_REFERENCE_TYPES},
        {"multiple memories", FEATURE_MULTI_MEMORY},
        {"zero byte expected", FEATURE_MULTI_MEMORY},    /* the index of a memory now */
        {"malformed memop flags", FEATURE_MULTI_MEMORY}, /* bit 6: an index follows */
    };
    for (size_t i = 0; i < COUNT_OF(lifted); i++)
        if (bytes_is(expected, lifted[i].text))
            return lifted[i].feature;
    return FEATURE_NONE;
}
