/* Who turns an enclave's REPORT into a quote: Intel's quoting enclave through AESM (aesm.h), or one
 * in software (sgx_sim_quoting.c). */
#pragma once

#include "base/base.h"

#define SGX_TARGET_INFO_SIZE 512u
#define SGX_WHOLE_REPORT_SIZE 432u /* REPORT with KEYID and MAC (Intel SDM volume 3D, "REPORT") */
#define SGX_QUOTE_MAX 65536u

struct sgx_quoting {
    void *self;
    /* TARGETINFO of the quoting enclave, for EREPORT. ERR_IO, ERR_UNSUPPORTED, ERR_FORMAT; messages
     * say what to do. */
    bool (*target)(struct sgx_quoting *quoting, uint8_t out[SGX_TARGET_INFO_SIZE], struct err *err);
    /* A quote of a REPORT made for it; `out` is appended to. ERR_POLICY: it refuses the REPORT. */
    bool (*quote)(struct sgx_quoting *quoting, const uint8_t report[SGX_WHOLE_REPORT_SIZE],
                  struct writer *out, struct err *err);
};

/* attest.c, or another loader's in its place: the quote that the keep is given. */
bool platform_quote(struct sgx_quoting *quoting, const uint8_t report[SGX_WHOLE_REPORT_SIZE],
                    struct writer *out, struct err *err);
