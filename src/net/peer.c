/* /net/peer: who is at the other end. `con` and `lis` give the next peer that was connected to or
 * accepted, in order, or nothing; fd/N the peer behind a descriptor. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/internal.h"

/* ---- a file with a text of its own ---- */

struct text_file {
    struct vfs_node node;
    size_t size;
    char text[];
};

static struct text_file *text_of(struct vfs_node *node)
{
    return (struct text_file *)(void *)node;
}

static void release(struct vfs_node *node)
{
    free(node);
}

static void text_stat(struct vfs_node *node, struct vfs_stat *out)
{
    *out = (struct vfs_stat){
        .device = DEVICE_NUMBER, .links = 1, .size = text_of(node)->size, .type = VFS_REGULAR_FILE};
}

static enum vfs_error text_read(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                                size_t *done)
{
    const struct text_file *f = text_of(node);
    size_t left = offset < f->size ? f->size - (size_t)offset : 0;

    *done = size < left ? size : left;
    if (*done != 0)
        memcpy(out, f->text + offset, *done);
    return VFS_OK;
}

static const struct vfs_ops text_ops = {
    .type = VFS_REGULAR_FILE, .release = release, .stat = text_stat, .read = text_read};

static enum vfs_error text_new(struct bytes text, struct vfs_node **out)
{
    struct text_file *f = malloc(sizeof *f + text.size);

    if (f == NULL)
        return VFS_NOMEM;
    vfs_node_init(&f->node, &text_ops);
    f->size = text.size;
    memcpy(f->text, text.data, text.size);
    *out = &f->node;
    return VFS_OK;
}

/* ---- queues ---- */

void peer_queue_put(struct peer_queue *queue, char *text)
{
    if (text == NULL)
        return;
    if (queue->count == PEER_QUEUE_MAX) {
        free(queue->texts[queue->first]);
        queue->first = (queue->first + 1) % PEER_QUEUE_MAX;
        queue->count--;
    }
    queue->texts[(queue->first + queue->count++) % PEER_QUEUE_MAX] = text;
}

static char *queue_take(struct peer_queue *queue)
{
    if (queue->count == 0)
        return NULL;
    char *text = queue->texts[queue->first];
    queue->first = (queue->first + 1) % PEER_QUEUE_MAX;
    queue->count--;
    return text;
}

void peer_queue_done(struct peer_queue *queue)
{
    while (queue->count != 0)
        free(queue_take(queue));
}

/* ---- con, lis, fd ---- */

/* A node that knows its net; `con` and `lis` have a queue. */
struct peer_node {
    struct vfs_node node;
    struct net *net;
    struct peer_queue *queue;
};

static struct peer_node *peer_of(struct vfs_node *node)
{
    return (struct peer_node *)(void *)node;
}

static enum vfs_error next_open(struct vfs_node *node, unsigned flags, struct vfs_node **out)
{
    if ((flags & (VFS_OPEN_WRITE | VFS_OPEN_TRUNCATE)) != 0)
        return VFS_ROFS;
    char *text = queue_take(peer_of(node)->queue);
    enum vfs_error error = text_new(bytes_of(text != NULL ? text : ""), out);
    free(text);
    return error;
}

static enum vfs_error fd_lookup(struct vfs_node *dir, struct bytes name, struct vfs_node **out)
{
    const struct net_config *config = &peer_of(dir)->net->config;
    uint32_t fd = 0;

    if (name.size == 0 || name.size > 9)
        return VFS_NOENT;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] < '0' || name.data[i] > '9')
            return VFS_NOENT;
        fd = fd * 10 + (name.data[i] - (uint32_t)'0');
    }
    const struct vfs_node *node = config->node_of_fd(config->context, fd);
    const char *peer = node != NULL ? connection_peer(node) : NULL;
    return peer != NULL ? text_new(bytes_of(peer), out) : VFS_NOENT;
}

static const struct vfs_ops next_ops = {
    .type = VFS_REGULAR_FILE, .release = release, .open = next_open};
static const struct vfs_ops fd_ops = {
    .type = VFS_DIRECTORY, .release = release, .lookup = fd_lookup};

/* Puts a node into a directory. */
static bool add(struct net *net, struct vfs_node *dir, const char *name, const struct vfs_ops *ops,
                struct peer_queue *queue)
{
    struct peer_node *n = calloc(1, sizeof *n);
    struct err err;

    if (n == NULL)
        return false;
    vfs_node_init(&n->node, ops);
    n->net = net;
    n->queue = queue;
    bool ok = vfs_insert(dir, name, &n->node, &err);
    vfs_node_drop(&n->node);
    return ok;
}

struct vfs_node *peer_directory_new(struct net *net)
{
    struct vfs_node *dir = vfs_directory_new(net->config.vfs);

    if (dir != NULL && add(net, dir, "con", &next_ops, &net->connected) &&
        add(net, dir, "lis", &next_ops, &net->accepted) && add(net, dir, "fd", &fd_ops, NULL))
        return dir;
    vfs_node_drop(dir);
    return NULL;
}
