/* What a verifier says: every check that belongs to a technology, with its result and the reason.
 */
#pragma once

#include "base/base.h"

/* The checks, in the order of a verdict; checks.def has their names. */
enum check_id {
#define SNP_CHECK(id, name, question, clause) CHECK_##id,
#define QUOTE_CHECK(id, name, question, clause) CHECK_##id,
#define SGX_CHECK(id, name, question, clause) CHECK_##id,
#define TDX_CHECK(id, name, question, clause) CHECK_##id,
#include "evidence/checks.def"
#undef SNP_CHECK
#undef QUOTE_CHECK
#undef SGX_CHECK
#undef TDX_CHECK
    CHECK_COUNT
};

/* A check that was forgotten, or that needs something that another check refused, is not made, and
 * refuses as a failed one does. */
enum check_result { CHECK_NOT_MADE, CHECK_FAILED, CHECK_PASSED, CHECK_NOT_APPLICABLE };

/* "not made", "fail", "pass", "not applicable". */
const char *check_result_name(enum check_result result);

enum technology { TECHNOLOGY_SNP = 1, TECHNOLOGY_SGX = 2, TECHNOLOGY_TDX = 3 };

/* "snp", "sgx", "tdx". */
const char *technology_name(enum technology technology);

struct check {
    enum check_result result;
    const char *expected, *found; /* in the verdict's arena or literals; may be empty, never NULL */
};

struct verdict {
    enum technology technology;
    bool is_simulated;                /* the chain ends in a root of a simulated platform */
    struct check checks[CHECK_COUNT]; /* those of other technologies are not made, and not meant */
    struct arena *arena;              /* of the texts; memory that runs out refuses */
    const char *tcb_status;           /* SGX and TDX: the converged status, "" when there is none */
    /* The platform, as far as something names it: the report's chip, or the PPID of the quote's PCK
     * certificate. Only as good as the verdict. */
    uint8_t platform[64];
    size_t platform_size; /* 0: unknown */
};

/* The check's name, question and clause; literals. */
const char *check_name(enum check_id id);
const char *check_question(enum check_id id);
const char *check_clause(enum check_id id);

/* Whether a check belongs to a technology. */
bool check_is_of(enum check_id id, enum technology technology);

/* Begins a verdict in which no check has been made. The arena must outlive it. */
void verdict_init(struct verdict *verdict, enum technology technology, struct arena *arena);

/* Whether every check of the technology passed or does not apply. */
bool verdict_is_good(const struct verdict *verdict);

/* The first check that refuses, by the order of checks.def; CHECK_COUNT when there is none. Failed
 * checks come before those that were not made. */
enum check_id verdict_refusal(const struct verdict *verdict);

/* Notes a check's result and the texts that explain it. Once failed, a check stays failed. Returns
 * whether it is CHECK_PASSED or CHECK_NOT_APPLICABLE. */
bool verdict_set(struct verdict *verdict, enum check_id id, enum check_result result,
                 const char *expected, const char *found);
/* The same for a condition: passed or failed. */
bool verdict_judge(struct verdict *verdict, enum check_id id, bool passed, const char *expected,
                   const char *found);
/* Does not apply, and why. */
void verdict_skip(struct verdict *verdict, enum check_id id, const char *why);

/* Writes the members of a JSON object, without its braces: technology, genuine, simulated,
 * tcbStatus, refusal, and all checks of the technology. */
void verdict_write_json(struct writer *w, const struct verdict *verdict);

/* A text in the verdict's arena, by printf; a literal that says so when there is no memory. */
const char *verdict_text(struct verdict *verdict, const char *format, ...) PRINTF_LIKE(2, 3);
/* Bytes in hexadecimal. */
const char *verdict_hex(struct verdict *verdict, struct bytes bytes);
