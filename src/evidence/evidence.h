/* Evidence of TEEs: what it is, what it says, and whether to believe it. No I/O, no clock: the time
 * is an argument. One thread at a time for each object. */
#pragma once

#include "base/base.h"
#include "evidence/collateral.h"
#include "evidence/policy.h"
#include "evidence/signature_cache.h"
#include "evidence/verdict.h"

/* Larger than any report, quote or request with evidence in it. */
#define EVIDENCE_SIZE_MAX ((size_t)256 << 10)

struct evidence_input {
    struct bytes evidence; /* a report or quote, as evidence_open gives it */
    const struct collateral *collateral;
    const struct evidence_policy *policy;
    int64_t at;                    /* seconds since 1970 */
    const uint8_t *report_data;    /* 64 bytes that it must be about; NULL: not judged */
    struct signature_cache *cache; /* of signatures verified before; may be NULL */
};

/* What a file holds. */
enum evidence_kind { EVIDENCE_SNP, EVIDENCE_QUOTE };

/* Finds the report or quote in a file: raw, in hexadecimal, in Azure's HCL report, in a certificate
 * request or certificate with Enarx's extension (DER or PEM), whose endorsements go to
 * `collateral` (NULL: they are left). ERR_FORMAT: there is none. *out borrows from the file and the
 * arena. */
MUST_CHECK bool evidence_open(struct bytes file, struct arena *arena, struct collateral *collateral,
                              enum evidence_kind *kind, struct bytes *out, struct err *err);

/* Makes every check. The verdict's texts are in the arena; false only when there is no memory for
 * anything. */
void evidence_verify(const struct evidence_input *input, struct arena *arena,
                     struct verdict *verdict);

/* A field of evidence, as words. */
struct fact {
    const char *name, *value;
};

struct facts {
    struct fact *items;
    size_t count;
};

/* What a report or quote says of itself, judged by nobody. ERR_FORMAT, ERR_UNSUPPORTED. */
MUST_CHECK bool evidence_facts(struct bytes evidence, struct arena *arena, struct facts *out,
                               struct err *err);
