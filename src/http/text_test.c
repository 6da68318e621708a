#include "support.h"

#include "http/client.h"
#include "http/text.h"

/* ---- Accept ---- */

static unsigned quality(const char *value, const char *media_type)
{
    struct accept accept = {.quality = 0};
    struct bytes copy = exact_copy(bytes_of(value));

    accept_add(&accept, copy, media_type);
    exact_free(copy);
    return accept.quality;
}

static void accept_takes_the_closest_range(void **state)
{
    static const struct {
        const char *value, *type;
        unsigned quality;
    } cases[] = {
        {"*/*", "text/plain", 1000},
        {"text/*", "text/plain", 1000},
        {"text/plain", "text/plain", 1000},
        {"TEXT/Plain", "text/plain", 1000},
        {"text/html", "text/plain", 0},
        {"text/plainer", "text/plain", 0},
        {"text", "text/plain", 0},
        {"*", "text/plain", 0},
        {"texts/*", "text/plain", 0},
        {"text/plain;q=0.5", "text/plain", 500},
        {"text/plain; Q=0.123", "text/plain", 123},
        {"text/plain ; charset=utf-8 ; q=0.7", "text/plain", 700},
        {"text/plain;q=0", "text/plain", 0},
        {"text/plain;q=1.000", "text/plain", 1000},
        {"text/plain;q=0.", "text/plain", 0},
        /* the closest range counts, wherever it stands */
        {"*/*;q=0.1, text/plain;q=0.9, text/*;q=0.5", "text/plain", 900},
        {"text/plain;q=0, */*", "text/plain", 0},
        {"text/*;q=0.2, */*;q=0.8", "text/plain", 200},
        {"text/*;q=0.2, */*;q=0.8", "image/png", 800},
        {"text/plain;q=0.2, text/plain;q=0.6", "text/plain", 600},
        /* a range whose weight is none is none */
        {"text/plain;q=1.001", "text/plain", 0},
        {"text/plain;q=2", "text/plain", 0},
        {"text/plain;q=0.1234", "text/plain", 0},
        {"text/plain;q=", "text/plain", 0},
        {"text/plain;q=x, */*;q=0.3", "text/plain", 300},
        /* a quoted comma is no end */
        {"text/html;a=\"b,text/plain\"", "text/plain", 0},
        {"text/html;a=\"\\\",\", text/plain", "text/plain", 1000},
        {"text/html;a=\"", "text/plain", 0},
        {"", "text/plain", 0},
        {",,;,", "text/plain", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned got = quality(cases[i].value, cases[i].type);
        if (got != cases[i].quality)
            fail_msg("%s: %u, not %u", cases[i].value, got, cases[i].quality);
    }
}

static void accept_may_be_several_headers(void **state)
{
    struct accept accept = {.quality = 0};

    (void)state;
    accept_add(&accept, bytes_of("*/*;q=0.9"), "text/plain");
    accept_add(&accept, bytes_of("text/plain;q=0.4"), "text/plain");
    accept_add(&accept, bytes_of("*/*"), "text/plain");
    assert_int_equal(accept.quality, 400);
}

static void check_accept(struct bytes damaged)
{
    struct accept accept = {.quality = 0};

    accept_add(&accept, damaged, "text/plain");
    assert_true(accept.quality <= 1000);
}

static void damaged_accept_is_survived(void **state)
{
    (void)state;
    for_each_damage(bytes_of("text/html;a=\"\\\",\"; q=0.25, text/*;q=1, */*"), check_accept);
}

static void media_types_without_parameters(void **state)
{
    (void)state;
    assert_true(media_type_is(bytes_of("text/plain"), "text/plain"));
    assert_true(media_type_is(bytes_of(" Text/Plain ;charset=x"), "text/plain"));
    assert_false(media_type_is(bytes_of("text/plain, text/html"), "text/plain"));
    assert_false(media_type_is(bytes_of(""), "text/plain"));
    assert_false(media_type_is(bytes_of(";text/plain"), "text/plain"));
}

/* ---- parameters ---- */

static void check_parameter(const char *query, const char *name, const char *expected)
{
    struct arena arena;
    struct bytes copy = exact_copy(bytes_of(query));

    arena_init(&arena, arena_heap, 1 << 16);
    const char *got = query_value(copy, name, &arena);
    if (expected == NULL) {
        if (got != NULL)
            fail_msg("%s: %s", query, got);
    } else {
        assert_non_null(got);
        assert_string_equal(got, expected);
    }
    arena_done(&arena);
    exact_free(copy);
}

static void parameters_are_decoded_once(void **state)
{
    (void)state;
    check_parameter("a=1", "a", "1");
    check_parameter("a=1&b=2", "b", "2");
    check_parameter("a=", "a", "");
    check_parameter("a", "a", "");
    check_parameter("a=b=c", "a", "b=c");
    check_parameter("a=%41%7a%C3%a9+x", "a", "Az\xc3\xa9+x");
    check_parameter("%61=1", "a", "1");
    check_parameter("", "a", NULL);
    check_parameter("b=1", "a", NULL);
    check_parameter("aa=1", "a", NULL);
    check_parameter("a=1", "aa", NULL);
    check_parameter("A=1", "a", NULL);
    check_parameter("a=1&a=1", "a", NULL);
    check_parameter("a=1&%61=1", "a", NULL);
    check_parameter("a=%", "a", NULL);
    check_parameter("a=%4", "a", NULL);
    check_parameter("a=%4g", "a", NULL);
    check_parameter("a=%00", "a", NULL);
    check_parameter("a=b%00c", "a", NULL);
    check_parameter("%=1&a=2", "a", "2");
}

static void parameters_need_memory(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, arena_heap, 0);
    assert_null(query_value(bytes_of("a=1"), "a", &arena));
    arena_done(&arena);
}

