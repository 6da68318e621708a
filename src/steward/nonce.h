/* Nonces that a Steward can recognise without remembering them: time, random bytes, and a MAC over
 * both and the key that they are for (DESIGN.md §3). Which ones were spent is remembered as long as
 * they are valid. */
#pragma once

#include "base/base.h"

#define NONCE_SIZE 72 /* seconds since 1970 (8 bytes, big-endian), 32 random bytes, HMAC-SHA256 */
#define NONCE_KEY_SIZE 32
#define NONCE_KEYS_MAX 2
#define NONCE_LIFETIME_S 60
#define NONCE_SPKI_HASH_SIZE 32

/* The first makes nonces, all recognise them. */
struct nonce_keys {
    uint8_t keys[NONCE_KEYS_MAX][NONCE_KEY_SIZE];
    size_t count;
};

/* ERR_CRYPTO. */
MUST_CHECK bool nonce_make(const struct nonce_keys *keys, int64_t now,
                           const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE], uint8_t out[NONCE_SIZE],
                           struct err *err);

enum nonce_verdict { NONCE_GOOD, NONCE_MALFORMED, NONCE_FOREIGN, NONCE_STALE, NONCE_USED };

/* Whether a nonce is for this key, made by a Steward that shares a key, and at most a minute old or
 * `skew` seconds ahead. */
enum nonce_verdict nonce_check(const struct nonce_keys *keys, int64_t now, int64_t skew,
                               struct bytes nonce, const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE]);

/* Those that were spent. From any thread. */
struct nonce_book;

MUST_CHECK bool nonce_book_new(struct nonce_book **out, struct err *err);
void nonce_book_free(struct nonce_book *book);
/* Notes that a good nonce is spent: NONCE_GOOD, or NONCE_USED when it was before. ERR_MEMORY reads
 * as NONCE_USED: what cannot be remembered is not accepted. */
enum nonce_verdict nonce_spend(struct nonce_book *book, int64_t now,
                               const uint8_t nonce[NONCE_SIZE]);
