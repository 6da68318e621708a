/* Answers that are remembered: as they were, as many as memory is meant for, and none from before
 * all was forgotten. */
#include "support.h"

#include <stdio.h>

#include "base/base.h"
#include "drawbridge/recall.h"

static struct recall *recall;

static int set_up(void **state)
{
    struct err err;

    (void)state;
    return recall_new(&recall, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    recall_free(recall);
    return 0;
}

static const char *path_of(unsigned i, char out[32])
{
    (void)snprintf(out, 32, "/tag/%u.0.0", i);
    return out;
}

static void keep(unsigned i, size_t size)
{
    uint8_t body[RECALL_BODY_MAX + 1];
    char path[32], etag[32];
    struct http_response r = {.status = 200, .content_type = "a/b", .body = bytes_from(body, size)};

    (void)snprintf(etag, sizeof etag, "\"%u\"", i);
    memset(body, (int)(i % 251), sizeof body);
    http_response_header(&r, "ETag", etag);
    recall_keep(recall, recall_age(recall), path_of(i, path), &r);
}

/* Whether it is known; then it is as it was. */
static bool find(unsigned i, size_t size)
{
    struct http_response r = {.status = 0};
    char path[32], etag[32];
    struct arena arena;

    arena_init(&arena, arena_heap, 1 << 16);
    bool is_known = recall_find(recall, path_of(i, path), &arena, &r);
    if (is_known) {
        (void)snprintf(etag, sizeof etag, "\"%u\"", i);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.content_type, "a/b");
        assert_int_equal(r.header_count, 1);
        assert_string_equal(r.headers[0].name, "ETag");
        assert_string_equal(r.headers[0].value, etag);
        assert_int_equal(r.body.size, size);
        for (size_t k = 0; k < size; k++)
            assert_int_equal(r.body.data[k], i % 251);
    }
    arena_done(&arena);
    return is_known;
}

static unsigned count_known(unsigned count, size_t size)
{
    unsigned known = 0;

    for (unsigned i = 0; i < count; i++)
        known += find(i, size);
    return known;
}

static void answers_are_as_they_were(void **state)
{
    (void)state;
    assert_false(find(1, 0));
    keep(1, 0);
    keep(2, RECALL_BODY_MAX);
    keep(3, RECALL_BODY_MAX + 1); /* too large */
    assert_true(find(1, 0) && find(2, RECALL_BODY_MAX) && !find(3, RECALL_BODY_MAX + 1));
    recall_forget(recall);
    assert_false(find(1, 0) || find(2, RECALL_BODY_MAX));
}

static void what_was_looked_up_before_all_was_forgotten_is_not_kept(void **state)
{
    const struct http_response r = {.status = 200, .content_type = "a/b"};
    struct arena arena;
    struct http_response found;

    (void)state;
    arena_init(&arena, arena_heap, 1 << 16);
    uint64_t age = recall_age(recall);
    recall_forget(recall);
    recall_keep(recall, age, "/x", &r);
    assert_false(recall_find(recall, "/x", &arena, &found));
    recall_keep(recall, recall_age(recall), "/x", &r);
    assert_true(recall_find(recall, "/x", &arena, &found));
    arena_done(&arena);
}

/* Two that meet in one place are the reason that it is not all of them. */
static void thousands_of_tags_are_known(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        keep(i, 500);
    unsigned known = count_known(10000, 500);
    if (known < 9000)
        fail_msg("%u", known);
}

static void memory_has_an_end(void **state)
{
    const unsigned most = ((unsigned)16 << 20) / RECALL_BODY_MAX;

    (void)state;
    for (unsigned i = 0; i < 30000; i++)
        keep(i, RECALL_BODY_MAX);
    unsigned known = count_known(30000, RECALL_BODY_MAX);
    if (known > most || known < most / 2)
        fail_msg("%u", known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_are_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_looked_up_before_all_was_forgotten_is_not_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(thousands_of_tags_are_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_has_an_end, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
