#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "http/rate.h"

#define S UINT64_C(1000000000)

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage out = {.ss_family = AF_INET};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(&out, &in, sizeof in);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        memcpy(&out, &in6, sizeof in6);
    }
    return out;
}

/* How many of so many requests at one time are admitted. */
static size_t admitted(struct rate *rate, const char *text, size_t count, uint64_t now_ns)
{
    struct sockaddr_storage address = address_of(text);
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += rate_admits(rate, (const struct sockaddr *)&address, now_ns);
    return n;
}

static struct rate *new_rate(unsigned address, unsigned all)
{
    struct rate *rate;
    struct err err;

    assert_true(rate_new((struct http_rate){.rate = address, .burst = 2 * address},
                         (struct http_rate){.rate = all, .burst = 2 * all}, &rate, &err));
    return rate;
}

static void an_address_has_its_rate_after_its_burst(void **state)
{
    struct rate *rate = new_rate(10, 0);

    (void)state;
    assert_int_equal(admitted(rate, "192.0.2.1", 100, S), 20);
    assert_int_equal(admitted(rate, "192.0.2.1", 100, S + S / 10), 1);
    assert_int_equal(admitted(rate, "192.0.2.2", 100, S), 20); /* another's is its own */
    assert_int_equal(admitted(rate, "192.0.2.1", 100, 2 * S), 9);
    assert_int_equal(admitted(rate, "192.0.2.1", 100, 100 * S), 20);
    rate_free(rate);
}

static void an_ipv6_address_counts_as_its_network(void **state)
{
    struct rate *rate = new_rate(5, 0);

    (void)state;
    assert_int_equal(admitted(rate, "2001:db8:0:1::1", 10, S), 10);
    assert_int_equal(admitted(rate, "2001:db8:0:1:ffff::2", 10, S), 0);
    assert_int_equal(admitted(rate, "2001:db8:0:2::1", 10, S), 10);
    /* an IPv4 address in an IPv6 one's clothes is itself */
    assert_int_equal(admitted(rate, "192.0.2.1", 10, S), 10);
    assert_int_equal(admitted(rate, "::ffff:192.0.2.1", 10, S), 0);
    rate_free(rate);
}

static void all_together_have_one_too(void **state)
{
    struct rate *rate = new_rate(10, 15);

    (void)state;
    assert_int_equal(admitted(rate, "192.0.2.1", 100, S), 20);
    assert_int_equal(admitted(rate, "192.0.2.2", 100, S), 10);
    assert_int_equal(admitted(rate, "192.0.2.3", 100, S), 0);
    rate_free(rate);
}

static void without_a_rate_everybody_is_admitted(void **state)
{
    struct rate *rate = new_rate(0, 0);

    (void)state;
    assert_int_equal(admitted(rate, "192.0.2.1", 1000, S), 1000);
    assert_true(rate_admits(rate, NULL, S));
    rate_free(rate);
}

/* A flood from many addresses does not give one that asks much its burst again and again. */
static void strangers_do_not_reset_a_bucket_that_is_in_use(void **state)
{
    struct rate *rate = new_rate(1, 0);
    char text[32];

    (void)state;
    assert_int_equal(admitted(rate, "192.0.2.1", 10, S), 2);
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(text, sizeof text, "10.0.%u.%u", i / 250, i % 250);
        assert_true(admitted(rate, text, 1, S) == 1);
    }
    assert_int_equal(admitted(rate, "192.0.2.1", 10, S), 0);
    rate_free(rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_its_rate_after_its_burst),
        cmocka_unit_test(an_ipv6_address_counts_as_its_network),
        cmocka_unit_test(all_together_have_one_too),
        cmocka_unit_test(without_a_rate_everybody_is_admitted),
        cmocka_unit_test(strangers_do_not_reset_a_bucket_that_is_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
