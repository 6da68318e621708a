/* A keep's side of attestation, on simulated platforms: keys, claims, evidence, requests. For the
 * Steward's tests and its benchmark, and for tests/testhost. */
#pragma once

#include "identity/identity.h"
#include "sallyport/sallyport.h"

struct evp_pkey_st;

/* A machine with both simulated platforms, whose roots are in a folder of `broch sim init`. Exits
 * with a message when something is wrong. */
struct attester;
struct attester *attester_new(const char *folder);
void attester_free(struct attester *attester);

/* A signed report or quote about 64 bytes, with its endorsements. Borrows from the arena and the
 * attester. SNP or SGX; of an SGX measurement 32 bytes are used. From any thread. */
void attester_evidence(const struct attester *attester, enum identity_technology technology,
                       const uint8_t measurement[48], const uint8_t report_data[64],
                       struct arena *arena, struct keep_evidence *out);

/* What a request is to say. */
struct attester_claim {
    enum identity_technology technology;
    uint8_t measurement[48]; /* 32 of it for SGX */
    struct identity_claims claims;
    struct bytes nonce; /* empty: Enarx's form, without claims */
    size_t flip;        /* bit of the report or quote to be changed, counted from 1; 0: none */
};

/* A key for the technology and claim; the caller frees it. */
struct evp_pkey_st *attester_key(const struct attester_claim *claim);
/* The SHA-256 of its SPKI in hexadecimal, with a NUL. */
void attester_key_hash(struct evp_pkey_st *key, char out[65]);
/* The request in DER, in the arena. From any thread. */
struct bytes attester_request(const struct attester *attester, const struct attester_claim *claim,
                              struct evp_pkey_st *key, struct arena *arena);
