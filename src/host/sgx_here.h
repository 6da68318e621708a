/* A quote about this machine, for who wants to know what it is. */
#pragma once

#include "host/sgx_quoting.h"

/* Makes a REPORT for a TARGETINFO, which only an enclave can. */
typedef bool sgx_report_maker(const uint8_t target[SGX_TARGET_INFO_SIZE],
                              uint8_t out[SGX_WHOLE_REPORT_SIZE], struct err *err);

/* With an enclave for that alone, by Linux's driver. ERR_UNSUPPORTED: the machine has no SGX; and
 * as sgx_report_by. */
sgx_report_maker sgx_report_here;

/* Asks for the target, has a REPORT made, and asks for its quote; appends to `out`. Errors are
 * those of `quoting` and `make`. */
MUST_CHECK bool sgx_quote_here(struct sgx_quoting *quoting, sgx_report_maker *make,
                               struct writer *out, struct err *err);
