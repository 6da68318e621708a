/* The reader of peers' identities for workloads, compiled natively: what it takes, what it refuses
 * and as what, with every prefix and every byte changed. Its files and sockets are
 * tests/e2e/test_chat.py's. */
#include "support.h"

#include <stdio.h>

#include "broch_peer.h"

#define DIGEST "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"
#define DIGEST_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEX32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX48 HEX32 "0123456789abcdef0123456789abcdef"
#define WORKLOAD "registry.example:8443/alice/chat-client:0.1.0+build.7"
#define MORE ",\"technology\":\"sgx\",\"simulated\":true,\"measurement\":\"" HEX32 "\""
#define KEEP "{\"kind\":\"keep\",\"workload\":\"" WORKLOAD "\",\"digest\":\"" DIGEST "\"" MORE "}"
#define LOCAL "{\"kind\":\"local\",\"digest\":\"" DIGEST "\"" MORE "}"
#define ANONYMOUS "{\"kind\":\"anonymous\"}"
#define LIS "{\"addr\":\"192.0.2.1:50000\",\"peer\":" KEEP "}"
#define CON "{\"host\":{\"Domain\":\"chat.example\"},\"port\":50000,\"peer\":" LOCAL "}"

/* The text with the first `old` in it replaced; free it. */
static char *with(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    assert_non_null(at);
    size_t before = (size_t)(at - text), size = strlen(text) - strlen(old) + strlen(new) + 1;
    char *out = malloc(size);
    assert_non_null(out);
    memcpy(out, text, before);
    memcpy(out + before, new, strlen(new) + 1);
    memcpy(out + before + strlen(new), at + strlen(old), strlen(at + strlen(old)) + 1);
    return out;
}

/* Without a 0 behind it. */
static void put(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
}

/* In a heap block of that size, so that a sanitizer sees a read of one byte more. */
static enum broch_peer_error parse_bytes(struct bytes in, struct broch_peer *out)
{
    struct bytes copy = exact_copy(in);
    struct broch_peer untouched;

    memset(out, 0x5a, sizeof *out);
    memset(&untouched, 0x5a, sizeof untouched);
    enum broch_peer_error error = broch_peer_parse((const char *)copy.data, copy.size, out);
    if (error != BROCH_PEER_OK)
        assert_memory_equal(out, &untouched, sizeof untouched);
    exact_free(copy);
    return error;
}

static enum broch_peer_error parse(const char *text)
{
    struct broch_peer peer;

    return parse_bytes(bytes_of(text), &peer);
}

/* What the text gives when a part of it is another. */
static enum broch_peer_error changed(const char *text, const char *old, const char *new)
{
    char *other = with(text, old, new);
    enum broch_peer_error error = parse(other);

    free(other);
    return error;
}

static void test_good(void **state)
{
    struct broch_peer p;
    char hex[BROCH_DIGEST_HEX_SIZE];

    (void)state;
    assert_int_equal(parse_bytes(bytes_of(KEEP), &p), BROCH_PEER_OK);
    assert_int_equal(p.kind, BROCH_KEEP);
    assert_true(p.simulated);
    assert_string_equal(p.workload, WORKLOAD);
    assert_string_equal(p.digest, DIGEST);
    assert_string_equal(p.technology, "sgx");
    assert_string_equal(p.measurement, HEX32);
    broch_peer_digest_hex(&p, hex);
    assert_string_equal(hex, DIGEST_HEX);
    assert_string_equal(broch_peer_tag(&p), "0.1.0+build.7");
    assert_true(broch_peer_runs(&p, "registry.example:8443/alice/chat-client"));
    assert_false(broch_peer_runs(&p, "registry.example:8443/alice/chat"));
    assert_false(broch_peer_runs(&p, "registry.example:8443/alice/chat-client:0.1.0+build.7"));
    assert_false(broch_peer_runs(&p, "registry.example:8443/alice/chat-client:"));
    assert_false(broch_peer_runs(&p, "registry.example"));
    assert_false(broch_peer_runs(&p, ""));

    assert_int_equal(parse_bytes(bytes_of(LOCAL), &p), BROCH_PEER_OK);
    assert_int_equal(p.kind, BROCH_LOCAL);
    assert_string_equal(p.workload, "");
    assert_string_equal(p.digest, DIGEST);
    assert_string_equal(broch_peer_tag(&p), "");
    assert_false(broch_peer_runs(&p, ""));

    assert_int_equal(parse_bytes(bytes_of(" \t\r\n" ANONYMOUS " \n"), &p), BROCH_PEER_OK);
    assert_int_equal(p.kind, BROCH_ANONYMOUS);
    assert_false(p.simulated);
    broch_peer_digest_hex(&p, hex);
    assert_string_equal(hex, "");
    assert_string_equal(p.technology, "");
}

