/* CPUID from its page, as the processor would answer; pages that are none. */
#include "support.h"

#include "shim/kvm/user.h"

struct entry {
    uint32_t leaf, subleaf;
    uint64_t xcr0, xss;
    uint32_t eax, ebx, ecx, edx;
    uint64_t reserved;
};

static struct {
    uint32_t count, reserved[3];
    struct entry entries[84];
} page;

#define FEATURES (1u << 30 | 1u << 25 | 1u << 20 | 1u << 19 | 1u << 9 | 1u << 1)

static int set_up(void **state)
{
    static const struct entry entries[] = {
        {.leaf = 0, .eax = 0x10, .ebx = 1, .ecx = 2, .edx = 3},
        {.leaf = 1, .eax = 0xa10f11, .ecx = FEATURES},
        {.leaf = 7, .ebx = 1},
        {.leaf = 7, .subleaf = 1, .eax = 77},
        {.leaf = 0xd, .ebx = 0x240, .eax = 7},
        {.leaf = 0xd, .subleaf = 2, .eax = 256, .ebx = 576},
        {.leaf = 0x8000001f, .ebx = 51 | 1 << 6},
    };

    (void)state;
    memset(&page, 0, sizeof page);
    page.count = COUNT_OF(entries);
    memcpy(page.entries, entries, sizeof entries);
    return 0;
}

static void answers(void **state)
{
    struct cpuid_answer a = cpuid_look_up(&page, 0, 0);

    (void)state;
    assert_null(cpuid_fault(&page));
    assert_true(a.eax == 0x10 && a.ebx == 1 && a.ecx == 2 && a.edx == 3);
    assert_int_equal(cpuid_look_up(&page, 0, 99).eax, 0x10); /* it has no subleaves */
    assert_int_equal(cpuid_look_up(&page, 7, 1).eax, 77);
    assert_int_equal(cpuid_look_up(&page, 7, 2).eax, 0);
    assert_int_equal(cpuid_look_up(&page, 1, 0).ecx, FEATURES | 1u << 27); /* OSXSAVE */
    assert_int_equal(cpuid_look_up(&page, 0xd, 0).ebx, 832);
    assert_int_equal(cpuid_look_up(&page, 0xd, 2).ebx, 576);
    assert_int_equal(cpuid_look_up(&page, 0x40000000, 0).eax, 0); /* a hypervisor's: nothing */
}

static void pages_that_are_none(void **state)
{
    page.count = 0;
    assert_string_equal(cpuid_fault(&page), "the CPUID page is none");
    page.count = 65; /* more than there is room for */
    assert_string_equal(cpuid_fault(&page), "the CPUID page is none");
    page.count = UINT32_MAX;
    assert_string_equal(cpuid_fault(&page), "the CPUID page is none");
    set_up(state);
    page.entries[6].ebx = 47;
    assert_string_equal(cpuid_fault(&page), "the C-bit is not where the image has it");
    page.count--;
    assert_string_equal(cpuid_fault(&page), "the C-bit is not where the image has it");
    set_up(state);
    page.entries[1].ecx = 0;
    assert_string_equal(cpuid_fault(&page), "the processor has no RDRAND");
    for (unsigned bit = 1; bit < 26; bit++) {
        set_up(state);
        page.entries[1].ecx &= ~(1u << bit);
        if ((FEATURES >> bit & 1) != 0)
            assert_string_equal(cpuid_fault(&page),
                                "the processor has no instructions for ciphers");
        else
            assert_null(cpuid_fault(&page));
    }
    set_up(state);
    page.entries[2].ebx = 0;
    assert_string_equal(cpuid_fault(&page), "the processor has no FSGSBASE");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(answers), TEST(pages_that_are_none)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
