/* What the exec layer of an enclave is told of the processor. */
#include "support.h"

#include <cpuid.h>

#include "shim/sgx/enclave.h"

#define XFRM_SSE 3
#define XFRM_AVX 7

static void says_who_it_is(void **state)
{
    struct cpuid_answer a = enclave_cpuid(XFRM_AVX, 0, 0);
    char vendor[13] = "";

    (void)state;
    memcpy(vendor, &a.ebx, 4);
    memcpy(vendor + 4, &a.edx, 4);
    memcpy(vendor + 8, &a.ecx, 4);
    assert_string_equal(vendor, "GenuineIntel");
    assert_int_equal(a.eax, 0xd);
}

static void has_the_ciphers(void **state)
{
    struct cpuid_answer a = enclave_cpuid(XFRM_SSE, 1, 0);
    const uint32_t least = bit_AES | bit_PCLMUL | bit_RDRND | bit_SSE4_2 | bit_SSSE3;

    (void)state;
    assert_int_equal(a.ecx & least, least);
    assert_int_equal(a.edx & bit_SSE2, bit_SSE2);
    assert_int_equal(enclave_cpuid(XFRM_SSE, 7, 0).ebx & bit_FSGSBASE, bit_FSGSBASE);
}

static void avx_is_what_xfrm_says(void **state)
{
    (void)state;
    assert_int_equal(enclave_cpuid(XFRM_SSE, 1, 0).ecx & bit_AVX, 0);
    assert_int_equal(enclave_cpuid(XFRM_AVX, 1, 0).ecx & bit_AVX, bit_AVX);
    assert_int_equal(enclave_cpuid(XFRM_SSE, 7, 0).ebx & bit_AVX2, 0);
    assert_int_equal(enclave_cpuid(XFRM_AVX, 7, 0).ebx & bit_AVX2, bit_AVX2);
    assert_int_equal(enclave_cpuid(XFRM_AVX, 7, 0).ebx & bit_AVX512F, 0);
    assert_int_equal(enclave_cpuid(XFRM_SSE, 0xd, 0).ebx, 576);
    assert_int_equal(enclave_cpuid(XFRM_AVX, 0xd, 0).ebx, 832);
    assert_int_equal(enclave_cpuid(XFRM_AVX, 0xd, 0).eax, XFRM_AVX);
}

/* Code that asks for what it is told it has finds nothing else. */
static void the_rest_is_zero(void **state)
{
    static const uint32_t leaves[][2] = {{2, 0},          {4, 0},         {7, 1},    {0xb, 0},
                                         {0xd, 1},        {0x12, 0},      {0x14, 0}, {0x19, 0},
                                         {0x40000000, 0}, {0x80000008, 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(leaves); i++) {
        struct cpuid_answer a = enclave_cpuid(XFRM_AVX, leaves[i][0], leaves[i][1]);
        assert_int_equal(a.eax | a.ebx | a.ecx | a.edx, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_who_it_is),
        cmocka_unit_test(has_the_ciphers),
        cmocka_unit_test(avx_is_what_xfrm_says),
        cmocka_unit_test(the_rest_is_zero),
    };

    return cmocka_run_group_tests_name("cpuid in enclaves", tests, NULL, NULL);
}
