/* Connections: sockets, TLS over them, one request after the other. Uses of the system only the
 * calls of src/sallyport/calls.def; what the host answers is checked. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "https/internal.h"
#include "base/banned.h"

#define RECEIVE_SIZE ((size_t)16 << 10) /* a TLS record */
#define ERRNO_MAX 4095

enum phase {
    PHASE_CLOSED,     /* no socket */
    PHASE_CONNECTING, /* to addresses[next_address - 1] */
    PHASE_HANDSHAKE,
    PHASE_KEPT, /* at rest after an answer */
    PHASE_SENDING,
    PHASE_RECEIVING
};

/* How far one step came. */
enum step { STEP_ON, STEP_WAIT, STEP_DONE, STEP_FAILED };

enum transfer { TRANSFER_OK, TRANSFER_WAIT, TRANSFER_ENDED, TRANSFER_BROKEN };

struct https_connection {
    const struct https_server *server;
    enum phase phase;
    int fd;
    bool wants_write;
    struct tls_stream *tls;
    size_t next_address;
    bool has_served; /* a request, on this socket */
    /* the request */
    bool has_request;
    struct https_request request;
    struct bytes head;
    size_t sent; /* bytes of head and body */
    char detail[200];
    uint8_t head_memory[REQUEST_HEAD_MAX];
    uint8_t received[RECEIVE_SIZE];
    struct answer answer;
};

bool https_connection_new(const struct https_server *server, struct https_connection **out,
                          struct err *err)
{
    if (!server_check(server, err))
        return false;
    struct https_connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a connection, in bytes", sizeof *c);
    c->server = server;
    c->fd = -1;
    *out = c;
    return true;
}

static void hang_up(struct https_connection *c)
{
    tls_stream_free(c->tls);
    c->tls = NULL;
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    c->wants_write = false;
    c->has_served = false;
    c->phase = PHASE_CLOSED;
    c->next_address = 0;
}

/* The same when all is well: the server is told. */
static void take_leave(struct https_connection *c)
{
    if (c->tls != NULL)
        (void)tls_end(c->tls); /* who does not hear it sees the socket close */
    hang_up(c);
}

void https_connection_free(struct https_connection *connection)
{
    if (connection == NULL)
        return;
    if (connection->phase == PHASE_KEPT)
        take_leave(connection);
    else
        hang_up(connection);
    free(connection);
}

static void set_detail(struct https_connection *c, const char *text)
{
    (void)snprintf(c->detail, sizeof c->detail, "%s", text);
}

/* An errno that the host named. */
static uint64_t checked_errno(int number)
{
    return number > 0 && number <= ERRNO_MAX ? (uint64_t)number : EIO;
}

static enum step network_failed(struct err *err, int number)
{
    (void)err_set(err, ERR_IO, "the connection failed", checked_errno(number));
    return STEP_FAILED;
}

static enum step tls_failed(struct https_connection *c, struct err *err)
{
    int number = tls_stream_errno(c->tls);

    set_detail(c, tls_stream_error(c->tls));
    if (number != 0)
        return network_failed(err, number);
    (void)err_set(err, ERR_CRYPTO, "TLS failed", ERR_NO_AT);
    return STEP_FAILED;
}

static enum step wait_for(struct https_connection *c, bool write)
{
    c->wants_write = write;
    return STEP_WAIT;
}

/* ---- bytes, through TLS or not ---- */

/* What a failed call on the socket means; errno is kept for who says so. */
static enum transfer call_failed(struct https_connection *c, bool write)
{
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return TRANSFER_BROKEN;
    c->wants_write = write;
    return TRANSFER_WAIT;
}

static enum transfer tls_transfer(struct https_connection *c, enum tls_result result)
{
    switch (result) {
    case TLS_OK:
        return TRANSFER_OK;
    case TLS_WANT_READ:
    case TLS_WANT_WRITE:
        c->wants_write = result == TLS_WANT_WRITE;
        return TRANSFER_WAIT;
    case TLS_ENDED:
        return TRANSFER_ENDED;
    default:
        return TRANSFER_BROKEN;
    }
}

