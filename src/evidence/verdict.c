/* The verdict: a table of checks, all of which refuse until they are made. */
#include "evidence/verdict.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_MAX 1024u

/* Which technologies a check belongs to, as bits 1 << technology. */
#define OF_SNP (1u << TECHNOLOGY_SNP)
#define OF_SGX (1u << TECHNOLOGY_SGX)
#define OF_TDX (1u << TECHNOLOGY_TDX)

static const struct {
    const char *name, *question, *clause;
    unsigned technologies;
} checks[CHECK_COUNT] = {
#define SNP_CHECK(id, name, question, clause) [CHECK_##id] = {name, question, clause, OF_SNP},
#define QUOTE_CHECK(id, name, question, clause) \
    [CHECK_##id] = {name, question, clause, OF_SGX | OF_TDX},
#define SGX_CHECK(id, name, question, clause) [CHECK_##id] = {name, question, clause, OF_SGX},
#define TDX_CHECK(id, name, question, clause) [CHECK_##id] = {name, question, clause, OF_TDX},
#include "evidence/checks.def"
#undef SNP_CHECK
#undef QUOTE_CHECK
#undef SGX_CHECK
#undef TDX_CHECK
};

const char *check_result_name(enum check_result result)
{
    static const char *const names[] = {
        [CHECK_NOT_MADE] = "not made",
        [CHECK_FAILED] = "fail",
        [CHECK_PASSED] = "pass",
        [CHECK_NOT_APPLICABLE] = "not applicable",
    };

    return names[result];
}

const char *technology_name(enum technology technology)
{
    return technology == TECHNOLOGY_SNP ? "snp" : technology == TECHNOLOGY_SGX ? "sgx" : "tdx";
}

const char *check_name(enum check_id id)
{
    return checks[id].name;
}

const char *check_question(enum check_id id)
{
    return checks[id].question;
}

const char *check_clause(enum check_id id)
{
    return checks[id].clause;
}

bool check_is_of(enum check_id id, enum technology technology)
{
    return (checks[id].technologies >> technology & 1) != 0;
}

void verdict_init(struct verdict *verdict, enum technology technology, struct arena *arena)
{
    *verdict = (struct verdict){.technology = technology, .arena = arena, .tcb_status = ""};
    for (size_t i = 0; i < CHECK_COUNT; i++)
        verdict->checks[i] = (struct check){.result = CHECK_NOT_MADE, .expected = "", .found = ""};
}

static bool is_good(enum check_result result)
{
    return result == CHECK_PASSED || result == CHECK_NOT_APPLICABLE;
}

bool verdict_is_good(const struct verdict *verdict)
{
    return verdict_refusal(verdict) == CHECK_COUNT;
}

enum check_id verdict_refusal(const struct verdict *verdict)
{
    enum check_id not_made = CHECK_COUNT;

    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        if (!check_is_of(id, verdict->technology) || is_good(verdict->checks[id].result))
            continue;
        if (verdict->checks[id].result == CHECK_FAILED)
            return id;
        if (not_made == CHECK_COUNT)
            not_made = id;
    }
    return not_made;
}

bool verdict_set(struct verdict *verdict, enum check_id id, enum check_result result,
                 const char *expected, const char *found)
{
    struct check *check = &verdict->checks[id];

    if (check->result != CHECK_FAILED)
        *check = (struct check){.result = result, .expected = expected, .found = found};
    return is_good(check->result);
}

bool verdict_judge(struct verdict *verdict, enum check_id id, bool passed, const char *expected,
                   const char *found)
{
    return verdict_set(verdict, id, passed ? CHECK_PASSED : CHECK_FAILED, expected, found);
}

void verdict_skip(struct verdict *verdict, enum check_id id, const char *why)
{
    (void)verdict_set(verdict, id, CHECK_NOT_APPLICABLE, "", why);
}

static const char *keep(struct verdict *verdict, const char *text, size_t size)
{
    char *copy = arena_alloc(verdict->arena, size + 1, 1);

    if (copy == NULL)
        return "(no memory for the text)";
    memcpy(copy, text, size);
    copy[size] = 0;
    return copy;
}

const char *verdict_text(struct verdict *verdict, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0)
        return "";
    return keep(verdict, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

const char *verdict_hex(struct verdict *verdict, struct bytes bytes)
{
    char text[TEXT_MAX];

    bytes = bytes_before(bytes, sizeof text / 2);
    hex_encode(bytes, text);
    return keep(verdict, text, hex_size(bytes.size));
}

/* ---- JSON ---- */

static void write_member(struct writer *w, const char *name, const char *value)
{
    writer_format(w, ",\"%s\":", name);
    writer_json(w, bytes_of(value));
}

void verdict_write_json(struct writer *w, const struct verdict *v)
{
    enum check_id refusal = verdict_refusal(v);
    const char *comma = "";

    writer_text(w, "\"technology\":");
    writer_json(w, bytes_of(technology_name(v->technology)));
    writer_format(w, ",\"genuine\":%s,\"simulated\":%s", verdict_is_good(v) ? "true" : "false",
                  v->is_simulated ? "true" : "false");
    write_member(w, "tcbStatus", v->tcb_status);
    if (refusal == CHECK_COUNT)
        writer_text(w, ",\"refusal\":null");
    else
        write_member(w, "refusal", check_name(refusal));
    writer_text(w, ",\"checks\":[");
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const struct check *check = &v->checks[id];
        if (!check_is_of(id, v->technology))
            continue;
        writer_format(w, "%s{\"name\":\"%s\"", comma, check_name(id));
        write_member(w, "result", check_result_name(check->result));
        write_member(w, "expected", check->expected);
        write_member(w, "found", check->found);
        write_member(w, "question", check_question(id));
        write_member(w, "clause", check_clause(id));
        writer_text(w, "}");
        comma = ",";
    }
    writer_text(w, "]");
}
