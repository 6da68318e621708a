/* Entries, directories and tags. Expected digests are sha256sum's and sha384sum's. */
#include "support.h"

#include "base/base.h"
#include "package/entry.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, 1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

#define EMPTY_SHA256 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define EMPTY_ENTRY "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"a/b\"}"

static struct bytes done(const struct writer *w)
{
    struct bytes out = {.size = 0};
    struct err err;

    assert_true(writer_done(w, &out, &err));
    return out;
}

static struct bytes entry_text(const struct entry *entry)
{
    struct writer w = writer_growable(&arena, 4096);

    entry_write(&w, entry);
    return done(&w);
}

static void content_becomes_an_entry(void **state)
{
    const char *expected =
        "{\"digest\":{\"sha-256\":\"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\",\"sha-384\":"
        "\"ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn\"},\"length\":3,"
        "\"type\":\"application/wasm\"}";
    struct entry entry, again;
    struct err err;

    (void)state;
    assert_true(entry_of(bytes_of("abc"), MEDIA_WASM, &entry, &err));
    struct bytes text = entry_text(&entry);
    assert_true(bytes_is(text, expected));
    assert_true(entry_parse(text, &arena, &again, &err));
    assert_true(entry_equal(&entry, &again));
    assert_false(entry_is_directory(&entry));
}

static void entries_are_read(void **state)
{
    const char *const good[] = {
        EMPTY_ENTRY,
        "{\"type\":\"a/b; charset=utf-8\",\"length\":5,\"x\":[1],\"digest\":{\"sha-256\":"
        "\"" EMPTY_SHA256 "\"}}",
    };
    const char *const bad[] = {
        "",
        "[]",
        "{",
        EMPTY_ENTRY "x",
        "{\"digest\":{},\"length\":0,\"type\":\"a/b\"}",
        "{\"digest\":{\"md5\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"a/b\"}",
        "{\"digest\":{\"SHA-256\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":\"47DE\"},\"length\":0,\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-384\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":7},\"length\":0,\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\",\"sha-256\":\"" EMPTY_SHA256
        "\"},\"length\":0,\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":-1,\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":1.0,\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":1125899906842625,"
        "\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"type\":\"a/b\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"ab\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"a/b\\r\\nX: y\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"a/b\\u0000\"}",
        "{\"digest\":{\"sha-256\":\"" EMPTY_SHA256 "\"},\"length\":0,\"type\":\"\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct entry entry;
        struct err err;
        if (!entry_parse(bytes_of(good[i]), &arena, &entry, &err))
            fail_msg("%s: %s", good[i], err.msg);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct entry entry;
        struct err err;
        if (entry_parse(bytes_of(bad[i]), &arena, &entry, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, ERR_FORMAT);
    }
}

static void directories_are_sorted(void **state)
{
    struct directory_item items[3] = {
        {.name = bytes_of("b")}, {.name = bytes_of("a.b")}, {.name = bytes_of("a")}};
    struct directory directory = {.items = items, .count = 3}, again;
    struct writer w = writer_growable(&arena, 4096);
    struct err err;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_true(entry_of(items[i].name, MEDIA_OCTETS, &items[i].entry, &err));
    directory_write(&w, &directory);
    struct bytes text = done(&w);
    assert_true(bytes_starts_with(text, bytes_of("{\"a\":{\"digest\":{\"sha-256\":\"")));
    assert_true(directory_parse(text, &arena, &again, &err));
    assert_int_equal(again.count, 3);
    assert_true(bytes_is(again.items[1].name, "a.b"));
    assert_non_null(directory_find(&again, bytes_of("b")));
    assert_null(directory_find(&again, bytes_of("c")));
    assert_true(entry_equal(&directory_find(&again, bytes_of("b"))->entry,
                            &directory_find(&directory, bytes_of("b"))->entry));
    assert_true(directory_parse(bytes_of("{}"), &arena, &again, &err));
    assert_int_equal(again.count, 0);
    assert_null(directory_find(&again, bytes_of("c")));
}

