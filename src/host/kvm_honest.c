/* What an honest loader does with a machine beside serving its calls: nothing that it should not.
 */
#include "host/kvm.h"

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
