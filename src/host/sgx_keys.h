/* Keys of a processor with SGX in software (Intel SDM volume 3D, "Key Derivation", "EREPORT",
 * "EGETKEY"): what its instructions and its quoting enclave both know. Simulated: the secret is the
 * loader's. */
#pragma once

#include "base/base.h"

#define SGX_KEY_ID_SIZE 32
#define SGX_MAC_SIZE 16
#define SGX_KEY_BYTES 16

/* A platform. */
struct sgx_platform {
    uint8_t secret[SGX_KEY_BYTES];
    uint8_t cpu_svn[16];
};

enum sgx_key_name {
    SGX_KEY_EINITTOKEN,
    SGX_KEY_PROVISION,
    SGX_KEY_PROVISION_SEAL,
    SGX_KEY_REPORT,
    SGX_KEY_SEAL
};

/* What a key depends on beside the platform; zero what it does not. */
struct sgx_key_dependencies {
    uint16_t name, policy, isv_prod_id, isv_svn, config_svn;
    uint8_t cpu_svn[16], attributes[16], attribute_mask[16];
    uint8_t mrenclave[32], mrsigner[32], key_id[SGX_KEY_ID_SIZE];
    uint32_t misc_select, misc_mask;
};

/* ERR_CRYPTO. */
MUST_CHECK bool sgx_key_derive(const struct sgx_platform *platform,
                               const struct sgx_key_dependencies *dependencies,
                               uint8_t out[SGX_KEY_BYTES], struct err *err);
/* AES-128-CMAC. ERR_CRYPTO. */
MUST_CHECK bool sgx_mac(const uint8_t key[SGX_KEY_BYTES], struct bytes message,
                        uint8_t out[SGX_MAC_SIZE], struct err *err);
/* The key with which a REPORT is made for an enclave, by its measurement and attributes. */
MUST_CHECK bool sgx_report_key(const struct sgx_platform *platform, const uint8_t mrenclave[32],
                               const uint8_t attributes[16], uint32_t misc_select,
                               const uint8_t key_id[SGX_KEY_ID_SIZE], uint8_t out[SGX_KEY_BYTES],
                               struct err *err);
