/* A BIO that sends and receives on a socket by the calls that a keep has, without signals, and
 * believes no answer that cannot be. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tls/internal.h"

/* More waits only when a peer makes us answer without reading what we say. */
#define UNSENT_MAX ((size_t)256 << 10)
/* Taken at once: some records. */
#define UNSENT_LEAST ((size_t)4 * (16384 + 64))

static struct tls_socket *socket_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static bool may_be_tried_again(int number)
{
    return number == EAGAIN || number == EINTR;
}

/* Sends as much as goes; how much that was. */
static size_t send_some(struct tls_socket *s, const uint8_t *data, size_t size)
{
    ssize_t sent = send(s->fd, data, size, MSG_NOSIGNAL);

    if (sent >= 0 && (size_t)sent <= size)
        return (size_t)sent;
    if (sent != -1)
        s->number = EIO; /* the host lies */
    else if (!may_be_tried_again(errno))
        s->number = errno;
    return 0;
}

bool tls_socket_flush(struct tls_socket *s)
{
    while (s->number == 0 && s->unsent_at != s->unsent_size) {
        size_t sent = send_some(s, s->unsent + s->unsent_at, s->unsent_size - s->unsent_at);
        if (sent == 0)
            return false;
        s->unsent_at += sent;
    }
    if (s->number != 0)
        return false;
    s->unsent_at = s->unsent_size = 0;
    return true;
}

/* Keeps bytes for later. */
static bool keep(struct tls_socket *s, const uint8_t *data, size_t size)
{
    size_t wanted = s->unsent_size + size;

    if (wanted > UNSENT_MAX)
        return false;
    if (wanted > s->unsent_capacity) {
        size_t capacity = wanted < UNSENT_LEAST ? UNSENT_LEAST : wanted;
        uint8_t *more = realloc(s->unsent, capacity);
        if (more == NULL)
            return false;
        s->unsent = more;
        s->unsent_capacity = capacity;
    }
    memcpy(s->unsent + s->unsent_size, data, size);
    s->unsent_size = wanted;
    return true;
}

void tls_socket_done(struct tls_socket *s)
{
    free(s->unsent);
    s->unsent = NULL;
}

static int socket_write(BIO *bio, const char *data, size_t size, size_t *done)
{
    struct tls_socket *s = socket_of(bio);
    size_t sent = 0;

    BIO_clear_retry_flags(bio);
    if (!s->is_corked && tls_socket_flush(s))
        sent = send_some(s, (const uint8_t *)data, size);
    if (s->number != 0)
        return 0;
    if (sent != size && !keep(s, (const uint8_t *)data + sent, size - sent)) {
        s->number = ENOBUFS;
        return 0;
    }
    *done = size;
    return 1;
}

static int socket_read(BIO *bio, char *out, size_t size, size_t *done)
{
    ssize_t got = recv(socket_of(bio)->fd, out, size, 0);

    BIO_clear_retry_flags(bio);
    if (got > 0 && (size_t)got <= size) {
        *done = (size_t)got;
        return 1;
    }
    if (got == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    else if (got == -1 && may_be_tried_again(errno))
        BIO_set_retry_read(bio);
    else
        socket_of(bio)->number = got == -1 ? errno : EIO; /* else the host lies */
    return 0;
}

static long socket_control(BIO *bio, int command, long value, void *pointer)
{
    (void)value;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static const BIO_METHOD *method(void)
{
    static BIO_METHOD *shared;

    if (shared != NULL)
        return shared;
    BIO_METHOD *new = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "keep's socket");
    if (new == NULL || BIO_meth_set_write_ex(new, socket_write) != 1 ||
        BIO_meth_set_read_ex(new, socket_read) != 1 ||
        BIO_meth_set_ctrl(new, socket_control) != 1) {
        BIO_meth_free(new);
        return NULL;
    }
    shared = new;
    return shared;
}

BIO *tls_socket_new(struct tls_socket *socket)
{
    const BIO_METHOD *m = method();
    BIO *bio = m != NULL ? BIO_new(m) : NULL;

    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    return bio;
}
