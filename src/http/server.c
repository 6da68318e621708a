/* The server's start and end, and its talk with libmicrohttpd. */
#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "http/clock.h"
#include "http/internal.h"

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define CONNECTION_ROOM \
    ((size_t)16 << 10) /* beside the headers: parts of bodies, and the answer's */
#define WAITING_PER_WORKER 8
#define TICK_MAX_MS 1000u
#define LAST_ANSWERS_MS 500 /* for the answers of those whose turn never came */

static void on_log(void *context, const char *format, va_list args) PRINTF_LIKE(2, 0);

static void on_log(void *context, const char *format, va_list args)
{
    char text[LOG_VALUE_MAX];

    (void)context;
    if (!log_enabled(LOG_DEBUG))
        return;
    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    log_debug("libmicrohttpd", log_str("text", text));
}

/* Whether one more connection from there is allowed. */
static enum MHD_Result on_accept(void *context, const struct sockaddr *from, socklen_t size)
{
    struct http_server *s = context;
    struct address_key key;
    char text[HTTP_ADDRESS_SIZE];

    (void)size;
    address_of(from, &key, text);
    if (watch_count_of(s->watch, &key) < s->options.address_connections)
        return MHD_YES;
    metrics_crowded(s->metrics);
    return MHD_NO;
}

static struct deadline request_deadline(const struct http_server *s)
{
    return deadline_after(clock_ns(), s->options.request_timeout_ms);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*state != NULL)
            watch_close(*state);
        *state = NULL;
        return;
    }
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *from =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    /* by itself GnuTLS names issuers, and clients send no certificate of any other */
    if (s->options.ask_certificate && tls != NULL)
        gnutls_certificate_send_x509_rdn_sequence(tls->tls_session, 1);
    *state = watch_open(s->watch, fd, from, request_deadline(s));
    if (*state == NULL)
        (void)shutdown(fd, SHUT_RDWR);
}

static struct watch_link *link_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* A request line is there: the request begins. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_server *s = context;
    struct watch_link *link = link_of(connection);

    if (link == NULL)
        return NULL;
    watch_hasten(link, request_deadline(s));
    return exchange_new(s, connection, link, target);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **state)
{
    struct bytes part = bytes_from(data, *size);

    (void)context;
    (void)connection;
    (void)url;
    (void)version;
    *size = 0;
    return *state != NULL && exchange_step(*state, method, part) ? MHD_YES : MHD_NO;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *s = context;
    struct watch_link *link = link_of(connection);

    (void)code;
    if (*state != NULL)
        exchange_free(*state);
    *state = NULL;
    /* silence of idle_timeout_s libmicrohttpd ends; this is for a request line that drips in */
    if (link != NULL)
        watch_set_deadline(link,
                           deadline_after(clock_ns(), s->options.idle_timeout_s * UINT64_C(1000) +
                                                          s->options.request_timeout_ms));
}

