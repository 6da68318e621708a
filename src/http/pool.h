/* An HTTPS client for much traffic with one server: several connections that are kept, bodies that
 * stream from and to files, libcurl within the limits of client.h. What failed for a reason that
 * passes (no connection, 429, 503) is tried again. One thread. */
#pragma once

#include "http/client.h"

struct http_pool;

struct http_pool_options {
    struct bytes ca;           /* PEM, borrowed; empty: the system's */
    const char *authorization; /* the header's value, copied; NULL: none. Sent to whom URLs name */
    unsigned parallel;         /* transfers at once; 0: 4 */
};

/* Takes the parts of a reply's body, when its status is 200 or 206 (which it is, `status` says), in
 * their order. False: *err says why, and the transfer fails with it. */
struct http_sink {
    bool (*write)(void *context, unsigned status, struct bytes part, struct err *err);
    void *context;
};

/* A request, and what came of it. Zeros are good defaults. */
struct http_transfer {
    const char *method, *url;
    const char *headers[6]; /* "Name: value", up to the first NULL */
    struct bytes body;      /* sent when there is one, or a method that has one: PUT, PATCH, POST */
    bool is_file;           /* the body is body_size bytes of the file instead */
    int body_fd;
    uint64_t body_size;
    const struct http_sink *sink; /* NULL: the body goes to the reply */
    size_t body_max;              /* of what goes to the reply; 0: 64 KiB */
    struct arena *arena;          /* for the reply */
    void *context;                /* the caller's */

    bool ok; /* there is a reply; else err */
    struct http_reply reply;
    struct err err;
};

/* Where transfers come from and go to. */
struct http_work {
    /* *out NULL: none as long as none is done; false: stop. */
    bool (*next)(void *context, struct http_transfer **out);
    /* Each transfer that `next` gave comes back by this once, also when it was broken off. False:
     * stop. */
    bool (*done)(void *context, struct http_transfer *transfer);
    void (*moved)(void *context, uint64_t bytes); /* of bodies, either way; may be NULL */
    void *context;
};

/* ERR_MEMORY. */
MUST_CHECK bool http_pool_new(const struct http_pool_options *options, struct http_pool **out,
                              struct err *err);
/* Closes the connections, wipes the authorization. */
void http_pool_free(struct http_pool *pool);
/* Until there is no more work: true; or one says stop: what is under way is broken off. */
bool http_pool_run(struct http_pool *pool, const struct http_work *work);
/* One transfer alone; returns its `ok`. */
bool http_pool_do(struct http_pool *pool, struct http_transfer *transfer);
