/* What toml-test's vectors (tests/conformance/test_toml.py) do not show: the API, positions,
 * messages, limits, damage, failing memory. */
#include "support.h"

#include <stdio.h>

#include "base/base.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, 1 << 26);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static const struct toml_value *parse(const char *text)
{
    const struct toml_value *root = NULL;
    struct text_error error;
    if (!toml_parse(bytes_of(text), &arena, &root, &error))
        fail_msg("%u:%u: %s", error.line, error.column, error.text);
    return root;
}

static const char sample[] = "# a keep\n"
                             "steward = \"https://steward.example\"\n"
                             "args = [\"--verbose\", 'C:\\temp', \"tab\\tü\"]\n"
                             "big = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]\n"
                             "ratio = -2.5e-1\r\n"
                             "since = 2026-11-23 08:28:43.125+01:30\n"
                             "[limits]\n"
                             "memory.soft = 0x100\n"
                             "memory.hard = 1_000\n"
                             "[[network.incoming]]\n"
                             "port = 50000\n"
                             "[[network.incoming]]\n"
                             "port = 50001\n"
                             "peers = { any = true, tags = [ [ ], [[1]] ] }\n"
                             "text = \"\"\"\nline\\\n   end\"\"\"\"\n";

static void values_are_read(void **state)
{
    const struct toml_value *root = parse(sample);
    (void)state;
    assert_int_equal(toml_count(root), 7);
    assert_true(bytes_is(toml_string(toml_get(root, "steward")), "https://steward.example"));
    struct toml_walk args = toml_items(toml_get(root, "args"));
    assert_true(bytes_is(toml_string(toml_next(&args)), "--verbose"));
    assert_true(bytes_is(toml_string(toml_next(&args)), "C:\\temp"));
    assert_true(bytes_is(toml_string(toml_next(&args)), "tab\tü"));
    assert_null(toml_next(&args));
    assert_null(toml_next(&args));

    const struct toml_value *big = toml_get(root, "big");
    struct toml_walk walk = toml_items(big);
    assert_int_equal(toml_count(big), 13);
    for (int64_t i = 1; i <= 13; i++)
        assert_int_equal(toml_next(&walk)->of.integer, i);
    assert_null(toml_next(&walk));
    assert_true(toml_get(root, "ratio")->of.floating == -0.25);

    const struct toml_value *since = toml_get(root, "since");
    assert_int_equal(since->type, TOML_OFFSET_DATETIME);
    assert_int_equal(since->of.datetime->offset_minutes, 90);
    assert_int_equal(since->of.datetime->nanosecond, 125000000);

    const struct toml_value *memory = toml_get(toml_get(root, "limits"), "memory");
    assert_int_equal(toml_get(memory, "soft")->of.integer, 256);
    assert_int_equal(toml_get(memory, "hard")->of.integer, 1000);

    const struct toml_value *incoming = toml_get(toml_get(root, "network"), "incoming");
    assert_int_equal(toml_count(incoming), 2);
    walk = toml_items(incoming);
    assert_int_equal(toml_get(toml_next(&walk), "port")->of.integer, 50000);
    const struct toml_value *second = toml_next(&walk);
    assert_true(toml_get(toml_get(second, "peers"), "any")->of.boolean);
    assert_true(bytes_is(toml_string(toml_get(second, "text")), "lineend\""));
}

static void what_is_not_there_is_null(void **state)
{
    const struct toml_value *root = parse("a = 1\n[t]\n");
    (void)state;
    assert_null(toml_get(root, "b"));
    assert_null(toml_get(root, ""));
    assert_null(toml_get(toml_get(root, "a"), "b"));
    assert_null(toml_entries(toml_get(root, "t")));
    assert_null(toml_entries(toml_get(root, "a")));
    assert_int_equal(toml_string(toml_get(root, "a")).size, 0);
    assert_int_equal(toml_count(toml_get(root, "a")), 0);
    struct toml_walk walk = toml_items(root);
    assert_null(toml_next(&walk));
    assert_string_equal(toml_type_name(root), "a table");
}

