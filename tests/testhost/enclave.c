/* What a loader can do to an enclave beside what it was asked for: what is in the heap before it
 * starts, how it is entered, interrupts. */
#include "testhost.h"

#include <stdlib.h>
#include <sys/time.h>

#include "host/sgx.h"
#include "host/sgx_quoting.h"
#include "host/sgx_sim.h"
#include "shim/sgx/layout.h"

void platform_enclave(struct sgx_processor *processor, struct block *block)
{
    (void)processor;
    (void)block;
}

bool platform_enter(struct sgx_processor *processor, enum sgx_leaf leaf, uint64_t block_address,
                    struct sgx_exit *out, struct err *err)
{
    return processor->enter(processor, THREAD_AT, leaf, block_address, out, err);
}

bool platform_quote(struct sgx_quoting *quoting, const uint8_t report[SGX_WHOLE_REPORT_SIZE],
                    struct writer *out, struct err *err)
{
    return quoting->quote(quoting, report, out, err);
}
