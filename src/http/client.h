/* An HTTPS client for programs outside a keep: libcurl, within limits. Redirects are not followed,
 * proxies and the environment not asked, only https is spoken. */
#pragma once

#include "base/base.h"

#define HTTP_REPLY_HEADERS_MAX ((size_t)64 << 10)

struct http_get {
    const char *url;               /* https://… */
    struct bytes ca;               /* PEM; empty: the system's */
    struct bytes certificate, key; /* PEM, of the client; empty: it has none */
    unsigned timeout_ms;           /* for everything; 0: 10 s */
    size_t body_max;               /* bytes; a larger body fails with ERR_LIMIT */
    const char *accept;            /* NULL: anything */
};

struct http_reply {
    unsigned status;
    struct bytes body;    /* in the arena */
    struct bytes headers; /* as they came, for http_reply_header */
};

/* Fetches. Any status is success: look at it. ERR_IO: no connection (at: nothing); ERR_CRYPTO: the
 * server's certificate; ERR_TIMEOUT; ERR_LIMIT; ERR_FORMAT: no URL of ours, or no HTTP. May be
 * called from any thread, after http_client_setup. */
MUST_CHECK bool http_get(const struct http_get *get, struct arena *arena, struct http_reply *out,
                         struct err *err);
/* A header's value, without white space around it; false: there is none. */
MUST_CHECK bool http_reply_header(const struct http_reply *reply, const char *name,
                                  struct bytes *out);
/* Once, from main, before any thread. ERR_MEMORY. */
MUST_CHECK bool http_client_setup(struct err *err);
