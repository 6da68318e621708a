/* The keep's HTTPS client: HTTP/1.1 (RFC 9112) over src/tls, without blocking, one request at a
 * time on a connection that is kept. Everything that comes is hostile: sizes are bounded before
 * memory is taken. Follows no redirect, uses no proxy. One thread. Needs no room of the keep's:
 * names are resolved, waits are made and time is told by who uses it. */
#pragma once

#include "tls/tls.h"

#define HTTPS_ADDRESSES_MAX 16
#define HTTPS_HEADERS_MAX ((size_t)32 << 10) /* bytes of an answer's status line and headers */
#define HTTPS_PATH_MAX ((size_t)8 << 10)

struct https_address {
    uint8_t family; /* 4 or 6 */
    uint8_t bytes[16];
};

/* Where to, and how the server is judged. Borrowed by the connection as long as it lives. */
struct https_server {
    struct bytes host; /* as config_host_canonical has it: for the Host header and SNI */
    uint16_t port;
    const struct https_address *addresses; /* tried in turn */
    size_t address_count;
    struct tls_context *tls; /* NULL: plain http, which the caller must have reason for */
    tls_judge *judge;
    void *judge_context;
};

struct https_connection;

/* Connects when the first request begins. ERR_MEMORY, ERR_INVALID. */
MUST_CHECK bool https_connection_new(const struct https_server *server,
                                     struct https_connection **out, struct err *err);
void https_connection_free(struct https_connection *connection);

struct https_request {
    const char *method;       /* "GET", "POST" */
    struct bytes path;        /* "/v1/nonce?spki=…": visible ASCII; checked */
    const char *accept;       /* NULL: none */
    const char *content_type; /* with a body */
    struct bytes body;        /* borrowed until the answer is there */
    size_t answer_max;        /* bytes of the answer's body */
    struct arena *arena;      /* where the answer's body and headers go */
};

struct https_answer {
    int status; /* 200 to 599 */
    struct bytes body;
    struct bytes content_type;   /* without parameters, lower case; empty: none */
    struct bytes content_digest; /* as it came; empty: none */
    struct bytes state;          /* Broch-State, a registry's mark of a tag; empty: none */
};

/* Begins a request; the one before must be done. ERR_INVALID, ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool https_begin(struct https_connection *connection,
                            const struct https_request *request, struct err *err);

enum https_state { HTTPS_WAITING, HTTPS_DONE, HTTPS_FAILED };

/* Goes on. WAITING: when the descriptor can be read (wants_write: written to), or time has passed;
 * call again. DONE: *answer is filled. FAILED: *err says why (ERR_IO with errno: the network;
 * ERR_CRYPTO: TLS; ERR_FORMAT: no HTTP; ERR_LIMIT: too large); https_detail has more. A request
 * that fails on a kept connection before the first byte of its answer is begun once more on a new
 * one. There are no time-outs here: who waits too long frees the connection. */
enum https_state https_advance(struct https_connection *connection, struct https_answer *answer,
                               struct err *err);
/* What to wait for, while WAITING. -1 only when there is nothing. */
int https_fd(const struct https_connection *connection, bool *wants_write);
/* Words about the last failure, for logs: what TLS said. Never NULL. */
const char *https_detail(const struct https_connection *connection);