/* At least one byte with TRANSFER_OK. */
static enum transfer receive(struct https_connection *c, size_t *done)
{
    *done = 0;
    if (c->tls != NULL)
        return tls_transfer(c, tls_read(c->tls, c->received, sizeof c->received, done));
    ssize_t got = recv(c->fd, c->received, sizeof c->received, 0);
    if (got < 0)
        return call_failed(c, false);
    if (got == 0)
        return TRANSFER_ENDED;
    if ((size_t)got > sizeof c->received) { /* the host lies */
        errno = EIO;
        return TRANSFER_BROKEN;
    }
    *done = (size_t)got;
    return TRANSFER_OK;
}

static enum transfer transmit(struct https_connection *c, struct bytes in, size_t *done)
{
    *done = 0;
    if (c->tls != NULL)
        return tls_transfer(c, tls_write(c->tls, in, done));
    ssize_t sent = send(c->fd, in.data, in.size, MSG_NOSIGNAL);
    if (sent < 0)
        return call_failed(c, true);
    if (sent == 0 || (size_t)sent > in.size) { /* the host lies */
        errno = EIO;
        return TRANSFER_BROKEN;
    }
    *done = (size_t)sent;
    return TRANSFER_OK;
}

static enum step transfer_failed(struct https_connection *c, struct err *err)
{
    return c->tls != NULL ? tls_failed(c, err) : network_failed(err, errno);
}

/* ---- phases ---- */

/* A socket that connects to the address; -1 and errno. */
static int connect_to(const struct https_address *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v4 = address->family == 4;
    const void *where = is_v4 ? (const void *)&in : (const void *)&in6;
    socklen_t size = is_v4 ? sizeof in : sizeof in6;
    int on = 1;

    memcpy(&in.sin_addr, address->bytes, sizeof in.sin_addr);
    memcpy(&in6.sin6_addr, address->bytes, sizeof in6.sin6_addr);
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* only makes it faster */
    if (connect(fd, where, size) == 0 || errno == EINPROGRESS)
        return fd;
    int number = errno;
    (void)close(fd);
    errno = number;
    return -1;
}

/* Goes on at the next address; `number` is why the one before was none. */
static enum step connect_next(struct https_connection *c, int number, struct err *err)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    while (c->next_address < c->server->address_count) {
        c->fd = connect_to(&c->server->addresses[c->next_address++], c->server->port);
        if (c->fd >= 0) {
            c->phase = PHASE_CONNECTING;
            return STEP_ON;
        }
        number = errno;
    }
    (void)err_set(err, ERR_IO, "the server cannot be reached", checked_errno(number));
    return STEP_FAILED;
}

static enum step connected(struct https_connection *c, struct err *err)
{
    struct bytes host = c->server->host;
    struct tls_setup setup = {
        .context = c->server->tls,
        .fd = c->fd,
        .server_name = host_is_address(host) ? bytes_from(NULL, 0) : host,
        .judge = c->server->judge,
        .judge_context = c->server->judge_context,
    };

    if (setup.context == NULL) {
        c->phase = PHASE_SENDING;
        return STEP_ON;
    }
    if (!tls_stream_new(&setup, &c->tls, err))
        return STEP_FAILED;
    c->phase = PHASE_HANDSHAKE;
    return STEP_ON;
}

static enum step connecting(struct https_connection *c, struct err *err)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer, number_size = sizeof(int);
    int number = 0;

    if (getpeername(c->fd, (struct sockaddr *)&peer, &size) == 0)
        return connected(c, err);
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &number, &number_size) != 0)
        number = errno;
    return number == 0 ? wait_for(c, true) : connect_next(c, number, err);
}

static enum step handshake(struct https_connection *c, struct err *err)
{
    switch (tls_handshake(c->tls)) {
    case TLS_OK:
        c->phase = PHASE_SENDING;
        return STEP_ON;
    case TLS_WANT_READ:
        return wait_for(c, false);
    case TLS_WANT_WRITE:
        return wait_for(c, true);
    default:
        return tls_failed(c, err);
    }
}

/* A connection at rest is silent. One that has ended meanwhile, or on which there is what nobody
 * asked for, is not for use. */
static enum step use_kept(struct https_connection *c)
{
    size_t size;

    if (receive(c, &size) == TRANSFER_WAIT)
        c->phase = PHASE_SENDING;
    else
        hang_up(c);
    return STEP_ON;
}

