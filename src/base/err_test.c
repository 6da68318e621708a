#include "support.h"

#include "base/base.h"

static const char *fake_strerror(int number)
{
    return number == 2 ? "No such file or directory" : "?";
}

static void texts_name_what_at_means(void **state)
{
    char text[ERR_TEXT_SIZE];
    struct err err;
    (void)state;
    assert_false(err_set(&err, ERR_FORMAT, "claim ends early, at offset", 17));
    assert_string_equal(err_text(&err, NULL, text), "claim ends early, at offset 17");
    (void)err_set(&err, ERR_POLICY, "refused", ERR_NO_AT);
    assert_string_equal(err_text(&err, NULL, text), "refused");
    (void)err_set(&err, ERR_IO, "cannot open", 2);
    assert_string_equal(err_text(&err, fake_strerror, text),
                        "cannot open: No such file or directory");
    assert_string_equal(err_text(&err, NULL, text), "cannot open 2");
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODE_COUNT; code++)
        assert_string_not_equal(err_code_name((enum err_code)code), "unknown");
    assert_string_equal(err_code_name((enum err_code)ERR_CODE_COUNT), "unknown");
    assert_string_equal(err_code_name((enum err_code) - 1), "unknown");
}

static void long_text_is_cut(void **state)
{
    struct text_error error;
    char many[500];
    (void)state;
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    assert_false(text_error_set(&error, 3, 7, "key '%s'", many));
    assert_int_equal(error.line, 3);
    assert_int_equal(error.column, 7);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

static const char *near_to(const char *word)
{
    static const char *const keys[] = {"steward", "steward_ca", "args", "env", "stdin", "limits"};
    return nearest_word(word, strlen(word), keys, COUNT_OF(keys));
}

static void nearest_word_is_near(void **state)
{
    char long_word[100] = {0};
    (void)state;
    assert_string_equal(near_to("stewrad"), "steward"); /* a swap is one mistake */
    assert_string_equal(near_to("stewardca"), "steward_ca");
    assert_string_equal(near_to("limit"), "limits");
    assert_string_equal(near_to("evn"), "env");
    assert_null(near_to("network"));
    assert_null(near_to(""));
    assert_null(near_to("x"));
    memset(long_word, 'a', sizeof long_word - 1);
    assert_null(near_to(long_word));
    const char *const same[] = {long_word};
    assert_null(nearest_word("a", 1, same, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_name_what_at_means),
        cmocka_unit_test(every_code_has_a_name),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(nearest_word_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
