/* Connections: TCP, and TLS over it where the entry of the configuration says so. All are
 * non-blocking; who wants to wait, waits by poll. */
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/internal.h"

/* Nobody proves anything over plain TCP. */
static const char anonymous[] = "{\"kind\":\"anonymous\"}";

static struct connection *connection_of(struct vfs_node *node)
{
    return (struct connection *)(void *)node;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static enum vfs_error last_error(void)
{
    return net_error(errno);
}

void set_socket_option(int fd, int level, int name, int value)
{
    /* each of them only makes something better */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

void socket_stat(uint64_t inode, struct vfs_stat *out)
{
    *out =
        (struct vfs_stat){.device = DEVICE_NUMBER, .inode = inode, .links = 1, .type = VFS_SOCKET};
}

void socket_poll(int fd, unsigned wanted, unsigned woken, struct vfs_poll *out)
{
    *out = (struct vfs_poll){.wait = {.handle = fd, .events = wanted}};
    out->ready = woken & (wanted | VFS_HANGUP);
    if ((woken & VFS_HANGUP) != 0)
        out->ready |= wanted; /* the next operation tells */
    if ((out->ready & VFS_READABLE) != 0)
        out->size = 1; /* at least */
}

uint64_t net_now_ns(const struct net *net)
{
    const struct vfs_platform *p = vfs_platform(net->config.vfs);

    return p->monotonic_ns(p->context);
}

/* ---- from nothing to open ---- */

static void set_stage(struct connection *n, enum connection_stage stage)
{
    n->net->shaking += stage == CONNECTION_SHAKING;
    n->net->shaking -= n->stage == CONNECTION_SHAKING;
    n->stage = stage;
}

static enum vfs_error fail(struct connection *n, enum vfs_error error)
{
    set_stage(n, CONNECTION_FAILED);
    n->failed = error;
    return error;
}

/* Begins a connection to the next address; VFS_OK when it has begun. */
static enum vfs_error connect_next(struct connection *n)
{
    close_fd(&n->fd);
    while (n->next_address < n->address_count) {
        struct endpoint e = endpoint_of(&n->addresses[n->next_address++], n->port);
        int fd = socket(e.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            n->failed = last_error();
            continue;
        }
        set_socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (connect(fd, (const struct sockaddr *)&e.address, e.size) == 0 || errno == EINPROGRESS) {
            n->fd = fd;
            endpoint_text(&e.address, n->where);
            return VFS_OK;
        }
        n->failed = last_error();
        (void)close(fd);
    }
    return fail(n, n->failed);
}

/* Whether there is a connection now; VFS_AGAIN: not yet. */
static enum vfs_error advance_tcp(struct connection *n)
{
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer, error_size = sizeof(int);
        int number = 0;
        if (getpeername(n->fd, (struct sockaddr *)&peer, &size) == 0)
            return VFS_OK;
        if (getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &number, &error_size) != 0)
            number = errno;
        if (number == 0) {
            n->wait = (struct vfs_wait){.handle = n->fd, .events = VFS_WRITABLE};
            return VFS_AGAIN;
        }
        n->failed = net_error(number);
        enum vfs_error error = connect_next(n);
        if (error != VFS_OK)
            return error;
    }
}

/* The text of /net/peer/con (reference: Enarx's, so that its programs can read it). */
static char *connected_text(const struct connection *n)
{
    const char *peer = connection_peer(&n->node), *kind = "Domain";
    struct bytes host = bytes_of(n->host);
    struct net_address address;
    char *text = NULL;

    if (address_parse(host, &address))
        kind = address.family == 4 ? "Ipv4" : "Ipv6";
    if (host.size > 2 && host.data[0] == '[')
        host = bytes_from(host.data + 1, host.size - 2);
    if (asprintf(&text, "{\"host\":{\"%s\":\"%.*s\"},\"port\":%u,\"peer\":%s}", kind,
                 (int)host.size, (const char *)host.data, n->port, peer) < 0)
        return NULL;
    return text;
}

static enum vfs_error begin_tls(struct connection *n)
{
    set_stage(n, CONNECTION_SHAKING);
    n->began = deadline_after(net_now_ns(n->net), 0);
    n->deadline = deadline_after(n->began.at_ns, PATIENCE_MS);
    enum vfs_error error = secure_ops->begin(n);
    return error == VFS_OK ? VFS_OK : fail(n, error);
}

static enum vfs_error advance_tls(struct connection *n)
{
    enum vfs_error error = secure_ops->advance(n->secure, &n->wait);

    if (error == VFS_AGAIN && deadline_passed(n->deadline, net_now_ns(n->net))) {
        log_warn("refused a peer", log_str("peer", n->where),
                 log_str("reason", secure_ops->delay(n->secure)));
        error = VFS_TIMEDOUT;
    }
    return error == VFS_OK || error == VFS_AGAIN ? error : fail(n, error);
}

