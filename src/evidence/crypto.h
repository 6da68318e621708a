/* What the formats share of cryptography: OpenSSL behind names of ours. Private to the room. */
#pragma once

#include <openssl/evp.h>

#include "base/base.h"

#define SHA256_SIZE 32
#define SHA384_SIZE 48
#define P384_SIZE 48 /* of a coordinate, and of each half of a signature */

/* Digests of a whole. ERR_MEMORY. */
MUST_CHECK bool crypto_sha256(struct bytes in, uint8_t out[SHA256_SIZE], struct err *err);
MUST_CHECK bool crypto_sha384(struct bytes in, uint8_t out[SHA384_SIZE], struct err *err);

/* Little-endian as the CPUs have it to big-endian as everybody else, and back. in and out may not
 * overlap. */
void crypto_reverse(const uint8_t *in, size_t size, uint8_t *out);

/* A public key on P-384 from its coordinates, big-endian. ERR_CRYPTO when it is no point. The
 * caller frees *out. */
MUST_CHECK bool crypto_p384_public(const uint8_t x[P384_SIZE], const uint8_t y[P384_SIZE],
                                   EVP_PKEY **out, struct err *err);
/* ECDSA over SHA-384 of message; r and s big-endian. A signature of zero or beyond the order does
 * not verify. ERR_CRYPTO. */
MUST_CHECK bool crypto_p384_verify(EVP_PKEY *key, struct bytes message, const uint8_t r[P384_SIZE],
                                   const uint8_t s[P384_SIZE], struct err *err);
MUST_CHECK bool crypto_p384_sign(EVP_PKEY *key, struct bytes message, uint8_t r[P384_SIZE],
                                 uint8_t s[P384_SIZE], struct err *err);
/* The coordinates of a key, which must be on P-384: else ERR_CRYPTO. */
MUST_CHECK bool crypto_p384_coordinates(EVP_PKEY *key, uint8_t x[P384_SIZE], uint8_t y[P384_SIZE],
                                        struct err *err);
