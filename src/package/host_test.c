/* Hosts and ports: what is one, and its one form. */
#include "support.h"

#include "base/base.h"
#include "package/host.h"

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

static void hosts_have_one_form(void **state)
{
    const char *const cases[][2] = {
        {"example.com", "example.com"},
        {"Registry.EXAMPLE", "registry.example"},
        {"a_b-c.d1", "a_b-c.d1"},
        {"localhost", "localhost"},
        {"127.0.0.1", "127.0.0.1"},
        {"1.example", "1.example"},
        {"1.0xg", "1.0xg"},
        {"[::1]", "[::1]"},
        {"[0:0:0:0:0:0:0:1]", "[::1]"},
        {"[2001:DB8::0:1]", "[2001:db8::1]"},
        {"[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]"}, /* RFC 5952 §4.2.3: the first run */
        {"[2001:0db8::0001]", "[2001:db8::1]"},
        {"[2001:db8:0:1:1:1:1:1]", "[2001:db8:0:1:1:1:1:1]"}, /* §4.2.2: one zero is no run */
        {"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]"},
        {"[::ffff:c000:201]", "[::ffff:192.0.2.1]"}, /* §5 */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes in = exact_copy(bytes_of(cases[i][0])), out;
        assert_true(config_host_canonical(in, &arena, &out));
        if (!bytes_is(out, cases[i][1]))
            fail_msg("%s became %.*s", cases[i][0], (int)out.size, (const char *)out.data);
        struct bytes again;
        assert_true(config_host_canonical(out, &arena, &again) && bytes_equal(out, again));
        exact_free(in);
    }
}

static void what_is_no_host(void **state)
{
    const char *const cases[] = {
        "",
        ".",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "a-.b",
        "a b",
        "a/b",
        "ü.de",
        "a:1",
        "127.1",
        "0x7f.1",
        "1.2.3",
        "256.1.1.1",
        "1.2.3.4.5",
        "01.2.3.4",
        "2130706433",
        "0x7f000001",
        "a.0x",
        "1.2.3.0x4",
        "[",
        "[]",
        "[::1",
        "[::1]x",
        "[1.2.3.4]",
        "[::g]",
        "[fe80::1%eth0]",
        "::1",
        "[1:2:3:4:5:6:7:8:9]",
        "[::1::2]",
    };
    char longest[256];
    struct bytes out;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (config_host_canonical(bytes_of(cases[i]), &arena, &out))
            fail_msg("%s is taken for a host", cases[i]);
    }
    assert_false(config_host_canonical(bytes_from("a\0b", 3), &arena, &out));
    assert_false(config_host_canonical(bytes_from("[::1\0]", 6), &arena, &out));

    memset(longest, 'a', sizeof longest); /* four labels, 253 bytes */
    longest[63] = longest[127] = longest[191] = '.';
    assert_true(config_host_canonical(bytes_from(longest, 253), &arena, &out));
    assert_false(config_host_canonical(bytes_from(longest, 254), &arena, &out));
    longest[63] = 'a';
    assert_false(config_host_canonical(bytes_from(longest, 64), &arena, &out));
    assert_true(config_host_canonical(bytes_from(longest, 63), &arena, &out));
}

static void addresses_may_lack_brackets(void **state)
{
    struct bytes out;
    (void)state;
    assert_true(config_address_canonical(bytes_of("::"), &arena, &out) && bytes_is(out, "[::]"));
    assert_true(config_address_canonical(bytes_of("[::1]"), &arena, &out) &&
                bytes_is(out, "[::1]"));
    assert_true(config_address_canonical(bytes_of("A.b"), &arena, &out) && bytes_is(out, "a.b"));
    assert_false(config_address_canonical(bytes_of("::1:"), &arena, &out));
}

static void ports(void **state)
{
    const char *const wrong[] = {"", "65536", "123456", "-1", "+1", "1x", " 1", "99999"};
    uint16_t port = 7;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_false(config_port_parse(bytes_of(wrong[i]), &port));
    assert_int_equal(port, 7);
    assert_true(config_port_parse(bytes_of("65535"), &port) && port == 65535);
    assert_true(config_port_parse(bytes_of("00080"), &port) && port == 80);
    assert_true(config_port_parse(bytes_of("0"), &port) && port == 0);
}

static void hosts_with_ports(void **state)
{
    const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        {"Example.com", "example.com", 0},     {"example.com:1", "example.com", 1},
        {"[::0]:65535", "[::]", 65535},        {"[::1]", "[::1]", 0},
        {"127.0.0.1:8080", "127.0.0.1", 8080},
    };
    const char *const wrong[] = {"",      ":",      ":1",   "a:",  "a:0", "a:65536",
                                 "a:1:2", "[::1]1", "[::1", "::1", "a:x"};
    struct bytes host;
    uint16_t port;
    struct err err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(config_host_parse(bytes_of(cases[i].text), &arena, &host, &port, &err));
        assert_true(bytes_is(host, cases[i].host));
        assert_int_equal(port, cases[i].port);
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        err.code = ERR_NONE;
        if (config_host_parse(bytes_of(wrong[i]), &arena, &host, &port, &err))
            fail_msg("%s is taken for a host", wrong[i]);
        assert_int_equal(err.code, ERR_FORMAT);
    }
}

static void without_memory_there_is_no_host(void **state)
{
    struct arena none;
    struct bytes out;
    (void)state;
    arena_init(&none, arena_heap, 0);
    assert_false(config_host_canonical(bytes_of("a.example"), &none, &out));
    assert_false(config_host_canonical(bytes_of("[::1]"), &none, &out));
    arena_done(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hosts_have_one_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_may_lack_brackets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hosts_with_ports, set_up, tear_down),
        cmocka_unit_test(without_memory_there_is_no_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
