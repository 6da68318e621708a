/* Slugs and digests: DESIGN.md §3, and Enarx's rules for names. */
#include "support.h"

#include <stdio.h>

#include "base/base.h"
#include "package/digest.h"
#include "package/slug.h"

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

static const char *written(const struct slug *slug)
{
    static char text[SLUG_SIZE_MAX + 16];
    struct writer w = writer_fixed(text, sizeof text - 1);

    slug_write(&w, slug);
    text[w.size] = '\0';
    return text;
}

static void slugs_have_one_form(void **state)
{
    const struct {
        const char *text;
        enum slug_part last;
        const char *canonical;
    } cases[] = {
        {"registry.example/alice", SLUG_USER, "registry.example/alice"},
        {"registry.example/alice/chat", SLUG_USER, "registry.example/alice/chat"},
        {"Registry.Example:443/alice/chat", SLUG_REPO, "registry.example/alice/chat"},
        {"registry.example:8443/Alice/Chat-2:0.1.0", SLUG_TAG,
         "registry.example:8443/Alice/Chat-2:0.1.0"},
        {"registry.example:08443/a/b:1.0.0", SLUG_TAG, "registry.example:8443/a/b:1.0.0"},
        {"localhost/u/r:1.2.3-rc.1+build.01", SLUG_TAG, "localhost/u/r:1.2.3-rc.1+build.01"},
        {"[::0001]:5000/u/-:10.20.30", SLUG_REPO, "[::1]:5000/u/-:10.20.30"},
        {"127.0.0.1:1/u/r", SLUG_REPO, "127.0.0.1:1/u/r"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes text = exact_copy(bytes_of(cases[i].text));
        struct slug slug, again;
        struct err err;
        if (!slug_parse(text, cases[i].last, &arena, &slug, &err))
            fail_msg("%s: %s", cases[i].text, err.msg);
        char first[SLUG_SIZE_MAX + 16];
        (void)snprintf(first, sizeof first, "%s", written(&slug));
        assert_string_equal(first, cases[i].canonical);
        assert_true(slug_parse(bytes_of(first), cases[i].last, &arena, &again, &err));
        assert_string_equal(written(&again), first);
        exact_free(text);
    }
}

static void parts_are_told_apart(void **state)
{
    struct slug slug;
    struct err err;
    (void)state;
    assert_true(
        slug_parse(bytes_of("r.example:5000/alice/chat:0.1.0"), SLUG_TAG, &arena, &slug, &err));
    assert_true(bytes_is(slug.host, "r.example:5000") && bytes_is(slug.user, "alice"));
    assert_true(bytes_is(slug.repo, "chat") && bytes_is(slug.tag, "0.1.0"));
    assert_true(slug_parse(bytes_of("r.example/alice"), SLUG_USER, &arena, &slug, &err));
    assert_true(slug.repo.size == 0 && slug.tag.size == 0);
}

static void mistakes_have_a_place_and_a_reason(void **state)
{
    const struct {
        const char *text;
        enum slug_part last;
        uint64_t at;
        const char *reason;
    } cases[] = {
        {"", SLUG_USER, 0, "the host is missing, at offset"},
        {"alice", SLUG_USER, 0, "the host is missing, at offset"},
        {"alice/chat:1.0.0", SLUG_TAG, 0, "the host is missing, at offset"},
        {"r.example/alice", SLUG_REPO, 15, "the repository is missing, at offset"},
        {"localhost/alice", SLUG_TAG, 15, "the repository is missing, at offset"},
        {"r.example/alice/chat", SLUG_TAG, 20, "the tag is missing, at offset"},
        {"/alice/chat", SLUG_REPO, 0, "not a host name or address, at offset"},
        {"a b/alice/chat", SLUG_REPO, 0, "not a host name or address, at offset"},
        {"h:0/alice/chat", SLUG_REPO, 0, "a port after the host is 1 to 65535, at offset"},
        {"h/", SLUG_USER, 2, "the user's name is empty, at offset"},
        {"h//chat", SLUG_REPO, 2, "the user's name is empty, at offset"},
        {"h/al-ice/chat", SLUG_REPO, 4,
         "a user's name has only letters and digits, wrong at offset"},
        {"h/alice/", SLUG_REPO, 8, "the repository's name is empty, at offset"},
        {"h/alice/ch_at", SLUG_REPO, 10,
         "a repository's name has only letters, digits and '-', wrong at offset"},
        {"h/alice/chat/x", SLUG_REPO, 12,
         "a repository's name has only letters, digits and '-', wrong at offset"},
        {"h/alice/chat:", SLUG_REPO, 13, "the tag is no version such as 1.0.0, at offset"},
        {"h/alice/chat:latest", SLUG_REPO, 13, "the tag is no version such as 1.0.0, at offset"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slug slug = {.tag = {.size = 77}};
        struct err err;
        assert_false(slug_parse(bytes_of(cases[i].text), cases[i].last, &arena, &slug, &err));
        assert_string_equal(err.msg, cases[i].reason);
        assert_int_equal(err.at, cases[i].at);
        assert_int_equal(err.code, ERR_FORMAT);
        assert_int_equal(slug.tag.size, 77);
    }
}

static void tags_are_versions(void **state)
{
    /* from semver.org 2.0.0, the regular expression's test page */
    const char *const right[] = {"0.0.4",
                                 "1.1.2-prerelease+meta",
                                 "1.1.2+meta",
                                 "1.0.0-alpha.0valid",
                                 "1.0.0-rc.1+build.123",
                                 "1.0.0-0A.is.legal",
                                 "2.0.0+build.1848",
                                 "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
                                 "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
                                 "99999999999999999999999.999999999999999999.99999999999999999"};
    const char *const wrong[] = {"",
                                 "1",
                                 "1.2",
                                 "1.2.3.4",
                                 "1.2.3-0123",
                                 "1.2.3-0123.0123",
                                 "1.1.2+.123",
                                 "+invalid",
                                 "-invalid",
                                 "alpha",
                                 "1.0.0-alpha_beta",
                                 "1.0.0-alpha..",
                                 "01.1.1",
                                 "1.01.1",
                                 "1.1.01",
                                 "1.2.3.DEV",
                                 "1.2-SNAPSHOT",
                                 "1.0.0+",
                                 "1.0.0-",
                                 "9.8.7+meta+meta",
                                 "9.8.7-whatever+meta+meta",
                                 "1.2.3 ",
                                 "1..3"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(right); i++) {
        if (!slug_tag_is_valid(bytes_of(right[i])))
            fail_msg("%s is refused", right[i]);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (slug_tag_is_valid(bytes_of(wrong[i])))
            fail_msg("%s is taken for a version", wrong[i]);
    }
}

static void a_slug_has_a_longest_size(void **state)
{
    char text[SLUG_SIZE_MAX + 2] = "h/u/";
    struct slug slug;
    struct err err;
    (void)state;
    memset(text + 4, 'r', sizeof text - 5);
    assert_true(slug_parse(bytes_from(text, SLUG_SIZE_MAX), SLUG_REPO, &arena, &slug, &err));
    assert_false(slug_parse(bytes_from(text, SLUG_SIZE_MAX + 1), SLUG_REPO, &arena, &slug, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void check_damaged(struct bytes damaged)
{
    struct slug slug;
    struct err err = {.msg = NULL};
    if (!slug_parse(damaged, SLUG_TAG, &arena, &slug, &err))
        assert_true(err.msg != NULL && (err.at <= damaged.size || err.at == ERR_NO_AT));
}

static void damage_does_no_harm(void **state)
{
    (void)state;
    for_each_damage(bytes_of("[2001:db8::1]:8080/alice/chat-server:1.0.0-rc.1+b"), check_damaged);
}

static void no_memory_is_an_error(void **state)
{
    const struct bytes text = bytes_of("R.example:8443/alice/chat:1.0.0");
    (void)state;
    for (size_t size = 0;; size += 8) { /* arena_init_fixed: each piece in turn finds no room */
        uint8_t memory[1024];
        struct slug slug;
        struct err err;
        struct arena a;
        arena_init_fixed(&a, memory, size);
        if (slug_parse(text, SLUG_TAG, &a, &slug, &err)) {
            assert_true(size > 64);
            break;
        }
        assert_true(size < sizeof memory);
    }
}

#define SHA256_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void digests_are_read_in_three_forms(void **state)
{
    const char *const forms[] = {("sha-256:" SHA256_ABC),
                                 "sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
                                 "sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"};
    struct digest first, d;
    struct err err;
    (void)state;
    assert_true(digest_parse(bytes_of(forms[0]), &first, &err));
    assert_int_equal(first.algorithm, DIGEST_SHA256);
    assert_int_equal(first.size, 32);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        char text[100];
        struct writer w = writer_fixed(text, sizeof text);
        assert_true(digest_parse(bytes_of(forms[i]), &d, &err) && digest_equal(&d, &first));
        digest_write(&w, &d);
        assert_true(bytes_is(bytes_from(text, w.size), forms[1]));
    }
    d.bytes[31] ^= 1;
    assert_false(digest_equal(&d, &first));
    const char *const others[] = {
        "sha-224:ipv22ZRLXTRv4MypL2IVaZypKHb91PgAqWXG6w==",
        "sha-384:f52Mxw0vy4KHhk4MAKzfo3xfvi1sM+YpMhBaQvHMB2vGs378nyAADtEYxPlUnUoI",
        ("sha-512:3weINHlihNmslwpckBdzARz4LdTMYsg+L1prU+u1FmwedBnYmpOIEB1Yix4kR3o4G4pbw+"
         "JLiSTBftGwLjFrqA=="),
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char text[120];
        struct writer w = writer_fixed(text, sizeof text);
        assert_true(digest_parse(bytes_of(others[i]), &d, &err));
        digest_write(&w, &d);
        assert_true(bytes_is(bytes_from(text, w.size), others[i]));
    }
}

static void what_is_no_digest(void **state)
{
    const char *const cases[] = {
        "",
        "sha-256",
        "sha-256:",
        SHA256_ABC,
        "md5:" SHA256_ABC,
        "SHA-256:" SHA256_ABC,
        "sha-256:" SHA256_ABC "0",
        "sha-256:xa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa==", /* 31 bytes, right length */
        "sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFaaa", /* 33 bytes */
        "sha-256:ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=", /* base64url */
        "sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1=", /* stray bits */
        "sha-384:" SHA256_ABC "==",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes text = exact_copy(bytes_of(cases[i]));
        struct digest d = {.size = 9};
        struct err err = {.msg = NULL};
        if (digest_parse(text, &d, &err))
            fail_msg("%s is taken for a digest", cases[i]);
        assert_non_null(err.msg);
        assert_int_equal(d.size, 9);
        exact_free(text);
    }
}

static void tags_are_ordered(void **state)
{
    /* the first rows are the example of semver.org 2.0.0, §11 */
    const char *const sorted[] = {"1.0.0-alpha",
                                  "1.0.0-alpha.1",
                                  "1.0.0-alpha.beta",
                                  "1.0.0-beta",
                                  "1.0.0-beta.2",
                                  "1.0.0-beta.11",
                                  "1.0.0-rc.1",
                                  "1.0.0",
                                  "1.0.0+a",
                                  "1.0.0+b",
                                  "1.0.1",
                                  "1.2.0-0",
                                  "1.2.0-9",
                                  "1.2.0-10",
                                  "1.2.0-0a",
                                  "1.2.0",
                                  "1.10.0",
                                  "2.0.0",
                                  "10.0.0",
                                  "18446744073709551616.0.0"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sorted); i++) {
        assert_true(slug_tag_is_valid(bytes_of(sorted[i])));
        for (size_t j = 0; j < COUNT_OF(sorted); j++) {
            int order = slug_tag_compare(bytes_of(sorted[i]), bytes_of(sorted[j]));
            if ((order > 0) - (order < 0) != (i > j) - (i < j))
                fail_msg("%s, %s: %d", sorted[i], sorted[j], order);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_ordered),
        cmocka_unit_test_setup_teardown(slugs_have_one_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_have_a_place_and_a_reason, set_up, tear_down),
        cmocka_unit_test(tags_are_versions),
        cmocka_unit_test_setup_teardown(a_slug_has_a_longest_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_does_no_harm, set_up, tear_down),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(digests_are_read_in_three_forms),
        cmocka_unit_test(what_is_no_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
