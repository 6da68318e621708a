#include "support.h"

#include "steward/nonce.h"

#define NOW INT64_C(1800000000)

static const struct nonce_keys keys = {.keys = {{1}, {2}}, .count = 2};
static const uint8_t key_a[NONCE_SPKI_HASH_SIZE] = {0xa}, key_b[NONCE_SPKI_HASH_SIZE] = {0xb};

static struct bytes make(const struct nonce_keys *by, int64_t now, uint8_t nonce[NONCE_SIZE])
{
    struct err err;

    assert_true(nonce_make(by, now, key_a, nonce, &err));
    return bytes_from(nonce, NONCE_SIZE);
}

static void a_nonce_is_good_for_a_minute(void **state)
{
    uint8_t nonce[NONCE_SIZE];
    struct bytes n = make(&keys, NOW, nonce);

    (void)state;
    assert_int_equal(nonce_check(&keys, NOW, 5, n, key_a), NONCE_GOOD);
    assert_int_equal(nonce_check(&keys, NOW + 60, 5, n, key_a), NONCE_GOOD);
    assert_int_equal(nonce_check(&keys, NOW + 61, 5, n, key_a), NONCE_STALE);
    /* of a Steward whose clock is ahead */
    assert_int_equal(nonce_check(&keys, NOW - 5, 5, n, key_a), NONCE_GOOD);
    assert_int_equal(nonce_check(&keys, NOW - 6, 5, n, key_a), NONCE_STALE);
    assert_int_equal(nonce_check(&keys, NOW - 1, 0, n, key_a), NONCE_STALE);
}

static void and_for_one_key(void **state)
{
    uint8_t nonce[NONCE_SIZE];

    (void)state;
    assert_int_equal(nonce_check(&keys, NOW, 5, make(&keys, NOW, nonce), key_b), NONCE_FOREIGN);
}

static void nothing_of_it_can_be_changed(void **state)
{
    uint8_t nonce[NONCE_SIZE];

    (void)state;
    (void)make(&keys, NOW, nonce);
    for (size_t bit = 0; bit < 8 * sizeof nonce; bit++) {
        nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(nonce_check(&keys, NOW, 5, bytes_from(nonce, sizeof nonce), key_a),
                         NONCE_FOREIGN);
        nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < sizeof nonce; size++)
        assert_int_equal(nonce_check(&keys, NOW, 5, bytes_from(nonce, size), key_a),
                         NONCE_MALFORMED);
}

static void both_keys_are_known_and_the_first_is_used(void **state)
{
    const struct nonce_keys first = {.keys = {{1}}, .count = 1};
    const struct nonce_keys second = {.keys = {{2}}, .count = 1};
    uint8_t nonce[NONCE_SIZE];

    (void)state;
    assert_int_equal(nonce_check(&keys, NOW, 5, make(&second, NOW, nonce), key_a), NONCE_GOOD);
    struct bytes n = make(&keys, NOW, nonce);
    assert_int_equal(nonce_check(&first, NOW, 5, n, key_a), NONCE_GOOD);
    assert_int_equal(nonce_check(&second, NOW, 5, n, key_a), NONCE_FOREIGN);
}

static void each_is_spent_once(void **state)
{
    enum { COUNT = 3000 };
    static uint8_t nonces[COUNT][NONCE_SIZE];
    struct nonce_book *book;
    struct err err;

    (void)state;
    assert_true(nonce_book_new(&book, &err));
    for (size_t i = 0; i < COUNT; i++) {
        (void)make(&keys, NOW, nonces[i]);
        assert_int_equal(nonce_spend(book, NOW, nonces[i]), NONCE_GOOD);
    }
    /* over a change of spans, and when the clock is set back */
    static const int64_t times[] = {0, 59, 119, 121, 180, -10};
    for (size_t t = 0; t < COUNT_OF(times); t++) {
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(nonce_spend(book, NOW + times[t], nonces[i]), NONCE_USED);
    }
    nonce_book_free(book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nonce_is_good_for_a_minute),
        cmocka_unit_test(and_for_one_key),
        cmocka_unit_test(nothing_of_it_can_be_changed),
        cmocka_unit_test(both_keys_are_known_and_the_first_is_used),
        cmocka_unit_test(each_is_spent_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
