/* What a host keeps of Intel's endorsements of its platform, for keeps to send along: TCB info and
 * its signer's chain, the revocation lists of the root and of PCK certificates. `broch platform sgx
 * update` fetches them. The certificates of the platform itself are in every quote; Intel's QE
 * identity is kept for Stewards that fetch nothing ('broch steward collateral import'): what a keep
 * sends has no place for it. */
#pragma once

#include "base/base.h"

#define SGX_ENDORSEMENTS_MAX ((size_t)8 << 20)
#define SGX_CACHE_TCB_INFO "tcb_info.json"  /* as Intel's service answers it */
#define SGX_CACHE_TCB_CHAIN "tcb_chain.pem" /* of its signer: leaf first */
#define SGX_CACHE_PCK_CRL "pck_crl.der"
#define SGX_CACHE_PCK_CRL_URL "pck_crl.url" /* from where that came: one line */
#define SGX_CACHE_ROOT_CRL "root_crl.der"
#define SGX_CACHE_ROOT_CRL_URL "root_crl.url"
#define SGX_CACHE_QE_IDENTITY "qe_identity.json"

#define SGX_CHAIN_MAX 4u

/* The certificates of a chain in PEM, and nothing else, to DER; none for no bytes. In the arena.
 * ERR_FORMAT: it is none, or has more than SGX_CHAIN_MAX; ERR_MEMORY. */
MUST_CHECK bool sgx_chain_parse(struct bytes pem, struct arena *arena,
                                struct bytes out[SGX_CHAIN_MAX], size_t *count, struct err *err);

/* BROCH_SGX_CACHE, or /var/cache/broch/sgx. */
const char *sgx_cache_folder(void);

/* What is there as `attest` gives it (sallyport.h), all but the report. What is not there is warned
 * of: a Steward may have it. *out is the arena's. ERR_IO; ERR_LIMIT; ERR_FORMAT: a chain that is
 * none. */
MUST_CHECK bool sgx_endorsements_read(const char *folder, struct arena *arena, struct bytes *out,
                                      struct err *err);
