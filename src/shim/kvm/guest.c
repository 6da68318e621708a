/* The security processor, as far as the shim has to do with it: it hands the exec layer its key,
 * once, and carries messages that it cannot read (DESIGN.md §4). */
#include "sallyport/sallyport.h"
#include "shim/kvm/user.h"

#define EBUSY 16
#define EIO 5
#define EINVAL 22
#define ENOSYS 38
#define EPERM 1
#define BUSY 2 /* of the upper half of SW_EXITINFO2 (AMD 56421 §4.1.7) */

/* The secrets page (AMD 56860 §7.2, "Secrets Page"). */
struct secrets {
    uint32_t version, flags, processor, reserved;
    uint8_t workarounds[16];
    uint8_t vmpck[4][32];
    uint32_t sequence[4]; /* of messages with each key, as whoever used it last has left it */
};
_Static_assert(sizeof(struct secrets) == 0xb0, "AMD 56860");

#define VERSION_MIN 2
#define VERSION_MAX 4

static struct secrets *secrets(void)
{
    return (struct secrets *)SECRETS_VA;
}

void guest_check(void)
{
    const char *fault = cpuid_fault((const void *)CPUID_VA);

    if (fault != 0)
        proxy_panic(fault, 0);
    if (secrets()->version < VERSION_MIN || secrets()->version > VERSION_MAX)
        proxy_panic("the secrets page is none", secrets()->version);
}

int64_t guest_key(struct keep_platform_key *out, uint64_t size)
{
    static bool is_given;

    if (user_mode == MODE_KVM)
        return -ENOSYS;
    if (size != sizeof *out)
        return -EINVAL;
    if (is_given)
        return -EPERM;
    is_given = true;
    for (unsigned i = 0; i < sizeof out->key; i++)
        out->key[i] = secrets()->vmpck[0][i];
    out->sequence = secrets()->sequence[0];
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        ((volatile uint64_t *)SECRETS_VA)[i] = 0;
    return sizeof *out;
}

static int64_t send(void)
{
    if (user_mode == MODE_SNP)
        return kernel_request(KERNEL_GUEST, 0, 0, 0, 0);
    __asm__ volatile("outb %%al, %0" : : "N"(PORT_GUEST), "a"(0) : "memory");
    return *(volatile int64_t *)&block()->result;
}

int64_t guest_request(const uint64_t args[6])
{
    uint8_t *request = (uint8_t *)(BLOCK_VA + (REQUEST_PA - BLOCK_PA));
    uint8_t *response = (uint8_t *)(BLOCK_VA + (RESPONSE_PA - BLOCK_PA));
    uint8_t *certs = (uint8_t *)(BLOCK_VA + (CERTS_PA - BLOCK_PA)), *out = (uint8_t *)args[2];

    if (user_mode == MODE_KVM)
        return -ENOSYS;
    if (args[1] != PAGE_SIZE || args[3] != PAGE_SIZE + CERTS_SIZE)
        return -EINVAL;
    memcpy(request, (const void *)args[0], PAGE_SIZE);
    memset(response, 0, PAGE_SIZE);
    memset(certs, 0, CERTS_SIZE); /* where there are none, none are found */
    int64_t result = send();
    if (result != 0)
        return result >> 32 == BUSY ? -EBUSY : -EIO;
    memcpy(out, response, PAGE_SIZE);
    memcpy(out + PAGE_SIZE, certs, CERTS_SIZE);
    return PAGE_SIZE + CERTS_SIZE;
}
