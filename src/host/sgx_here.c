#include "host/sgx_here.h"
#include "base/banned.h"

bool sgx_report_here(const uint8_t target[SGX_TARGET_INFO_SIZE], uint8_t out[SGX_WHOLE_REPORT_SIZE],
                     struct err *err)
{
    (void)target;
    (void)out;
    return err_set(
        err, ERR_UNSUPPORTED,
        "aesmd is there, but only an enclave may ask it for a quote, and none is made for "
        "this yet: give a quote that you have, of a keep's, with --quote",
        ERR_NO_AT);
}

bool sgx_quote_here(struct sgx_quoting *quoting, sgx_report_maker *make, struct writer *out,
                    struct err *err)
{
    uint8_t target[SGX_TARGET_INFO_SIZE], report[SGX_WHOLE_REPORT_SIZE];

    return quoting->target(quoting, target, err) && make(target, report, err) &&
           quoting->quote(quoting, report, out, err);
}