static void keys_and_values_know_their_place(void **state)
{
    const struct toml_value *root = parse(sample);
    const char *const order[] = {"steward", "args", "big", "ratio", "since", "limits", "network"};
    uint32_t line, column;
    size_t i = 0;
    (void)state;
    for (const struct toml_entry *e = toml_entries(root); e != NULL; e = e->next)
        assert_true(bytes_is(toml_key(e), order[i++]));
    assert_int_equal(i, COUNT_OF(order));
    const struct toml_entry *args = toml_entries(root)->next;
    toml_position(bytes_of(sample), args->key_at, &line, &column);
    assert_true(line == 3 && column == 1);
    toml_position(bytes_of(sample), args->value.at, &line, &column);
    assert_true(line == 3 && column == 8);
    toml_position(bytes_of(sample), SIZE_MAX, &line, &column);
    assert_true(line == 18 && column == 1);
}

static void mistakes_are_explained(void **state)
{
    const struct {
        const char *text;
        uint32_t line, column;
        const char *message;
    } cases[] = {
        {"port 50000\n", 1, 6, "expected '=' after the key, found '5'"},
        {"a = 1\nb = 2\na = 3\n", 3, 1, "key 'a' is defined twice; first on line 1"},
        {"[t]\nx = 1\n[t]\n", 3, 2, "key 't' is defined twice; first on line 1"},
        {"a = \n", 1, 5, "expected a value, found end of line"},
        {"a =", 1, 4, "expected a value, found end of file"},
        {"a = yes\n", 1, 5, "expected a value, found 'y'; text goes between quotes"},
        {"a = True\n", 1, 5, "expected a value, found 'T'; text goes between quotes"},
        {"a = truth\n", 1, 5, "expected a value; true and false are the words with 't'"},
        {"a = \"x\n", 1, 7, "the string is not closed before the end of the line"},
        {"\na = \"\"\"x\n\n", 2, 5, "the string is not closed before the end of the file"},
        {"a = \"\\q\"", 1, 6, "invalid escape: 'q' after '\\'; for a backslash write '\\\\'"},
        {"a = \"\\ud800\"", 1, 6, "the escape names no character: U+D800"},
        {"a = \"\\u12g4\"", 1, 10, "expected 4 hexadecimal digits after '\\u', found 'g'"},
        {"a = \"\x07\"", 1, 6, "control character in a string: byte 0x07; write it as an escape"},
        {"a = 1 # \x01\n", 1, 9, "control character in a comment: byte 0x01"},
        {"a = 'x' b\n", 1, 9, "expected the end of the line, found 'b'"},
        {"a = [1 2]", 1, 8, "expected ',' or ']' in the array, found '2'"},
        {"\na = [1,\n", 2, 5, "the array is not closed before the end of the file"},
        {"a = {b = 1,}", 1, 12, "no ',' after the last key of an inline table"},
        {"a = {b = 1\n}", 1, 11, "expected ',' or '}' in the inline table, found end of line"},
        {"[a\n", 1, 3, "expected ']' after the table's name, found end of line"},
        {"[[a]\n", 1, 5, "expected ']]' after the name of an array of tables, found end of line"},
        {"[]\n", 1, 2, "expected a key, found ']'"},
        {"a = 1\n[a.b]\n", 2, 2,
         "key 'a' is an integer since line 1, so it has no tables of its own"},
        {"a = {}\n[a.b]\n", 2, 2, "inline table 'a' was complete on line 1 and cannot be extended"},
        {"a = 1\na.b = 1\n", 2, 1,
         "key 'a' is an integer since line 1, so it has no keys of its own"},
        {"[a.b]\n[c]\n[a]\nb.x = 1\n", 4, 1,
         "table 'b' was complete on line 1 and cannot be extended here"},
        {"a = []\n[[a]]\n", 2, 3, "key 'a' is an array since line 1, not an array of [[tables]]"},
        {"a = 9223372036854775808\n", 1, 5, "the number does not fit 64 bits"},
        {"a = -0x1\n", 1, 7, "unexpected 'x' in a number"},
        {"a = 0x1g\n", 1, 8, "unexpected 'g' in a number of base 16"},
        {"a = 007\n", 1, 5, "a number has no leading zeroes"},
        {"a = 1.\n", 1, 5, "the number is not complete"},
        {"a = 2026-02-29\n", 1, 5,
         "not a date or time; they look like 2026-11-23T08:28:43Z, 2026-11-23 or 08:28:43"},
        {"a = 2026-11-23x08:28:43\n", 1, 5,
         "not a date or time; they look like 2026-11-23T08:28:43Z, 2026-11-23 or 08:28:43"},
        {"a = 2026-11-23_08:28:43\n", 1, 5,
         "not a date or time; they look like 2026-11-23T08:28:43Z, 2026-11-23 or 08:28:43"},
        {"a = 2026-11-23108:28:43\n", 1, 5,
         "not a date or time; they look like 2026-11-23T08:28:43Z, 2026-11-23 or 08:28:43"},
        {"a = \"\"\"x\ry\"\"\"\n", 1, 9,
         "control character in a string: byte 0x0d; write it as an escape"},
        {"a = \"\xff\"\n", 1, 6, "the text is not UTF-8: byte 0xff"},
        {"\"\"\"a\"\"\" = 1\n", 1, 1, "a key cannot be a multi-line string"},
        {"\"k\\n\\u0001\" = 1\n\"k\\n\\u0001\" = 2", 2, 1,
         "key 'k..' is defined twice; first on line 1"},
        {"'k\xc2\x9bx' = 1\n'k\xc2\x9bx' = 2", 2, 1, "key 'k.x' is defined twice; first on line 1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes copy = exact_copy(bytes_of(cases[i].text));
        const struct toml_value *root;
        struct text_error error;
        assert_false(toml_parse(copy, &arena, &root, &error));
        assert_string_equal(error.text, cases[i].message);
        assert_int_equal(error.line, cases[i].line);
        assert_int_equal(error.column, cases[i].column);
        exact_free(copy);
    }
}

static void long_keys_are_cut_in_messages(void **state)
{
    char key[200], text[1000];
    const struct toml_value *root;
    struct text_error error;
    (void)state;
    for (size_t i = 0; i + 2 < sizeof key; i += 2)
        memcpy(key + i, "ü", 2);
    key[sizeof key - 2] = '\0';
    (void)snprintf(text, sizeof text, "'x%s' = 1\n'x%s' = 2\n", key, key);
    assert_false(toml_parse(bytes_of(text), &arena, &root, &error));
    assert_string_equal(error.text,
                        "key 'xüüüüüüüüüüüüüüüüüüü…' is defined twice; first on line 1");

    /* forty bytes of the key are twenty dots: nothing behind them is shown */
    for (size_t i = 0; i + 2 < sizeof key; i += 2)
        memcpy(key + i, "\xc2\x9b", 2);
    (void)snprintf(text, sizeof text, "'%s' = 1\n'%s' = 2\n", key, key);
    assert_false(toml_parse(bytes_of(text), &arena, &root, &error));
    assert_string_equal(error.text,
                        "key '....................…' is defined twice; first on line 1");
}

static void the_date_and_the_time_may_be_joined_by_t_or_a_space(void **state)
{
    const char *const texts[] = {"a = 2026-11-23T08:28:43", "a = 2026-11-23t08:28:43",
                                 "a = 2026-11-23 08:28:43"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct toml_value *a = toml_get(parse(texts[i]), "a");
        assert_int_equal(a->type, TOML_LOCAL_DATETIME);
        assert_int_equal(a->of.datetime->day, 23);
        assert_int_equal(a->of.datetime->hour, 8);
    }
    assert_int_equal(toml_get(parse("a = 2026-11-23 # x"), "a")->type, TOML_LOCAL_DATE);
}

/* text repeated, between two others. */
static struct bytes repeated(const char *before, const char *text, size_t count, const char *after)
{
    struct writer w = writer_growable(&arena, SIZE_MAX);
    struct bytes out = {.size = 0};
    struct err err;
    writer_text(&w, before);
    for (size_t i = 0; i < count; i++)
        writer_text(&w, text);
    writer_text(&w, after);
    assert_true(writer_done(&w, &out, &err));
    return out;
}

static void depth_has_a_limit(void **state)
{
    const struct toml_value *root;
    struct text_error error;
    const size_t max = TOML_DEPTH_MAX;
    (void)state;
    assert_true(toml_parse(repeated("a = ", "[", max, ""), &arena, &root, &error) == false);
    assert_string_equal(error.text, "the array is not closed before the end of the file");
    for (size_t extra = 0; extra < 2; extra++) {
        struct writer w = writer_growable(&arena, SIZE_MAX);
        struct bytes out = {.size = 0};
        struct err err;
        writer_bytes(&w, repeated("a = ", "[", max + extra, ""));
        writer_bytes(&w, repeated("", "]", max + extra, "\n"));
        assert_true(writer_done(&w, &out, &err));
        assert_int_equal(toml_parse(out, &arena, &root, &error), extra == 0);
        assert_int_equal(
            toml_parse(repeated("a", ".a", max - 1 + extra, " = 1"), &arena, &root, &error),
            extra == 0);
        assert_int_equal(
            toml_parse(repeated("[a", ".a", max - 1 + extra, "]"), &arena, &root, &error),
            extra == 0);
        assert_int_equal(
            toml_parse(repeated("a = ", "{a=", max + extra, ""), &arena, &root, &error), false);
    }
    assert_non_null(strstr(error.text, "more than 64 deep"));
}

static void sizes_have_limits(void **state)
{
    const struct toml_value *root;
    struct text_error error;
    (void)state;
    assert_true(
        toml_parse(repeated("a = 0.", "1", TOML_NUMBER_MAX - 2, "\n"), &arena, &root, &error));
    assert_false(
        toml_parse(repeated("a = 0.", "1", TOML_NUMBER_MAX - 1, "\n"), &arena, &root, &error));
    assert_string_equal(error.text, "the number is longer than 400 characters");
    uint8_t *largest = malloc(TOML_SIZE_MAX);
    assert_non_null(largest);
    memset(largest, '\n', TOML_SIZE_MAX);
    assert_true(toml_parse(bytes_from(largest, TOML_SIZE_MAX), &arena, &root, &error));
    free(largest);
    /* the size is looked at before the bytes are */
    assert_false(toml_parse(bytes_from("", (size_t)TOML_SIZE_MAX + 1), &arena, &root, &error));
    assert_string_equal(error.text, "the file is larger than 67108864 bytes");
}

static void damaged(struct bytes text)
{
    const struct toml_value *root = NULL;
    struct text_error error = {.line = 0};
    struct arena a;
    arena_init(&a, arena_heap, 1 << 20);
    if (toml_parse(text, &a, &root, &error))
        assert_non_null(root);
    else
        assert_true(error.line >= 1 && error.column >= 1 && error.text[0] != '\0');
    arena_done(&a);
}

static void damage_never_reads_outside(void **state)
{
    (void)state;
    for_each_damage(bytes_of(sample), damaged);
}

static void every_failed_allocation_is_an_error(void **state)
{
    struct bytes text = repeated(sample, "", 0, "");
    (void)state;
    /* small blocks make many allocations: a limit of n bytes, until it is enough */
    for (size_t limit = 0;; limit += 16) {
        struct failing_source s = {.takes_left = SIZE_MAX};
        struct text_error error;
        const struct toml_value *root;
        struct arena a;
        arena_init(&a, failing_source_of(&s), limit);
        bool ok = toml_parse(text, &a, &root, &error);
        arena_done(&a);
        assert_int_equal(s.held, 0);
        if (ok)
            break;
        assert_string_equal(error.text, "no memory for the file's contents");
        assert_true(limit < 100000);
    }
}

static void every_failed_take_is_an_error(void **state)
{
    struct writer w = writer_growable(&arena, SIZE_MAX);
    struct bytes text = {.size = 0};
    struct err err;
    (void)state;
    for (int i = 0; i < 2000; i++)
        writer_format(&w, "[t.k%d]\ntext = \"\\t%d\"\nitems = [1, {x = 1979-05-27}]\n", i, i);
    assert_true(writer_done(&w, &text, &err));
    for (size_t n = 0;; n++) {
        struct failing_source s = {.takes_left = n};
        struct text_error error;
        const struct toml_value *root = NULL;
        struct arena a;
        arena_init(&a, failing_source_of(&s), SIZE_MAX);
        bool ok = toml_parse(text, &a, &root, &error);
        arena_done(&a);
        assert_int_equal(s.held, 0);
        if (ok) {
            assert_true(n > 5); /* some of them failed after the first tables */
            break;
        }
        assert_null(root);
        assert_string_equal(error.text, "no memory for the file's contents");
        assert_true(n < 100);
    }
}

/* Two strings that the tables' hash (FNV-1a) maps to one value, from one state to one state: so
 * every string made of n of them has the same hash as any other. */
static void colliding_keys_are_told_apart(void **state)
{
    enum { PARTS = 12 };
    struct writer w = writer_growable(&arena, SIZE_MAX);
    struct bytes text = {.size = 0};
    struct err err;
    const struct toml_value *root = NULL;
    struct text_error error;
    char key[6 * PARTS + 1];
    (void)state;
    for (unsigned i = 0; i < 1u << PARTS; i++) {
        for (unsigned part = 0; part < PARTS; part++)
            writer_text(&w, i >> part & 1 ? "057b18" : "xdbcjb");
        writer_format(&w, " = %u\n", i);
    }
    assert_true(writer_done(&w, &text, &err));
    assert_true(toml_parse(text, &arena, &root, &error));
    for (unsigned i = 0; i < 1u << PARTS; i++) {
        for (unsigned part = 0; part < PARTS; part++)
            memcpy(key + 6 * (size_t)part, i >> part & 1 ? "057b18" : "xdbcjb", 6);
        key[sizeof key - 1] = '\0';
        assert_int_equal(toml_get(root, key)->of.integer, i);
    }
}

/* Keys that a poor hash or a plain search tree would suffer from: very many, in order, with long
 * common starts. All are found, none is found twice. */
static void large_tables_find_their_keys(void **state)
{
    enum { COUNT = 20000 };
    struct writer w = writer_growable(&arena, SIZE_MAX);
    struct bytes text = {.size = 0};
    struct err err;
    const struct toml_value *root = NULL;
    struct text_error error;
    char key[64];
    (void)state;
    for (int i = 0; i < COUNT; i++)
        writer_format(&w, "%s%d = %d\n", i % 2 ? "common_start_of_the_key_" : "", i, i);
    writer_text(&w, "\"\" = -1\n\"\\u0000\" = -2\n\"\\u0000\\u0000\" = -3\n");
    assert_true(writer_done(&w, &text, &err));
    assert_true(toml_parse(text, &arena, &root, &error));
    assert_int_equal(toml_count(root), COUNT + 3);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(key, sizeof key, "%s%d", i % 2 ? "common_start_of_the_key_" : "", i);
        assert_int_equal(toml_get(root, key)->of.integer, i);
        (void)snprintf(key, sizeof key, "%s%d", i % 2 ? "" : "common_start_of_the_key_", i);
        assert_null(toml_get(root, key));
    }
    assert_int_equal(toml_get(root, "")->of.integer, -1);
    writer_text(&w, "common_start_of_the_key_777 = 1\n");
    assert_true(writer_done(&w, &text, &err));
    assert_false(toml_parse(text, &arena, &root, &error));
    assert_string_equal(error.text,
                        "key 'common_start_of_the_key_777' is defined twice; first on line 778");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_and_values_know_their_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_keys_are_cut_in_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_date_and_the_time_may_be_joined_by_t_or_a_space, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(depth_has_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sizes_have_limits, set_up, tear_down),
        cmocka_unit_test(damage_never_reads_outside),
        cmocka_unit_test_setup_teardown(every_failed_allocation_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_failed_take_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(colliding_keys_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_tables_find_their_keys, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