static void test_other_forms(void **state)
{
    (void)state;
    /* white space, order, escapes, keys that nobody knows */
    assert_int_equal(
        parse("{ \"digest\" : \"" DIGEST "\" , \"measurement\":\"" HEX48
              "\",\n\"simulated\" : false, \"technology\" : \"snp\",\"kind\":\"local\"}"),
        BROCH_PEER_OK);
    assert_int_equal(parse("{\"\\u006bi\\u006E\\u0064\":\"anonym\\u006fus\"}"), BROCH_PEER_OK);
    assert_int_equal(changed(KEEP, "registry.example:8443/alice", "[::1]:8443\\/al_i.c-e"),
                     BROCH_PEER_OK);
    assert_int_equal(changed(KEEP, "true", "false"), BROCH_PEER_OK);
    assert_int_equal(changed(KEEP, "sgx", "tdx"), BROCH_PEER_OK);
    static const char *const skipped[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-12.5e+3",
        "1E5",
        "\"\"",
        "\"\\\"\\\\\\u00fc\\n\"",
        "\"\xc3\xbc\"",
        "[]",
        "{}",
        "[1,[2,{\"a\":[]}],{}]",
        "{\"kind\":\"keep\",\"b\":[{}, [] ]}",
        "[[[[[[[[]]]]]]]]",
        "\"a text that is much longer than any key of ours or value\""};
    for (size_t i = 0; i < COUNT_OF(skipped); i++) {
        char *text =
            with("{\"kind\":\"anonymous\",\"x\":@,\"another key, a long one\":@}", "@", skipped[i]);
        assert_int_equal(changed(text, "@", skipped[i]), BROCH_PEER_OK);
        free(text);
    }
}

