/* A configuration with what it names read in: keys of the tokens' issuer, CAs of Stewards. One is
 * in use until the next is read; requests hold on to theirs. Private to the room. */
#pragma once

#include "drawbridge/config.h"
#include "drawbridge/registry.h"
#include "jose/jose.h"

struct x509_store_st;
struct evp_pkey_st;

/* Whose platforms are believed. */
struct trust {
    struct x509_store_st *store;
    struct evp_pkey_st *client; /* of the Steward itself; NULL: none */
    bool is_simulated;
    uint32_t technologies;
};

/* Makes it of the CA's certificates and the Steward's own, in PEM (client empty: none). ERR_FORMAT,
 * ERR_MEMORY. */
MUST_CHECK bool trust_make(struct bytes ca, struct bytes client, struct trust *out,
                           struct err *err);
void trust_done(struct trust *trust);

struct policy {
    struct arena arena;
    struct drawbridge_config config;
    struct bytes certificate, key; /* the server's, PEM */
    const char *listen, *store; /* as programs use them, relative to the configuration's folder */
    struct jose_keys *keys;     /* NULL: no issuer */
    struct trust trusts[DRAWBRIDGE_STEWARDS_MAX];
    size_t trust_count;
    unsigned users; /* guarded by who shares it */
};

#define POLICY_FAULT_SIZE 512

/* Reads the file and those that it names. NULL: `fault` says in words what is wrong, and where. */
struct policy *policy_read(const char *path, char fault[POLICY_FAULT_SIZE]);
/* Wipes and frees; NULL is nothing. */
void policy_free(struct policy *policy);
