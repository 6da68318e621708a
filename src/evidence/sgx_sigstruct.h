/* SIGSTRUCT: an enclave's signature by its author. Intel SDM volume 3D, "Enclave Signature
 * Structure". */
#pragma once

#include "base/base.h"

#define SGX_SIGSTRUCT_SIZE 1808u
#define SGX_KEY_SIZE 384u /* of an RSA modulus of 3072 bits, and of numbers below it */
#define SGX_ENCLAVE_HASH_SIZE 32
#define SGX_SIGNER_SIZE 32

/* The fields in their order; numbers of 384 bytes are little-endian, as in the structure. */
struct sgx_sigstruct {
    uint32_t vendor; /* 0, or 0x8086 for Intel's own */
    uint32_t date;   /* binary-coded decimals, 0x20261123 */
    uint32_t software_defined;
    uint8_t modulus[SGX_KEY_SIZE];
    uint8_t signature[SGX_KEY_SIZE];
    uint32_t misc_select, misc_mask;
    uint8_t cet_attributes, cet_attributes_mask;
    uint8_t isv_family_id[16];
    uint64_t attribute_flags, attribute_xfrm, attribute_flags_mask, attribute_xfrm_mask;
    uint8_t enclave_hash[SGX_ENCLAVE_HASH_SIZE]; /* MRENCLAVE */
    uint8_t isv_ext_prod_id[16];
    uint16_t isv_prod_id, isv_svn;
    uint8_t q1[SGX_KEY_SIZE], q2[SGX_KEY_SIZE];
};

/* Reads the structure. Fixed fields must have their values, reserved ones be zero: ERR_FORMAT, at =
 * offset. Decides nothing about the signature. */
MUST_CHECK bool sgx_sigstruct_parse(struct bytes in, struct sgx_sigstruct *out, struct err *err);
void sgx_sigstruct_write(const struct sgx_sigstruct *s, uint8_t out[SGX_SIGSTRUCT_SIZE]);

/* Judges what EINIT would: the RSA signature with exponent 3 over the fields (PKCS#1 v1.5,
 * SHA-256), and Q1 and Q2. ERR_CRYPTO. */
MUST_CHECK bool sgx_sigstruct_verify(const struct sgx_sigstruct *s, struct err *err);

/* Signs: fills modulus, signature, q1 and q2. key: struct evp_pkey_st, RSA of 3072 bits with
 * exponent 3, else ERR_CRYPTO. */
struct evp_pkey_st;
MUST_CHECK bool sgx_sigstruct_sign(struct sgx_sigstruct *s, struct evp_pkey_st *key,
                                   struct err *err);

/* MRSIGNER: SHA-256 of the modulus as it stands in the structure. */
MUST_CHECK bool sgx_signer(const uint8_t modulus[SGX_KEY_SIZE], uint8_t out[SGX_SIGNER_SIZE],
                           struct err *err);
/* The modulus of a key, little-endian; ERR_CRYPTO as for signing. */
MUST_CHECK bool sgx_key_modulus(struct evp_pkey_st *key, uint8_t out[SGX_KEY_SIZE],
                                struct err *err);
