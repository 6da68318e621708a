/* A look at a TLS server: RFC 8446. Everything that it says is hostile; OpenSSL reads it, and
 * nothing is decided here about trust. */
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/inspect.h"
#include "os/os.h"
#include "base/banned.h"

#define REFUSAL_MS 3000 /* so long a server may take to say that it wanted a certificate */

/* One look at one server. */
struct look {
    struct deadline deadline;
    int fd;
    SSL *ssl;
    bool was_asked; /* for a certificate */
    int alert;      /* the last that came and was no close_notify; -1: none */
    char *why;      /* INSPECT_WHY_MAX */
};

PRINTF_LIKE(2, 3)
static bool fail(char why[INSPECT_WHY_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, INSPECT_WHY_MAX, format, args);
    va_end(args);
    return false;
}

/* ---- the connection ---- */

/* False when the time is up. */
static bool wait_for(const struct look *look, short events, struct deadline deadline)
{
    struct pollfd one = {.fd = look->fd, .events = events};
    int got;

    do
        got = poll(&one, 1, deadline_left_ms(deadline, os_monotonic_ns()));
    while (got < 0 && errno == EINTR);
    return got > 0;
}

/* 0, or an errno. */
static int connect_to(struct look *look, const struct addrinfo *address)
{
    int number = 0;
    socklen_t size = sizeof number;

    look->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (look->fd < 0)
        return errno;
    if (connect(look->fd, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (!wait_for(look, POLLOUT, look->deadline))
        return ETIMEDOUT;
    if (getsockopt(look->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0)
        return errno;
    return number;
}

static void write_address(const struct addrinfo *address, char out[80])
{
    char host[64], port[8];

    if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    (void)snprintf(out, 80, address->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static bool fail_connection(struct look *look, int number)
{
    if (number == ETIMEDOUT)
        return fail(look->why, "no connection in time; is the port let through to it?");
    if (number == ECONNREFUSED)
        return fail(look->why, "nothing listens there: connection refused");
    return fail(look->why, "no connection: %s", os_strerror(number));
}

/* Tries each address of the name. */
static bool open_connection(struct look *look, const char *host, const char *port, char out[80])
{
    static const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int number = EADDRNOTAVAIL, code = getaddrinfo(host, port, &hints, &list);

    if (code != 0)
        return fail(look->why, "the name has no address: %s",
                    code == EAI_SYSTEM ? os_strerror(errno) : gai_strerror(code));
    for (const struct addrinfo *at = list; at != NULL && number != 0; at = at->ai_next) {
        number = connect_to(look, at);
        if (number == 0) {
            write_address(at, out);
        } else {
            os_closep(&look->fd);
            look->fd = -1;
        }
    }
    freeaddrinfo(list);
    return number == 0 || fail_connection(look, number);
}

/* ---- TLS ---- */

static void on_info(const SSL *ssl, int where, int value)
{
    struct look *look = SSL_get_app_data(ssl);
    int alert = value & 0xff;

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && alert != SSL_AD_CLOSE_NOTIFY)
        look->alert = alert;
}

/* Called when the server asks for a certificate: we have none. */
static int on_asked(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    struct look *look = SSL_get_app_data(ssl);

    (void)certificate;
    (void)key;
    look->was_asked = true;
    return 0;
}

static const char *alert_name(int alert)
{
    switch (alert) { /* these OpenSSL 3.0 does not name */
    case SSL_AD_CERTIFICATE_REQUIRED:
        return "certificate required";
    case SSL_AD_MISSING_EXTENSION:
        return "missing extension";
    default:
        return SSL_alert_desc_string_long(alert);
    }
}

static const char not_1_3[] = "it speaks an older TLS and no TLS 1.3, as every keep does: it is "
                              "no keep; 'openssl s_client' shows its certificate";
static const char no_tls[] = "what answers there speaks no TLS; is this the port that was meant?";

static bool fail_handshake(struct look *look, int error)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);

    if (look->alert == SSL_AD_PROTOCOL_VERSION)
        return fail(look->why, "%s", not_1_3);
    if (look->alert >= 0)
        return fail(look->why, "it refused TLS 1.3 with us, with the alert '%s'",
                    alert_name(look->alert));
    if (error == SSL_ERROR_SYSCALL)
        return fail(look->why, "the connection broke during the handshake: %s; %s",
                    os_strerror(errno), no_tls);
    switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return fail(look->why, "%s", not_1_3);
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
        return fail(look->why, "%s", no_tls);
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return fail(look->why, "it closed the connection during the handshake; %s", no_tls);
    default:
        return fail(look->why, "the handshake failed: %s", reason != NULL ? reason : "TLS broke");
    }
}

/* After a call that gave `result`: whether to call again, having waited for the socket. */
static bool may_go_on(struct look *look, int error, struct deadline deadline)
{
    return (error == SSL_ERROR_WANT_READ && wait_for(look, POLLIN, deadline)) ||
           (error == SSL_ERROR_WANT_WRITE && wait_for(look, POLLOUT, deadline));
}

static bool shake_hands(struct look *look)
{
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_connect(look->ssl), error = SSL_get_error(look->ssl, result);
        if (result == 1)
            return true;
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return fail_handshake(look, error);
        if (!may_go_on(look, error, look->deadline))
            return fail(look->why, "it accepts connections and answered no TLS in time");
    }
}