/* ---- replies ---- */

static void check_header(const char *lines, const char *name, const char *expected)
{
    struct bytes copy = exact_copy(bytes_of(lines)), value;
    const struct http_reply reply = {.headers = copy};
    bool is_found = http_reply_header(&reply, name, &value);

    assert_int_equal(is_found, expected != NULL);
    if (expected != NULL && !bytes_is(value, expected))
        fail_msg("%s: %.*s", lines, (int)value.size, (const char *)value.data);
    exact_free(copy);
}

static void reply_headers_are_found(void **state)
{
    static const char lines[] = "HTTP/1.1 200 OK: really\r\nContent-Type:  text/plain \r\n"
                                "X-Empty:\r\nX-Two: 1\r\nx-two: 2\r\nnothing\r\nX-Last: end";

    (void)state;
    check_header(lines, "content-type", "text/plain");
    check_header(lines, "X-EMPTY", "");
    check_header(lines, "X-Two", "1");
    check_header(lines, "X-Last", "end");
    check_header(lines, "X-Las", NULL);
    check_header(lines, "Content-Typ", NULL);
    check_header(lines, "nothing", NULL);
    check_header("", "a", NULL);
    check_header("a", "a", NULL);
    check_header("a:", "a", "");
    check_header("\r\n\r\na:\t1\n", "a", "1");
}

/* ---- JSON ---- */

static void check_json(struct bytes text, const char *expected)
{
    char out[200];
    struct writer w = writer_fixed(out, sizeof out);
    struct bytes done;
    struct err err;

    json_string(&w, text);
    assert_true(writer_done(&w, &done, &err));
    if (!bytes_is(done, expected))
        fail_msg("%.*s, not %s", (int)done.size, (const char *)done.data, expected);
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    check_json(bytes_of(""), "\"\"");
    check_json(bytes_of("a\"b\\c"), "\"a\\\"b\\\\c\"");
    check_json(bytes_of("\n\x01\x7f"), "\"\\u000a\\u0001\\u007f\"");
    check_json(bytes_from("a\0b", 3), "\"a\\u0000b\"");
    check_json(bytes_of("\xc3\xa9"), "\"\xc3\xa9\"");
    check_json(bytes_of("x\xff\xc3"), "\"x\xef\xbf\xbd\xef\xbf\xbd\"");
    check_json(bytes_of("\xed\xa0\x80z"),
               "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\""); /* a surrogate */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_takes_the_closest_range),
        cmocka_unit_test(accept_may_be_several_headers),
        cmocka_unit_test(damaged_accept_is_survived),
        cmocka_unit_test(media_types_without_parameters),
        cmocka_unit_test(parameters_are_decoded_once),
        cmocka_unit_test(parameters_need_memory),
        cmocka_unit_test(reply_headers_are_found),
        cmocka_unit_test(json_strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
