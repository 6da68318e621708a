/* Encodings and their verdicts follow the WebAssembly test suite, binary-leb128.wast. */
#include "support.h"

#include "base/base.h"

#define IN(...) bytes_from((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void unsigned_values(void **state)
{
    const struct {
        struct bytes in;
        uint32_t value;
    } good[] = {
        {IN(0x00), 0},
        {IN(0x7f), 127},
        {IN(0x80, 0x01), 128},
        {IN(0xe5, 0x8e, 0x26), 624485},
        {IN(0x82, 0x80, 0x80, 0x80, 0x00), 2}, /* longer than need be is allowed */
        {IN(0xff, 0xff, 0xff, 0xff, 0x0f), UINT32_MAX},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct reader r = reader_of(good[i].in);
        uint32_t value = 0;
        assert_true(leb128_u32(&r, &value));
        assert_int_equal(value, good[i].value);
        assert_true(reader_at_end(&r));
    }
}

static void signed_values(void **state)
{
    const struct {
        struct bytes in;
        int32_t value;
    } good[] = {
        {IN(0x00), 0},
        {IN(0x3f), 63},
        {IN(0x40), -64},
        {IN(0x7f), -1},
        {IN(0xc0, 0x00), 64},
        {IN(0xc0, 0xbb, 0x78), -123456},
        {IN(0x80, 0x80, 0x80, 0x80, 0x78), INT32_MIN},
        {IN(0xff, 0xff, 0xff, 0xff, 0x07), INT32_MAX},
        {IN(0xff, 0xff, 0xff, 0xff, 0x7f), -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct reader r = reader_of(good[i].in);
        int32_t value = 0;
        assert_true(leb128_s32(&r, &value));
        assert_int_equal(value, good[i].value);
        assert_true(reader_at_end(&r));
    }
}

static void bad_ones_are_refused_by_kind(void **state)
{
    const struct {
        struct bytes in;
        unsigned bits;
        bool is_signed;
        enum leb128_result why;
    } bad[] = {
        {IN(0x80), 32, false, LEB128_SHORT},
        {{.size = 0}, 32, false, LEB128_SHORT},
        {IN(0x80, 0x80, 0x80, 0x80, 0x80, 0x00), 32, false, LEB128_TOO_LONG},
        {IN(0x82, 0x80, 0x80, 0x80, 0x70), 32, false, LEB128_TOO_LARGE},
        {IN(0x82, 0x80, 0x80, 0x80, 0x10), 32, false, LEB128_TOO_LARGE},
        {IN(0x80, 0x80, 0x80, 0x80, 0x70), 32, true, LEB128_TOO_LARGE},
        {IN(0xff, 0xff, 0xff, 0xff, 0x0f), 32, true, LEB128_TOO_LARGE},
        {IN(0xff, 0xff, 0xff, 0xff, 0x4f), 32, true, LEB128_TOO_LARGE},
        {IN(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), 64, false,
         LEB128_TOO_LARGE},
        {IN(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), 64, true,
         LEB128_TOO_LARGE},
        {IN(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), 64, true,
         LEB128_TOO_LONG},
        {IN(0x80, 0x01), 7, false, LEB128_TOO_LONG},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct bytes copy = exact_copy(bad[i].in);
        struct reader r = reader_of(copy);
        uint64_t u;
        int64_t s;
        assert_int_equal(leb128_diagnose(&r, bad[i].bits, bad[i].is_signed), bad[i].why);
        if (bad[i].is_signed)
            assert_false(leb128_signed(&r, bad[i].bits, &s));
        else
            assert_false(leb128_unsigned(&r, bad[i].bits, &u));
        assert_int_equal(r.at, 0);
        exact_free(copy);
    }
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)(int64_t)delta;
            uint8_t memory[20];
            struct writer w = writer_fixed(memory, sizeof memory);
            writer_leb128_u64(&w, value);
            writer_leb128_s64(&w, (int64_t)value);
            struct reader r = reader_of(bytes_from(memory, w.size));
            uint64_t u = 0;
            int64_t s = 0;
            assert_true(leb128_u64(&r, &u) && leb128_s64(&r, &s));
            assert_true(u == value && s == (int64_t)value && reader_at_end(&r));
        }
    }
}

static void block_types_have_33_bits(void **state)
{
    struct reader r = reader_of(IN(0xff, 0xff, 0xff, 0xff, 0x0f));
    int64_t value;
    (void)state;
    assert_true(leb128_s33(&r, &value));
    assert_int_equal(value, UINT32_MAX);
    r = reader_of(IN(0x40));
    assert_true(leb128_s33(&r, &value));
    assert_int_equal(value, -64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_values),
        cmocka_unit_test(signed_values),
        cmocka_unit_test(bad_ones_are_refused_by_kind),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(block_types_have_33_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
