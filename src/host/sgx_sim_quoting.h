/* A quoting enclave in software, on a platform whose certificates are under the roots of a folder
 * of `broch sim init`: it checks a REPORT as Intel's does, and signs a quote that only those roots
 * vouch for. */
#pragma once

#include "host/sgx_keys.h"
#include "host/sgx_quoting.h"
#include "sallyport/sallyport.h"

/* The platform is new, and what endorses it is written to *endorsements, borrowed. ERR_IO,
 * ERR_NOT_FOUND: there are no roots; ERR_FORMAT, ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool sgx_sim_quoting_new(const char *sim_folder, struct sgx_platform *platform,
                                    struct sgx_quoting *out, struct keep_evidence *endorsements,
                                    struct err *err);
void sgx_sim_quoting_free(struct sgx_quoting *quoting);
