#include "host/sgx_here.h"

#include "host/host.h"
#include "host/sgx_device.h"
#include "host/sgx_load.h"
#include "base/banned.h"

bool sgx_report_here(const uint8_t target[SGX_TARGET_INFO_SIZE], uint8_t out[SGX_WHOLE_REPORT_SIZE],
                     struct err *err)
{
    struct sgx_processor processor;

    if (!sgx_device_new(&sgx_linux, host_sgx_device(), &processor, err))
        return false;
    bool ok = sgx_report_by(&processor, target, out, err);
    sgx_device_free(&processor);
    return ok;
}

bool sgx_quote_here(struct sgx_quoting *quoting, sgx_report_maker *make, struct writer *out,
                    struct err *err)
{
    uint8_t target[SGX_TARGET_INFO_SIZE], report[SGX_WHOLE_REPORT_SIZE];

    return quoting->target(quoting, target, err) && make(target, report, err) &&
           quoting->quote(quoting, report, out, err);
}
