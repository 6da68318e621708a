/* What the two files of simulated SGX share: the keys above a platform, and what the simulated
 * quoting enclave is. Private to them. */
#pragma once

#include "evidence/simulated_x509.h"

enum simulated_sgx_party {
    SIMULATED_ROOT,
    SIMULATED_PLATFORM_CA,
    SIMULATED_TCB_SIGNING,
    SIMULATED_PARTY_COUNT,
};

struct simulated_sgx {
    struct simulated_party parties[SIMULATED_PARTY_COUNT];
    struct arena arena; /* of the certificates */
};

/* Where real certificates name Intel's service: a host that exists nowhere (RFC 6761 §6.4). */
#define SIMULATED_URL "https://simulated.invalid/"

/* The depth of a certificate that is no CA's. */
#define SIMULATED_END_ENTITY (-1)

/* The extensions that all of Intel's certificates have, in their order. */
MUST_CHECK bool simulated_sgx_extensions(EVP_PKEY *key, EVP_PKEY *signer, int depth,
                                         const char *crl_url, struct writer *w, struct err *err);

/* ---- the quoting enclave ---- */

#define SIMULATED_QE_PRODUCT 1u
#define SIMULATED_QE_SVN 1u
/* ATTRIBUTES as in a report, and what Intel's description compares of it: all flags but
 * MODE64BIT. */
extern const uint8_t simulated_qe_attributes[16], simulated_qe_attributes_mask[16];

/* SHA-256 of a text, so that nobody has the key that would be the enclave's signer. */
MUST_CHECK bool simulated_qe_mrsigner(uint8_t out[SHA256_SIZE], struct err *err);
