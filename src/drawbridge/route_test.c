/* Paths, ranges and entity tags as clients send them. */
#include "support.h"

#include "base/base.h"
#include "drawbridge/route.h"

static void paths_name_endpoints(void **state)
{
    const struct {
        const char *path;
        enum endpoint endpoint;
        const char *user, *repo, *tag, *node;
    } cases[] = {
        {"/health", ENDPOINT_HEALTH, "", "", "", ""},
        {"/api/v0.1.0/alice", ENDPOINT_USER, "alice", "", "", ""},
        {"/api/v0.4.9/alice/", ENDPOINT_USER, "alice", "", "", ""},
        {"/api/v0.1.0//alice", ENDPOINT_USER, "alice", "", "", ""},
        {"/api/v0.0.1-rc.1+b/alice/a-b", ENDPOINT_REPO, "alice", "a-b", "", ""},
        {"/api/v0.2.0/a/b/_tag", ENDPOINT_TAGS, "a", "b", "", ""},
        {"/api/v0.1.0/a/b/_tag/", ENDPOINT_TAGS, "a", "b", "", ""},
        {"/api/v0.1.0/a/b/_tag/1.0.0-rc.1+x", ENDPOINT_TAG, "a", "b", "1.0.0-rc.1+x", ""},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree", ENDPOINT_NODE, "a", "b", "1.0.0", ""},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree/", ENDPOINT_NODE, "a", "b", "1.0.0", ""},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree/x/..y/z:_-", ENDPOINT_NODE, "a", "b", "1.0.0",
         "x/..y/z:_-"},
        {"/api/v0.1.0/a/b/_tag/1.0.0/_yank", ENDPOINT_YANK, "a", "b", "1.0.0", ""},
        {"/api/v0.1.0/a/b/_tag/1.0.0/_missing", ENDPOINT_MISSING, "a", "b", "1.0.0", ""},
        {"/api/v0.1.0/a/b/_steward", ENDPOINT_STEWARDS, "a", "b", "", ""},
        {"/api/v0.1.0/a/b/_steward/x-1", ENDPOINT_STEWARD, "a", "b", "", "x-1"},
        {"/api/v0.1.0/_users", ENDPOINT_USERS, "", "", "", ""},
        {"/api/v0.1.0/_repositories", ENDPOINT_REPOS, "", "", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route_fault fault = {.message = ""};
        struct bytes path = exact_copy(bytes_of(cases[i].path));
        struct route route;
        if (!route_parse(path, &route, &fault))
            fail_msg("%s: %s", cases[i].path, fault.message);
        assert_int_equal(route.endpoint, cases[i].endpoint);
        assert_true(bytes_is(route.user, cases[i].user));
        assert_true(bytes_is(route.repo, cases[i].repo));
        assert_true(bytes_is(route.tag, cases[i].tag));
        assert_true(bytes_is(route.path, cases[i].node));
        exact_free(path);
    }
}

static void other_paths_are_refused(void **state)
{
    const struct {
        const char *path;
        unsigned status;
    } cases[] = {
        {"/", 404},
        {"/api", 404},
        {"/health/x", 404},
        {"/api/v", 400},
        {"/api/v1/alice", 400},
        {"/api/v0.1/alice", 400},
        {"/api/v01.0.0/alice", 400},
        {"/api/v0.5.0/alice", 501},
        {"/api/v1.0.0/alice", 501},
        {"/api/v99999999999999999999.0.0/alice", 501},
        {"/api/v0.1.0", 400},
        {"/api/v0.1.0/", 400},
        {"/api/v0.1.0/al-ice", 400},
        {"/api/v0.1.0/al%69ce", 400},
        {"/api/v0.1.0/../alice", 400},
        {"/api/v0.1.0/alice/a_b", 400},
        {"/api/v0.1.0/alice/..", 400},
        {"/api/v0.1.0/alice//_tag", 400},
        {"/api/v0.1.0/a/b/tag", 404},
        {"/api/v0.1.0/a/b/_tag/1.0", 400},
        {"/api/v0.1.0/a/b/_tag/..", 400},
        {"/api/v0.1.0/a/b/_tag/1.0.0/trees", 404},
        {"/api/v0.1.0/a/b/_tag/1.0.0/_yank/x", 404},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree/..", 400},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree/a/../b", 400},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree/a%2fb", 400},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree/a%00", 400},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree//a", 400},
        {"/api/v0.1.0/a/b/_tag/1.0.0/tree/a/", 400},
        {"/api/v0.1.0/a/b/_steward/x_y", 400},
        {"/api/v0.1.0/a/b/_steward/x/y", 400},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route_fault fault = {.status = 0};
        struct bytes path = exact_copy(bytes_of(cases[i].path));
        struct route route;
        if (route_parse(path, &route, &fault))
            fail_msg("accepted: %s", cases[i].path);
        if (fault.status != cases[i].status)
            fail_msg("%s: %u", cases[i].path, fault.status);
        exact_free(path);
    }
}

