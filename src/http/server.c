/* libmicrohttpd's side of the server. Its threads receive and send; a route's handler runs on a
 * worker's thread while the connection is suspended. */
#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http/exchange.h"
#include "http/metrics.h"
#include "http/rate.h"
#include "http/watch.h"
#include "http/worker.h"

#define QUEUE_MAX 4096u
#define BLOCK_SIZE ((size_t)128 << 10) /* of streamed answers */
#define DRAIN_MAX \
    ((size_t)8 << 20) /* of a body that is refused, read so that the client sees why */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3"

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    struct workers *workers;
    struct watch *watch;
    struct rate *rate;
    struct metrics *metrics;
    atomic_size_t in_flight; /* requests that have come and are not answered */
    atomic_bool is_stopping;
    atomic_uint_fast64_t too_many;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- connections ---- */

static struct deadline request_deadline(const struct http_server *s, bool is_idle)
{
    uint64_t ms = s->options.request_timeout_ms;

    return deadline_after(now_ns(), ms + (is_idle ? s->options.idle_timeout_s * 1000u : 0));
}

static struct watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*socket_context != NULL)
            watch_remove(s->watch, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL)
        return;
    *socket_context = watch_add(s->watch, info->connect_fd, request_deadline(s, false));
    if (*socket_context == NULL) /* what cannot be watched is not served */
        (void)shutdown(info->connect_fd, SHUT_RDWR);
}

static void set_deadline(struct http_exchange *x, struct deadline deadline)
{
    struct watched *watched = watched_of(x->connection);

    if (watched != NULL)
        watch_set(x->server->watch, watched, deadline);
}

static const struct sockaddr *address_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info != NULL ? info->client_addr : NULL;
}

static void write_address(const struct sockaddr *address, char out[HTTP_ADDRESS_SIZE])
{
    socklen_t size = address == NULL                  ? 0
                     : address->sa_family == AF_INET6 ? (socklen_t)sizeof(struct sockaddr_in6)
                                                      : (socklen_t)sizeof(struct sockaddr_in);

    if (size == 0 ||
        getnameinfo(address, size, out, HTTP_ADDRESS_SIZE, NULL, 0, NI_NUMERICHOST) != 0)
        (void)snprintf(out, HTTP_ADDRESS_SIZE, "unknown");
}

/* ---- the beginning of a request ---- */

static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http_exchange *x = calloc(1, sizeof *x);
    const char *query = strchr(uri, '?');

    if (x == NULL)
        return NULL;
    x->server = context;
    x->connection = connection;
    x->began_ns = now_ns();
    arena_init(&x->arena, arena_heap, x->server->options.arena_limit + COUNT_OF(x->request.client));
    const char *nul = strstr(uri, "%00");
    x->is_malformed = nul != NULL && (query == NULL || nul < query);
    struct writer w = writer_growable(&x->arena, 64u << 10);
    writer_text(&w, query != NULL ? query + 1 : "");
    writer_u8(&w, '\0');
    struct bytes text;
    struct err err;
    x->request.query = writer_done(&w, &text, &err) ? (const char *)text.data : "";
    return x;
}

static bool path_fits(const char *pattern, const char *path)
{
    size_t size = strlen(pattern);

    if (size != 0 && pattern[size - 1] == '*')
        return strncmp(pattern, path, size - 1) == 0;
    return strcmp(pattern, path) == 0;
}

