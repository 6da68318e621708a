/* Signatures: the examples of RFC 7515 (A.3, A.6, A.7), and what must not verify. Tokens are tested
 * against other programs' in tests/e2e. */
#include "support.h"

#include "base/base.h"
#include "jose/jose.h"

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

/* RFC 7515, A.3: the key, as openssl writes it, and the signature. */
static const char rfc_key[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                              "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                              "-----END PUBLIC KEY-----\n";
#define RFC_PAYLOAD                                                                           \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp" \
    "0cnVlfQ"
#define RFC_ES256 \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define ES256_HEADER "eyJhbGciOiJFUzI1NiJ9" /* {"alg":"ES256"} */
#define NONE_HEADER "eyJhbGciOiJub25lIn0"   /* {"alg":"none"} */
#define HS256_HEADER "eyJhbGciOiJIUzI1NiJ9" /* {"alg":"HS256"} */
#define CRIT_HEADER "eyJhbGciOiJFUzI1NiIsImNyaXQiOlsiYjY0Il19"

/* P-256, made by openssl for this test alone. */
static const char private_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCC0WKEypOngJ0wHs\n"
    "WG7j5uMjB7dbQkPOfMRwklRNZm+hRANCAARUtmrw8xUuVPVT+miNOco1gqzkP/e8\n"
    "ZPXk87hFZ1YnniHhUcn7ZZQcrS79bvrzvGQfml7AdcJEcfnYVoD1pUjs\n"
    "-----END PRIVATE KEY-----\n";
static const char public_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVLZq8PMVLlT1U/pojTnKNYKs5D/3\n"
    "vGT15PO4RWdWJ54h4VHJ+2WUHK0u/W7687xkH5pewHXCRHH52FaA9aVI7A==\n"
    "-----END PUBLIC KEY-----\n";

static void rfc_examples_verify(void **state)
{
    const char *const good[] = {
        "{\"payload\":\"" RFC_PAYLOAD "\",\"protected\":\"" ES256_HEADER "\",\"header\":"
        "{\"kid\":\"e9bc097a-ce51-4036-9562-d2ade882db0d\"},\"signature\":\"" RFC_ES256 "\"}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"signatures\":[{\"protected\":\"eyJhbGciOiJSUzI1NiJ9\","
        "\"signature\":\"AAAA\"},{\"protected\":\"" ES256_HEADER "\",\"signature\":\"" RFC_ES256
        "\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct err err = {.msg = ""};
        if (!jose_verify(bytes_of(good[i]), bytes_of(rfc_key), &err))
            fail_msg("%s: %s", good[i], err.msg);
    }
}

static void others_do_not(void **state)
{
    const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"payload\":\"" RFC_PAYLOAD "\"}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"signatures\":[]}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"signatures\":{}}",
        "{\"payload\":\"e30\",\"protected\":\"" ES256_HEADER "\",\"signature\":\"" RFC_ES256 "\"}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"protected\":\"" NONE_HEADER "\",\"signature\":\"\"}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"protected\":\"" HS256_HEADER
        "\",\"signature\":\"" RFC_ES256 "\"}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"protected\":\"" CRIT_HEADER
        "\",\"signature\":\"" RFC_ES256 "\"}",
        /* what is not signed does not say the algorithm */
        "{\"payload\":\"" RFC_PAYLOAD "\",\"protected\":\"e30\",\"header\":{\"alg\":\"ES256\"},"
        "\"signature\":\"" RFC_ES256 "\"}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"header\":{\"alg\":\"ES256\"},"
        "\"signature\":\"" RFC_ES256 "\"}",
        "{\"payload\":\"" RFC_PAYLOAD "\",\"protected\":\"" ES256_HEADER "\",\"signature\":\"\"}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct err err = {.msg = ""};
        if (jose_verify(bytes_of(bad[i]), bytes_of(rfc_key), &err))
            fail_msg("accepted: %s", bad[i]);
        assert_int_not_equal(err.code, ERR_NONE);
    }
}

static void algorithms_are_refused_by_name(void **state)
{
    struct err err;

    (void)state;
    assert_false(jose_verify(bytes_of("{\"payload\":\"" RFC_PAYLOAD
                                      "\",\"protected\":\"" NONE_HEADER "\",\"signature\":\"\"}"),
                             bytes_of(rfc_key), &err));
    assert_int_equal(err.code, ERR_POLICY);
    assert_non_null(strstr(err.msg, "signed by none"));
}

static void what_we_sign_verifies(void **state)
{
    struct bytes jws, id, public_id;
    struct err err;

    (void)state;
    assert_true(jose_sign(bytes_of("{}"), bytes_of(private_key), &arena, &jws, &err));
    assert_true(bytes_starts_with(jws, bytes_of("{\"protected\":\"")));
    assert_false(jose_verify(jws, bytes_of(rfc_key), &err));
    assert_int_equal(err.code, ERR_CRYPTO);
    assert_true(jose_verify(jws, bytes_of(public_key), &err));
    assert_true(jose_thumbprint(bytes_of(private_key), &arena, &id, &err));
    assert_true(jose_thumbprint(bytes_of(public_key), &arena, &public_id, &err));
    assert_true(bytes_equal(id, public_id));
    assert_int_equal(id.size, 43);
    assert_false(jose_thumbprint(bytes_of("no key"), &arena, &id, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rfc_examples_verify, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_do_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(algorithms_are_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_we_sign_verifies, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