static void long_paths_are_refused(void **state)
{
    static char path[8192];
    const char *start = "/api/v0.1.0/a/b/_tag/1.0.0/tree/";
    struct route_fault fault;
    struct route route;

    (void)state;
    memset(path, 'a', sizeof path - 1);
    memcpy(path, start, strlen(start));
    path[strlen(start) + 255] = '\0';
    assert_true(route_parse(bytes_of(path), &route, &fault));
    path[strlen(start) + 255] = 'a';
    assert_false(route_parse(bytes_of(path), &route, &fault));
    for (size_t i = strlen(start) + 1; i < sizeof path - 1; i += 2)
        path[i] = '/';
    path[strlen(start) + (size_t)2 * 64 - 1] = '\0';
    assert_true(route_parse(bytes_of(path), &route, &fault));
    path[strlen(start) + (size_t)2 * 64 - 1] = '/';
    assert_false(route_parse(bytes_of(path), &route, &fault));
    assert_int_equal(fault.status, 400);
}

static void ranges_are_read(void **state)
{
    const struct {
        const char *header;
        uint64_t size;
        enum range_kind kind;
        uint64_t first, count;
    } cases[] = {
        {NULL, 10, RANGE_NONE, 0, 0},
        {"bytes=0-0", 10, RANGE_PART, 0, 1},
        {"bytes=0-9", 10, RANGE_PART, 0, 10},
        {"bytes=5-", 10, RANGE_PART, 5, 5},
        {"bytes=5-999999999999999999", 10, RANGE_PART, 5, 5},
        {"bytes=-3", 10, RANGE_PART, 7, 3},
        {"bytes=-30", 10, RANGE_PART, 0, 10},
        {"bytes=9-9", 10, RANGE_PART, 9, 1},
        {"bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=5-4", 10, RANGE_NONE, 0, 0},
        {"bytes=0-1,3-4", 10, RANGE_NONE, 0, 0},
        {"bytes=", 10, RANGE_NONE, 0, 0},
        {"bytes=-", 10, RANGE_NONE, 0, 0},
        {"bytes=1", 10, RANGE_NONE, 0, 0},
        {"bytes= 1-2", 10, RANGE_NONE, 0, 0},
        {"bytes=9999999999999999999-", 10, RANGE_NONE, 0, 0},
        {"bytes=1-9999999999999999999", 10, RANGE_NONE, 0, 0},
        {"lines=1-2", 10, RANGE_NONE, 0, 0},
        {"", 10, RANGE_NONE, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t first = 0, count = 0;
        enum range_kind kind = range_parse(cases[i].header, cases[i].size, &first, &count);
        if (kind != cases[i].kind)
            fail_msg("%s: %d", cases[i].header, (int)kind);
        if (kind == RANGE_PART) {
            assert_int_equal(first, cases[i].first);
            assert_int_equal(count, cases[i].count);
        }
    }
}

static void entity_tags_are_found(void **state)
{
    (void)state;
    assert_true(etag_is_listed("\"a\"", "\"a\""));
    assert_true(etag_is_listed("W/\"a\"", "\"a\""));
    assert_true(etag_is_listed("\"b\", W/\"a\" ,\"c\"", "\"a\""));
    assert_true(etag_is_listed("*", "\"a\""));
    assert_false(etag_is_listed(NULL, "\"a\""));
    assert_false(etag_is_listed("", "\"a\""));
    assert_false(etag_is_listed("\"ab\"", "\"a\""));
    assert_false(etag_is_listed("a", "\"a\""));
    assert_false(etag_is_listed(",, ", "\"a\""));
    assert_false(etag_is_listed("W/", "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_name_endpoints),   cmocka_unit_test(other_paths_are_refused),
        cmocka_unit_test(long_paths_are_refused), cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(entity_tags_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
