/* What an honest loader does with a machine or an enclave beside serving its calls: nothing that it
 * should not.
 */
#include "host/kvm.h"
#include "host/sgx.h"
#include "shim/sgx/layout.h"

uint64_t platform_mode(uint64_t mode)
{
    return mode;
}

void platform_prepare(const struct machine *machine)
{
    (void)machine;
}

int64_t platform_guest(struct psp *psp, uint8_t *memory)
{
    return psp_guest_request(psp, memory + REQUEST_PA, memory + RESPONSE_PA, memory + CERTS_PA,
                             CERTS_SIZE);
}

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