static void test_bad_syntax(void **state)
{
    static const char *const bad[] = {"{,}",
                                      "{\"kind\":\"anonymous\",}",
                                      "{\"kind\" \"anonymous\"}",
                                      "{\"kind\":\"anonymous\"}x",
                                      "{\"kind\":\"anonymous\"}{}",
                                      "{kind:\"anonymous\"}",
                                      "{\"kind\":\"anonymous\" \"x\":1}",
                                      "{\"kind\":\"anonymous\"]",
                                      "{\"x\":01}",
                                      "{\"x\":+1}",
                                      "{\"x\":.5}",
                                      "{\"x\":1.}",
                                      "{\"x\":1e}",
                                      "{\"x\":-}",
                                      "{\"x\":nul}",
                                      "{\"x\":True}",
                                      "{\"x\":'a'}",
                                      "{\"x\":\"\\x\"}",
                                      "{\"x\":\"\\u12g4\"}",
                                      "{\"x\":\"a\nb\"}",
                                      "{\"x\":[1 2]}",
                                      "{\"x\":[1,]}",
                                      "{\"x\":[,1]}",
                                      "{\"x\":{\"a\"}}",
                                      "{\"x\":{\"a\":1,}}",
                                      "{\"x\":{1:2}}",
                                      "{\"x\":[1}}",
                                      "{\"x\":{\"a\":1]}",
                                      "{\"x\":}",
                                      "{\"x\"}",
                                      "{\"kind\":\"anonymous\"/**/}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(parse(bad[i]), BROCH_PEER_SYNTAX);
    assert_int_equal(
        parse_bytes(bytes_from("{\"kind\":\"anonymous\"}\0", 21), &(struct broch_peer){0}),
        BROCH_PEER_SYNTAX);
    assert_int_equal(parse(""), BROCH_PEER_CUT);
    assert_int_equal(parse("[]"), BROCH_PEER_VALUE);
    assert_int_equal(parse("\"keep\""), BROCH_PEER_VALUE);
    assert_int_equal(parse("{\"x\":[[[[[[[[[]]]]]]]]]}"), BROCH_PEER_DEEP);
    assert_int_equal(
        parse("{\"x\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}}"),
        BROCH_PEER_DEEP);
}

static void test_bad_values(void **state)
{
    (void)state;
    assert_int_equal(parse("{}"), BROCH_PEER_MISSING);
    assert_int_equal(parse("{\"x\":1}"), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"kind\"", "\"Kind\""), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"kind\"", "\"kind\\u0000\""), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"workload\"", "\"work\""), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"digest\"", "\"work\""), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"technology\"", "\"work\""), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"simulated\"", "\"work\""), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"measurement\"", "\"work\""), BROCH_PEER_MISSING);
    assert_int_equal(changed(KEEP, "\"keep\"", "\"local\""), BROCH_PEER_SURPLUS);
    assert_int_equal(changed(KEEP, "\"keep\"", "\"anonymous\""), BROCH_PEER_SURPLUS);
    assert_int_equal(changed(LOCAL, "\"local\"", "\"keep\""), BROCH_PEER_MISSING);

    static const char *const kinds[] = {
        "\"\"", "\"Keep\"", "\"kee\"",    "\"keep \"",       "\"platform\"",  "1",
        "null", "true",     "[\"keep\"]", "\"ke\\u0000ep\"", "\"k\xc3\xa9p\""};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_int_equal(changed(KEEP, "\"keep\"", kinds[i]), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "\"keep\"", "\"anonymously\""), BROCH_PEER_LONG);
    static const char *const workloads[] = {
        "",          "a",          "a/b/c",         "a/b:1",         "a/b/c:",    "/b/c:1",
        "a//c:1",    "a/b/:1",     "a/b/c:1/d",     "a/b/c/d:1",     "a/b/c:1:2", "a/b/c d:1",
        "a/b/c:1@x", "a/b/c:1\\n", "a/b/\\u00fc:1", "a/b/c:1\\u0000"};
    for (size_t i = 0; i < COUNT_OF(workloads); i++)
        assert_int_equal(changed(KEEP, WORKLOAD, workloads[i]), BROCH_PEER_VALUE);
    static const char *const digests[] = {"",
                                          "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa",
                                          "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa1",
                                          "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
                                          "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa=",
                                          "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIA a0"};
    for (size_t i = 0; i < COUNT_OF(digests); i++)
        assert_int_equal(changed(KEEP, DIGEST, digests[i]), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, DIGEST, DIGEST "="), BROCH_PEER_LONG);
    assert_int_equal(changed(KEEP, "sgx", "SGX"), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "sgx", ""), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "sgx", "sgx2"), BROCH_PEER_LONG);
    assert_int_equal(changed(KEEP, "true", "1"), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "true", "\"true\""), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "true", "null"), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "true", "truE"), BROCH_PEER_SYNTAX);
    assert_int_equal(changed(KEEP, HEX32, ""), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "0011", "001"), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, "aabb", "AABB"), BROCH_PEER_VALUE);
    assert_int_equal(changed(KEEP, HEX32, HEX48), BROCH_PEER_OK);
    assert_int_equal(changed(KEEP, HEX32, HEX48 "0"), BROCH_PEER_LONG);
}

