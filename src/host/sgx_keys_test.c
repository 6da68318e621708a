/* Keys of the processor in software: AES-CMAC against RFC 4493, and that whatever a key depends on
 * makes it another. */
#include "support.h"

#include "host/sgx_keys.h"

/* RFC 4493, §4. */
static const uint8_t rfc_key[SGX_KEY_BYTES] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                                               0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
static const char rfc_message[] =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";
static const struct {
    size_t size;
    const char *mac;
} rfc_cases[] = {{0, "bb1d6929e95937287fa37d129b756746"},
                 {16, "070a16b46b4d4144f79bdd9dd04a287c"},
                 {40, "dfa66747de9ae63030ca32611497c827"},
                 {64, "51f0bebf7e3b9d92fc49741779363cfe"}};

static void macs_are_those_of_the_rfc(void **state)
{
    uint8_t message[64], mac[SGX_MAC_SIZE];
    char text[2 * SGX_MAC_SIZE + 1] = "";
    size_t size;
    struct err err;

    (void)state;
    assert_true(hex_decode(bytes_of(rfc_message), message, sizeof message, &size, &err));
    for (size_t i = 0; i < COUNT_OF(rfc_cases); i++) {
        assert_true(sgx_mac(rfc_key, bytes_from(message, rfc_cases[i].size), mac, &err));
        hex_encode(bytes_from(mac, sizeof mac), text);
        assert_string_equal(text, rfc_cases[i].mac);
    }
}

static const struct sgx_platform platform = {.secret = {1, 2, 3}, .cpu_svn = {9, 9, 2}};

static void derive(const struct sgx_platform *p, const struct sgx_key_dependencies *d,
                   uint8_t out[SGX_KEY_BYTES])
{
    struct err err;

    assert_true(sgx_key_derive(p, d, out, &err));
}

#define PADDING_AT (offsetof(struct sgx_key_dependencies, key_id) + SGX_KEY_ID_SIZE)

/* No bit of what a key depends on is left out, and none stands for another: all keys differ. */
static void every_dependency_counts(void **state)
{
    enum { BITS = sizeof(struct sgx_key_dependencies) * 8 };
    static uint8_t keys[BITS + 1][SGX_KEY_BYTES];
    struct sgx_key_dependencies d;
    size_t count = 1;

    (void)state;
    memset(&d, 0, sizeof d);
    derive(&platform, &d, keys[0]);
    for (size_t bit = 0; bit < BITS; bit++) {
        if (bit / 8 >= PADDING_AT && bit / 8 < offsetof(struct sgx_key_dependencies, misc_select))
            continue;
        memset(&d, 0, sizeof d);
        ((uint8_t *)&d)[bit / 8] = (uint8_t)(1u << (bit % 8));
        derive(&platform, &d, keys[count++]);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(keys[i], keys[k], SGX_KEY_BYTES);
    }
}

static void another_platform_has_other_keys(void **state)
{
    const struct sgx_key_dependencies d = {.name = SGX_KEY_SEAL};
    struct sgx_platform other = platform;
    uint8_t key[SGX_KEY_BYTES], again[SGX_KEY_BYTES];

    (void)state;
    derive(&platform, &d, key);
    derive(&other, &d, again);
    assert_memory_equal(key, again, sizeof key);
    other.secret[15] ^= 1;
    derive(&other, &d, again);
    assert_memory_not_equal(key, again, sizeof key);
}

/* What EREPORT makes for an enclave is what that enclave gets by EGETKEY. */
static void report_keys_are_those_of_their_target(void **state)
{
    struct sgx_key_dependencies d = {.name = SGX_KEY_REPORT, .misc_select = 1};
    uint8_t mrenclave[32] = {7}, attributes[16] = {5}, key_id[SGX_KEY_ID_SIZE] = {11};
    uint8_t key[SGX_KEY_BYTES], other[SGX_KEY_BYTES];
    struct err err;

    (void)state;
    memcpy(d.cpu_svn, platform.cpu_svn, sizeof d.cpu_svn);
    memcpy(d.mrenclave, mrenclave, sizeof mrenclave);
    memcpy(d.attributes, attributes, sizeof attributes);
    memcpy(d.key_id, key_id, sizeof key_id);
    derive(&platform, &d, key);
    assert_true(sgx_report_key(&platform, mrenclave, attributes, 1, key_id, other, &err));
    assert_memory_equal(key, other, sizeof key);
    mrenclave[31] ^= 1;
    assert_true(sgx_report_key(&platform, mrenclave, attributes, 1, key_id, other, &err));
    assert_memory_not_equal(key, other, sizeof key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(macs_are_those_of_the_rfc),
        cmocka_unit_test(every_dependency_counts),
        cmocka_unit_test(another_platform_has_other_keys),
        cmocka_unit_test(report_keys_are_those_of_their_target),
    };

    return cmocka_run_group_tests_name("keys of enclaves", tests, NULL, NULL);
}
