/* What the verifiers of the technologies share. Private to the room. */
#pragma once

#include "evidence/chain.h"
#include "evidence/collateral_parts.h"
#include "evidence/evidence.h"
#include "evidence/roots.h"

/* Roots of policies, chains in quotes and attestation keys that are kept parsed: OpenSSL takes
 * longer to read a certificate than to check a signature. */
#define VERIFIER_ROOTS_KEPT 16
#define VERIFIER_CHAINS_KEPT 32
#define VERIFIER_KEYS_KEPT 32

struct known_root {
    uint8_t *der;
    struct certificate certificate;
};

struct known_chain {
    uint8_t *text; /* as it stands in a quote */
    size_t size;
    struct collateral *certificates;
};

/* The public key of a quoting enclave, which serves for many quotes. */
struct known_key {
    uint8_t point[64]; /* x, y */
    EVP_PKEY *key;
};

struct verifier {
    struct roots roots;
    struct signature_cache *signatures;
    struct known_root known_roots[VERIFIER_ROOTS_KEPT];
    struct known_chain known_chains[VERIFIER_CHAINS_KEPT];
    struct known_key known_keys[VERIFIER_KEYS_KEPT];
    size_t next_root, next_chain, next_key; /* whose place the next one takes */
};

/* One verification under way. */
struct run {
    struct verifier *verifier;
    const struct evidence_input *input;
    const struct evidence_policy *policy;
    struct collateral_view view;
    const struct collateral_view *collateral; /* it */
    struct verdict *verdict;
    /* roots of simulated platforms, from the policy; borrowed from the verifier */
    const struct certificate *simulated[CHAIN_ROOTS_MAX - 1];
    size_t simulated_count;
};

void snp_verify(struct run *run);
void quote_verify(struct run *run);

/* The certificates in a quote's PEM, which is nothing but them: remembered, or parsed and from now
 * on remembered. Borrowed from the verifier, until the next call. ERR_FORMAT, ERR_LIMIT,
 * ERR_MEMORY. */
MUST_CHECK bool verifier_chain(struct verifier *verifier, struct bytes pem,
                               const struct collateral **out, struct err *err);

/* The key on P-256 of a point, remembered or made. ERR_CRYPTO. Borrowed as above. */
MUST_CHECK bool verifier_key(struct verifier *verifier, const uint8_t point[64], EVP_PKEY **out,
                             struct err *err);

/* The roots that a chain may end in: the built-in one, and those simulated ones that have its name.
 */
void run_roots(const struct run *run, enum root_id built_in, struct chain_roots *out);
struct chain_pool run_pool(const struct run *run);

/* Judges the dates of certificates. */
void run_judge_dates(struct run *run, enum check_id id, const struct certificate *const *links,
                     size_t count);

/* The list of an issuer: the newest of those that it signed and that are current, if there is one,
 * else one that is not; NULL when there is none by its name. *why: what is wrong with it, or NULL.
 */
const struct crl *run_find_crl(struct run *run, const struct certificate *issuer,
                               enum x509_form form, const char **why);

/* Whether a list names any item, by a judgement on the policy: an empty list allows everything when
 * `empty_allows`. */
void run_judge_list(struct run *run, enum check_id id, const struct bytes_list *list,
                    struct bytes found, const char *when_empty);

/* Judges the 64 bytes that the caller expects. */
void run_judge_report_data(struct run *run, enum check_id id, const uint8_t found[64]);
