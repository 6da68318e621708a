/* The beginning of an enclave: what the loader says is bounded, the shim relocates itself, the exec
 * layer gets its stack. The exec layer is measured where it lies; nothing of it is moved. */
#include <elf.h>

#include "shim/sgx/enclave.h"

#define ADDRESS_MAX 0x0000800000000000ull
#define EINVAL 22
/* In REPORT (Intel SDM volume 3D, "REPORT"). */
#define REPORT_XFRM_AT 56

struct start {
    uint64_t entry, stack;
};

uint64_t enclave_xfrm;

static struct block *block_at;

struct block *block(void)
{
    return block_at;
}

bool is_outside(uint64_t address, uint64_t size)
{
    uint64_t base = (uint64_t)enclave_base;

    return size <= ADDRESS_MAX && address <= ADDRESS_MAX - size &&
           (address + size <= base || address >= base + ENCLAVE_SIZE);
}

/* What the linker has left, R_X86_64_RELATIVE alone. */
static void relocate(void)
{
    extern const Elf64_Rela relocations[] __attribute__((visibility("hidden")));
    extern const Elf64_Rela relocations_end[] __attribute__((visibility("hidden")));
    uint64_t base = (uint64_t)enclave_base;
    size_t count = ((uint64_t)relocations_end - (uint64_t)relocations) / sizeof relocations[0];

    for (size_t i = 0; i < count; i++)
        *(volatile uint64_t *)(base + relocations[i].r_offset) =
            base + (uint64_t)relocations[i].r_addend;
}

static void read_xfrm(void)
{
    static _Alignas(512) uint8_t target[512], report[512];
    static _Alignas(128) uint8_t data[64];

    enclu_report(target, data, report);
    enclave_xfrm = *(const uint64_t *)(const void *)(report + REPORT_XFRM_AT);
}

int64_t shim_set_fs(uint64_t value)
{
    if (value >= ADDRESS_MAX)
        return -EINVAL;
    enclave_state()->fs_base = value;
    return 0;
}

/* RAX and RDX. Called once, on the stack of CSSA 0. */
struct start enclave_start(uint64_t block_address);
struct start enclave_start(uint64_t block_address)
{
    const Elf64_Ehdr *e = (const Elf64_Ehdr *)(void *)(enclave_base + KEEP_AT);

    relocate();
    if (block_address % BLOCK_PAGE_SIZE != 0 ||
        !is_outside(block_address, sizeof(struct block) + BLOCK_DATA_SIZE))
        __builtin_trap(); /* there is no way to say it: the loader sees how the enclave is left */
    block_at = (struct block *)block_address;
    read_xfrm();
    heap_init(*(volatile uint64_t *)&block()->can_grow != 0);
    return (struct start){.entry = (uint64_t)e + e->e_entry,
                          .stack = stack_build(heap_stack(), (uint64_t)e, e)};
}