static enum step sending(struct https_connection *c, struct err *err)
{
    bool is_head = c->sent < c->head.size;
    struct bytes rest = is_head ? bytes_after(c->head, c->sent)
                                : bytes_after(c->request.body, c->sent - c->head.size);
    enum transfer result = TRANSFER_OK;
    size_t size = 0;

    if (rest.size != 0)
        result = transmit(c, rest, &size);
    else if (c->tls != NULL) /* what TLS has taken must leave, too */
        result = tls_transfer(c, tls_flush(c->tls));
    if (result == TRANSFER_WAIT)
        return STEP_WAIT;
    if (result != TRANSFER_OK)
        return transfer_failed(c, err);
    c->sent += size;
    if (rest.size == 0)
        c->phase = PHASE_RECEIVING;
    return STEP_ON;
}

static enum step receiving(struct https_connection *c, struct err *err)
{
    size_t size, used = 0;

    switch (receive(c, &size)) {
    case TRANSFER_OK:
        if (!answer_take(&c->answer, bytes_from(c->received, size), &used, err))
            break;
        if (!answer_is_done(&c->answer))
            return STEP_ON;
        if (used == size && answer_is_kept(&c->answer)) {
            c->phase = PHASE_KEPT;
            c->has_served = true;
        } else {
            take_leave(c); /* bytes after the answer would be the next one's */
        }
        return STEP_DONE;
    case TRANSFER_WAIT:
        return STEP_WAIT;
    case TRANSFER_ENDED:
        if (!answer_has_begun(&c->answer))
            return network_failed(err, ECONNRESET);
        if (!answer_end(&c->answer, err))
            break;
        take_leave(c);
        return STEP_DONE;
    default:
        return transfer_failed(c, err);
    }
    set_detail(c, answer_detail(&c->answer));
    return STEP_FAILED;
}

static enum step advance(struct https_connection *c, struct err *err)
{
    switch (c->phase) {
    case PHASE_CLOSED:
        return connect_next(c, 0, err);
    case PHASE_CONNECTING:
        return connecting(c, err);
    case PHASE_HANDSHAKE:
        return handshake(c, err);
    case PHASE_KEPT:
        return use_kept(c);
    case PHASE_SENDING:
        return sending(c, err);
    default:
        return receiving(c, err);
    }
}

bool https_begin(struct https_connection *connection, const struct https_request *request,
                 struct err *err)
{
    struct https_connection *c = connection;

    if (c->has_request)
        return err_set(err, ERR_INVALID, "a request before is not done", ERR_NO_AT);
    if (request->arena == NULL)
        return err_set(err, ERR_INVALID, "there is no place for the answer", ERR_NO_AT);
    if (!request_head(c->server, request, c->head_memory, &c->head, err))
        return false;
    c->request = *request;
    c->has_request = true;
    c->sent = 0;
    c->detail[0] = '\0';
    answer_init(&c->answer, request->answer_max, request->arena);
    return true;
}

enum https_state https_advance(struct https_connection *connection, struct https_answer *answer,
                               struct err *err)
{
    struct https_connection *c = connection;
    enum step step = STEP_ON;

    if (!c->has_request) {
        (void)err_set(err, ERR_INVALID, "there is no request", ERR_NO_AT);
        return HTTPS_FAILED;
    }
    while (step == STEP_ON) {
        step = advance(c, err);
        /* The server may have closed a kept connection while the request was on its way: that says
         * nothing about the request (RFC 9112 §9.3.1). */
        if (step == STEP_FAILED && c->has_served && !answer_has_begun(&c->answer)) {
            hang_up(c); /* the next connection has served none, so this is once */
            c->sent = 0;
            c->detail[0] = '\0';
            step = STEP_ON;
        }
    }
    if (step == STEP_WAIT)
        return HTTPS_WAITING;
    c->has_request = false;
    if (step == STEP_DONE && answer_result(&c->answer, answer, err))
        return HTTPS_DONE;
    hang_up(c);
    return HTTPS_FAILED;
}

int https_fd(const struct https_connection *connection, bool *wants_write)
{
    *wants_write = connection->wants_write;
    return connection->fd;
}

const char *https_detail(const struct https_connection *connection)
{
    return connection->detail;
}