/* Targets stay as they came. */
static size_t keep_target(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

/* ---- start ---- */

static void fill_defaults(struct http_server_options *o)
{
#define DEFAULT(field, value) o->field = o->field != 0 ? o->field : (value)
    DEFAULT(threads, 2);
    DEFAULT(workers, 8);
    DEFAULT(waiting_max, o->workers * WAITING_PER_WORKER);
    DEFAULT(connections_max, 1000);
    DEFAULT(address_connections, 100);
    DEFAULT(header_max, 16u << 10);
    DEFAULT(request_timeout_ms, 30000);
    DEFAULT(answer_rate, 16u << 10);
    DEFAULT(idle_timeout_s, 60);
    DEFAULT(arena_limit, (size_t)16 << 20);
#undef DEFAULT
}

/* libmicrohttpd does not say why it cannot start; this does, when it is certificate and key. */
static bool check_pair(struct bytes certificate, struct bytes key, struct err *err)
{
    gnutls_certificate_credentials_t credentials;
    const gnutls_datum_t c = {.data = (uint8_t *)(uintptr_t)certificate.data,
                              .size = (unsigned)certificate.size};
    const gnutls_datum_t k = {.data = (uint8_t *)(uintptr_t)key.data, .size = (unsigned)key.size};

    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return err_set(err, ERR_MEMORY, "no memory for TLS", ERR_NO_AT);
    int result = gnutls_certificate_set_x509_key_mem(credentials, &c, &k, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (result < 0)
        return err_set(err, ERR_CRYPTO, "the server's certificate and key do not fit", ERR_NO_AT);
    return true;
}

static struct MHD_Daemon *start_daemon(struct http_server *s, const char *certificate,
                                       const char *key)
{
    const struct http_server_options *o = &s->options;
    const struct MHD_OptionItem trust[] = {
        /* whatever it names, it makes GnuTLS ask; nothing is verified by it */
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, (void *)(uintptr_t)certificate},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME |
                           MHD_USE_ITC | MHD_USE_ERROR_LOG;

    return MHD_start_daemon(
        flags, 0, on_accept, s, on_request, s,
        /* first, so that nothing is said elsewhere */
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, o->listener,
        MHD_OPTION_HTTPS_MEM_CERT, certificate, MHD_OPTION_HTTPS_MEM_KEY, key,
        MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITIES, MHD_OPTION_ARRAY,
        o->ask_certificate ? trust : none, MHD_OPTION_THREAD_POOL_SIZE, o->threads,
        MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        o->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->header_max + CONNECTION_ROOM,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_target, s, MHD_OPTION_END);
}

static bool start_parts(struct http_server *s, struct err *err)
{
    const struct http_server_options *o = &s->options;
    unsigned tick = o->request_timeout_ms / 8 + 1;
    uint64_t secret;

    if (getrandom(&secret, sizeof secret, 0) != sizeof secret)
        return err_set(err, ERR_IO, "no random bytes", (uint64_t)errno);
    return metrics_new(o->routes, o->route_count, &s->metrics, err) &&
           rate_table_new(o->address_rate, secret, &s->addresses, err) &&
           worker_pool_start(o->workers, o->waiting_max, exchange_work, &s->workers, err) &&
           watch_start(tick < TICK_MAX_MS ? tick : TICK_MAX_MS, &s->watch, err);
}

static void server_free(struct http_server *s)
{
    if (s->watch != NULL)
        watch_stop(s->watch);
    worker_pool_free(s->workers);
    rate_table_free(s->addresses);
    metrics_free(s->metrics);
    (void)pthread_cond_destroy(&s->is_quiet);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* As libmicrohttpd wants it: with a NUL. NULL: no memory, or a NUL inside. */
static char *pem_text(struct bytes pem)
{
    if (pem.size != 0 && memchr(pem.data, '\0', pem.size) != NULL)
        return NULL;
    return strndup(pem.size != 0 ? (const char *)pem.data : "", pem.size);
}

static bool start_server(struct http_server *s, struct bytes certificate_pem, struct bytes key_pem,
                         struct err *err)
{
    if (!check_pair(certificate_pem, key_pem, err) || !start_parts(s, err))
        return false;
    char *certificate = pem_text(certificate_pem), *key = pem_text(key_pem);
    int flags = fcntl(s->options.listener, F_GETFL);
    if (flags >= 0)
        (void)fcntl(s->options.listener, F_SETFL, flags | O_NONBLOCK);
    if (certificate != NULL && key != NULL)
        s->daemon = start_daemon(s, certificate, key);
    int number = errno;
    free(certificate);
    if (key != NULL)
        secret_wipe(key, strlen(key));
    free(key);
    if (s->daemon == NULL)
        return err_set(err, ERR_IO, "the HTTP server does not start", (uint64_t)number);
    return true;
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
    s->options.certificate = s->options.key = (struct bytes){.size = 0};
    fill_defaults(&s->options);
    (void)pthread_mutex_init(&s->mutex, NULL);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->is_quiet, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (!start_server(s, options->certificate, options->key, err)) {
        (void)close(options->listener);
        server_free(s);
        return false;
    }
    *out = s;
    return true;
}

/* ---- end ---- */

static void wait_until_quiet(struct http_server *s, unsigned drain_ms)
{
    uint64_t end = deadline_after(clock_ns(), drain_ms).at_ns;
    struct timespec at = {.tv_sec = (time_t)(end / (1000 * NS_PER_MS)),
                          .tv_nsec = (long)(end % (1000 * NS_PER_MS))};

    (void)pthread_mutex_lock(&s->mutex);
    s->is_draining = true;
    int result = 0;
    while (s->exchanges != 0 && result == 0)
        result = pthread_cond_timedwait(&s->is_quiet, &s->mutex, &at);
    (void)pthread_mutex_unlock(&s->mutex);
}

/* Nobody connects any more. MHD_quiesce_daemon (0.9.75) and a thread that happens to wake meanwhile
 * both take the listener out of the thread's epoll set, and whoever is second ends the program. So
 * another file gets the listener's number, which never has anything to read: the listener is closed
 * by that, and the kernel takes it out of all sets. libmicrohttpd closes the number at its end. */
static void stop_listening(const struct http_server *s)
{
    int never = eventfd(0, EFD_CLOEXEC);

    if (never < 0)
        return; /* some may come in until the end */
    (void)dup3(never, s->options.listener, O_CLOEXEC);
    (void)close(never);
}

void http_server_stop(struct http_server *s, unsigned drain_ms)
{
    if (s == NULL)
        return;
    stop_listening(s);
    wait_until_quiet(s, drain_ms);
    /* what still waits is told so; a handler that runs is waited for, as it has our memory */
    worker_pool_drop(s->workers);
    wait_until_quiet(s, LAST_ANSWERS_MS);
    MHD_stop_daemon(s->daemon);
    server_free(s);
}

void http_server_write_metrics(struct http_server *s, struct writer *w)
{
    metrics_write(s->metrics, w);
    writer_format(w,
                  "# TYPE broch_http_connections gauge\nbroch_http_connections %zu\n"
                  "# TYPE broch_http_connections_cut_total counter\n"
                  "broch_http_connections_cut_total %llu\n",
                  watch_count(s->watch), (unsigned long long)watch_cut_count(s->watch));
}