static void bad_directories_are_refused(void **state)
{
    const char *const bad[] = {
        "[]",
        "{\"a\":1}",
        "{\"..\":" EMPTY_ENTRY "}",
        "{\".\":" EMPTY_ENTRY "}",
        "{\"\":" EMPTY_ENTRY "}",
        "{\"a/b\":" EMPTY_ENTRY "}",
        "{\"a%2fb\":" EMPTY_ENTRY "}",
        "{\"a b\":" EMPTY_ENTRY "}",
        "{\"\\u00e4\":" EMPTY_ENTRY "}",
        "{\"a\":" EMPTY_ENTRY ",\"a\":" EMPTY_ENTRY "}",
    };
    char name[300] = "{\"";
    struct directory directory;
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (directory_parse(bytes_of(bad[i]), &arena, &directory, &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(err.code, ERR_FORMAT);
    }
    memset(name + 2, 'a', 256);
    memcpy(name + 258, "\":{}}", 6);
    assert_false(directory_parse(bytes_of(name), &arena, &directory, &err));
    static char deep[200000];
    memset(deep, '[', sizeof deep);
    assert_false(directory_parse(bytes_from(deep, sizeof deep), &arena, &directory, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    struct bytes huge = bytes_from(calloc(1, ENTRY_JSON_MAX + 1), ENTRY_JSON_MAX + 1);
    assert_false(directory_parse(huge, &arena, &directory, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    exact_free(huge);
}

/* The payload is EMPTY_ENTRY. */
#define PAYLOAD                                                                                \
    "eyJkaWdlc3QiOnsic2hhLTI1NiI6IjQ3REVRcGo4SEJTYSsvVEltVys1SkNldVFlUmttNU5NcEpXWkczaFN1RlU9" \
    "In0sImxlbmd0aCI6MCwidHlwZSI6ImEvYiJ9"

static void tags_have_two_forms(void **state)
{
    const char *const is_signed[] = {
        "{\"payload\":\"" PAYLOAD "\",\"protected\":\"e30\",\"signature\":\"AA\"}",
        "{\"payload\":\"" PAYLOAD "\",\"signatures\":[{\"protected\":\"e30\",\"signature\":\"A"
        "A\"}]}",
    };
    const char *const bad[] = {
        "{\"payload\":\"" PAYLOAD "\"}",
        "{\"payload\":\"" PAYLOAD "\",\"signatures\":[]}",
        "{\"payload\":\"" PAYLOAD "=\",\"signature\":\"AA\"}",
        "{\"payload\":\"e30\",\"signature\":\"AA\"}",
        "{\"payload\":\"" PAYLOAD "\",\"signature\":\"AA\",\"signatures\":[{}]}",
    };
    struct tag tag;
    struct err err;

    (void)state;
    assert_true(tag_parse(bytes_of(EMPTY_ENTRY), &arena, &tag, &err));
    assert_false(tag.is_signed);
    for (size_t i = 0; i < COUNT_OF(is_signed); i++) {
        assert_true(tag_parse(bytes_of(is_signed[i]), &arena, &tag, &err));
        assert_true(tag.is_signed);
        assert_true(bytes_is(entry_text(&tag.root), EMPTY_ENTRY));
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (tag_parse(bytes_of(bad[i]), &arena, &tag, &err))
            fail_msg("accepted: %s", bad[i]);
    }
}

static void content_digests_are_read(void **state)
{
    const struct {
        const char *text;
        const char *written; /* NULL: refused */
    } cases[] = {
        {"sha-256=:" EMPTY_SHA256 ":", "sha-256=:" EMPTY_SHA256 ":"},
        {"SHA-256=:" EMPTY_SHA256 ":", "sha-256=:" EMPTY_SHA256 ":"},
        {" sha-256=:" EMPTY_SHA256 ": , sha-224=:0UoCjCo6K8lHYQK7KII0xBWisB+CjqYqxbPkLw==:",
         "sha-224=:0UoCjCo6K8lHYQK7KII0xBWisB+CjqYqxbPkLw==:,sha-256=:" EMPTY_SHA256 ":"},
        {"", NULL},
        {"sha-256", NULL},
        {"sha-256=", NULL},
        {"sha-256=:", NULL},
        {"sha-256=::", NULL},
        {"sha-256=" EMPTY_SHA256, NULL},
        {"sha-256=:" EMPTY_SHA256, NULL},
        {"sha-256=:" EMPTY_SHA256 ":,", NULL},
        {"sha-256=:" EMPTY_SHA256 ":sha-224=::", NULL},
        {"sha-256=:" EMPTY_SHA256 ":,sha-256=:" EMPTY_SHA256 ":", NULL},
        {"sha-256=:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=:", NULL},
        {"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==:", NULL},
        {"sha-1=:2jmj7l5rSw0yVb/vlWAYkK/YBwk=:", NULL},
        {"md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct digest_set set = {.of = {{.size = 0}}};
        struct bytes text = exact_copy(bytes_of(cases[i].text));
        struct writer w = writer_growable(&arena, 1000);
        struct err err;
        bool ok = content_digest_parse(text, &set, &err);
        exact_free(text);
        if (ok != (cases[i].written != NULL))
            fail_msg("%s: %s", cases[i].text, ok ? "accepted" : err.msg);
        content_digest_write(&w, &set);
        assert_true(bytes_is(done(&w), cases[i].written != NULL ? cases[i].written : ""));
    }
}

static void entries_bind_content(void **state)
{
    struct entry entry;
    struct digest_set set;
    struct err err;

    (void)state;
    assert_true(entry_of(bytes_of("abc"), MEDIA_WASM, &entry, &err));
    assert_true(digest_compute(bytes_of("abc"), 15, &set, &err));
    assert_true(entry_check(&entry, 3, &set, &err));
    assert_false(entry_check(&entry, 4, &set, &err));
    assert_int_equal(err.code, ERR_CRYPTO);
    assert_true(digest_compute(bytes_of("abc"), 1u << DIGEST_SHA256, &set, &err));
    assert_false(entry_check(&entry, 3, &set, &err)); /* not all that the entry has */
    assert_true(digest_compute(bytes_of("abd"), 15, &set, &err));
    assert_false(entry_check(&entry, 3, &set, &err));
}

static void sets_agree_on_strong_digests(void **state)
{
    struct digest_set weak, strong, all, other;
    struct err err;

    (void)state;
    assert_true(digest_compute(bytes_of("abc"), 1u << DIGEST_SHA224, &weak, &err));
    assert_true(digest_compute(bytes_of("abc"), 1u << DIGEST_SHA256, &strong, &err));
    assert_true(digest_compute(bytes_of("abc"), 15, &all, &err));
    assert_true(digest_compute(bytes_of("x"), 15, &other, &err));
    assert_false(digest_set_agrees(&weak, &all));
    assert_false(digest_set_agrees(&weak, &strong));
    assert_true(digest_set_agrees(&strong, &all));
    assert_false(digest_set_agrees(&strong, &other));
    assert_true(digest_set_equal(&all, &all));
    assert_false(digest_set_equal(&all, &strong));
    assert_false(digest_set_equal(&all, &other));
}

static void types_and_names_are_known(void **state)
{
    (void)state;
    assert_string_equal(entry_type_of_name(bytes_of("main.wasm")), MEDIA_WASM);
    assert_string_equal(entry_type_of_name(bytes_of("Keep.toml")), MEDIA_TOML);
    assert_string_equal(entry_type_of_name(bytes_of("wasm")), MEDIA_OCTETS);
    assert_string_equal(entry_type_of_name(bytes_of("")), MEDIA_OCTETS);
    assert_true(entry_name_is_valid(bytes_of("a_b.c:d-E9")));
    assert_true(entry_name_is_valid(bytes_of("...")));
    assert_false(entry_name_is_valid(bytes_of("..")));
    assert_false(entry_name_is_valid(bytes_from("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(content_becomes_an_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(directories_are_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_directories_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tags_have_two_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_digests_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_bind_content, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sets_agree_on_strong_digests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(types_and_names_are_known, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
