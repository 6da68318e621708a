/* What the files of the service share. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "steward/endorse.h"
#include "steward/judge.h"
#include "steward/registries.h"
#include "steward/service.h"

#define CHAIN_MAX 8
#define MEDIA_JSON "application/json"

/* A CA's certificates: its own, then its issuers'. */
struct ca_chain {
    struct bytes pem;            /* the whole file */
    struct bytes der[CHAIN_MAX]; /* in the arena of the policy */
    size_t count;
    bool is_self_signed[CHAIN_MAX];
};

/* A configuration in use; freed when the last request that uses it ends. */
struct policy {
    unsigned users; /* under the service's lock */
    uint64_t generation;
    struct arena arena;
    struct file_set *files;
    struct steward_config config;
    struct ca_chain ca, simulation_ca;
};

struct judge_place {
    struct judge *judge;          /* NULL: not made yet */
    uint64_t generation, version; /* what its endorsements are of */
    bool is_taken;
};

/* Revocations as the store had them at a version. */
struct revocation_cache {
    struct arena arena;
    const struct revocation *items;
    size_t count;
    uint64_t version;
};

/* A revocation list as it was signed. */
struct crl_cache {
    pthread_mutex_t lock;
    struct bytes der; /* on the heap */
    uint64_t version;
    int64_t made_at; /* 0: never */
};

struct service {
    struct service_options options;
    struct nonce_book *nonces;
    struct endorser *endorser;
    struct registries *registries;
    _Atomic(struct http_server *) server; /* NULL until it is known */
    pthread_rwlock_t revocation_lock;
    struct revocation_cache revocations;
    pthread_mutex_t lock; /* of policy, judges */
    struct policy *policy;
    uint64_t next_generation;
    struct judge_place judges[64];
    struct crl_cache crls[2];                      /* by is_simulated */
    atomic_uint_fast64_t decisions[REFUSAL_COUNT]; /* REFUSAL_NONE: issued */
    atomic_llong last_prune;
};

/* The policy of now; give it back. */
struct policy *service_policy(struct service *s);
void service_policy_done(struct service *s, struct policy *policy);

/* A judge that has the endorsements of now; give it back. ERR_MEMORY, ERR_IO. */
MUST_CHECK bool service_judge(struct service *s, const struct policy *policy,
                              struct judge_place **out, struct err *err);
void service_judge_done(struct service *s, struct judge_place *place);

/* Whether a revocation names what is to be certified, as of a version of the store. ERR_IO,
 * ERR_MEMORY. */
MUST_CHECK bool service_is_revoked(struct service *s, const struct judgement *j, uint64_t version,
                                   bool *is_revoked, struct err *err);

/* Decides about a request, writes the audit log, and answers with what it decided. *der is the
 * certificate when the refusal is REFUSAL_NONE. */
void service_decide(struct service *s, const struct policy *policy, const struct http_request *http,
                    struct bytes csr, enum identity_namespace space, struct judgement *judgement,
                    struct bytes *der);

/* Handlers of the routes. */
void service_get_nonce(void *context, struct http_request *request, struct http_response *response);
void service_attest(void *context, struct http_request *request, struct http_response *response);
void service_enarx(void *context, struct http_request *request, struct http_response *response);
void service_verify(void *context, struct http_request *request, struct http_response *response);
void service_get_ca(void *context, struct http_request *request, struct http_response *response);
void service_get_bundle(void *context, struct http_request *request,
                        struct http_response *response);
void service_get_crl(void *context, struct http_request *request, struct http_response *response);
void service_get_health(void *context, struct http_request *request,
                        struct http_response *response);
void service_get_metrics(void *context, struct http_request *request,
                         struct http_response *response);
