#include "support.h"

#include "base/base.h"

#define IN(...) bytes_from((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void elements_that_break_a_rule_are_refused(void **state)
{
    const struct bytes bad[] = {
        {.size = 0},
        IN(0x30),
        IN(0x30, 0x01),                   /* content cut off */
        IN(0x30, 0x80, 0x00, 0x00),       /* indefinite length */
        IN(0x30, 0x81, 0x01, 0x00),       /* long form where the short would do */
        IN(0x30, 0x82, 0x00, 0x80),       /* leading zero in the length */
        IN(0x30, 0x85, 1, 0, 0, 0, 0),    /* length of five bytes */
        IN(0x30, 0x84, 0xff, 0xff, 0xff), /* length cut off */
        IN(0x30, 0x84, 0xff, 0xff, 0xff, 0xff),
        IN(0x3f, 0x81, 0x01, 0x00), /* high tag number */
        IN(0x1f, 0x01, 0x00),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct bytes copy = exact_copy(bad[i]), content;
        struct reader r = reader_of(copy), inner;
        uint8_t tag;
        assert_false(der_any(&r, &tag, &content));
        assert_false(der_enter(&r, DER_SEQUENCE, &inner));
        assert_int_equal(r.at, 0);
        exact_free(copy);
    }
}

static void integers(void **state)
{
    const struct {
        struct bytes in;
        bool ok;
        uint64_t value;
    } cases[] = {
        {IN(2, 1, 0), true, 0},
        {IN(2, 1, 0x7f), true, 127},
        {IN(2, 2, 0x00, 0x80), true, 128},
        {IN(2, 9, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), true, UINT64_MAX},
        {IN(2, 9, 0x01, 0, 0, 0, 0, 0, 0, 0, 0), false, 0}, /* 2^64 */
        {IN(2, 1, 0x80), false, 0},                         /* negative */
        {IN(2, 2, 0x00, 0x7f), false, 0},                   /* one zero too many */
        {IN(2, 2, 0xff, 0x80), false, 0},                   /* negative, and too long */
        {IN(2, 0), false, 0},
        {IN(10, 1, 1), false, 0}, /* ENUMERATED is not INTEGER */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reader r = reader_of(cases[i].in);
        uint64_t value = 0;
        assert_int_equal(der_uint64(&r, DER_INTEGER, &value), cases[i].ok);
        assert_int_equal(value, cases[i].value);
        assert_int_equal(r.at, cases[i].ok ? cases[i].in.size : 0);
    }
    struct reader r = reader_of(IN(2, 2, 0x00, 0x80));
    struct bytes magnitude = {.size = 0};
    assert_true(der_positive(&r, &magnitude));
    assert_int_equal(magnitude.size, 1);
    r = reader_of(IN(2, 1, 0));
    assert_false(der_positive(&r, &magnitude));
}

static void simple_types(void **state)
{
    bool b = false;
    struct bytes content = {.size = 0};
    struct reader r = reader_of(IN(1, 1, 0xff, 1, 1, 0x00, 1, 1, 0x01));
    (void)state;
    assert_true(der_boolean(&r, &b) && b);
    assert_true(der_boolean(&r, &b) && !b);
    assert_false(der_boolean(&r, &b)); /* BER's true, not DER's */
    assert_int_equal(r.at, 6);
    r = reader_of(IN(1, 2, 0, 0));
    assert_false(der_boolean(&r, &b));
    r = reader_of(IN(5, 0, 5, 1, 0));
    assert_true(der_null(&r));
    assert_false(der_null(&r));

    const struct {
        struct bytes in;
        bool ok;
    } oids[] = {
        {IN(6, 3, 0x2a, 0x86, 0x48), true},
        {IN(6, 0), false},
        {IN(6, 2, 0x2a, 0x86), false},       /* last arc cut off */
        {IN(6, 3, 0x2a, 0x80, 0x01), false}, /* arc with a leading zero */
        {IN(6, 1, 0x80), false},
    };
    for (size_t i = 0; i < COUNT_OF(oids); i++) {
        r = reader_of(oids[i].in);
        assert_int_equal(der_oid(&r, &content), oids[i].ok);
    }
    r = reader_of(IN(3, 2, 0, 0xaa, 3, 2, 1, 0xaa, 3, 0));
    assert_true(der_bit_string(&r, &content));
    assert_int_equal(content.size, 1);
    assert_false(der_bit_string(&r, &content)); /* unused bits */
    assert_true(der_element(&r, DER_BIT_STRING, &content));
    assert_false(der_bit_string(&r, &content)); /* not even the count of unused bits */
}

