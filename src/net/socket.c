/* Connections and listeners over TCP. All are non-blocking; who wants to wait, waits by poll. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/internal.h"

#define BACKLOG 128

struct connection {
    struct vfs_node node;
    struct net *net;
    int fd; /* -1: none, the connection failed */
    uint64_t inode;
    bool is_connecting;
    enum vfs_error failed; /* why no address answered */
    /* of a connection that we make */
    struct net_address addresses[NET_ADDRESSES_MAX];
    size_t address_count, next_address;
    uint16_t port;
};

struct listener {
    struct vfs_node node;
    struct net *net;
    int fd;
    uint64_t inode;
};

/* Nobody proves anything over plain TCP. */
static const char anonymous[] = "{\"kind\":\"anonymous\"}";

static struct connection *connection_of(struct vfs_node *node)
{
    return (struct connection *)(void *)node;
}

static struct listener *listener_of(struct vfs_node *node)
{
    return (struct listener *)(void *)node;
}

static enum vfs_error last_error(void)
{
    return net_error(errno);
}

static void set_option(int fd, int level, int name, int value)
{
    /* each of them only makes something better */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

static void socket_stat(uint64_t inode, struct vfs_stat *out)
{
    *out =
        (struct vfs_stat){.device = DEVICE_NUMBER, .inode = inode, .links = 1, .type = VFS_SOCKET};
}

/* What a plain socket says to a poll: what the wait saw, else that it has to be waited for. */
static void socket_poll(int fd, unsigned wanted, unsigned woken, struct vfs_poll *out)
{
    *out = (struct vfs_poll){.wait = {.handle = fd, .events = wanted}};
    out->ready = woken & (wanted | VFS_HANGUP);
    if ((woken & VFS_HANGUP) != 0)
        out->ready |= wanted; /* the next operation tells */
    if ((out->ready & VFS_READABLE) != 0)
        out->size = 1; /* at least */
}

/* ---- connections ---- */

static void connection_release(struct vfs_node *node)
{
    struct connection *n = connection_of(node);

    if (n->fd >= 0)
        (void)close(n->fd);
    n->net->connections--;
    free(n);
}

static void connection_stat(struct vfs_node *node, struct vfs_stat *out)
{
    socket_stat(connection_of(node)->inode, out);
}

/* Begins a connection to the next address; VFS_OK when it has begun. */
static enum vfs_error connect_next(struct connection *n)
{
    if (n->fd >= 0)
        (void)close(n->fd);
    n->fd = -1;
    while (n->next_address < n->address_count) {
        struct endpoint e = endpoint_of(&n->addresses[n->next_address++], n->port);
        int fd = socket(e.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            n->failed = last_error();
            continue;
        }
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (connect(fd, (const struct sockaddr *)&e.address, e.size) == 0 || errno == EINPROGRESS) {
            n->fd = fd;
            n->is_connecting = true;
            return VFS_OK;
        }
        n->failed = last_error();
        (void)close(fd);
    }
    return n->failed;
}

/* Goes on with a connection that is being made: VFS_OK, it is there; VFS_AGAIN; or why there is
 * none. */
static enum vfs_error connection_advance(struct connection *n)
{
    if (n->fd < 0)
        return n->failed;
    while (n->is_connecting) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer, error_size = sizeof(int);
        int number = 0;
        if (getpeername(n->fd, (struct sockaddr *)&peer, &size) == 0) {
            n->is_connecting = false;
            break;
        }
        if (getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &number, &error_size) != 0)
            number = errno;
        if (number == 0)
            return VFS_AGAIN;
        n->failed = net_error(number);
        enum vfs_error error = connect_next(n);
        if (error != VFS_OK)
            return error;
    }
    return VFS_OK;
}

static enum vfs_error receive(struct vfs_node *node, void *out, size_t size, int flags,
                              size_t *done)
{
    struct connection *n = connection_of(node);
    enum vfs_error error = connection_advance(n);

    if (error != VFS_OK)
        return error;
    ssize_t got = recv(n->fd, out, size, flags);
    if (got < 0)
        return last_error();
    if ((size_t)got > size)
        return VFS_IO; /* the host lies */
    *done = (size_t)got;
    return VFS_OK;
}

