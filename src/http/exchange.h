/* One request and its answer, between libmicrohttpd and a route. Private. */
#pragma once

#include <microhttpd.h>

#include "http/server.h"

struct http_server;

enum exchange_step {
    EXCHANGE_RECEIVING,
    EXCHANGE_WORKING, /* a worker has it; the connection is suspended */
    EXCHANGE_DONE     /* the response is there */
};

struct http_exchange {
    struct http_request request;
    struct http_response response;
    struct http_server *server;
    struct MHD_Connection *connection;
    const struct http_route
        *route; /* NULL: none fits, or it was refused before one was looked for */
    struct arena arena;
    struct writer body;
    size_t received; /* bytes, also of what is not kept */
    uint64_t began_ns;
    enum exchange_step step;
    bool has_begun, is_refusing; /* takes no more parts */
    bool has_answered;           /* the response was handed over */
    bool is_malformed;           /* the path has a NUL */
    bool is_counted;             /* among those that the server must answer before it stops */
};

/* A header that is there exactly once; or NULL. */
const char *exchange_header(struct MHD_Connection *connection, const char *name);

/* The quality of a media type by an Accept header, in thousandths. NULL: no header. */
unsigned accept_quality(const char *accept, const char *media_type);
/* Percent-decoding of one parameter's value of a query; in the arena, NULL when it is not there
 * once, well-formed and without NUL. */
const char *query_parameter(const char *query, const char *name, struct arena *arena);