enum vfs_error connection_advance(struct connection *n)
{
    enum vfs_error error;

    if (n->stage == CONNECTION_OPEN)
        return VFS_OK;
    if (n->stage == CONNECTION_FAILED)
        return n->failed;
    if (n->stage == CONNECTION_CONNECTING) {
        error = advance_tcp(n);
        if (error == VFS_OK && n->rule->protocol == CONFIG_TLS)
            error = begin_tls(n);
        if (error != VFS_OK)
            return error;
    }
    if (n->stage == CONNECTION_SHAKING) {
        error = advance_tls(n);
        if (error != VFS_OK)
            return error;
    }
    set_stage(n, CONNECTION_OPEN);
    if (n->host != NULL)
        peer_queue_put(&n->net->connected, connected_text(n));
    return VFS_OK;
}

/* ---- their life ---- */

static const struct vfs_ops connection_ops;

static struct connection *connection_alloc(struct net *net, const struct config_rule *rule, int fd)
{
    struct connection *n = calloc(1, sizeof *n);

    if (n == NULL)
        return NULL;
    vfs_node_init(&n->node, &connection_ops);
    n->net = net;
    n->fd = fd;
    n->rule = rule;
    n->inode = vfs_inode_new(net->config.vfs);
    n->deadline = n->began = deadline_never();
    n->next = net->all;
    if (net->all != NULL)
        net->all->previous = n;
    net->all = n;
    return n;
}

void connection_free(struct connection *n)
{
    struct net *net = n->net;

    if (n->next != NULL)
        n->next->previous = n->previous;
    *(n->previous != NULL ? &n->previous->next : &net->all) = n->next;
    net->unsent -= n->is_unsent;
    net->incoming -= n->listener != NULL;
    net->shaking -= n->stage == CONNECTION_SHAKING;
    net->lingering -= n->stage == CONNECTION_LINGERING;
    if (n->secure != NULL)
        secure_ops->release(n->secure);
    close_fd(&n->fd);
    free(n->host);
    free(n);
}

void connection_note_unsent(struct connection *n)
{
    bool is_unsent = n->secure != NULL && secure_ops->has_unsent(n->secure);

    n->net->unsent += is_unsent;
    n->net->unsent -= n->is_unsent;
    n->is_unsent = is_unsent;
}

/* The program has closed it: what it wrote last still leaves, as with any socket. */
static void connection_release(struct vfs_node *node)
{
    struct connection *n = connection_of(node);
    struct net *net = n->net;

    net->connections--;
    if (n->stage == CONNECTION_OPEN && n->secure != NULL) {
        (void)secure_ops->end(n->secure);
        if (secure_ops->flush(n->secure) == VFS_AGAIN && net->lingering < LINGERING_MAX) {
            connection_note_unsent(n);
            set_stage(n, CONNECTION_LINGERING);
            n->deadline = deadline_after(net_now_ns(net), PATIENCE_MS);
            net->lingering++;
            return;
        }
    }
    connection_free(n);
}

void connection_give(struct connection *n, struct vfs_node **out)
{
    n->net->connections++;
    *out = &n->node;
}

void connection_break(struct connection *n, const char *why)
{
    if (n->stage == CONNECTION_FAILED)
        return;
    log_warn("ended a connection", log_str("peer", n->where), log_str("reason", why));
    if (n->fd >= 0)
        (void)shutdown(n->fd, SHUT_RDWR);
    (void)fail(n, VFS_CONNABORTED);
}

static void connection_stat(struct vfs_node *node, struct vfs_stat *out)
{
    socket_stat(connection_of(node)->inode, out);
}

/* ---- data ---- */

static enum vfs_error receive(struct vfs_node *node, void *out, size_t size, bool is_peek,
                              size_t *done)
{
    struct connection *n = connection_of(node);
    enum vfs_error error = connection_advance(n);

    if (error != VFS_OK)
        return error;
    if (n->secure != NULL) {
        error = secure_ops->read(n->secure, out, size, is_peek, done);
        connection_note_unsent(n); /* an answer that TLS itself gives */
        return error;
    }
    ssize_t got = recv(n->fd, out, size, is_peek ? MSG_PEEK : 0);
    if (got == -1)
        return last_error();
    if (got < 0 || (size_t)got > size)
        return VFS_IO; /* the host lies */
    *done = (size_t)got;
    return VFS_OK;
}

static enum vfs_error connection_read(struct vfs_node *node, uint64_t offset, void *out,
                                      size_t size, size_t *done)
{
    (void)offset;
    return receive(node, out, size, false, done);
}

static enum vfs_error connection_peek(struct vfs_node *node, void *out, size_t size, size_t *done)
{
    return receive(node, out, size, true, done);
}

