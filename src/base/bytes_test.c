/* bytes.h, reader.h, checked.h, deadline.h: the headers that are all inline. */
#include "support.h"

#include "base/base.h"

static void slices_stay_inside(void **state)
{
    struct bytes b = bytes_of("drawbridge");
    (void)state;
    assert_true(bytes_is(bytes_before(b, 4), "draw"));
    assert_true(bytes_is(bytes_after(b, 4), "bridge"));
    assert_true(bytes_is(bytes_before(b, 99), "drawbridge"));
    assert_int_equal(bytes_after(b, 10).size, 0);
    assert_int_equal(bytes_after(b, SIZE_MAX).size, 0);
    assert_true(bytes_starts_with(b, bytes_of("draw")));
    assert_true(bytes_starts_with(b, bytes_of("")));
    assert_false(bytes_starts_with(bytes_of("dra"), bytes_of("draw")));
    assert_true(bytes_equal((struct bytes){.size = 0}, bytes_of("")));
    assert_false(bytes_equal(bytes_of("a"), bytes_of("b")));
}

/* Reads all kinds of fields from `in`; a failed read must leave `at` alone. */
static size_t read_fields(struct bytes in)
{
    struct reader r = reader_of(in);
    struct bytes b;
    uint8_t u8, copy[3];
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    size_t fields = 0, at;

#define STEP(read)                      \
    do {                                \
        at = r.at;                      \
        if (!(read)) {                  \
            assert_int_equal(r.at, at); \
            return fields;              \
        }                               \
        fields++;                       \
    } while (0)
    STEP(reader_u8(&r, &u8));
    assert_int_equal(u8, 0x01);
    STEP(reader_u16le(&r, &u16));
    assert_int_equal(u16, 0x0302);
    STEP(reader_u16be(&r, &u16));
    assert_int_equal(u16, 0x0405);
    STEP(reader_u32le(&r, &u32));
    assert_int_equal(u32, 0x09080706);
    STEP(reader_u32be(&r, &u32));
    assert_int_equal(u32, 0x0a0b0c0d);
    STEP(reader_u64le(&r, &u64));
    assert_int_equal(u64, 0x1514131211100f0e);
    STEP(reader_u64be(&r, &u64));
    assert_int_equal(u64, 0x161718191a1b1c1d);
    STEP(reader_copy(&r, copy, sizeof copy));
    assert_int_equal(copy[2], 0x20);
    STEP(reader_skip(&r, 1));
    STEP(reader_bytes(&r, 2, &b));
    assert_int_equal(b.data[1], 0x23);
    assert_true(reader_at_end(&r));
#undef STEP
    return fields;
}

static void reader_stops_at_every_edge(void **state)
{
    uint8_t all[35];
    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(i + 1);
    const size_t ends[] = {1, 3, 5, 9, 13, 21, 29, 32, 33, 35};
    for (size_t size = 0; size <= sizeof all; size++) {
        struct bytes copy = exact_copy(bytes_from(all, size));
        size_t expected = 0;
        while (expected < COUNT_OF(ends) && ends[expected] <= size)
            expected++;
        assert_int_equal(read_fields(copy), expected);
        exact_free(copy);
    }
}

static void reader_refuses_sizes_that_would_wrap(void **state)
{
    struct reader r = reader_of(bytes_of("abc"));
    struct bytes b;
    uint8_t byte;
    (void)state;
    assert_true(reader_skip(&r, 1));
    assert_false(reader_bytes(&r, SIZE_MAX, &b));
    assert_false(reader_bytes(&r, 3, &b));
    assert_int_equal(r.at, 1);
    assert_true(reader_peek(&r, &byte));
    assert_int_equal(byte, 'b');
    assert_true(bytes_is(reader_rest(&r), "bc"));
    assert_false(reader_seek(&r, 4));
    assert_true(reader_seek(&r, 3));
    assert_true(reader_bytes(&r, 0, &b));
    assert_false(reader_peek(&r, &byte));
    assert_int_equal(reader_left(&r), 0);
}

static void checked_arithmetic_says_when_it_wraps(void **state)
{
    size_t size;
    uint8_t small;
    (void)state;
    assert_true(checked_add(1u, 2u, &size) && size == 3);
    assert_false(checked_add(SIZE_MAX, 1, &size));
    assert_false(checked_sub(1u, 2u, &size));
    assert_true(checked_mul(15, 17, &small) && small == 255);
    assert_false(checked_mul(16, 16, &small));
    assert_true(checked_align_up(4097, 4096, &size) && size == 8192);
    assert_true(checked_align_up(4096, 4096, &size) && size == 4096);
    assert_false(checked_align_up(SIZE_MAX - 3, 8, &size));
}

static void deadlines_round_up_and_saturate(void **state)
{
    struct deadline d = deadline_after(1000, 5);
    (void)state;
    assert_false(deadline_passed(d, 5000999));
    assert_true(deadline_passed(d, 5001000));
    assert_int_equal(deadline_left_ms(d, 1000), 5);
    assert_int_equal(deadline_left_ms(d, 1001), 5);
    assert_int_equal(deadline_left_ms(d, 5000999), 1);
    assert_int_equal(deadline_left_ms(d, 5001000), 0);
    assert_int_equal(deadline_left_ms(deadline_never(), UINT64_MAX), -1);
    assert_false(deadline_passed(deadline_never(), UINT64_MAX));
    assert_int_equal(deadline_after(1, UINT64_MAX).at_ns, UINT64_MAX);
    assert_int_equal(deadline_left_ms(deadline_after(0, UINT64_C(1) << 40), 0), INT_MAX);
    assert_int_equal(deadline_sooner(d, deadline_never()).at_ns, d.at_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_stay_inside),
        cmocka_unit_test(reader_stops_at_every_edge),
        cmocka_unit_test(reader_refuses_sizes_that_would_wrap),
        cmocka_unit_test(checked_arithmetic_says_when_it_wraps),
        cmocka_unit_test(deadlines_round_up_and_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
