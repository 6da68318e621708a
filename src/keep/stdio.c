/* The host's standard input, output and error as files. The host may give anything for them; here
 * they are streams without offsets. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "keep/keep.h"

struct stdio {
    struct vfs_node node;
    const struct vfs_platform *platform;
    int fd;
};

static struct stdio *stdio_of(struct vfs_node *node)
{
    return (struct stdio *)(void *)node;
}

static void release(struct vfs_node *node)
{
    free(stdio_of(node));
}

/* The host's descriptor may block, and what it is shared with must not be changed: so ask before.
 */
static enum vfs_error read_stream(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                                  size_t *done)
{
    const struct stdio *s = stdio_of(node);
    struct vfs_wait wait = {.handle = s->fd, .events = VFS_READABLE};

    (void)offset;
    enum vfs_error error = s->platform->wait(s->platform->context, &wait, 1, 0);
    if (error != VFS_OK)
        return error;
    if (wait.woken == 0)
        return VFS_AGAIN;
    ssize_t got = read(s->fd, out, size);
    if (got == -1)
        return net_error(errno);
    if (got < 0 || (size_t)got > size)
        return VFS_IO; /* the host lies */
    *done = (size_t)got;
    return VFS_OK;
}

static enum vfs_error write_stream(struct vfs_node *node, uint64_t offset, struct bytes in,
                                   size_t *done)
{
    (void)offset;
    ssize_t written = write(stdio_of(node)->fd, in.data, in.size);
    if (written == -1)
        return net_error(errno);
    if (written < 0 || (size_t)written > in.size || (written == 0 && in.size != 0))
        return VFS_IO;
    *done = (size_t)written;
    return VFS_OK;
}

static void poll_stream(struct vfs_node *node, unsigned wanted, unsigned woken,
                        struct vfs_poll *out)
{
    *out = (struct vfs_poll){.ready = woken & (wanted | VFS_HANGUP),
                             .wait = {.handle = stdio_of(node)->fd, .events = wanted}};
    if ((woken & VFS_HANGUP) != 0)
        out->ready |= wanted;
    if ((out->ready & VFS_READABLE) != 0)
        out->size = 1; /* at least */
}

/* Programs take a character device that cannot be sought in for a terminal. */
static const struct vfs_ops ops[] = {
#define STREAM(of_type)                                                                \
    {                                                                                  \
        .type = (of_type), .is_stream = true, .release = release, .read = read_stream, \
        .write = write_stream, .poll = poll_stream                                     \
    }
    [BOOT_STDIO_STREAM] = STREAM(VFS_UNKNOWN),
    [BOOT_STDIO_TERMINAL] = STREAM(VFS_CHARACTER_DEVICE),
};

struct vfs_node *stdio_new(struct vfs *vfs, int fd, enum boot_stdio kind)
{
    struct stdio *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    vfs_node_init(&s->node, &ops[kind]);
    s->platform = vfs_platform(vfs);
    s->fd = fd;
    return &s->node;
}
