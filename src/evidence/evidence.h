/* Evidence of TEEs: what it is, what it says, and whether to believe it. No I/O, no clock: the time
 * is an argument. One thread at a time for each object. */
#pragma once

#include "base/base.h"
#include "evidence/collateral.h"
#include "evidence/policy.h"
#include "evidence/verdict.h"

/* Larger than any report, quote or request with evidence in it. */
#define EVIDENCE_SIZE_MAX ((size_t)256 << 10)

/* The pinned roots, and the signatures of chains that were found good before: what is worth keeping
 * from one verification to the next. */
struct verifier;

/* ERR_MEMORY. */
MUST_CHECK bool verifier_new(struct verifier **out, struct err *err);
void verifier_free(struct verifier *verifier);
/* Forgets every signature and chain that it knows to be good, as a new one would know none. */
void verifier_forget(struct verifier *verifier);

/* What a file holds. */
enum evidence_kind { EVIDENCE_SNP, EVIDENCE_QUOTE };

struct evidence_input {
    enum evidence_kind kind;
    struct bytes evidence;               /* a report or quote, as evidence_open gives it */
    const struct collateral *collateral; /* what came with it */
    const struct collateral *local;      /* what the verifier has of its own; NULL: nothing */
    const struct evidence_policy *policy;
    int64_t at;                 /* seconds since 1970 */
    const uint8_t *report_data; /* 64 bytes that it must be about; NULL: not judged */
};

/* Evidence found in a file. */
struct evidence_file {
    enum evidence_kind kind;
    struct bytes evidence;
    bool has_key;            /* it came in a request or certificate, whose key it must be about: */
    uint8_t report_data[64]; /* the digest of the key, as Enarx binds it */
};

/* Finds the report or quote in a file: raw, in hexadecimal, in Azure's HCL report, in a certificate
 * request or certificate with Enarx's extension (DER or PEM), whose endorsements go to
 * `collateral` (NULL: they are left). ERR_FORMAT: there is none, or the request is not signed by
 * its own key. *out borrows from the file and the arena. */
MUST_CHECK bool evidence_open(struct bytes file, struct arena *arena, struct collateral *collateral,
                              struct evidence_file *out, struct err *err);

/* The same for the content of Enarx's extension for SNP (EVIDENCE_SNP) or SGX that was taken out of
 * a request already. *out borrows from the content. */
MUST_CHECK bool evidence_open_extension(enum evidence_kind kind, struct bytes content,
                                        struct collateral *collateral, struct bytes *out,
                                        struct err *err);
/* The 64 bytes by which Enarx's keeps bind evidence to a key. ERR_MEMORY. */
MUST_CHECK bool evidence_bind_key(enum evidence_kind kind, struct bytes spki, uint8_t out[64],
                                  struct err *err);

/* What evidence says that runs, and on what; judged by nobody. */
struct evidence_subject {
    enum technology technology;
    uint8_t measurement[48]; /* launch digest, MRENCLAVE, MRTD */
    size_t measurement_size;
    uint8_t signer[48]; /* the ID key's digest, MRSIGNER */
    size_t signer_size; /* 0: there is none */
    uint8_t tcb[16];    /* the reported TCB; CPUSVN; the module's TEE_TCB_SVN */
    size_t tcb_size;
};
/* ERR_FORMAT, ERR_UNSUPPORTED. */
MUST_CHECK bool evidence_subject_parse(enum evidence_kind kind, struct bytes evidence,
                                       struct evidence_subject *out, struct err *err);

/* An endorsement that a vendor's service has: AMD 57230 (KDS), Intel PCS API version 4, of which
 * caching services speak the same. */
enum evidence_vendor { EVIDENCE_AMD, EVIDENCE_INTEL };

struct evidence_need {
    enum evidence_vendor vendor;
    char path[320]; /* what follows the service's address: "/vcek/v1/Genoa/…" */
};

#define EVIDENCE_NEEDS_MAX 6

/* What one would have to ask for to judge evidence. Nothing for what cannot be read. Returns how
 * many. */
size_t evidence_needs(enum evidence_kind kind, struct bytes evidence,
                      struct evidence_need out[EVIDENCE_NEEDS_MAX]);

/* Makes every check. The verdict's texts are in the arena. */
void evidence_verify(struct verifier *verifier, const struct evidence_input *input,
                     struct arena *arena, struct verdict *verdict);

/* A root certificate of a simulated platform, for a policy's simulated_roots: DER or PEM to DER.
 * ERR_FORMAT. *out borrows from the file or the arena. */
MUST_CHECK bool evidence_root_parse(struct bytes file, struct arena *arena, struct bytes *out,
                                    struct err *err);

/* What a file says of itself, judged by nobody, as words. */
struct fact {
    const char *name, *value;
};

#define FACTS_MAX 48 /* of one thing */

struct fact_item {
    const char *kind; /* "snp report", "quote", "certificate", "crl", "tcb info", "qe identity" */
    struct fact facts[FACTS_MAX];
    size_t count;
};

struct fact_list {
    struct fact_item *items;
    size_t count;
};

/* Everything that a file of evidence or endorsements holds. ERR_FORMAT, ERR_UNSUPPORTED, ERR_LIMIT,
 * ERR_MEMORY. Texts are in the arena. */
MUST_CHECK bool evidence_facts(struct bytes file, struct arena *arena, struct fact_list *out,
                               struct err *err);
