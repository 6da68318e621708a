#include "support.h"

#include "http/client.h"
#include "http/exchange.h"

static void the_closest_range_decides(void **state)
{
    static const struct {
        const char *accept;
        unsigned pem, path;
    } cases[] = {
        {NULL, 1000, 1000},
        {"*/*", 1000, 1000},
        {"", 0, 0},
        {"text/html", 0, 0},
        {"application/pem", 1000, 0},
        {"APPLICATION/PEM ; q=0.5", 500, 0},
        {"application/*;q=0.25, application/path", 250, 1000},
        {"application/path, */*;q=0.1", 100, 1000},
        {"*/*, application/pem;q=0", 0, 1000},
        {"application/pem;charset=x;q=0.125", 125, 0},
        {"application/pem;q=2", 0, 0},
        {"application/pem;q=x", 0, 0},
        {"application/pem;q=1.000", 1000, 0},
        {",,application/pem,,", 1000, 0},
        {"applicationx/*", 0, 0},
        {"application", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(accept_quality(cases[i].accept, "application/pem"), cases[i].pem);
        assert_int_equal(accept_quality(cases[i].accept, "application/path"), cases[i].path);
    }
}

static void parameters_are_decoded_once(void **state)
{
    static const struct {
        const char *query, *value; /* of "a"; NULL: none */
    } cases[] = {
        {"a=1", "1"},       {"b=2&a=1", "1"}, {"a=", ""},        {"", NULL},
        {"a", NULL},        {"aa=1", NULL},   {"a=1&a=2", NULL}, {"a=%41%2b+c", "A+ c"},
        {"a=%2", NULL},     {"a=%", NULL},    {"a=%zz", NULL},   {"a=%00", NULL},
        {"a=%2541", "%41"}, {"&&a=1&&", "1"}, {"a=b=c", "b=c"},  {"A=1", NULL},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, arena_heap, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *value = query_parameter(cases[i].query, "a", &arena);
        if (cases[i].value == NULL)
            assert_null(value);
        else
            assert_string_equal(value, cases[i].value);
    }
    arena_done(&arena);
}

static void headers_of_replies(void **state)
{
    const struct http_reply reply = {
        .headers = bytes_of("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Y:  two words \r\nEmpty:\r\n"
                            "X-Y: second\r\nno colon\r\n\r\n")};
    struct bytes value;

    (void)state;
    assert_true(http_reply_header(&reply, "content-type", &value) && bytes_is(value, "a/b"));
    assert_true(http_reply_header(&reply, "X-y", &value) && bytes_is(value, "two words"));
    assert_true(http_reply_header(&reply, "Empty", &value) && value.size == 0);
    assert_false(http_reply_header(&reply, "X", &value));
    assert_false(http_reply_header(&reply, "no colon", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_closest_range_decides),
        cmocka_unit_test(parameters_are_decoded_once),
        cmocka_unit_test(headers_of_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
