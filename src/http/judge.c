/* Judges a request by its headers. */
#include <stdlib.h>
#include <strings.h>

#include "http/clock.h"
#include "http/internal.h"
#include "http/text.h"

#define ALLOW_MAX 100 /* bytes of an Allow header */

/* Fills the response and returns false. */
static bool refuse(struct http_exchange *e, unsigned status, const char *code, const char *message)
{
    http_response_fail(&e->request, &e->response, status, code, message);
    return false;
}

/* What a client may send as the target of its request: RFC 9112 §3.2.1, the form with a path. */
static bool is_target(const char *target)
{
    if (*target != '/')
        return false;
    for (; *target != '\0'; target++) {
        if (*target <= ' ' || *target == '#' || *target == 0x7f)
            return false;
    }
    return true;
}

static bool has_path(const struct http_route *route, const char *path)
{
    size_t size = strlen(route->path);

    if (size != 0 && route->path[size - 1] == '*')
        return strncmp(route->path, path, size - 1) == 0;
    return strcmp(route->path, path) == 0;
}

static bool has_method(const struct http_route *route, const char *method)
{
    return strcmp(route->method, "*") == 0 || strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* The methods of a path, "GET, HEAD, POST", in the arena; NULL: no memory. */
static const char *allowed_methods(const struct http_exchange *e)
{
    char *text = arena_alloc(e->request.arena, ALLOW_MAX, 1);
    struct writer w = writer_fixed(text, text != NULL ? ALLOW_MAX - 1 : 0);

    for (size_t i = 0; i < e->server->options.route_count; i++) {
        const struct http_route *route = &e->server->options.routes[i];
        if (!has_path(route, e->request.path))
            continue;
        writer_text(&w, w.size != 0 ? ", " : "");
        writer_text(&w, route->method);
        if (strcmp(route->method, "GET") == 0)
            writer_text(&w, ", HEAD");
    }
    if (text == NULL || w.failed != ERR_NONE)
        return NULL;
    text[w.size] = '\0';
    return text;
}

static bool find_route(struct http_exchange *e)
{
    bool has_any = false;

    for (size_t i = 0; i < e->server->options.route_count; i++) {
        const struct http_route *route = &e->server->options.routes[i];
        if (!has_path(route, e->request.path))
            continue;
        has_any = true;
        if (has_method(route, e->request.method)) {
            e->route = route;
            return true;
        }
    }
    if (!has_any)
        return refuse(e, 404, "not-found", "there is nothing at this path");
    const char *allowed = allowed_methods(e);
    if (allowed != NULL)
        http_response_header(&e->response, "Allow", allowed);
    return refuse(e, 405, "method-not-allowed", "this path does not take this method");
}

static bool take_rates(struct http_exchange *e)
{
    struct http_server *s = e->server;
    unsigned wait_s = 1;
    uint64_t now = clock_ns();

    (void)pthread_mutex_lock(&s->mutex);
    bool address = rate_table_take(s->addresses, watch_key(e->link), now, &wait_s);
    bool all = address && rate_bucket_take(&s->all, s->options.global_rate, now, &wait_s);
    (void)pthread_mutex_unlock(&s->mutex);
    if (all)
        return true;
    metrics_refused(s->metrics, address);
    struct writer w = writer_growable(e->request.arena, 16);
    writer_format(&w, "%u", wait_s);
    writer_u8(&w, 0);
    if (w.failed == ERR_NONE)
        http_response_header(&e->response, "Retry-After", (const char *)w.data);
    return refuse(e, 429, "too-many-requests",
                  address ? "the server has too many requests" : "you make too many requests");
}

struct framing {
    unsigned lengths, encodings;
    const char *length;
    bool is_chunked;
};

static enum MHD_Result on_framing(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct framing *f = context;

    (void)kind;
    if (strcasecmp(name, "Content-Length") == 0) {
        f->lengths++;
        f->length = value;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        f->encodings++;
        f->is_chunked = value != NULL && strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

/* How the body is framed: one length, or chunks and nothing else; whatever could be read in two
 * ways is refused (RFC 9112 §6.3). *size: SIZE_MAX: it will be seen. */
static bool judge_framing(struct http_exchange *e, uint64_t *size)
{
    struct framing f = {.lengths = 0};

    (void)MHD_get_connection_values(e->connection, MHD_HEADER_KIND, on_framing, &f);
    e->has_body = f.encodings != 0;
    *size = 0;
    if (f.lengths + f.encodings > 1 || (f.encodings != 0 && !f.is_chunked)) {
        e->has_body = true;
        return refuse(e, 400, "malformed", "the body's length is given in two ways, or in none");
    }
    if (f.lengths == 1) { /* libmicrohttpd let through only digits, and no number above 64 bits */
        *size = strtoull(f.length, NULL, 10);
        e->has_body = *size != 0;
    }
    return true;
}

static bool judge_media_type(struct http_exchange *e)
{
    const char *const *types = e->route->media_types;
    const char *given = http_request_header(&e->request, "Content-Type");

    if (types == NULL)
        return true;
    for (; given != NULL && *types != NULL; types++) {
        if (media_type_is(bytes_of(given), *types))
            return true;
    }
    return refuse(e, 415, "media-type", "this path does not take this media type");
}

static bool judge_header_size(struct http_exchange *e)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if (info == NULL || info->header_size <= e->server->options.header_max)
        return true;
    return refuse(e, 431, "headers-too-large", "the request's headers are too large");
}

bool exchange_judge(struct http_exchange *e)
{
    uint64_t size = 0;

    /* first, as it says whether a body follows, which all other answers need to know */
    if (!judge_framing(e, &size))
        return false;
    if (!take_rates(e) || !judge_header_size(e))
        return false;
    if (!is_target(e->request.path))
        return refuse(e, 400, "malformed", "the request's target is no path");
    if (!find_route(e) || !judge_media_type(e))
        return false;
    if (size > e->route->body_max)
        return refuse(e, 413, "body-too-large", "the body is larger than this path takes");
    return true;
}