/* A server judges our having no certificate after our handshake is done (RFC 8446 §4.4.2.4), so
 * what it says is waited for. We say goodbye first, for one that has let us in to say the same. */
static enum inspect_reception hear_refusal(struct look *look)
{
    struct deadline deadline =
        deadline_sooner(look->deadline, deadline_after(os_monotonic_ns(), REFUSAL_MS));
    char ignored[4096];
    int result, error;

    if (!look->was_asked)
        return INSPECT_NOT_ASKED;
    (void)SSL_shutdown(look->ssl);
    do {
        ERR_clear_error();
        result = SSL_read(look->ssl, ignored, sizeof ignored);
        error = SSL_get_error(look->ssl, result);
    } while (look->alert < 0 && !deadline_passed(deadline, os_monotonic_ns()) &&
             (result > 0 || may_go_on(look, error, deadline)));
    if (look->alert >= 0)
        return INSPECT_TURNED_AWAY;
    /* its goodbye, its data, or its silence: it let us in */
    return result > 0 || error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_WANT_READ
               ? INSPECT_LET_IN
               : INSPECT_HUNG_UP;
}

static SSL_CTX *new_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL)
        return NULL;
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* looked at here, judged elsewhere */
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_info_callback(context, on_info);
    SSL_CTX_set_client_cert_cb(context, on_asked);
    if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

/* An address is no name for SNI (RFC 6066 §3). */
static bool set_name(SSL *ssl, const char *host)
{
    static const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;
    bool is_address = getaddrinfo(host, NULL, &hints, &list) == 0;

    if (list != NULL)
        freeaddrinfo(list);
    /* SSL_set_tlsext_host_name, whose cast compilers warn of */
    return is_address || SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                  (void *)(uintptr_t)host) == 1;
}

static bool look_at(struct look *look, struct inspect_server *out)
{
    if (!shake_hands(look))
        return false;
    int group = (int)SSL_get_negotiated_group(look->ssl);
    const char *name = OBJ_nid2sn(group);
    (void)snprintf(out->cipher, sizeof out->cipher, "%s", SSL_get_cipher_name(look->ssl));
    (void)snprintf(out->group, sizeof out->group, "%s", name != NULL ? name : "");
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(look->ssl);
    out->chain = chain != NULL && sk_X509_num(chain) > 0 ? X509_chain_up_ref(chain) : NULL;
    if (out->chain == NULL)
        return fail(look->why, "it shows no certificate");
    out->reception = hear_refusal(look);
    if (out->reception == INSPECT_TURNED_AWAY)
        (void)snprintf(out->alert, sizeof out->alert, "%s", alert_name(look->alert));
    return true;
}

/* The brackets of an IPv6 address are not the resolver's. */
static bool name_of(struct bytes host, char out[256])
{
    if (host.size > 2 && host.data[0] == '[')
        host = bytes_before(bytes_after(host, 1), host.size - 2);
    if (host.size > 255)
        return false;
    memcpy(out, host.data, host.size);
    out[host.size] = '\0';
    return true;
}

static bool speak(struct look *look, const char *host, struct inspect_server *out)
{
    SSL_CTX *context = new_context();
    look->ssl = context != NULL ? SSL_new(context) : NULL;
    bool ok = look->ssl != NULL && SSL_set_app_data(look->ssl, look) == 1 &&
              SSL_set_fd(look->ssl, look->fd) == 1 && set_name(look->ssl, host);

    ok = ok ? look_at(look, out) : fail(look->why, "no memory for TLS");
    SSL_free(look->ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return ok;
}

bool inspect_connect(struct bytes host, uint16_t port, uint64_t timeout_ms,
                     struct inspect_server *out, char why[INSPECT_WHY_MAX])
{
    struct look look = {.deadline = deadline_after(os_monotonic_ns(), timeout_ms),
                        .fd = -1,
                        .alert = -1,
                        .why = why};
    struct sigaction before, ignore = {.sa_handler = SIG_IGN};
    char name[256], service[8];

    *out = (struct inspect_server){.chain = NULL};
    (void)snprintf(service, sizeof service, "%u", port);
    if (!name_of(host, name))
        return fail(why, "the name is too long");
    if (!open_connection(&look, name, service, out->address))
        return false;
    /* OpenSSL writes to sockets with write(2), and the server may be gone */
    (void)sigaction(SIGPIPE, &ignore, &before);
    bool ok = speak(&look, name, out);
    (void)sigaction(SIGPIPE, &before, NULL);
    os_closep(&look.fd);
    return ok;
}

void inspect_server_done(struct inspect_server *server)
{
    sk_X509_pop_free(server->chain, X509_free);
    server->chain = NULL;
}
