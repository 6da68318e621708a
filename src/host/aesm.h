/* Intel's AESM daemon, which has the quoting enclave: quotes over its socket. What it answers is
 * bounded and read as what it should be; whether a quote is to be believed the Steward judges. */
#pragma once

#include "host/sgx_quoting.h"

/* For everything that one call of `struct sgx_quoting` needs: the first one after a start may have
 * the daemon make a key and fetch its certificate. */
#define AESM_TIMEOUT_MS 30000u

/* socket_path: NULL for host_aesm_socket. Nobody is asked yet. Its calls take no longer than
 * AESM_TIMEOUT_MS; messages are ERR_IO's too when aesmd names an error. ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool aesm_quoting_new(const char *socket_path, struct sgx_quoting *out, struct err *err);
/* Another time than AESM_TIMEOUT_MS, from the next call on. */
void aesm_quoting_set_timeout(struct sgx_quoting *quoting, uint64_t timeout_ms);
void aesm_quoting_free(struct sgx_quoting *quoting);

/* What a code means that is no success, and what to do. ERR_POLICY when the REPORT is at fault,
 * else ERR_IO without a number. Returns false. */
bool aesm_error_set(uint32_t code, struct err *err);
