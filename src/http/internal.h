/* The server's inside: one request from its first line to its answer. Private to the room. */
#pragma once

#include <microhttpd.h>
#include <pthread.h>

#include "http/metrics.h"
#include "http/rate.h"
#include "http/watch.h"
#include "http/worker.h"

struct http_server {
    struct http_server_options options; /* defaults filled in; certificate and key are gone */
    struct MHD_Daemon *daemon;
    struct watch *watch;
    struct worker_pool *workers;
    struct metrics *metrics;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t is_quiet;
    struct rate_table *addresses;
    struct rate_bucket all;
    size_t exchanges; /* requests that have begun and have not ended */
    bool is_draining;
};

/* What libmicrohttpd's next call about a request means. */
enum exchange_phase {
    PHASE_HEADERS, /* its headers are there */
    PHASE_BODY,    /* a part of its body, or the end */
    PHASE_WORK,    /* a worker has it; the connection is suspended */
    PHASE_ANSWER,  /* the answer is ready: drop what is left of the body, then give it */
    PHASE_DONE,    /* it has the answer */
};

/* A request. It belongs to the thread of libmicrohttpd that has its connection, but while that is
 * suspended to a worker. */
struct http_exchange {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct watch_link *link;
    enum exchange_phase phase;
    uint64_t began_ns;
    struct arena arena;
    struct http_request request;
    const struct http_route *route; /* NULL: none */
    bool has_body;                  /* announced by its headers */
    bool has_begun;                 /* route->begin was called */
    bool is_early;                  /* refused by its headers: the body stays unread */
    uint64_t received, dropped;     /* bytes of the body */
    uint8_t *body;
    size_t body_capacity;
    struct http_response response;
    unsigned status;
    struct MHD_Response *answer; /* made of response */
};

/* exchange.c */

/* NULL: no memory. target is what the request line has. */
struct http_exchange *exchange_new(struct http_server *server, struct MHD_Connection *connection,
                                   struct watch_link *link, const char *target);
void exchange_free(struct http_exchange *e);
/* A call of libmicrohttpd's; false: break the connection. */
MUST_CHECK bool exchange_step(struct http_exchange *e, const char *method, struct bytes part);
/* A worker's. */
void exchange_work(void *exchange, bool is_dropped);

/* judge.c */

/* Finds the route and refuses what breaks a limit, by the headers: then response is filled and it
 * returns false. */
MUST_CHECK bool exchange_judge(struct http_exchange *e);

/* answer.c */

/* Makes e->answer of e->response; when that cannot be, of something that says so. */
void answer_make(struct http_exchange *e);
/* Fills the response with an error and makes the answer. */
void answer_fail(struct http_exchange *e, unsigned status, const char *code, const char *message);
