#include "support.h"

#include "base/base.h"

static void write_all(struct writer *w)
{
    writer_u8(w, 1);
    writer_u16le(w, 0x0302);
    writer_u16be(w, 0x0405);
    writer_u32le(w, 0x09080706);
    writer_u32be(w, 0x0a0b0c0d);
    writer_u64le(w, 0x1514131211100f0e);
    writer_u64be(w, 0x161718191a1b1c1d);
    writer_text(w, "abc");
    writer_format(w, "%d-%s", 7, "x");
}

enum { ALL_SIZE = 29 + 3 + 3 };

static void fixed_writer_stops_at_every_edge(void **state)
{
    (void)state;
    for (size_t room = 0; room <= ALL_SIZE; room++) {
        uint8_t *memory = malloc(room);
        struct writer w = writer_fixed(memory, room);
        struct bytes out;
        struct err err;
        write_all(&w);
        bool ok = writer_done(&w, &out, &err);
        assert_int_equal(ok, room == ALL_SIZE);
        if (ok) {
            for (uint8_t i = 0; i < 29; i++)
                assert_int_equal(out.data[i], i + 1);
            assert_memory_equal(out.data + 29, "abc7-x", 6);
        } else {
            assert_int_equal(err.code, ERR_LIMIT);
        }
        free(memory);
    }
}

static void failure_is_for_good(void **state)
{
    uint8_t memory[4];
    struct writer w = writer_fixed(memory, sizeof memory);
    struct bytes out;
    struct err err;
    (void)state;
    writer_text(&w, "abc");
    writer_text(&w, "de"); /* does not fit, and is not written in part */
    writer_text(&w, "f");  /* would fit */
    assert_int_equal(w.size, 3);
    assert_null(writer_reserve(&w, 1));
    assert_false(writer_done(&w, &out, &err));
    w = writer_fixed(memory, sizeof memory);
    writer_u8(&w, 1);
    assert_null(writer_reserve(&w, SIZE_MAX));
    assert_false(writer_done(&w, &out, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void growing_writer_keeps_what_was_written(void **state)
{
    struct arena a;
    struct bytes out;
    struct err err;
    (void)state;
    arena_init(&a, arena_heap, 1 << 22);
    struct writer w = writer_growable(&a, 300000);
    for (uint32_t i = 0; i < 75000; i++) {
        writer_u32le(&w, i);
        if (i % 1000 == 0)
            assert_non_null(arena_alloc(&a, 1, 1)); /* so that growing must move */
    }
    assert_true(writer_done(&w, &out, &err));
    struct reader r = reader_of(out);
    for (uint32_t i = 0; i < 75000; i++) {
        uint32_t value;
        assert_true(reader_u32le(&r, &value));
        assert_int_equal(value, i);
    }
    writer_u8(&w, 0); /* the limit, and one byte */
    assert_false(writer_done(&w, &out, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    arena_done(&a);
}

static void every_failed_allocation_is_an_error(void **state)
{
    (void)state;
    for (size_t n = 0;; n++) {
        struct failing_source s = {.takes_left = n};
        struct arena a;
        struct bytes out;
        struct err err;
        arena_init(&a, failing_source_of(&s), SIZE_MAX);
        struct writer w = writer_growable(&a, 1 << 20);
        for (uint32_t i = 0; i < 20000; i++)
            writer_u32le(&w, i);
        bool ok = writer_done(&w, &out, &err);
        arena_done(&a);
        assert_int_equal(s.held, 0);
        if (ok)
            break;
        assert_int_equal(err.code, ERR_MEMORY);
        assert_true(n < 100);
    }
}

static void long_formats_are_whole(void **state)
{
    struct arena a;
    struct bytes out;
    struct err err;
    char text[2000];
    (void)state;
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    arena_init(&a, arena_heap, 1 << 20);
    struct writer w = writer_growable(&a, 1 << 16);
    writer_format(&w, "<%s>", text);
    assert_true(writer_done(&w, &out, &err));
    assert_int_equal(out.size, 2001);
    assert_int_equal(out.data[2000], '>');
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_writer_stops_at_every_edge),
        cmocka_unit_test(failure_is_for_good),
        cmocka_unit_test(growing_writer_keeps_what_was_written),
        cmocka_unit_test(every_failed_allocation_is_an_error),
        cmocka_unit_test(long_formats_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