static bool method_fits(const struct http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static void refuse(struct http_exchange *x, unsigned status, const char *code, const char *message)
{
    http_response_fail(&x->request, &x->response, status, code, message);
    x->is_refusing = true;
}

/* The methods that the path has. */
static const char *allowed_methods(struct http_exchange *x)
{
    const struct http_server_options *o = &x->server->options;
    struct writer w = writer_growable(&x->arena, 256);
    const char *comma = "";
    struct bytes text;
    struct err err;

    for (size_t i = 0; i < o->route_count; i++) {
        if (!path_fits(o->routes[i].path, x->request.path))
            continue;
        writer_format(&w, "%s%s%s", comma, o->routes[i].method,
                      strcmp(o->routes[i].method, "GET") == 0 ? ", HEAD" : "");
        comma = ", ";
    }
    writer_u8(&w, '\0');
    return writer_done(&w, &text, &err) ? (const char *)text.data : "";
}

static bool find_route(struct http_exchange *x)
{
    const struct http_server_options *o = &x->server->options;
    bool has_path = false;

    for (size_t i = 0; i < o->route_count; i++) {
        if (!path_fits(o->routes[i].path, x->request.path))
            continue;
        has_path = true;
        if (method_fits(&o->routes[i], x->request.method)) {
            x->route = &o->routes[i];
            return true;
        }
    }
    if (has_path) {
        const char *allowed = allowed_methods(x);
        refuse(x, 405, "method-not-allowed", "this path has other methods; see Allow");
        http_response_header(&x->response, "Allow", allowed);
    } else {
        refuse(x, 404, "not-found", "there is nothing under this path");
    }
    return false;
}

static bool type_is(const char *type, const char *wanted)
{
    size_t size = strcspn(type, "; \t");

    return strlen(wanted) == size && strncasecmp(type, wanted, size) == 0;
}

static bool check_type(struct http_exchange *x)
{
    const char *type = exchange_header(x->connection, "Content-Type");
    const char *const *wanted = x->route->media_types;

    if (wanted == NULL)
        return true;
    for (size_t i = 0; type != NULL && wanted[i] != NULL; i++) {
        if (type_is(type, wanted[i]))
            return true;
    }
    char message[HTTP_MESSAGE_MAX];
    (void)snprintf(message, sizeof message, "the body's media type must be %s", wanted[0]);
    refuse(x, 415, "media-type", message);
    return false;
}

static void refuse_size(struct http_exchange *x)
{
    char message[HTTP_MESSAGE_MAX];

    (void)snprintf(message, sizeof message, "the body is larger than %zu bytes",
                   x->route->body_max);
    refuse(x, 413, "body-too-large", message);
}

/* By what the headers say; *said is the length, 0 when they do not say it. */
static bool check_length(struct http_exchange *x, uint64_t *said)
{
    const char *text = exchange_header(x->connection, "Content-Length");
    char *end = NULL;

    *said = 0;
    if (text == NULL)
        return true;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *said = errno == 0 && *end == '\0' ? value : UINT64_MAX;
    if (*said <= x->route->body_max)
        return true;
    refuse_size(x);
    return false;
}

static void begin_request(struct http_exchange *x, const char *path, const char *method,
                          uint64_t *said)
{
    struct http_server *s = x->server;
    const struct sockaddr *address = address_of(x->connection);

    x->request.path = path;
    x->request.method = method;
    x->request.arena = &x->arena;
    x->request.exchange = x;
    write_address(address, x->request.client);
    x->is_counted = true;
    s->in_flight++;
    *said = 0;
    if (!rate_admits(s->rate, address, now_ns())) {
        s->too_many++;
        refuse(x, 429, "too-many-requests", "too many requests; wait a second");
        http_response_header(&x->response, "Retry-After", "1");
        return;
    }
    if (x->is_malformed) {
        refuse(x, 400, "malformed", "the path has a NUL");
        return;
    }
    if (!find_route(x) || !check_length(x, said) ||
        (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && !check_type(x)))
        return;
    x->body = writer_growable(&x->arena, x->route->body_max);
    if (x->route->begin != NULL) {
        x->has_begun = true;
        x->is_refusing = !x->route->begin(s->options.context, &x->request);
    }
}

/* ---- answers ---- */

static ssize_t read_part(void *context, uint64_t at, char *out, size_t room)
{
    struct http_response *r = context;
    int64_t n = at < r->size ? r->read(r->context, at, out, room) : 0;

    return n > 0    ? (ssize_t)n
           : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM
                    : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void read_done(void *context)
{
    struct http_response *r = context;

    if (r->done != NULL)
        r->done(r->context);
    free(r);
}

static struct MHD_Response *make_response(struct http_exchange *x)
{
    struct http_response *r = &x->response;

    if (r->read == NULL)
        return MHD_create_response_from_buffer(
            r->body.size, (void *)(uintptr_t)(r->body.size != 0 ? r->body.data : NULL),
            MHD_RESPMEM_MUST_COPY);
    struct http_response *copy = malloc(sizeof *copy);
    struct MHD_Response *response = NULL;
    if (copy != NULL) {
        *copy = *r;
        r->done = NULL; /* the copy's now */
        response =
            MHD_create_response_from_callback(copy->size, BLOCK_SIZE, read_part, copy, read_done);
        if (response == NULL)
            read_done(copy);
    }
    return response;
}

static enum MHD_Result answer(struct http_exchange *x)
{
    struct http_response *r = &x->response;
    struct http_server *s = x->server;

    if (r->status == 0)
        http_response_fail(&x->request, r, 500, "internal", "the request has no answer");
    struct MHD_Response *response = make_response(x);
    if (response == NULL)
        return MHD_NO;
    bool ok = r->content_type == NULL ||
              MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->content_type);
    for (size_t i = 0; ok && i < r->header_count; i++)
        ok = MHD_add_response_header(response, r->headers[i].name, r->headers[i].value);
    if (ok && (s->is_stopping || x->is_refusing))
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    x->has_answered = true;
    enum MHD_Result result = ok ? MHD_queue_response(x->connection, r->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

/* On a worker's thread. */
static void work(void *job)
{
    struct http_exchange *x = job;

    x->route->handle(x->server->options.context, &x->request, &x->response);
    x->step = EXCHANGE_DONE;
    MHD_resume_connection(x->connection);
}

static enum MHD_Result hand_over(struct http_exchange *x)
{
    struct err err;

    set_deadline(x, deadline_never());
    if (x->route == NULL || (x->is_refusing && !x->has_begun))
        return answer(x);
    if (x->route->begin == NULL && !writer_done(&x->body, &x->request.body, &err)) {
        refuse(x, 503, "busy", "there is no memory for the body");
        return answer(x);
    }
    x->step = EXCHANGE_WORKING;
    MHD_suspend_connection(x->connection);
    if (workers_give(x->server->workers, x))
        return MHD_YES;
    refuse(x, 503, "busy", "too many requests are being answered; try again");
    http_response_header(&x->response, "Retry-After", "1");
    x->step = EXCHANGE_DONE;
    MHD_resume_connection(x->connection);
    return MHD_YES;
}

/* ---- a request's parts ---- */

static enum MHD_Result take_part(struct http_exchange *x, struct bytes part)
{
    x->received += part.size;
    if (x->route != NULL && x->received > x->route->body_max && !x->is_refusing)
        refuse_size(x);
    if (x->is_refusing || x->route == NULL)
        return x->received <= DRAIN_MAX ? MHD_YES : MHD_NO;
    if (x->route->begin == NULL)
        writer_bytes(&x->body, part);
    else if (!x->route->receive(x->server->options.context, &x->request, part))
        x->is_refusing = true;
    return MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **request_context)
{
    struct http_exchange *x = *request_context;
    uint64_t said;

    (void)context;
    (void)connection;
    (void)version;
    if (x == NULL)
        return MHD_NO;
    if (x->request.path == NULL) {
        begin_request(x, path, method, &said);
        /* so large that it is not read to its end: the client is told at once */
        return x->is_refusing && said > DRAIN_MAX ? answer(x) : MHD_YES;
    }
    if (*size != 0) {
        enum MHD_Result result = take_part(x, bytes_from(data, *size));
        *size = 0;
        return result;
    }
    if (x->step == EXCHANGE_RECEIVING)
        return hand_over(x);
    return x->step == EXCHANGE_DONE ? answer(x) : MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *s = context;
    struct http_exchange *x = *request_context;

    (void)connection;
    (void)code;
    *request_context = NULL;
    if (x == NULL)
        return;
    set_deadline(x, request_deadline(s, true));
    if (x->has_begun && x->route->end != NULL)
        x->route->end(s->options.context, &x->request);
    if (x->response.done != NULL)
        x->response.done(x->response.context);
    if (x->has_answered)
        metrics_count(s->metrics,
                      x->route != NULL ? (size_t)(x->route - s->options.routes)
                                       : s->options.route_count,
                      x->response.status, now_ns() - x->began_ns);
    if (x->is_counted)
        s->in_flight--;
    arena_done(&x->arena);
    free(x);
}

/* ---- the server's life ---- */

PRINTF_LIKE(2, 0)
static void on_log(void *context, const char *format, va_list args)
{
    char text[512];

    (void)context;
    (void)vsnprintf(text, sizeof text, format, args);
    log_debug("libmicrohttpd", log_str("says", text));
}

static void set_defaults(struct http_server_options *o)
{
    o->threads = o->threads != 0 ? o->threads : 2;
    o->workers = o->workers != 0 ? o->workers : 8;
    o->connections_max = o->connections_max != 0 ? o->connections_max : 1000;
    o->address_connections = o->address_connections != 0 ? o->address_connections : 100;
    o->header_max = o->header_max != 0 ? o->header_max : 16u << 10;
    o->request_timeout_ms = o->request_timeout_ms != 0 ? o->request_timeout_ms : 30000;
    o->idle_timeout_s = o->idle_timeout_s != 0 ? o->idle_timeout_s : 60;
    o->arena_limit = o->arena_limit != 0 ? o->arena_limit : (size_t)16 << 20;
    for (size_t i = 0; i < o->route_count; i++) {
        if (o->routes[i].begin == NULL && o->routes[i].body_max > o->arena_limit / 2)
            o->arena_limit = o->routes[i].body_max * 2;
    }
}

/* A C string of borrowed bytes; the caller frees it. */
static char *text_of(struct bytes b)
{
    char *text = malloc(b.size + 1);

    if (text != NULL) {
        memcpy(text, b.data, b.size);
        text[b.size] = '\0';
    }
    return text;
}

static void wipe_text(char *text)
{
    if (text != NULL)
        secret_wipe(text, strlen(text));
    free(text);
}

static struct MHD_Daemon *start_daemon(struct http_server *s, const char *certificate,
                                       const char *key)
{
    const struct http_server_options *o = &s->options;
    const struct MHD_OptionItem trust[] = {
        /* with any certificate here clients are asked for theirs; nobody looks at it */
        {o->ask_certificate ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0,
         (void *)(uintptr_t)certificate},
        {MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_access, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
        MHD_OPTION_LISTEN_SOCKET, o->listener, MHD_OPTION_THREAD_POOL_SIZE, o->threads,
        MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        o->address_connections, MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)o->header_max + 4096,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s, MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES,
        MHD_OPTION_HTTPS_MEM_CERT, certificate, MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_ARRAY,
        trust, MHD_OPTION_END);
}

static bool start(struct http_server *s, struct bytes certificate, struct bytes key,
                  struct err *err)
{
    char *certificate_text = text_of(certificate), *key_text = text_of(key);
    bool ok = (certificate_text != NULL && key_text != NULL) ||
              err_set(err, ERR_MEMORY, "no memory for a server", ERR_NO_AT);

    ok = ok && metrics_new(s->options.route_count, &s->metrics, err) &&
         rate_new(s->options.address_rate, s->options.global_rate, &s->rate, err) &&
         watch_new(&s->watch, err) &&
         workers_new(s->options.workers, QUEUE_MAX, work, &s->workers, err);
    if (ok) {
        s->daemon = start_daemon(s, certificate_text, key_text);
        ok = s->daemon != NULL ||
             err_set(err, ERR_CRYPTO, "the server's certificate and key cannot be used", ERR_NO_AT);
    }
    free(certificate_text);
    wipe_text(key_text);
    return ok;
}

bool http_server_start(const struct http_server_options *options, struct http_server **out,
                       struct err *err)
{
    struct http_server *s = calloc(1, sizeof *s);

    if (s == NULL) {
        (void)close(options->listener);
        return err_set(err, ERR_MEMORY, "no memory for a server", ERR_NO_AT);
    }
    s->options = *options;
    set_defaults(&s->options);
    if (!start(s, options->certificate, options->key, err)) {
        (void)close(options->listener);
        http_server_stop(s, 0);
        return false;
    }
    *out = s;
    return true;
}

void http_server_stop(struct http_server *server, unsigned drain_ms)
{
    const struct timespec pause = {.tv_nsec = 5000000};

    if (server == NULL)
        return;
    server->is_stopping = true;
    if (server->daemon != NULL) {
        MHD_socket listener = MHD_quiesce_daemon(server->daemon);
        struct deadline end = deadline_after(now_ns(), drain_ms);
        if (listener >= 0)
            (void)close(listener);
        while (server->in_flight != 0 && !deadline_passed(end, now_ns()))
            (void)nanosleep(&pause, NULL);
    }
    workers_free(server->workers); /* everything that was suspended is resumed */
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    watch_free(server->watch);
    rate_free(server->rate);
    metrics_free(server->metrics);
    free(server);
}

void http_server_write_metrics(struct http_server *server, struct writer *w)
{
    metrics_write(server->metrics, server->options.routes, w);
    writer_format(w,
                  "# HELP http_connections Open connections.\n# TYPE http_connections gauge\n"
                  "http_connections %zu\n"
                  "# HELP http_too_many_requests_total Requests refused for their rate.\n"
                  "# TYPE http_too_many_requests_total counter\n"
                  "http_too_many_requests_total %llu\n",
                  watch_count(server->watch), (unsigned long long)server->too_many);
}
