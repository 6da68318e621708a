/* CPUID in an enclave is no instruction: this table is what the exec layer is told (Intel SDM
 * volume 2A, "CPUID"). It is the least that processors with SGX have, and what XFRM implies: with
 * AVX in it, an Intel Core or Xeon of the sixth generation or later. */
#include "shim/sgx/enclave.h"

#define BIT(n) (UINT32_C(1) << (n))

#define LEAF_MAX 0xdu
#define EXTENDED 0x80000000u
#define EXTENDED_MAX 0x80000001u
#define XFRM_AVX 4u
#define XSAVE_LEGACY_SIZE 576u /* x87 and SSE, and the header */
#define XSAVE_AVX_SIZE 832u

/* Family 6, model 0x55: what only tunes. */
#define VERSION 0x50654u

/* FPU, TSC, MSR, CX8, CMOV, CLFLUSH, MMX, FXSR, SSE, SSE2 */
#define FEATURES_EDX \
    (BIT(0) | BIT(4) | BIT(5) | BIT(8) | BIT(15) | BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26))
/* SSE3, PCLMULQDQ, SSSE3, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, AES, XSAVE, OSXSAVE, RDRAND */
#define FEATURES_ECX                                                                        \
    (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | \
     BIT(26) | BIT(27) | BIT(30))
#define FEATURES_ECX_AVX (BIT(12) | BIT(28) | BIT(29))    /* FMA, AVX, F16C */
#define MORE_EBX (BIT(0) | BIT(9) | BIT(18))              /* FSGSBASE, ERMS, RDSEED */
#define MORE_EBX_AVX (BIT(3) | BIT(5) | BIT(8) | BIT(19)) /* BMI1, AVX2, BMI2, ADX */
#define EXTENDED_EDX (BIT(20) | BIT(29))                  /* NX, 64 bits */
#define EXTENDED_ECX (BIT(0))                             /* LAHF */
#define EXTENDED_ECX_AVX (BIT(5))                         /* LZCNT */

struct cpuid_answer enclave_cpuid(uint64_t xfrm, uint32_t leaf, uint32_t subleaf)
{
    bool has_avx = (xfrm & XFRM_AVX) != 0;
    uint32_t size = has_avx ? XSAVE_AVX_SIZE : XSAVE_LEGACY_SIZE;

    switch (leaf) {
    case 0: /* "GenuineIntel" */
        return (struct cpuid_answer){LEAF_MAX, 0x756e6547, 0x6c65746e, 0x49656e69};
    case 1:
        return (struct cpuid_answer){VERSION, 0, FEATURES_ECX | (has_avx ? FEATURES_ECX_AVX : 0),
                                     FEATURES_EDX};
    case 7:
        if (subleaf == 0)
            return (struct cpuid_answer){0, MORE_EBX | (has_avx ? MORE_EBX_AVX : 0), 0, 0};
        break;
    case 0xd:
        if (subleaf == 0)
            return (struct cpuid_answer){(uint32_t)xfrm, size, size, (uint32_t)(xfrm >> 32)};
        if (subleaf == 2 && has_avx)
            return (struct cpuid_answer){XSAVE_AVX_SIZE - XSAVE_LEGACY_SIZE, XSAVE_LEGACY_SIZE, 0,
                                         0};
        break;
    case EXTENDED:
        return (struct cpuid_answer){EXTENDED_MAX, 0, 0, 0};
    case EXTENDED_MAX:
        return (struct cpuid_answer){0, 0, EXTENDED_ECX | (has_avx ? EXTENDED_ECX_AVX : 0),
                                     EXTENDED_EDX};
    default:
        break;
    }
    return (struct cpuid_answer){0, 0, 0, 0};
}