static enum vfs_error connection_read(struct vfs_node *node, uint64_t offset, void *out,
                                      size_t size, size_t *done)
{
    (void)offset;
    return receive(node, out, size, 0, done);
}

static enum vfs_error connection_peek(struct vfs_node *node, void *out, size_t size, size_t *done)
{
    return receive(node, out, size, MSG_PEEK, done);
}

static enum vfs_error connection_write(struct vfs_node *node, uint64_t offset, struct bytes in,
                                       size_t *done)
{
    struct connection *n = connection_of(node);
    enum vfs_error error = connection_advance(n);

    (void)offset;
    if (error != VFS_OK)
        return error;
    ssize_t sent = send(n->fd, in.data, in.size, MSG_NOSIGNAL);
    if (sent < 0)
        return last_error();
    if ((size_t)sent > in.size)
        return VFS_IO;
    *done = (size_t)sent;
    return VFS_OK;
}

static void connection_poll(struct vfs_node *node, unsigned wanted, unsigned woken,
                            struct vfs_poll *out)
{
    struct connection *n = connection_of(node);

    if (n->fd >= 0 && !n->is_connecting) {
        socket_poll(n->fd, wanted, woken, out);
        return;
    }
    enum vfs_error error = connection_advance(n);
    *out = (struct vfs_poll){.wait = {.handle = n->fd, .events = VFS_WRITABLE}};
    if (error == VFS_OK) /* just made: what it is ready for, the next wait tells */
        socket_poll(n->fd, wanted, 0, out);
    else if (error != VFS_AGAIN)
        out->error = error;
}

static enum vfs_error connection_shutdown(struct vfs_node *node, unsigned how)
{
    struct connection *n = connection_of(node);
    int native = how == VFS_SHUTDOWN_READ    ? SHUT_RD
                 : how == VFS_SHUTDOWN_WRITE ? SHUT_WR
                                             : SHUT_RDWR;

    if (n->fd < 0 || n->is_connecting)
        return VFS_NOTCONN;
    return shutdown(n->fd, native) == 0 ? VFS_OK : last_error();
}

static const struct vfs_ops connection_ops = {
    .type = VFS_SOCKET,
    .is_stream = true,
    .release = connection_release,
    .stat = connection_stat,
    .read = connection_read,
    .write = connection_write,
    .poll = connection_poll,
    .peek = connection_peek,
    .shutdown = connection_shutdown,
};

const char *connection_peer(const struct vfs_node *node)
{
    return node->ops == &connection_ops ? anonymous : NULL;
}

static struct connection *connection_alloc(struct net *net, int fd)
{
    struct connection *n = calloc(1, sizeof *n);

    if (n == NULL)
        return NULL;
    vfs_node_init(&n->node, &connection_ops);
    n->net = net;
    n->fd = fd;
    n->inode = vfs_inode_new(net->config.vfs);
    net->connections++;
    return n;
}

/* Whether one more connection is allowed. */
static bool has_room(const struct net *net)
{
    return net->connections < net->config.config->limits.connections;
}

/* The text of /net/peer/con (reference: Enarx's, so that its programs can read it). */
static char *connected_text(struct bytes host, uint16_t port)
{
    char *text = NULL;
    struct net_address address;
    const char *kind = "Domain";

    if (address_parse(host, &address))
        kind = address.family == 4 ? "Ipv4" : "Ipv6";
    if (host.size > 2 && host.data[0] == '[')
        host = bytes_from(host.data + 1, host.size - 2);
    if (asprintf(&text, "{\"host\":{\"%s\":\"%.*s\"},\"port\":%u,\"peer\":%s}", kind,
                 (int)host.size, (const char *)host.data, port, anonymous) < 0)
        return NULL;
    return text;
}

