/* Listeners. Over TLS they give out connections only when their handshake is done and their peer is
 * admitted; until then those wait here, and one that is slow holds up nobody else. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/internal.h"

#define BACKLOG 128
/* Taken from the backlog at a time. */
#define TAKE_MAX 16

struct listener {
    struct vfs_node node;
    struct net *net;
    const struct config_rule *rule;
    int fd;
    uint64_t inode;
};

static struct listener *listener_of(struct vfs_node *node)
{
    return (struct listener *)(void *)node;
}

/* ---- handshakes ---- */

/* Goes on with all that have come in; the first that is open, or NULL. They are the newest, mostly:
 * those that the program has, perhaps many more, are behind them. */
static struct connection *advance_all(struct listener *l)
{
    struct connection *open = NULL;
    size_t left = l->net->incoming;

    for (struct connection *n = l->net->all, *next; n != NULL && left != 0; n = next) {
        next = n->next;
        left -= n->listener != NULL;
        if (n->listener != l)
            continue;
        enum vfs_error error = connection_advance(n);
        if (error == VFS_OK)
            open = n; /* the list has the newest first */
        else if (error != VFS_AGAIN)
            connection_free(n);
    }
    return open;
}

static struct connection *oldest_shaking(const struct net *net)
{
    struct connection *oldest = NULL;

    for (struct connection *n = net->all; n != NULL; n = n->next) {
        if (n->listener != NULL && n->stage == CONNECTION_SHAKING)
            oldest = n; /* the list has the newest first */
    }
    return oldest;
}

uint64_t listener_room_ns(const struct net *net)
{
    if (net->incoming < NET_SHAKING_MAX)
        return 0;
    const struct connection *oldest = oldest_shaking(net);
    return oldest != NULL ? deadline_after(oldest->began.at_ns, YOUTH_MS).at_ns : UINT64_MAX;
}

static bool has_room(const struct net *net)
{
    return listener_room_ns(net) <= net_now_ns(net);
}

/* Room for one who has come, where has_room says that there is: the oldest goes if need be. */
static void make_room(const struct net *net)
{
    struct connection *oldest = net->incoming >= NET_SHAKING_MAX ? oldest_shaking(net) : NULL;

    if (oldest == NULL)
        return;
    log_warn("refused a peer", log_str("peer", oldest->where),
             log_str("reason", "others wait, and its handshake takes long"));
    connection_free(oldest);
}

/* What accept4 gives; -1 and errno. */
static int take_one(const struct listener *l, struct sockaddr_storage *address)
{
    socklen_t size = sizeof *address;

    *address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    int fd = accept4(l->fd, (struct sockaddr *)address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    /* who gave up before we came is not worth an error (accept(2)) */
    if (fd < 0 && (errno == ECONNABORTED || errno == EPROTO))
        errno = EAGAIN;
    return fd;
}

/* Takes from the backlog what there is room for. */
static enum vfs_error take(struct listener *l)
{
    for (int i = 0; i < TAKE_MAX && has_room(l->net); i++) {
        struct sockaddr_storage address;
        struct connection *n;
        int fd = take_one(l, &address);
        if (fd < 0)
            return net_error(errno);
        make_room(l->net);
        enum vfs_error error = connection_incoming(l->net, l->rule, fd, &address, &n);
        if (error == VFS_ACCES) /* refused at once, which is no fault of the listener */
            continue;
        if (error != VFS_OK)
            return error;
        n->listener = l;
        l->net->incoming++;
    }
    return VFS_OK;
}

/* ---- the node ---- */

static void listener_release(struct vfs_node *node)
{
    struct listener *l = listener_of(node);

    for (struct connection *n = l->net->all, *next; n != NULL; n = next) {
        next = n->next;
        if (n->listener == l)
            connection_free(n);
    }
    (void)close(l->fd);
    free(l);
}

static void listener_stat(struct vfs_node *node, struct vfs_stat *out)
{
    socket_stat(listener_of(node)->inode, out);
}

static void listener_poll(struct vfs_node *node, unsigned wanted, unsigned woken,
                          struct vfs_poll *out)
{
    struct listener *l = listener_of(node);

    if (l->rule->protocol == CONFIG_TCP) {
        socket_poll(l->fd, wanted, woken, out);
        return;
    }
    *out = (struct vfs_poll){.wait = {.handle = l->fd, .events = VFS_READABLE}};
    if ((wanted & VFS_READABLE) == 0)
        return;
    enum vfs_error error = woken != 0 ? take(l) : VFS_OK;
    if (advance_all(l) != NULL) {
        out->ready = VFS_READABLE;
        out->size = 1;
    } else if (error != VFS_OK && error != VFS_AGAIN) {
        out->error = error;
    } else if (!has_room(l->net)) {
        /* the backlog waits until one of them is done, or no longer young: net_advance says when */
        out->wait = (struct vfs_wait){.handle = -1};
        l->net->is_full = true;
    }
}

static enum vfs_error give(struct connection *n, struct vfs_node **out)
{
    char *text = NULL;

    if (asprintf(&text, "{\"addr\":\"%s\",\"peer\":%s}", n->where, connection_peer(&n->node)) < 0)
        text = NULL;
    peer_queue_put(&n->net->accepted, text);
    n->net->incoming -= n->listener != NULL;
    n->listener = NULL;
    connection_give(n, out);
    return VFS_OK;
}

static enum vfs_error listener_accept(struct vfs_node *node, struct vfs_node **out)
{
    struct listener *l = listener_of(node);
    struct net *net = l->net;
    struct sockaddr_storage address;
    struct connection *n;

    if (net->connections + net->lingering >= net->config.config->limits.connections)
        return VFS_NFILE;
    if (l->rule->protocol == CONFIG_TCP) {
        int fd = take_one(l, &address);
        if (fd < 0)
            return net_error(errno);
        enum vfs_error error = connection_incoming(net, l->rule, fd, &address, &n);
        return error == VFS_OK ? give(n, out) : error;
    }
    enum vfs_error error = take(l);
    n = advance_all(l);
    if (n != NULL)
        return give(n, out);
    return error == VFS_OK ? VFS_AGAIN : error;
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
    set_socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (e->address.ss_family == AF_INET6)
        set_socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (bind(fd, (const struct sockaddr *)&e->address, e->size) != 0 || listen(fd, BACKLOG) != 0) {
        int number = errno;
        (void)close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

enum vfs_error listener_new(struct net *net, const struct config_rule *rule,
                            const struct net_address *address, uint16_t port, struct vfs_node **out)
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
        return net_error(errno);
    struct listener *n = calloc(1, sizeof *n);
    if (n == NULL) {
        (void)close(fd);
        return VFS_NOMEM;
    }
    vfs_node_init(&n->node, &listener_ops);
    n->net = net;
    n->rule = rule;
    n->fd = fd;
    n->inode = vfs_inode_new(net->config.vfs);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) {
        endpoint_text(&bound, where);
        log_info("listening", log_str("address", where),
                 log_str("protocol", rule->protocol == CONFIG_TLS ? "tls" : "tcp"));
    }
    *out = &n->node;
    return VFS_OK;
}
