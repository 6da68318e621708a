/* An HTTPS server within limits: every part of a request has a largest size and a longest time, and
 * every error is JSON. libmicrohttpd does HTTP/1.1, GnuTLS does TLS 1.3.
 *
 * A request is answered by the first route whose path and method it has, on a worker's thread,
 * which may wait for files and other processes. What is given to a handler lives until the answer
 * is sent, but a header's value only until it returns.
 *
 * Errors that the server itself answers: 400 "malformed", 404 "not-found", 405
 * "method-not-allowed", 413 "body-too-large", 415 "media-type", 429 "too-many-requests", 431
 * "headers-too-large", 500 "internal", 503 "busy" and "stopping". What is hardly HTTP at all
 * libmicrohttpd answers, with HTML.
 */
#pragma once

#include "base/base.h"

#define HTTP_ADDRESS_SIZE 48 /* an IPv6 address as text */
#define HTTP_HEADERS_MAX 8
#define HTTP_MESSAGE_MAX 400

struct http_request {
    const char *method, *path;            /* the path without its query, decoded by nobody */
    const char *query;                    /* what follows '?'; "" */
    char client[HTTP_ADDRESS_SIZE];       /* numeric, without a port */
    struct bytes body;                    /* whole; empty when the route takes it in parts */
    void *state;                          /* the route's own, from `begin` on; NULL before */
    struct arena *arena;                  /* lives as long as the request and its answer */
    const struct http_exchange *exchange; /* the server's own */
};

/* A header's value, borrowed; NULL when the request has none of that name (any case), or several.
 */
const char *http_request_header(const struct http_request *request, const char *name);
/* Whether there is a header of that name. */
bool http_request_has(const struct http_request *request, const char *name);
/* The values of all headers of a name, which is one whose value is a list, with commas between
 * (RFC 9110 §5.3); in the arena. NULL: there is none, one has a NUL, together they are larger than
 * HTTP_LIST_MAX, or no memory. */
#define HTTP_LIST_MAX ((size_t)16 << 10)
const char *http_request_list(const struct http_request *request, const char *name);
/* The value of a parameter of the query, percent-decoded, in the arena; NULL: there is none, there
 * are several, or it is malformed. */
const char *http_request_parameter(const struct http_request *request, const char *name);
/* The client's certificates, DER, its own first; nothing of them has been checked. Count 0: it sent
 * none. ERR_MEMORY. In the arena. */
MUST_CHECK bool http_request_certificates(const struct http_request *request,
                                          const struct bytes **out, size_t *count, struct err *err);
/* How well a media type suits the request's Accept header (RFC 9110 §12.5.1), 0 (not at all) to
 * 1000. Without the header, 1000. */
unsigned http_request_accepts(const struct http_request *request, const char *media_type);

struct http_header {
    const char *name, *value; /* borrowed until the handler's arena goes */
};

struct http_response {
    unsigned status;          /* 0: 500 is sent */
    const char *content_type; /* NULL: none */
    struct bytes body;        /* in the request's arena, or lives as long as the server */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    /* Instead of `body`, when read is not NULL: `size` bytes, asked for in order. read returns how
     * many bytes it wrote, at most `room`, or -1, which breaks the connection. done is called once,
     * whatever happens. Both on a thread of the server's. */
    uint64_t size;
    int64_t (*read)(void *context, uint64_t at, void *out, size_t room);
    void (*done)(void *context);
    void *context;
};

void http_response_header(struct http_response *response, const char *name, const char *value);
/* The answer of an error: {"error":{"code":CODE,"message":MESSAGE}}. The code is a literal. */
void http_response_fail(const struct http_request *request, struct http_response *response,
                        unsigned status, const char *code, const char *message);

struct http_route {
    const char *method; /* "GET" (HEAD is answered too), "POST", …; "*": any */
    const char *path;   /* whole; or, when it ends in '*', the beginning of paths */
    size_t body_max;    /* bytes; a larger body is answered by 413 */
    /* Media types of the body, ended by NULL, compared without parameters; another, or none: 415.
     * NULL: the route judges for itself. */
    const char *const *media_types;
    void (*handle)(void *context, struct http_request *request, struct http_response *response);
    /* For bodies that are not held in memory; all or none. On a thread of the server's. begin comes
     * when the headers are there, and may set request->state; receive with each part. When either
     * returns false no more is received, and handle is called to say why. end comes last, once for
     * each begin, whatever happens. */
    bool (*begin)(void *context, struct http_request *request);
    bool (*receive)(void *context, struct http_request *request, struct bytes part);
    void (*end)(void *context, struct http_request *request);
    /* Answers at once what needs no waiting, or returns false: then all goes on as if it had not
     * been asked. On a thread that speaks HTTP, before begin; not for requests with a body. NULL:
     * nothing is. */
    bool (*recall)(void *context, const struct http_request *request,
                   struct http_response *response);
    const char *name; /* in metrics; NULL: the path */
};

/* So many requests in a second, and so many at once after a rest. rate 0: no limit. */
struct http_rate {
    unsigned rate, burst;
};

struct http_server_options {
    int listener;             /* a listening socket; the server's from now on */
    struct bytes certificate; /* the server's chain, PEM; borrowed for the call */
    struct bytes key;         /* its key, PEM */
    bool ask_certificate;     /* asks clients for theirs; they need not have one */
    const struct http_route *routes;
    size_t route_count;
    void *context;                 /* of the routes */
    unsigned threads;              /* that speak HTTP; 0: 2 */
    unsigned workers;              /* that answer; 0: 8 */
    unsigned waiting_max;          /* requests that wait for one; 0: 8 for each; beyond: 503 */
    unsigned connections_max;      /* 0: 1000; further ones wait */
    unsigned address_connections;  /* of one IPv4 address or IPv6 /64; 0: 100; others are closed */
    unsigned header_max;           /* bytes of request line and headers; 0: 16 KiB */
    unsigned request_timeout_ms;   /* for a whole request to arrive; 0: 30 s */
    unsigned body_rate;            /* bytes a second that a client must send of a body that is
                                      taken in parts, beside that time; 0: no time is added */
    unsigned answer_rate;          /* bytes a second that a client must read, beside the time of
                                      a request; 0: 16 KiB */
    unsigned idle_timeout_s;       /* of a connection; 0: 60 s */
    struct http_rate address_rate; /* of one IPv4 address or IPv6 /64; beyond: 429 */
    struct http_rate global_rate;  /* of all; beyond: 429 */
    size_t arena_limit;            /* memory of one request beside its body; 0: 16 MiB */
};

struct http_server;

/* Starts to serve. ERR_CRYPTO: certificate and key do not fit; ERR_IO, ERR_MEMORY; the listener is
 * then closed. The program ignores SIGPIPE. */
MUST_CHECK bool http_server_start(const struct http_server_options *options,
                                  struct http_server **out, struct err *err);
/* Takes no more connections and waits until those that are asking have their answer, at most so
 * long; then stops and frees. A handler that runs is waited for even longer, since it uses what is
 * to be freed; requests that wait for a worker are answered with 503. NULL is nothing. */
void http_server_stop(struct http_server *server, unsigned drain_ms);
/* Prometheus text: requests by route, method and status, seconds from their first line to their
 * answer's beginning, connections, refusals for their rate. */
void http_server_write_metrics(struct http_server *server, struct writer *w);

/* A socket that listens: "127.0.0.1:8443", "[::]:8443"; port 0: any, *port says which (NULL: who
 * cares). ERR_FORMAT, ERR_IO. */
MUST_CHECK bool http_listen(const char *address, int *fd, uint16_t *port, struct err *err);
