/* What the formats share of cryptography: OpenSSL behind names of ours. Private to the room. */
#pragma once

#include <openssl/evp.h>

#include "base/base.h"

#define SHA256_SIZE 32
#define SHA384_SIZE 48

/* Digests of a whole. ERR_MEMORY. */
MUST_CHECK bool crypto_sha256(struct bytes in, uint8_t out[SHA256_SIZE], struct err *err);
MUST_CHECK bool crypto_sha384(struct bytes in, uint8_t out[SHA384_SIZE], struct err *err);

/* Little-endian as the CPUs have it to big-endian as everybody else, and back. in and out may not
 * overlap. */
void crypto_reverse(const uint8_t *in, size_t size, uint8_t *out);

/* The curves that evidence is signed on, each with its digest: SHA-256 and SHA-384. */
enum crypto_curve { CRYPTO_P256, CRYPTO_P384 };

/* Bytes of a coordinate, and of each half of a signature. */
#define P256_SIZE 32
#define P384_SIZE 48
size_t crypto_curve_size(enum crypto_curve curve);

/* A public key from its coordinates, big-endian, of the curve's size. ERR_CRYPTO when it is no
 * point. The caller frees *out. */
MUST_CHECK bool crypto_public(enum crypto_curve curve, const uint8_t *x, const uint8_t *y,
                              EVP_PKEY **out, struct err *err);
/* ECDSA; r and s big-endian, of the curve's size. A signature of zero or beyond the order does not
 * verify. ERR_CRYPTO. */
MUST_CHECK bool crypto_verify(enum crypto_curve curve, EVP_PKEY *key, struct bytes message,
                              const uint8_t *r, const uint8_t *s, struct err *err);
MUST_CHECK bool crypto_sign(enum crypto_curve curve, EVP_PKEY *key, struct bytes message,
                            uint8_t *r, uint8_t *s, struct err *err);
/* The coordinates of a key, which must be on the curve: else ERR_CRYPTO. */
MUST_CHECK bool crypto_coordinates(enum crypto_curve curve, EVP_PKEY *key, uint8_t *x, uint8_t *y,
                                   struct err *err);
/* Whether a key is on the curve. */
bool crypto_is_on(enum crypto_curve curve, EVP_PKEY *key);
/* Whether a public key on a curve is a point of it, and not the one at infinity. */
bool crypto_is_sound(EVP_PKEY *key);
