#include "support.h"

#include "base/base.h"

static void wiping_leaves_zeroes(void **state)
{
    uint8_t key[32];
    (void)state;
    memset(key, 0x5e, sizeof key);
    secret_wipe(key + 1, sizeof key - 2);
    assert_int_equal(key[0], 0x5e);
    assert_int_equal(key[31], 0x5e);
    for (size_t i = 1; i < 31; i++)
        assert_int_equal(key[i], 0);
    secret_wipe(NULL, 0);
}

static void every_byte_counts_in_a_comparison(void **state)
{
    uint8_t a[33], b[33];
    (void)state;
    memset(a, 1, sizeof a);
    memset(b, 1, sizeof b);
    assert_true(secret_equal(a, b, sizeof a));
    assert_true(secret_equal(a, b, 0));
    for (size_t i = 0; i < sizeof a; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b[i] ^= (uint8_t)(1u << bit);
            assert_false(secret_equal(a, b, sizeof a));
            b[i] ^= (uint8_t)(1u << bit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wiping_leaves_zeroes),
        cmocka_unit_test(every_byte_counts_in_a_comparison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