static enum vfs_error connection_write(struct vfs_node *node, uint64_t offset, struct bytes in,
                                       size_t *done)
{
    struct connection *n = connection_of(node);
    enum vfs_error error = connection_advance(n);

    (void)offset;
    if (error != VFS_OK)
        return error;
    if (n->secure != NULL) {
        error = secure_ops->write(n->secure, in, done);
        connection_note_unsent(n);
        return error;
    }
    ssize_t sent = send(n->fd, in.data, in.size, MSG_NOSIGNAL);
    if (sent == -1)
        return last_error();
    if (sent < 0 || (size_t)sent > in.size)
        return VFS_IO;
    *done = (size_t)sent;
    return VFS_OK;
}

static void connection_poll(struct vfs_node *node, unsigned wanted, unsigned woken,
                            struct vfs_poll *out)
{
    struct connection *n = connection_of(node);
    bool was_open = n->stage == CONNECTION_OPEN;
    enum vfs_error error = connection_advance(n);

    if (error == VFS_AGAIN)
        *out = (struct vfs_poll){.wait = n->wait};
    else if (error != VFS_OK)
        *out = (struct vfs_poll){.error = error};
    else if (n->secure != NULL)
        secure_ops->poll(n->secure, wanted, was_open ? woken : 0, out);
    else /* just made: what it is ready for, the next wait tells */
        socket_poll(n->fd, wanted, was_open ? woken : 0, out);
}

static enum vfs_error connection_shutdown(struct vfs_node *node, unsigned how)
{
    struct connection *n = connection_of(node);
    int native = how == VFS_SHUTDOWN_READ    ? SHUT_RD
                 : how == VFS_SHUTDOWN_WRITE ? SHUT_WR
                                             : SHUT_RDWR;

    if (n->stage != CONNECTION_OPEN)
        return VFS_NOTCONN;
    if (n->secure == NULL)
        return shutdown(n->fd, native) == 0 ? VFS_OK : last_error();
    enum vfs_error error = VFS_OK;
    if ((how & VFS_SHUTDOWN_WRITE) != 0) {
        error = secure_ops->end(n->secure);
        connection_note_unsent(n);
    }
    /* TLS still has to hear what the other side says of the connection itself: nothing is shut
     * there
     */
    return error;
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
    const struct connection *n = (const struct connection *)(const void *)node;

    if (node->ops != &connection_ops)
        return NULL;
    if (n->rule->protocol == CONFIG_TCP)
        return anonymous;
    return n->stage == CONNECTION_OPEN ? secure_ops->peer(n->secure) : NULL;
}

/* ---- new ones ---- */

/* Waits until it is open. */
static enum vfs_error wait_until_open(struct connection *n)
{
    const struct vfs_platform *platform = vfs_platform(n->net->config.vfs);
    enum vfs_error error;

    while ((error = connection_advance(n)) == VFS_AGAIN) {
        struct vfs_wait wait = n->wait;
        error = platform->wait(platform->context, &wait, 1, n->deadline.at_ns);
        if (error != VFS_OK)
            return error;
    }
    return error;
}

static bool has_room(const struct net *net)
{
    return net->connections + net->lingering < net->config.config->limits.connections;
}

enum vfs_error connection_new(struct net *net, const struct connection_target *target,
                              bool is_nonblocking, struct vfs_node **out)
{
    if (!has_room(net))
        return VFS_NFILE;
    struct connection *n = connection_alloc(net, target->rule, -1);
    if (n == NULL)
        return VFS_NOMEM;
    n->host = strndup((const char *)target->host.data, target->host.size);
    if (n->host == NULL) {
        connection_free(n);
        return VFS_NOMEM;
    }
    memcpy(n->addresses, target->addresses, target->address_count * sizeof *target->addresses);
    n->address_count = target->address_count;
    n->port = target->port;
    n->failed = VFS_NOENT;
    enum vfs_error error = connect_next(n);
    if (error == VFS_OK)
        error = is_nonblocking ? connection_advance(n) : wait_until_open(n);
    if (error != VFS_OK && error != VFS_AGAIN) {
        connection_free(n);
        return error;
    }
    connection_give(n, out);
    return VFS_OK;
}

enum vfs_error connection_incoming(struct net *net, const struct config_rule *rule, int fd,
                                   const struct sockaddr_storage *address, struct connection **out)
{
    struct connection *n = connection_alloc(net, rule, fd);
    enum vfs_error error = VFS_OK;

    if (n == NULL) {
        (void)close(fd);
        return VFS_NOMEM;
    }
    set_socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    endpoint_text(address, n->where);
    set_stage(n, CONNECTION_OPEN);
    if (rule->protocol == CONFIG_TLS)
        error = begin_tls(n);
    if (error != VFS_OK) {
        connection_free(n);
        return error;
    }
    *out = n;
    return VFS_OK;
}
