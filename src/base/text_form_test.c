#include "support.h"

#include "base/base.h"

/* RFC 4648 §10. */
static const struct {
    const char *plain, *base64, *hex;
} rfc4648[] = {
    {"", "", ""},
    {"f", "Zg==", "66"},
    {"fo", "Zm8=", "666f"},
    {"foo", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "666f6f62"},
    {"fooba", "Zm9vYmE=", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "666f6f626172"},
};

static void rfc4648_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rfc4648); i++) {
        struct bytes plain = bytes_of(rfc4648[i].plain);
        char text[32];
        uint8_t back[32];
        size_t size;
        struct err err;

        size = base64_encoded_size(plain.size, BASE64_STANDARD);
        base64_encode(plain, BASE64_STANDARD, text);
        assert_true(bytes_is(bytes_from(text, size), rfc4648[i].base64));
        assert_true(
            base64_decode(bytes_from(text, size), BASE64_STANDARD, back, sizeof back, &size, &err));
        assert_true(bytes_equal(bytes_from(back, size), plain));

        hex_encode(plain, text);
        assert_true(bytes_is(bytes_from(text, hex_size(plain.size)), rfc4648[i].hex));
        assert_true(hex_decode(bytes_of(rfc4648[i].hex), back, sizeof back, &size, &err));
        assert_true(bytes_equal(bytes_from(back, size), plain));
    }
}

static void every_size_and_form_comes_back(void **state)
{
    uint8_t plain[260];
    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 73 + 251);
    for (size_t size = 0; size <= sizeof plain; size++) {
        struct bytes in = exact_copy(bytes_from(plain, size));
        for (int f = BASE64_STANDARD; f <= BASE64_URL; f++) {
            enum base64_form form = (enum base64_form)f;
            size_t text_size = base64_encoded_size(size, form), back_size;
            char *text = malloc(text_size);
            uint8_t *back = malloc(size);
            struct err err;
            base64_encode(in, form, text);
            assert_true(base64_decoded_size_max(text_size) >= size);
            assert_true(
                base64_decode(bytes_from(text, text_size), form, back, size, &back_size, &err));
            assert_true(bytes_equal(in, bytes_from(back, back_size)));
            if (size != 0) {
                assert_false(base64_decode(bytes_from(text, text_size), form, back, size - 1,
                                           &back_size, &err));
                assert_int_equal(err.code, ERR_LIMIT);
            }
            free(back);
            free(text);
        }
        char *text = malloc(hex_size(size));
        uint8_t *back = malloc(size);
        size_t back_size;
        struct err err;
        hex_encode(in, text);
        assert_true(hex_decode(bytes_from(text, size * 2), back, size, &back_size, &err));
        assert_true(bytes_equal(in, bytes_from(back, back_size)));
        free(back);
        free(text);
        exact_free(in);
    }
}

static void bad_text_is_refused(void **state)
{
    const struct {
        const char *text;
        enum base64_form form;
        uint64_t at;
    } bad[] = {
        {"Zg=", BASE64_STANDARD, 3},    /* padding cut short */
        {"Zg", BASE64_STANDARD, 2},     /* no padding */
        {"Zg===", BASE64_STANDARD, 5},  /* too much */
        {"Z===", BASE64_STANDARD, 1},   /* padding for what is not there */
        {"====", BASE64_STANDARD, 0},   /* nothing but padding */
        {"Zh==", BASE64_STANDARD, 1},   /* stray bits */
        {"Zm9=", BASE64_STANDARD, 2},   /* stray bits */
        {"Zm9v\n", BASE64_STANDARD, 5}, /* white space */
        {"Zm 9", BASE64_STANDARD, 2},
        {"Zm-_", BASE64_STANDARD, 2}, /* the other alphabet */
        {"Zm+/", BASE64_URL, 2},
        {"Zg==", BASE64_URL, 2}, /* padding is not base64url's in JOSE */
        {"Zg==", BASE64_STANDARD_UNPADDED, 2},
        {"Zm9vY", BASE64_URL, 5}, /* one character alone */
        {"Zm9vY\xff", BASE64_URL, 5},
        {"Zm9v\x80mFy", BASE64_URL, 4},
    };
    uint8_t out[16];
    size_t size;
    struct err err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct bytes copy = exact_copy(bytes_of(bad[i].text));
        assert_false(base64_decode(copy, bad[i].form, out, sizeof out, &size, &err));
        assert_int_equal(err.code, ERR_FORMAT);
        assert_int_equal(err.at, bad[i].at);
        exact_free(copy);
    }
    assert_false(hex_decode(bytes_of("abc"), out, sizeof out, &size, &err));
    assert_false(hex_decode(bytes_of("ag"), out, sizeof out, &size, &err));
    assert_int_equal(err.at, 1);
    assert_false(hex_decode(bytes_of("0x"), out, sizeof out, &size, &err));
    assert_false(hex_decode(bytes_of("\x80\x30"), out, sizeof out, &size, &err));
    assert_int_equal(err.at, 0);
    assert_false(hex_decode(bytes_of("aabb"), out, 1, &size, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_true(hex_decode(bytes_of("AaBb"), out, 2, &size, &err));
    assert_int_equal(out[0], 0xaa);
}

static void times_are_utc(void **state)
{
    const struct {
        int64_t unix_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(1795422523123), "2026-11-23T08:28:43.123Z"},
        {INT64_C(4107542399000), "2100-02-28T23:59:59.000Z"},
        {INT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-03-01T00:00:00.000Z"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[RFC3339_SIZE];
        rfc3339_format(cases[i].unix_ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc4648_vectors),
        cmocka_unit_test(every_size_and_form_comes_back),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(times_are_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
