/* What SEV-SNP measures of an image: its pages, then the first processor. */
#include "image/image.h"
#include "shim/kvm/layout.h"

/* Bits of control registers (AMD APM volume 2, §3.1). */
#define CR0_PE_MP_ET_NE_WP_PG 0x80010033u
#define CR4_PAE_OSFXSR_OSXMMEXCPT 0x620u
#define CR4_UMIP_FSGSBASE_OSXSAVE_SMEP_SMAP 0x350800u
#define EFER_SCE_LME_LMA_NXE 0xd01u
#define XCR0_X87_SSE_AVX 7u

const struct image_variant image_variants[IMAGE_VARIANTS] = {
    {"kvm", "Linux 6.11 and later, as broch starts it", 1},
    {"kvm-debug-swap", "the same where the loader asks for debug registers (DebugSwap)", 0x21},
};

void image_start(const struct image *image, const struct image_variant *variant,
                 struct snp_long_mode *out)
{
    *out = (struct snp_long_mode){
        .rip = image->entry,
        .rsi = MODE_SNP,
        .cr0 = CR0_PE_MP_ET_NE_WP_PG,
        .cr3 = TABLES_SNP_PA | UINT64_C(1) << C_BIT,
        .cr4 = CR4_PAE_OSFXSR_OSXMMEXCPT | CR4_UMIP_FSGSBASE_OSXSAVE_SMEP_SMAP,
        .efer = EFER_SCE_LME_LMA_NXE,
        .xcr0 = XCR0_X87_SSE_AVX,
        .sev_features = variant->sev_features,
    };
}

bool image_measure(const struct image *image, const struct image_variant *variant,
                   uint8_t out[SNP_DIGEST_SIZE], struct err *err)
{
    struct snp_launch launch = {{0}};
    struct snp_long_mode start;
    uint8_t vmsa[SNP_PAGE_SIZE];

    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];
        for (size_t at = 0; at < range->bytes.size; at += SNP_PAGE_SIZE) {
            if (!snp_launch_page(&launch, range->type, range->gpa + at, range->bytes.data + at,
                                 err))
                return false;
        }
    }
    image_start(image, variant, &start);
    snp_vmsa_write_long_mode(&start, vmsa);
    if (!snp_launch_page(&launch, SNP_PAGE_VMSA, SNP_VMSA_GPA, vmsa, err))
        return false;
    memcpy(out, launch.digest, SNP_DIGEST_SIZE);
    return true;
}
