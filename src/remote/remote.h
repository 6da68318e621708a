/* A registry as its users see it: addresses, who asks, answers and what they mean. */
#pragma once

#include "http/pool.h"
#include "package/entry.h"
#include "package/slug.h"
#include "remote/credential.h"

struct remote_options {
    const char *ca_bundle; /* PEM; NULL: the system's roots */
    struct credential_source credential;
    unsigned parallel; /* transfers at once; 0: 4 */
};

/* A registry, with connections that are kept. */
struct remote {
    struct arena *arena;
    struct bytes host;
    struct http_pool *pool;
    const char *token;           /* NULL: none; in `secrets` */
    const char *credential_path; /* where one would be looked for; NULL: nowhere */
    struct arena secrets;        /* wiped */
    struct remote_fault *fault;  /* filled by whatever fails */
    const char *if_absent;       /* what helps when something is not there; NULL: who knows */
};

/* Prepares to speak to a host ("name[:port]"); nothing is sent yet. http_client_setup was called.
 */
MUST_CHECK bool remote_open(const struct remote_options *options, struct bytes host,
                            struct arena *arena, struct remote *out, struct remote_fault *fault);
void remote_close(struct remote *remote);

/* "https://HOST/api/v0.1.0" and what the format says; NULL, and the fault: no memory, or it is
 * too long. What needs escapes has them. */
const char *remote_url(struct remote *remote, const char *format, ...) PRINTF_LIKE(2, 3);
/* "USER/REPO/_tag/TAG" and so on of a slug, as far as it goes. */
const char *remote_path(struct remote *remote, const struct slug *slug);

/* One request with a JSON body, or none; the answer's body is at most 16 MiB. False: no answer, or
 * a status that is none of 200 to 299: the fault says what the registry said. *status (when not
 * NULL) gets it in either case, 0: none. */
MUST_CHECK bool remote_call(struct remote *remote, const char *method, const char *url,
                            struct bytes body, struct http_reply *out, unsigned *status);
/* Fills the fault of an answer that was not the one wanted, by what the registry said. */
void remote_fault_answer(struct remote *remote, const struct http_transfer *transfer);
/* The same, and returns false. */
static inline bool remote_refused(struct remote *remote, const struct http_transfer *transfer)
{
    remote_fault_answer(remote, transfer);
    return false;
}

/* A tag, as it was read: nothing but its form was checked. */
struct remote_tag {
    struct bytes bytes; /* entry or JWS */
    struct tag tag;
    bool is_yanked;
};
MUST_CHECK bool remote_read_tag(struct remote *remote, const struct slug *slug,
                                struct remote_tag *out, unsigned *status);
