/* Signatures that were found good before, so that a chain which comes again costs no arithmetic.
 *
 * What is remembered is two digests: of the certificate with the key, and of all that was signed
 * and its signature. Nothing else, above all no dates and no roles, which are judged each time. Not
 * for sharing between threads. */
#pragma once

#include "base/base.h"

/* SHA-256. */
#define SIGNATURE_DIGEST_SIZE 32

struct signature_cache;

/* Remembers at most `count` signatures, a power of two; new ones take the place of old ones.
 * ERR_MEMORY. */
MUST_CHECK bool signature_cache_new(size_t count, struct signature_cache **out, struct err *err);
void signature_cache_free(struct signature_cache *cache);
void signature_cache_clear(struct signature_cache *cache);

/* cache may be NULL: then nothing is known, and nothing is kept. */
bool signature_cache_has(const struct signature_cache *cache,
                         const uint8_t key[SIGNATURE_DIGEST_SIZE],
                         const uint8_t item[SIGNATURE_DIGEST_SIZE]);
void signature_cache_add(struct signature_cache *cache, const uint8_t key[SIGNATURE_DIGEST_SIZE],
                         const uint8_t item[SIGNATURE_DIGEST_SIZE]);