/* A small structure with optional parts, as the claims have. */
static bool read_claims(struct bytes in, uint64_t *version, struct bytes *slug,
                        struct bytes *digest)
{
    struct reader outer = reader_of(in), r;
    *slug = *digest = (struct bytes){.size = 0};
    return der_enter(&outer, DER_SEQUENCE, &r) && reader_at_end(&outer) &&
           der_uint64(&r, DER_INTEGER, version) &&
           (!der_next_is(&r, DER_CONTEXT(0)) || der_element(&r, DER_CONTEXT(0), slug)) &&
           (!der_next_is(&r, DER_CONTEXT(1)) || der_element(&r, DER_CONTEXT(1), digest)) &&
           reader_at_end(&r);
}

static struct bytes write_claims(struct arena *a, size_t digest_size)
{
    struct writer w = writer_growable(a, 1 << 20);
    struct bytes out = {.size = 0};
    struct err err;
    uint8_t *zeroes = ARENA_ARRAY(a, uint8_t, digest_size);
    size_t sequence = der_open(&w, DER_SEQUENCE);
    der_write_uint64(&w, DER_INTEGER, 1);
    der_write(&w, DER_CONTEXT(0), bytes_of("registry.example/alice/chat:0.1.0"));
    der_write(&w, DER_CONTEXT(1), bytes_from(zeroes, digest_size));
    der_close(&w, sequence);
    assert_true(writer_done(&w, &out, &err));
    return out;
}

static void what_is_written_is_read(void **state)
{
    const size_t sizes[] = {0, 1, 32, 80, 81, 82, 83, 127, 128, 255, 256, 65535, 65536, 70000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct arena a;
        uint64_t version = 0;
        struct bytes slug = {.size = 0}, digest = {.size = 0};
        arena_init(&a, arena_heap, 1 << 22);
        assert_true(read_claims(write_claims(&a, sizes[i]), &version, &slug, &digest));
        assert_int_equal(version, 1);
        assert_true(bytes_is(slug, "registry.example/alice/chat:0.1.0"));
        assert_int_equal(digest.size, sizes[i]);
        arena_done(&a);
    }
    for (unsigned shift = 0; shift < 64; shift++) {
        uint8_t memory[16];
        struct writer w = writer_fixed(memory, sizeof memory);
        uint64_t value = (UINT64_C(1) << shift) - 1 + shift % 2, back;
        der_write_uint64(&w, DER_ENUMERATED, value);
        der_write_boolean(&w, true);
        struct reader r = reader_of(bytes_from(memory, w.size));
        bool b;
        assert_true(der_uint64(&r, DER_ENUMERATED, &back) && back == value);
        assert_true(der_boolean(&r, &b) && b && reader_at_end(&r));
    }
}

static void check_damaged(struct bytes damaged)
{
    uint64_t version = 0;
    struct bytes slug = {.size = 0}, digest = {.size = 0};
    if (read_claims(damaged, &version, &slug, &digest)) /* whatever it says lies inside */
        assert_true(slug.size + digest.size <= damaged.size);
}

static void damage_never_reads_outside(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, arena_heap, 1 << 20);
    for_each_damage(write_claims(&a, 32), check_damaged);
    arena_done(&a);
}

static void writing_beyond_the_end_is_an_error(void **state)
{
    uint8_t memory[200];
    (void)state;
    for (size_t room = 0; room < sizeof memory; room++) {
        struct writer w = writer_fixed(memory, room);
        struct bytes out = {.size = 0};
        struct err err;
        size_t outer = der_open(&w, DER_SEQUENCE);
        der_write(&w, DER_OCTET_STRING, bytes_from((uint8_t[150]){0}, 150));
        der_close(&w, outer);
        bool ok = writer_done(&w, &out, &err);
        assert_int_equal(ok, room >= 156); /* 3 + 3 + 150 */
        if (!ok)
            assert_int_equal(err.code, ERR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_that_break_a_rule_are_refused),
        cmocka_unit_test(integers),
        cmocka_unit_test(simple_types),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(damage_never_reads_outside),
        cmocka_unit_test(writing_beyond_the_end_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
