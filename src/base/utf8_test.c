#include "support.h"

#include "base/base.h"

static void every_code_point_has_one_form(void **state)
{
    uint8_t text[4];
    (void)state;
    for (uint32_t c = 0; c <= 0x110010; c++) {
        size_t size = utf8_put(c, text);
        bool exists = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        assert_int_equal(size != 0, exists);
        if (exists) {
            assert_true(utf8_is_valid(bytes_from(text, size)));
            if (size > 1)
                assert_int_equal(utf8_valid_prefix(bytes_from(text, size - 1)), 0);
        }
    }
}

static void the_valid_prefix_ends_at_the_fault(void **state)
{
    const struct {
        const char *text;
        size_t valid;
    } cases[] = {
        {"", 0},
        {"plain ASCII of more than eight bytes", 36},
        {"caf\xc3\xa9", 5},
        {"12345678\xc3", 8},
        {"a\x80", 1},        /* continuation alone */
        {"\xc0\x80", 0},     /* overlong NUL */
        {"\xc1\xbf", 0},     /* overlong */
        {"\xe0\x9f\xbf", 0}, /* overlong */
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xed\xa0\x80", 0},     /* surrogate */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xe2\x82", 0}, /* cut off */
        {"\xe2\x28\xa1", 0},
        {"ok\xf0\x9f\x98\x80\xff", 6},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes copy = exact_copy(bytes_of(cases[i].text));
        assert_int_equal(utf8_valid_prefix(copy), cases[i].valid);
        exact_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_has_one_form),
        cmocka_unit_test(the_valid_prefix_ends_at_the_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
