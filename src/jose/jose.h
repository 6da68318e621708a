/* JSON object signing, through librhonabwy: bearer tokens (JWT, RFC 7519) of an issuer whose key
 * set is at hand, and signed tags (JWS, RFC 7515) of publishers. Keys come from the caller alone:
 * what a token's own header offers as a key, or where to find one, is not looked at. Not for keeps.
 * Any thread. */
#pragma once

#include "base/base.h"

#define JOSE_TOKEN_MAX 8192u /* bytes of a bearer token */
#define JOSE_LEEWAY_S 60     /* by which clocks may differ */

/* ---- tokens ---- */

struct jose_keys;

/* Reads a JWK set (RFC 7517 §5). Keys that no algorithm of ours has are passed over; there must be
 * another, and no private one. ERR_FORMAT, ERR_POLICY, ERR_MEMORY. */
MUST_CHECK bool jose_keys_parse(struct bytes json, struct jose_keys **out, struct err *err);
void jose_keys_free(struct jose_keys *keys);

struct jose_expected {
    struct bytes issuer, audience;
    int64_t now; /* seconds since 1970 */
};

struct jose_claims {
    struct bytes subject;
    struct bytes scope; /* with spaces between */
};

/* Whether the token is one of the issuer's, for the audience, now: RS256, ES256 or ES384, with exp,
 * iat, sub and scope. ERR_POLICY says what it lacks, ERR_CRYPTO that the signature is not by a key
 * of the set, ERR_FORMAT that it is no JWT. Claims in the arena. */
MUST_CHECK bool jose_token_verify(const struct jose_keys *keys, struct bytes token,
                                  const struct jose_expected *expected, struct arena *arena,
                                  struct jose_claims *out, struct err *err);
/* The subject that a token claims, nothing verified: for its owner. ERR_FORMAT. */
MUST_CHECK bool jose_token_subject(struct bytes token, struct arena *arena, struct bytes *out,
                                   struct err *err);

/* ---- signed tags ---- */

/* Signs the payload with a private key (PEM; P-256: ES256, P-384: ES384), as the flattened JSON
 * serialization with the key's thumbprint (RFC 7638) as its identifier. ERR_CRYPTO. */
MUST_CHECK bool jose_sign(struct bytes payload, struct bytes key, struct arena *arena,
                          struct bytes *out, struct err *err);
/* Whether one of the signatures of a JWS, in either JSON serialization, is by the public key (PEM).
 * ERR_CRYPTO: none is, or all are by algorithms that are not taken. ERR_FORMAT: it is no JWS. */
MUST_CHECK bool jose_verify(struct bytes jws, struct bytes key, struct err *err);
/* The thumbprint of a public or private key (PEM), base64url. ERR_CRYPTO: it is no key of P-256 or
 * P-384. */
MUST_CHECK bool jose_thumbprint(struct bytes key, struct arena *arena, struct bytes *out,
                                struct err *err);
