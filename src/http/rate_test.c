#include "support.h"

#include "http/rate.h"

#define SECOND UINT64_C(1000000000)

static struct address_key key_of(uint32_t number)
{
    struct address_key key = {.bytes = {0}};

    memcpy(key.bytes, &number, sizeof number);
    return key;
}

static struct rate_table *new_table(unsigned rate, unsigned burst)
{
    struct rate_table *table = NULL;
    struct err err;

    assert_true(rate_table_new((struct http_rate){.rate = rate, .burst = burst}, 42, &table, &err));
    return table;
}

static unsigned take_all(struct rate_table *table, uint32_t number, uint64_t now)
{
    struct address_key key = key_of(number);
    unsigned count = 0, wait;

    while (count < 100000 && rate_table_take(table, &key, now, &wait))
        count++;
    return count;
}

static void a_burst_then_the_rate(void **state)
{
    struct rate_table *table = new_table(2, 5);
    struct address_key key = key_of(1);
    unsigned wait = 0;

    (void)state;
    assert_int_equal(take_all(table, 1, SECOND), 5);
    assert_false(rate_table_take(table, &key, SECOND, &wait));
    assert_int_equal(wait, 1);
    /* half a second brings one; one nanosecond less, none */
    assert_false(rate_table_take(table, &key, SECOND + SECOND / 2 - 1, &wait));
    assert_true(rate_table_take(table, &key, SECOND + SECOND / 2, &wait));
    assert_false(rate_table_take(table, &key, SECOND + SECOND / 2, &wait));
    /* and a long rest no more than the burst */
    assert_int_equal(take_all(table, 1, 1000 * SECOND), 5);
    rate_table_free(table);
}

static void addresses_do_not_share(void **state)
{
    struct rate_table *table = new_table(1, 3);

    (void)state;
    assert_int_equal(take_all(table, 1, SECOND), 3);
    assert_int_equal(take_all(table, 2, SECOND), 3);
    assert_int_equal(take_all(table, 1, SECOND), 0);
    rate_table_free(table);
}

static void no_rate_is_no_limit(void **state)
{
    struct rate_table *table = new_table(0, 1);

    (void)state;
    assert_int_equal(take_all(table, 1, SECOND), 100000);
    rate_table_free(table);
}

static void without_burst_the_rate_is_the_burst(void **state)
{
    struct rate_table *table = new_table(7, 0);

    (void)state;
    assert_int_equal(take_all(table, 1, SECOND), 7);
    rate_table_free(table);
}

/* Many addresses that ask once do not make the table forget one that has nothing left. */
static void empty_buckets_are_kept_in_a_flood(void **state)
{
    struct rate_table *table = new_table(1, 10);
    unsigned wait;

    (void)state;
    assert_int_equal(take_all(table, 1, SECOND), 10);
    for (uint32_t i = 2; i < 10 * RATE_TABLE_BUCKETS; i++) {
        struct address_key key = key_of(i);
        assert_true(rate_table_take(table, &key, SECOND, &wait));
    }
    assert_int_equal(take_all(table, 1, SECOND), 0);
    rate_table_free(table);
}

static void a_clock_may_stand_or_jump(void **state)
{
    struct rate_bucket bucket = {.level = 0};
    const struct http_rate rate = {.rate = UINT32_MAX, .burst = UINT32_MAX};
    unsigned wait;

    (void)state;
    assert_true(rate_bucket_take(&bucket, rate, 0, &wait));
    assert_true(rate_bucket_take(&bucket, rate, UINT64_MAX, &wait)); /* saturates */
    assert_true(rate_bucket_take(&bucket, rate, 5, &wait));          /* backwards: no gain */
    assert_true(bucket.level < (uint64_t)UINT32_MAX * SECOND);
}

static void the_wait_is_rounded_up(void **state)
{
    struct rate_bucket bucket = {.level = 0};
    const struct http_rate rate = {.rate = 1, .burst = 1};
    unsigned wait = 0;

    (void)state;
    assert_true(rate_bucket_take(&bucket, rate, SECOND, &wait));
    assert_false(rate_bucket_take(&bucket, rate, SECOND + 1, &wait));
    assert_int_equal(wait, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_then_the_rate),
        cmocka_unit_test(addresses_do_not_share),
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(without_burst_the_rate_is_the_burst),
        cmocka_unit_test(empty_buckets_are_kept_in_a_flood),
        cmocka_unit_test(a_clock_may_stand_or_jump),
        cmocka_unit_test(the_wait_is_rounded_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
