/* Lies, as they are written on the command line. */
#include <stdlib.h>
#include <string.h>

#include "testhost.h"

#define WORD_MAX 64

const char lie_help[] =
    "  --lie CALL,N,KIND[,VALUE]  answers the Nth CALL (or `all`) of calls.def with a lie. KIND:\n"
    "      errno      it failed with errno VALUE; EIO      negative  VALUE; -5000, no errno\n"
    "      zero       0                                    huge      the largest number\n"
    "      short      half of the true result              long      one more than was asked for\n"
    "      fd         descriptor VALUE; 999, not open      pointer   an address of the stack\n"
    "      flip       bit VALUE of what was written; 0     noise     random bytes are written\n"
    "      length     the size of an address is VALUE; 2^31-1\n"
    "      scribble  number and arguments of the call are overwritten, with --backend kvm\n"
    "    of attest besides: short, garbage, empty, other-data, other-measurement, technology\n"
    "    (another one's byte), unsigned (a bit of the report is another)\n";

static const char *const names[] = {
    [LIE_SHORT_EVIDENCE] = "short",
    [LIE_GARBAGE] = "garbage",
    [LIE_OTHER_DATA] = "other-data",
    [LIE_OTHER_MEASUREMENT] = "other-measurement",
    [LIE_EMPTY] = "empty",
    [LIE_TECHNOLOGY] = "technology",
    [LIE_UNSIGNED] = "unsigned",
    [LIE_ERRNO] = "errno",
    [LIE_NEGATIVE] = "negative",
    [LIE_ZERO] = "zero",
    [LIE_SHORT] = "short",
    [LIE_LONG] = "long",
    [LIE_HUGE] = "huge",
    [LIE_FD] = "fd",
    [LIE_POINTER] = "pointer",
    [LIE_FLIP] = "flip",
    [LIE_NOISE] = "noise",
    [LIE_LENGTH] = "length",
    [LIE_SCRIBBLE] = "scribble",
};
_Static_assert(COUNT_OF(names) == LIE_KIND_COUNT, "every kind has a name");

static bool is_about_evidence(enum lie_kind kind)
{
    return kind <= LIE_UNSIGNED;
}

/* The next word of a text, up to a comma; false at its end. */
static bool take_word(const char **text, char out[WORD_MAX])
{
    size_t size = strcspn(*text, ",");

    if (size == 0 || size >= WORD_MAX)
        return false;
    memcpy(out, *text, size);
    out[size] = '\0';
    *text += size + ((*text)[size] == ',');
    return true;
}

static const struct call *find_call(const char *name)
{
    for (size_t i = 0; i < call_count; i++) {
        if (strcmp(calls[i].name, name) == 0)
            return &calls[i];
    }
    return NULL;
}

static bool find_kind(const char *name, bool is_attest, enum lie_kind *out)
{
    unsigned first = is_attest ? 0 : LIE_ERRNO;

    for (unsigned i = first; i < LIE_KIND_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum lie_kind)i;
            return true;
        }
    }
    return false;
}

void lies_add(struct lies *lies, const char *text)
{
    char call[WORD_MAX], nth[WORD_MAX], kind[WORD_MAX], value[WORD_MAX];
    struct lie lie = {.call = NULL};

    must(take_word(&text, call) && take_word(&text, nth) && take_word(&text, kind),
         "--lie takes CALL,N,KIND[,VALUE]");
    lie.call = find_call(call);
    must(lie.call != NULL, "no such call");
    lie.nth = strcmp(nth, "all") == 0 ? 0 : strtoull(nth, NULL, 10);
    must(lie.nth != 0 || strcmp(nth, "all") == 0, "which call? a number, from 1, or all");
    must(find_kind(kind, lie.call->number == KEEP_CALL_ATTEST, &lie.kind), "no such lie");
    lie.has_value = take_word(&text, value);
    if (lie.has_value)
        lie.value = strtoll(value, NULL, 0);
    must(*text == '\0' && lies->count < LIES_MAX, "too much to lie about");
    lies->items[lies->count++] = lie;
}

const struct lie *lies_find(const struct lies *lies, const struct call *call, uint64_t nth,
                            bool about_evidence)
{
    for (size_t i = 0; i < lies->count; i++) {
        const struct lie *lie = &lies->items[i];
        if (lie->call == call && (lie->nth == 0 || lie->nth == nth) &&
            is_about_evidence(lie->kind) == about_evidence)
            return lie;
    }
    return NULL;
}

bool lies_need_tracer(const struct lies *lies)
{
    for (size_t i = 0; i < lies->count; i++) {
        if (!is_about_evidence(lies->items[i].kind))
            return true;
    }
    return false;
}
