/* What the files about peers share: who is trusted, which certificates may be links of a chain,
 * certificates in PEM, times. Private to the room. */
#pragma once

#include <openssl/x509.h>

#include "identity/internal.h"
#include "identity/peer.h"

#define SERIAL_SIZE_MAX 20u            /* bytes of magnitude: RFC 5280 §4.1.2.2 */
#define CLOCK_SKEW_S 300               /* forgiven to who says what time it is */
#define TIME_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z, the last that certificates name */

/* A CA for which a root has vouched: leaf, CA and root were a chain that was verified. */
struct vouched {
    X509 *ca, *root;
    X509_STORE *store; /* of the CA alone */
};

#define VOUCHED_MAX 4 /* of a Steward, which has one CA, or two while it changes them */

struct steward {
    uint8_t *name;
    size_t name_size;
    X509_STORE *roots;
    struct vouched *vouched; /* VOUCHED_MAX of them; those without a store are none */
};

/* What is kept of a revocation list: serial numbers in order, each SERIAL_SIZE_MAX bytes,
 * big-endian, zeroes before them. */
struct kept_list {
    struct bytes issuer; /* the signed part of the CA's certificate; in `memory` */
    int64_t this_update, next_update;
    bool has_number;
    uint8_t number[SERIAL_SIZE_MAX];
    uint8_t *serials; /* in `memory` */
    size_t serial_count;
    uint8_t *memory;
};

struct identity_trust {
    struct steward stewards[IDENTITY_STEWARDS_MAX];
    size_t steward_count;
    struct kept_list lists[IDENTITY_CRLS_MAX];
    size_t list_count;
};

/* Whether a certificate may be a link of a chain, whoever signed it: version 3; a key on P-256 or
 * P-384 (named, not spelled out) or of RSA from 2048 to 8192 bits; signed with SHA-2; nothing
 * critical beyond basic constraints, key usage and extended key usage, and no name constraints,
 * which are not looked at here. */
bool identity_link_is_sound(X509 *certificate);

/* The certificates of a PEM text, which has nothing else in blocks; at least one and at most `max`.
 * ERR_FORMAT, ERR_LIMIT, ERR_MEMORY. *out is to be freed with its certificates. */
MUST_CHECK bool identity_pem_read(struct bytes pem, int max, STACK_OF(X509) * *out,
                                  struct err *err);

/* Gives back what an entry holds; it is none from now on. */
void identity_vouched_done(struct vouched *v);

/* A Time of X.509 (RFC 5280 §4.1.2.5): the content of an UTCTime or GeneralizedTime, by its tag. */
MUST_CHECK bool identity_time_parse(uint8_t tag, struct bytes content, int64_t *out);

/* A time of the caller's that can be reckoned with. */
static inline int64_t identity_time_clamp(int64_t at)
{
    return at < 0 ? 0 : at > TIME_MAX ? TIME_MAX : at;
}