enum vfs_error connection_new(struct net *net, struct bytes host, uint16_t port,
                              const struct net_address *addresses, size_t count,
                              bool is_nonblocking, struct vfs_node **out)
{
    const struct vfs_platform *platform = vfs_platform(net->config.vfs);

    if (!has_room(net))
        return VFS_NFILE;
    struct connection *n = connection_alloc(net, -1);
    if (n == NULL)
        return VFS_NOMEM;
    memcpy(n->addresses, addresses, count * sizeof *addresses);
    n->address_count = count;
    n->port = port;
    n->failed = VFS_NOENT;
    enum vfs_error error = connect_next(n);
    while (error == VFS_OK && !is_nonblocking && n->is_connecting) {
        struct vfs_wait wait = {.handle = n->fd, .events = VFS_WRITABLE};
        error = platform->wait(platform->context, &wait, 1, UINT64_MAX);
        if (error == VFS_OK)
            error = connection_advance(n);
        if (error == VFS_AGAIN)
            error = VFS_OK;
    }
    if (error != VFS_OK) {
        vfs_node_drop(&n->node);
        return error;
    }
    peer_queue_put(&net->connected, connected_text(host, port));
    *out = &n->node;
    return VFS_OK;
}

/* ---- listeners ---- */

static void listener_release(struct vfs_node *node)
{
    (void)close(listener_of(node)->fd);
    free(listener_of(node));
}

static void listener_stat(struct vfs_node *node, struct vfs_stat *out)
{
    socket_stat(listener_of(node)->inode, out);
}

static void listener_poll(struct vfs_node *node, unsigned wanted, unsigned woken,
                          struct vfs_poll *out)
{
    socket_poll(listener_of(node)->fd, wanted, woken, out);
}

static enum vfs_error listener_accept(struct vfs_node *node, struct vfs_node **out)
{
    struct net *net = listener_of(node)->net;
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    char where[ENDPOINT_TEXT_SIZE], *text = NULL;

    if (!has_room(net))
        return VFS_NFILE;
    int fd = accept4(listener_of(node)->fd, (struct sockaddr *)&address, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        /* who gave up before we came is not worth an error (accept(2)) */
        return errno == ECONNABORTED || errno == EPROTO ? VFS_AGAIN : last_error();
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    struct connection *n = connection_alloc(net, fd);
    if (n == NULL) {
        (void)close(fd);
        return VFS_NOMEM;
    }
    endpoint_text(&address, where);
    if (asprintf(&text, "{\"addr\":\"%s\",\"peer\":%s}", where, anonymous) < 0)
        text = NULL;
    peer_queue_put(&net->accepted, text);
    *out = &n->node;
    return VFS_OK;
}

static const struct vfs_ops listener_ops = {
    .type = VFS_SOCKET,
    .is_stream = true,
    .release = listener_release,
    .stat = listener_stat,
    .poll = listener_poll,
    .accept = listener_accept,
};

/* A socket that listens at an endpoint; -1 and errno when it cannot. */
static int listen_at(const struct endpoint *e)
{
    int fd = socket(e->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (e->address.ss_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, (const struct sockaddr *)&e->address, e->size) != 0 || listen(fd, BACKLOG) != 0) {
        int number = errno;
        (void)close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

enum vfs_error listener_new(struct net *net, const struct net_address *address, uint16_t port,
                            struct vfs_node **out)
{
    static const struct net_address any6 = {.family = 6}, any4 = {.family = 4};
    struct endpoint e = endpoint_of(address != NULL ? address : &any6, port);
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof bound;
    char where[ENDPOINT_TEXT_SIZE];

    int fd = listen_at(&e);
    if (fd < 0 && address == NULL && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        e = endpoint_of(&any4, port);
        fd = listen_at(&e);
    }
    if (fd < 0)
        return last_error();
    struct listener *n = calloc(1, sizeof *n);
    if (n == NULL) {
        (void)close(fd);
        return VFS_NOMEM;
    }
    vfs_node_init(&n->node, &listener_ops);
    n->net = net;
    n->fd = fd;
    n->inode = vfs_inode_new(net->config.vfs);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) {
        endpoint_text(&bound, where);
        log_info("listening", log_str("address", where), log_str("protocol", "tcp"));
    }
    *out = &n->node;
    return VFS_OK;
}
