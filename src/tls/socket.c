/* A BIO that sends and receives on a socket by the calls that a keep has, without signals, and
 * believes no answer that cannot be. */
#include <errno.h>
#include <sys/socket.h>

#include "tls/internal.h"

static struct tls_socket *socket_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static bool may_be_tried_again(int number)
{
    return number == EAGAIN || number == EINTR;
}

static int socket_write(BIO *bio, const char *data, size_t size, size_t *done)
{
    ssize_t sent = send(socket_of(bio)->fd, data, size, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (sent > 0 && (size_t)sent <= size) {
        *done = (size_t)sent;
        return 1;
    }
    if (sent < 0 && may_be_tried_again(errno))
        BIO_set_retry_write(bio);
    else
        socket_of(bio)->number = sent < 0 ? errno : EIO; /* else the host lies */
    return 0;
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
    else if (got < 0 && may_be_tried_again(errno))
        BIO_set_retry_read(bio);
    else
        socket_of(bio)->number = got < 0 ? errno : EIO;
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
