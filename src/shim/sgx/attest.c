/* Evidence (DESIGN.md §4): the loader says for whom a REPORT is to be, the quoting enclave, and
 * turns it into a quote. Neither is believed: the Steward judges the quote, which only holds what
 * the processor has put into the REPORT. */
#include "sallyport/sallyport.h"
#include "shim/sgx/enclave.h"

#define EINVAL 22
#define EIO 5
#define TARGET_INFO_SIZE 512
#define REPORT_SIZE 432

/* A call that the loader makes while the handler waits. */
static int64_t ask(const void *in, uint64_t in_size, void *out, uint64_t out_size)
{
    const uint64_t args[6] = {(uint64_t)in, in_size, (uint64_t)out, out_size};
    struct transfer t;

    if (!proxy_put(&t, KEEP_CALL_ATTEST, args))
        return -EINVAL;
    (void)enclave_ask(EXIT_ASK, 0, 0);
    return proxy_take(&t);
}

int64_t enclave_attest(const uint64_t args[6])
{
    static _Alignas(512) uint8_t target[TARGET_INFO_SIZE], report[512];
    static _Alignas(128) uint8_t data[KEEP_REPORT_DATA_SIZE];

    if (args[1] != sizeof data)
        return -EINVAL;
    int64_t result = ask(0, 0, target, sizeof target);
    if (result != TARGET_INFO_SIZE)
        return result < 0 ? result : -EIO;
    memcpy(data, (const void *)args[0], sizeof data);
    enclu_report(target, data, report);
    return ask(report, REPORT_SIZE, (void *)args[2], args[3]);
}
