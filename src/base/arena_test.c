#include "support.h"

#include "base/base.h"

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, arena_heap, 1 << 24);
    uint8_t *before = NULL;
    size_t before_size = 0;
    for (size_t i = 0; i < 2000; i++) {
        size_t align = (size_t)1 << (i % 7), size = i * 7 % 300;
        uint8_t *p = arena_alloc(&a, size, align);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
        memset(p, 0xa5, size); /* the sanitizer sees a piece that is too small */
        if (before != NULL && before_size != 0 && p > before)
            assert_true(p >= before + before_size);
        before = p;
        before_size = size;
    }
    arena_done(&a);
    assert_int_equal(arena_taken(&a), 0);
}

static void limit_holds_on_both_sides(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, arena_heap, 8192);
    assert_null(arena_alloc(&a, 8193, 1));
    assert_null(arena_alloc(&a, SIZE_MAX, 1));
    assert_null(arena_alloc(&a, SIZE_MAX - 8, 8));
    assert_non_null(arena_alloc(&a, 8000, 1));
    assert_true(arena_taken(&a) <= 8192);
    assert_null(arena_alloc(&a, 8000, 1));
    arena_done(&a);
    assert_non_null(arena_alloc(&a, 8000, 1)); /* empty again, and usable */
    arena_done(&a);
}

static void arrays_are_zeroed_and_checked(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, arena_heap, 1 << 20);
    memset(arena_alloc(&a, 512, 1), 0xff, 512);
    uint64_t *numbers = ARENA_ARRAY(&a, uint64_t, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(numbers[i], 0);
    assert_null(arena_alloc_array(&a, SIZE_MAX / 2, 4, 1));
    arena_done(&a);
}

static void fixed_arena_never_grows(void **state)
{
    uint8_t memory[256];
    struct arena a;
    (void)state;
    arena_init_fixed(&a, memory + 1, sizeof memory - 1);
    uint8_t *p = arena_alloc(&a, 100, 8);
    assert_true(p >= memory && p + 100 <= memory + sizeof memory);
    assert_null(arena_alloc(&a, 200, 1));
    assert_non_null(arena_alloc(&a, 50, 1));
    arena_done(&a);
    arena_init_fixed(&a, memory, 3);
    assert_null(arena_alloc(&a, 1, 1));
    arena_done(&a);
}

static void newest_piece_grows_in_place(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, arena_heap, 1 << 20);
    uint8_t *p = arena_alloc(&a, 10, 1);
    memset(p, 7, 10);
    assert_ptr_equal(arena_resize(&a, p, 10, 100, 1), p);
    assert_non_null(arena_alloc(&a, 1, 1));
    uint8_t *moved = arena_resize(&a, p, 100, 200, 1);
    assert_ptr_not_equal(moved, p);
    assert_int_equal(moved[9], 7);
    assert_null(arena_resize(&a, moved, 200, 1 << 21, 1));
    assert_int_equal(moved[9], 7);
    arena_done(&a);
}

/* A source that looks whether what comes back was wiped. */
static bool saw_secret;

static void *any_take(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void looking_give(void *context, void *block, size_t size)
{
    const uint8_t *p = block;
    (void)context;
    for (size_t i = 0; i < size; i++)
        saw_secret |= p[i] == 0x5e;
    free(block);
}

static void secrets_are_wiped(void **state)
{
    struct arena_source source = {.take = any_take, .give = looking_give};
    (void)state;
    for (int wipe = 0; wipe < 2; wipe++) {
        struct arena a;
        arena_init(&a, source, 1 << 20);
        if (wipe)
            arena_set_wipe(&a);
        uint8_t *p = arena_alloc(&a, 64, 1);
        memset(p, 0x5e, 64);
        uint8_t *other = arena_alloc(&a, 1, 1);
        *other = 0;
        uint8_t *moved = arena_resize(&a, p, 64, 128, 1);
        assert_int_equal(moved[0], 0x5e);
        assert_int_equal(p[0] == 0x5e, !wipe); /* what was left behind */
        saw_secret = false;
        arena_done(&a);
        assert_int_equal(saw_secret, !wipe);
    }
}

static void source_that_fails_is_an_error(void **state)
{
    (void)state;
    for (size_t n = 0; n < 5; n++) {
        struct failing_source s = {.takes_left = n};
        struct arena a;
        size_t got = 0;
        arena_init(&a, failing_source_of(&s), SIZE_MAX);
        while (got < 100 && arena_alloc(&a, 5000, 1) != NULL)
            got++;
        assert_true(got >= n && got < 100);
        arena_done(&a);
        assert_int_equal(s.held, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(limit_holds_on_both_sides),
        cmocka_unit_test(arrays_are_zeroed_and_checked),
        cmocka_unit_test(fixed_arena_never_grows),
        cmocka_unit_test(newest_piece_grows_in_place),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(source_that_fails_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