static void test_duplicates(void **state)
{
    static const char *const members[] = {
        "\"kind\":\"keep\"",         "\"workload\":\"" WORKLOAD "\"",
        "\"digest\":\"" DIGEST "\"", "\"technology\":\"sgx\"",
        "\"simulated\":true",        "\"measurement\":\"" HEX32 "\""};
    char twice[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        (void)snprintf(twice, sizeof twice, "{%s,", members[i]);
        assert_int_equal(changed(KEEP, "{", twice), BROCH_PEER_DUPLICATE);
    }
    assert_int_equal(changed(KEEP, "{", "{\"\\u006bind\":\"keep\","), BROCH_PEER_DUPLICATE);
    assert_int_equal(changed(KEEP, "{", "{\"x\":1,\"x\":2,"), BROCH_PEER_OK); /* not ours */
}

static void test_long(void **state)
{
    char name[BROCH_WORKLOAD_SIZE + 1], text[BROCH_PEER_TEXT_MAX + 2];
    struct broch_peer peer;

    (void)state;
    memset(name, 'a', sizeof name);
    put(name, "a/b/");
    put(name + 1022, ":1");
    name[1024] = '\0';
    assert_int_equal(changed(KEEP, WORKLOAD, name), BROCH_PEER_OK);
    memset(name, 'a', sizeof name);
    put(name, "a/b/");
    put(name + 1023, ":1");
    name[1025] = '\0';
    assert_int_equal(changed(KEEP, WORKLOAD, name), BROCH_PEER_LONG);
    memset(text, ' ', sizeof text);
    put(text, ANONYMOUS);
    assert_int_equal(parse_bytes(bytes_from(text, BROCH_PEER_TEXT_MAX), &peer), BROCH_PEER_OK);
    assert_int_equal(parse_bytes(bytes_from(text, BROCH_PEER_TEXT_MAX + 1), &peer),
                     BROCH_PEER_LONG);
    memset(text, '[', sizeof text);
    put(text, "{\"x\":");
    assert_int_equal(parse_bytes(bytes_from(text, BROCH_PEER_TEXT_MAX), &peer), BROCH_PEER_DEEP);
}

static enum broch_peer_error parse_lis(struct bytes in)
{
    struct bytes copy = exact_copy(in);
    struct broch_accepted accepted;
    enum broch_peer_error error =
        broch_accepted_parse((const char *)copy.data, copy.size, &accepted);

    exact_free(copy);
    return error;
}

static enum broch_peer_error parse_con(struct bytes in)
{
    struct bytes copy = exact_copy(in);
    struct broch_connected connected;
    enum broch_peer_error error =
        broch_connected_parse((const char *)copy.data, copy.size, &connected);

    exact_free(copy);
    return error;
}

static enum broch_peer_error parse_bare(struct bytes in)
{
    struct broch_peer peer;

    return parse_bytes(in, &peer);
}

