#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "http/address.h"

static struct address_key six(const char *text, char out[HTTP_ADDRESS_SIZE])
{
    struct sockaddr_in6 from = {.sin6_family = AF_INET6};
    struct address_key key;

    assert_int_equal(inet_pton(AF_INET6, text, &from.sin6_addr), 1);
    address_of((const struct sockaddr *)(const void *)&from, &key, out);
    return key;
}

static struct address_key four(const char *text, char out[HTTP_ADDRESS_SIZE])
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct address_key key;

    assert_int_equal(inet_pton(AF_INET, text, &from.sin_addr), 1);
    address_of((const struct sockaddr *)(const void *)&from, &key, out);
    return key;
}

static void keys_are_of_networks(void **state)
{
    char text[HTTP_ADDRESS_SIZE];
    struct address_key a = six("2001:db8:1:2::1", text), b = six("2001:db8:1:2:ffff::9", text),
                       c = six("2001:db8:1:3::1", text);

    (void)state;
    assert_true(address_equal(&a, &b));
    assert_false(address_equal(&a, &c));
    a = four("192.0.2.1", text);
    b = six("::ffff:192.0.2.1", text);
    c = four("192.0.2.2", text);
    assert_true(address_equal(&a, &b));
    assert_false(address_equal(&a, &c));
}

static void texts_are_numeric(void **state)
{
    char text[HTTP_ADDRESS_SIZE];

    (void)state;
    (void)four("192.0.2.1", text);
    assert_string_equal(text, "192.0.2.1");
    (void)six("::ffff:192.0.2.1", text);
    assert_string_equal(text, "192.0.2.1");
    (void)six("2001:db8::1", text);
    assert_string_equal(text, "2001:db8::1");
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct address_key key;
    address_of(&other, &key, text);
    assert_string_equal(text, "unknown");
}

static void listens_at_numbers_only(void **state)
{
    static const char *const wrong[] = {"",       "127.0.0.1", "localhost:1",  "127.0.0.1:",
                                        ":1",     "::1:1",     "127.0.0.1:+1", "127.0.0.1:65536",
                                        "[::1]1", "[]:1",      "127.0.0.1:1 ", "127.0.0.1:000001",
                                        "[::1:1", "1.2.3:http"};
    struct err err;
    uint16_t port = 0;
    int fd = -1;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (http_listen(wrong[i], &fd, &port, &err))
            fail_msg("%s was taken", wrong[i]);
        assert_int_equal(err.code, ERR_FORMAT);
    }
    assert_true(http_listen("127.0.0.1:0", &fd, &port, &err));
    assert_int_not_equal(port, 0);
    char again[HTTP_ADDRESS_SIZE];
    int other = -1;
    (void)snprintf(again, sizeof again, "127.0.0.1:%u", port);
    assert_false(http_listen(again, &other, NULL, &err));
    assert_int_equal(err.code, ERR_IO);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_of_networks),
        cmocka_unit_test(texts_are_numeric),
        cmocka_unit_test(listens_at_numbers_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
