/* One request of the API on its way. Private to the files of the service. */
#pragma once

#include <pthread.h>

#include "drawbridge/recall.h"
#include "drawbridge/route.h"
#include "drawbridge/service.h"
#include "drawbridge/token.h"

#define SMALL_BODY_MAX ((size_t)64 << 10) /* bytes of a record or a tag */

struct service {
    struct registry *registry;
    pthread_mutex_t lock; /* of policy and its users */
    struct policy *policy;
    struct recall *recall;
    pthread_mutex_t directory_lock; /* of reading them */
};

/* Who asks. */
struct caller {
    bool has_token;
    bool is_local;        /* a token of this registry's, for `user` alone */
    struct bytes user;    /* of a local token */
    struct bytes subject; /* of an issuer's token */
    struct bytes scopes;
};

/* What is answered to a request that is refused. */
struct denial {
    unsigned status;
    const char *code;    /* a literal */
    const char *message; /* in the arena, or a literal */
};

struct exchange {
    struct service *service;
    struct policy *policy;
    const struct http_request *request;
    struct arena *arena;
    struct route route;
    struct caller caller;
    struct denial denial; /* status 0: none yet */
    int64_t now;
    struct registry_repo repo;
    struct registry_tag tag;
    struct registry_node node;
    struct digest_set digests; /* of the Content-Digest header */
    uint64_t length;           /* of the body, as announced */
    const char *type;          /* Content-Type */
    bool is_upload;            /* the body goes to `upload`, else to `body` */
    struct blob_upload upload;
    struct writer body;
    uint64_t received;
    uint64_t recall_age; /* when it began */
    bool is_lasting;     /* everybody gets this answer, from now on */
};

/* Fills the denial and returns false. */
bool deny(struct exchange *x, unsigned status, const char *code, const char *message);
/* The same, with a name of the client's between two texts. */
bool deny_named(struct exchange *x, unsigned status, const char *code, const char *before,
                struct bytes name, const char *after);
/* For what went wrong here: logged, and 500. */
bool deny_failed(struct exchange *x, const struct err *err);
/* By what the registry found: DONE true; ABSENT 404, EXISTS 409, FAILED 500. */
bool check_answer(struct exchange *x, enum registry_answer answer, const struct err *err);

/* caller.c */

/* Reads the Authorization header. False: the token is refused. */
MUST_CHECK bool caller_read(struct exchange *x);
/* Whether the caller may act for the user of the route. */
MUST_CHECK bool caller_owns(struct exchange *x, enum scope_level level, enum scope_context context);
/* Whether the caller may read the tags (or the trees) of x->repo. */
MUST_CHECK bool caller_reads(struct exchange *x, bool is_tree);
/* Whether the token's subject may be that of a new record of the user of the route. */
MUST_CHECK bool caller_is_subject(struct exchange *x, struct bytes subject);

/* read.c: each fills the response, or denies. */

MUST_CHECK bool read_user(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_repo(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_tags(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_tag(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_node(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_missing(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_users(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_repos(struct exchange *x, struct http_response *response);
MUST_CHECK bool read_stewards(struct exchange *x, struct http_response *response);
/* Finds repository and tag of the route; of a tag that is not whole only its owner hears. */
MUST_CHECK bool find_repo(struct exchange *x);
MUST_CHECK bool find_tag(struct exchange *x, bool is_tree);
/* The same for the owner, who was judged already. */
MUST_CHECK bool find_own_tag(struct exchange *x);

/* write.c: what is judged before the body, and what is done with it. */

MUST_CHECK bool write_begin(struct exchange *x);
MUST_CHECK bool write_end(struct exchange *x, struct http_response *response);
