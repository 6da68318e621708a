/* An enclave that reports, on the processor in software: the whole way from EADD to EEXIT, and what
 * the REPORT says. */
#include "support.h"

#include "host/sgx_load.h"
#include "host/sgx_sim.h"

/* Offsets (Intel SDM volume 3D, "REPORT"). */
#define ATTRIBUTES 48
#define MRENCLAVE 64
#define MRSIGNER 128
#define DATA 320
#define KEY_ID 384
#define MAC 416

static void reports_for_a_target(void **state)
{
    const struct sgx_platform platform = {.secret = {1, 2, 3}, .cpu_svn = {9, 8, 7}};
    static const uint8_t attributes[16] = {5, 0, 0, 0, 0, 0, 0, 0, 7}, zeroes[64];
    uint8_t target[SGX_TARGET_INFO_SIZE] = {0}, report[SGX_WHOLE_REPORT_SIZE];
    uint8_t key[SGX_KEY_BYTES], mac[SGX_MAC_SIZE];
    struct sgx_processor processor;
    struct err err;

    (void)state;
    memset(target, 0x5a, 32); /* whose key it is to be */
    target[32] = 5;
    assert_true(sgx_sim_new(&platform, &processor, &err));
    assert_true(sgx_report_by(&processor, target, report, &err));
    assert_memory_equal(report, platform.cpu_svn, 16);
    assert_memory_equal(report + ATTRIBUTES, attributes, 16);
    assert_memory_equal(report + DATA, zeroes, 64);
    assert_memory_not_equal(report + MRENCLAVE, zeroes, 32);
    assert_memory_not_equal(report + MRSIGNER, zeroes, 32);
    assert_true(sgx_report_key(&platform, target, target + 32, 0, report + KEY_ID, key, &err));
    assert_true(sgx_mac(key, bytes_from(report, KEY_ID), mac, &err));
    assert_memory_equal(report + MAC, mac, sizeof mac);
    /* nobody else has the key */
    target[0] ^= 1;
    assert_true(sgx_report_key(&platform, target, target + 32, 0, report + KEY_ID, key, &err));
    assert_true(sgx_mac(key, bytes_from(report, KEY_ID), mac, &err));
    assert_memory_not_equal(report + MAC, mac, sizeof mac);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reports_for_a_target)};

    return cmocka_run_group_tests_name("enclaves on any processor", tests, NULL, NULL);
}
