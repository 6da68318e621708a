/* CPUID on SEV-SNP: the instruction is a #VC, and its answer stands in a page that the security
 * processor has checked (AMD 56860 §7.1, "CPUID Page"). Nothing is asked of the host. */
#include "shim/kvm/user.h"

#define ENTRIES_MAX 64
#define LEAF_FEATURES 1
#define LEAF_MORE_FEATURES 7
#define LEAF_XSAVE 0xd
#define LEAF_SEV 0x8000001f
#define OSXSAVE (1u << 27)
#define FSGSBASE (1u << 0) /* of leaf 7, EBX */
#define RDRAND \
    (1u << 30) /* of leaf 1, ECX; and with the next, what all processors with SEV-SNP have */
/* AES-NI, PCLMULQDQ, SSSE3, SSE4.1, SSE4.2: a page may hide features, and without these ciphers
 * would leak by the caches */
#define CIPHERS (1u << 25 | 1u << 1 | 1u << 9 | 1u << 19 | 1u << 20)
#define XSAVE_SIZE                                                                 \
    832 /* for x87, SSE and AVX, which is what XCR0 has (Intel SDM vol. 1, §13.4) \
         */

struct entry {
    uint32_t leaf, subleaf;
    uint64_t xcr0, xss;
    uint32_t eax, ebx, ecx, edx;
    uint64_t reserved;
};

struct page {
    uint32_t count, reserved[3];
    struct entry entries[ENTRIES_MAX];
};
_Static_assert(sizeof(struct page) <= PAGE_SIZE, "in one page");

static bool has_subleaves(uint32_t leaf)
{
    static const uint32_t leaves[] = {7,    0xb,  0xd,  0xf,  0x10, 0x12,      0x14,
                                      0x17, 0x18, 0x1d, 0x1e, 0x1f, 0x8000001d};

    for (unsigned i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        if (leaves[i] == leaf)
            return true;
    }
    return false;
}

static const struct entry *find(const struct page *page, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < page->count; i++) {
        const struct entry *e = &page->entries[i];
        if (e->leaf == leaf && (!has_subleaves(leaf) || e->subleaf == subleaf))
            return e;
    }
    return 0;
}

struct cpuid_answer cpuid_look_up(const void *page_bytes, uint32_t leaf, uint32_t subleaf)
{
    const struct entry *e = find(page_bytes, leaf, subleaf);
    struct cpuid_answer answer = {0, 0, 0, 0};

    if (e == 0)
        return answer;
    answer = (struct cpuid_answer){e->eax, e->ebx, e->ecx, e->edx};
    if (leaf == LEAF_FEATURES)
        answer.ecx |= OSXSAVE; /* as CR4 is */
    if (leaf == LEAF_XSAVE && subleaf <= 1)
        answer.ebx = XSAVE_SIZE;
    return answer;
}

const char *cpuid_fault(const void *page_bytes)
{
    const struct page *page = page_bytes;

    if (page->count == 0 || page->count > ENTRIES_MAX)
        return "the CPUID page is none";
    const struct entry *sev = find(page, LEAF_SEV, 0);
    if (sev == 0 || (sev->ebx & 0x3f) != C_BIT)
        return "the C-bit is not where the image has it";
    uint32_t features = cpuid_look_up(page, LEAF_FEATURES, 0).ecx;
    if ((features & RDRAND) == 0)
        return "the processor has no RDRAND";
    if ((features & CIPHERS) != CIPHERS)
        return "the processor has no instructions for ciphers";
    if ((cpuid_look_up(page, LEAF_MORE_FEATURES, 0).ebx & FSGSBASE) == 0)
        return "the processor has no FSGSBASE";
    return 0;
}
