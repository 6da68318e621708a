/* The leaves of ENCLU that the shim uses (Intel SDM volume 3D, "Intel SGX Instruction References").
 */
#include "shim/sgx/enclave.h"

#define EREPORT 0
#define EACCEPT 5
#define EMODPE 6

struct secinfo {
    uint64_t flags, reserved[7];
};
_Static_assert(sizeof(struct secinfo) == 64, "SDM 3D");

static uint64_t enclu(uint64_t leaf, const void *rbx, uint64_t rcx, void *rdx)
{
    __asm__ volatile("enclu" : "+a"(leaf) : "b"(rbx), "c"(rcx), "d"(rdx) : "memory", "cc");
    return leaf;
}

uint64_t enclu_accept(uint64_t address, uint64_t flags)
{
    const _Alignas(64) struct secinfo info = {.flags = flags};

    return enclu(EACCEPT, &info, address, 0) & 0xffffffff;
}

void enclu_extend(uint64_t address)
{
    const _Alignas(64) struct secinfo info = {.flags = PAGE_REGULAR | PAGE_READ | PAGE_WRITE};

    (void)enclu(EMODPE, &info, address, 0);
}

void enclu_report(const void *target_info, const void *report_data, void *report)
{
    (void)enclu(EREPORT, target_info, (uint64_t)report_data, report);
}