static void test_wrapped(void **state)
{
    struct broch_accepted a;
    struct broch_connected c = {.port = 0};

    (void)state;
    assert_int_equal(broch_accepted_parse(LIS, strlen(LIS), &a), BROCH_PEER_OK);
    assert_string_equal(a.address, "192.0.2.1:50000");
    assert_string_equal(a.peer.workload, WORKLOAD);
    assert_int_equal(broch_connected_parse(CON, strlen(CON), &c), BROCH_PEER_OK);
    assert_string_equal(c.host, "chat.example");
    assert_int_equal(c.port, 50000);
    assert_int_equal(c.peer.kind, BROCH_LOCAL);
    static const struct {
        const char *text;
        enum broch_peer_error error;
    } cons[] = {
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":1,\"peer\":" ANONYMOUS "}", BROCH_PEER_OK},
        {"{\"peer\":" ANONYMOUS
         ",\"port\":65535,\"x\":[],\"host\":{\"Ipv4\":\"192.0.2.1\",\"x\":1}}",
         BROCH_PEER_OK},
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":65536,\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":99999999999999999999,\"peer\":" ANONYMOUS "}",
         BROCH_PEER_VALUE},
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":0,\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":-1,\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":1e3,\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":1.0,\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{\"Ipv6\":\"::1\"},\"port\":\"1\",\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{},\"port\":1,\"peer\":" ANONYMOUS "}", BROCH_PEER_MISSING},
        {"{\"host\":\"::1\",\"port\":1,\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{\"Domain\":\"\"},\"port\":1,\"peer\":" ANONYMOUS "}", BROCH_PEER_VALUE},
        {"{\"host\":{\"Domain\":\"a\",\"Domain\":\"a\"},\"port\":1,\"peer\":" ANONYMOUS "}",
         BROCH_PEER_DUPLICATE},
        {"{\"host\":{\"Domain\":\"a\",\"Ipv6\":\"::1\"},\"port\":1,\"peer\":" ANONYMOUS "}",
         BROCH_PEER_SURPLUS},
        {"{\"host\":{\"Domain\":\"a\"},\"peer\":" ANONYMOUS "}", BROCH_PEER_MISSING},
        {"{\"host\":{\"Domain\":\"a\"},\"port\":1}", BROCH_PEER_MISSING},
        {"{\"host\":{\"Domain\":\"a\"},\"port\":1,\"peer\":{}}", BROCH_PEER_MISSING},
        {ANONYMOUS, BROCH_PEER_MISSING},
        {LIS, BROCH_PEER_MISSING},
    };
    for (size_t i = 0; i < COUNT_OF(cons); i++)
        assert_int_equal(parse_con(bytes_of(cons[i].text)), cons[i].error);
    assert_int_equal(parse_lis(bytes_of(CON)), BROCH_PEER_MISSING);
    assert_int_equal(parse_lis(bytes_of(KEEP)), BROCH_PEER_MISSING);
    assert_int_equal(parse_lis(bytes_of("{\"addr\":1,\"peer\":" ANONYMOUS "}")), BROCH_PEER_VALUE);
    assert_int_equal(parse(LIS), BROCH_PEER_MISSING);
}

/* Every prefix ends early. A byte that is changed is refused where it leaves ASCII; one bit of a
 * name may make another name. */
static void test_damage(void **state)
{
    static const struct {
        const char *text;
        enum broch_peer_error (*parse)(struct bytes in);
    } good[] = {{KEEP, parse_bare},
                {LOCAL, parse_bare},
                {ANONYMOUS, parse_bare},
                {LIS, parse_lis},
                {CON, parse_con}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct bytes in = bytes_of(good[i].text);
        for (size_t size = 0; size < in.size; size++)
            assert_int_equal(good[i].parse(bytes_before(in, size)), BROCH_PEER_CUT);
        for (size_t at = 0; at < in.size; at++) {
            for (unsigned bit = 0; bit <= 8; bit++) {
                struct bytes copy = exact_copy(in);
                ((uint8_t *)(uintptr_t)copy.data)[at] ^= (uint8_t)(bit == 8 ? 0xff : 1u << bit);
                enum broch_peer_error error = good[i].parse(copy);
                assert_true(bit < 7 || error != BROCH_PEER_OK);
                exact_free(copy);
            }
        }
    }
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", ".", "..", "../lis/1", "a/b", "/etc/passwd"};
    char name[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        errno = 0;
        assert_int_equal(broch_connect(bad[i]), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(broch_listen(bad[i]), -1);
    }
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(broch_connect(name), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(broch_connect("there-is-no-net-here:1"), -1);
    assert_int_equal(errno, ENOENT);
    struct broch_peer peer;
    assert_int_equal(broch_peer_of_fd(-1, &peer), BROCH_PEER_FILE);
    assert_int_equal(broch_peer_of_fd(2147483647, &peer), BROCH_PEER_FILE);
    for (int error = BROCH_PEER_OK; error <= BROCH_PEER_VALUE; error++)
        assert_string_not_equal(broch_peer_error_text((enum broch_peer_error)error),
                                "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_bad_syntax), cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_duplicates), cmocka_unit_test(test_long),
        cmocka_unit_test(test_wrapped),    cmocka_unit_test(test_damage),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
