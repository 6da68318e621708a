/* How machines name bytes: digests as text, sets of them as registries send them, and their
 * computation. SHA-2 alone (FIPS 180-4). */
#pragma once

#include "base/base.h"

enum digest_algorithm {
    DIGEST_SHA224,
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512,
    DIGEST_ALGORITHMS,
    DIGEST_NONE = DIGEST_ALGORITHMS
};

#define DIGEST_SIZE_MAX 64

struct digest {
    enum digest_algorithm algorithm;
    uint8_t size; /* bytes; 0: none */
    uint8_t bytes[DIGEST_SIZE_MAX];
};

/* "sha-256" and so on. */
const char *digest_algorithm_name(enum digest_algorithm algorithm);
/* Bytes of a digest. */
uint8_t digest_algorithm_size(enum digest_algorithm algorithm);

/* "sha-256:" (or another algorithm's name) and base64 (standard, padded as in RFC 3230 or unpadded
 * as a keep's identity shows it) or hexadecimal digits. ERR_FORMAT. */
MUST_CHECK bool digest_parse(struct bytes text, struct digest *out, struct err *err);
/* "sha-256:" and base64. */
void digest_write(struct writer *w, const struct digest *digest);
/* "sha-256:" and hexadecimal digits. */
void digest_write_hex(struct writer *w, const struct digest *digest);
bool digest_equal(const struct digest *a, const struct digest *b);

/* At most one digest of each algorithm; zeros are the empty set. */
struct digest_set {
    struct digest of[DIGEST_ALGORITHMS]; /* size 0: not in the set */
};

/* The algorithms of a set, a bit for each: 1 << DIGEST_SHA256. */
unsigned digest_set_algorithms(const struct digest_set *set);
/* Whether both have the same digests. */
bool digest_set_equal(const struct digest_set *a, const struct digest_set *b);
/* Whether what one says the other says too: they share an algorithm other than SHA-224, and agree
 * on each that they share. */
bool digest_set_agrees(const struct digest_set *a, const struct digest_set *b);

/* Adds the digests of a Content-Digest header's value, "sha-256=:BASE64:,sha-384=:…:" (RFC 9530's
 * dictionary with nothing else in it; the names in any case). ERR_FORMAT: also an algorithm that is
 * not one of these, or one that is there twice. */
MUST_CHECK bool content_digest_parse(struct bytes value, struct digest_set *set, struct err *err);
/* The same, in the order of the algorithms, without spaces. */
void content_digest_write(struct writer *w, const struct digest_set *set);

struct evp_md_ctx_st;

/* Computes several digests of the same bytes. */
struct hasher {
    struct evp_md_ctx_st *contexts[DIGEST_ALGORITHMS]; /* NULL: not asked for */
    uint64_t size;                                     /* bytes so far */
};

/* Begins; ERR_MEMORY. Then hasher_free, whatever happens; of zeros it is nothing. */
MUST_CHECK bool hasher_init(struct hasher *hasher, unsigned algorithms, struct err *err);
MUST_CHECK bool hasher_add(struct hasher *hasher, struct bytes part, struct err *err);
/* Once, after the last part. */
MUST_CHECK bool hasher_done(struct hasher *hasher, struct digest_set *out, struct err *err);
void hasher_free(struct hasher *hasher);

/* All of it at once, for what is in memory. */
MUST_CHECK bool digest_compute(struct bytes content, unsigned algorithms, struct digest_set *out,
                               struct err *err);
