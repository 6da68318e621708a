/* Functions on sockets. */
#include <string.h>

#include "wasi/internal.h"

#define RI_PEEK 1u
#define RI_WAITALL 2u
#define SD_ALL 3u

/* The open descriptor of a socket. */
static enum vfs_error socket_get(const struct call *c, uint64_t rights, struct descriptor **out)
{
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, out);

    if (error != VFS_OK)
        return error;
    if ((*out)->node->ops->type != VFS_SOCKET)
        return VFS_NOTSOCK;
    return descriptor_get(c->wasi, arg32(c, 0), rights, out);
}

enum vfs_error wasi_sock_accept(struct call *c)
{
    struct descriptor *listener, d;
    uint32_t fd;
    uint8_t *fd_at = guest_at(c, arg32(c, 2), 4);
    enum vfs_error error = socket_get(c, RIGHT_SOCK_ACCEPT, &listener);

    if (error == VFS_OK && (arg32(c, 1) & ~FDFLAGS_ALL) != 0)
        error = VFS_INVAL;
    if (error == VFS_OK && fd_at == NULL)
        error = VFS_FAULT;
    if (error == VFS_OK && c->wasi->open_count >= c->wasi->config.open_files_max)
        error = VFS_MFILE; /* the connection waits for its turn */
    if (error != VFS_OK)
        return error;
    d = (struct descriptor){.rights = RIGHTS_CONNECTION, .flags = (uint16_t)arg32(c, 1)};
    error = vfs_accept(c->wasi->config.vfs, listener->node, descriptor_is_nonblocking(listener),
                       &d.node);
    if (error != VFS_OK)
        return error;
    error = descriptor_add(c->wasi, d, &fd);
    if (error != VFS_OK)
        vfs_node_drop(d.node);
    else
        store_u32(fd_at, fd);
    return error;
}

/* Looks at what comes next, as much as fits the bounce buffer. */
static enum vfs_error peek_iovecs(const struct call *c, const struct descriptor *d,
                                  const struct iovecs *v, size_t *done)
{
    size_t wanted = v->size < BOUNCE_SIZE ? (size_t)v->size : BOUNCE_SIZE, used = 0, got = 0;
    enum vfs_error error = vfs_peek(c->wasi->config.vfs, d->node, c->wasi->bounce, wanted,
                                    descriptor_is_nonblocking(d), &got);

    for (uint32_t i = 0; error == VFS_OK && used < got && i < v->count; i++) {
        uint32_t size;
        uint8_t *at = iovecs_at(v, i, &size);
        if (size > got - used)
            size = (uint32_t)(got - used);
        if (size != 0)
            memcpy(at, c->wasi->bounce + used, size);
        used += size;
    }
    *done = used;
    return error;
}

enum vfs_error wasi_sock_recv(struct call *c)
{
    struct descriptor *d;
    struct iovecs v;
    uint32_t flags = arg32(c, 3);
    size_t done = 0;
    uint8_t *done_at = guest_at(c, arg32(c, 4), 4), *flags_at = guest_at(c, arg32(c, 5), 2);
    enum vfs_error error = socket_get(c, RIGHT_FD_READ, &d);

    if (error == VFS_OK && (flags & ~(RI_PEEK | RI_WAITALL)) != 0)
        error = VFS_INVAL;
    if (error == VFS_OK)
        error = iovecs_parse(c, arg32(c, 1), arg32(c, 2), &v);
    if (error == VFS_OK && (done_at == NULL || flags_at == NULL))
        error = VFS_FAULT;
    if (error == VFS_OK)
        error = (flags & RI_PEEK) != 0 ? peek_iovecs(c, d, &v, &done)
                                       : read_iovecs(c, d, 0, &v, (flags & RI_WAITALL) != 0, &done);
    if (error != VFS_OK)
        return error;
    store_u32(done_at, (uint32_t)done);
    store_u16(flags_at, 0); /* a stream's data is never cut */
    return VFS_OK;
}

enum vfs_error wasi_sock_send(struct call *c)
{
    struct descriptor *d;
    struct iovecs v;
    size_t done = 0;
    uint8_t *done_at = guest_at(c, arg32(c, 4), 4);
    enum vfs_error error = socket_get(c, RIGHT_FD_WRITE, &d);

    if (error == VFS_OK && arg32(c, 3) != 0)
        error = VFS_INVAL;
    if (error == VFS_OK)
        error = iovecs_parse(c, arg32(c, 1), arg32(c, 2), &v);
    if (error == VFS_OK && done_at == NULL)
        error = VFS_FAULT;
    if (error == VFS_OK)
        error = write_iovecs(c, d, 0, &v, &done);
    if (error == VFS_OK)
        store_u32(done_at, (uint32_t)done);
    return error;
}

enum vfs_error wasi_sock_shutdown(struct call *c)
{
    struct descriptor *d;
    enum vfs_error error = socket_get(c, RIGHT_SOCK_SHUTDOWN, &d);

    if (error == VFS_OK && (arg32(c, 1) == 0 || (arg32(c, 1) & ~SD_ALL) != 0))
        error = VFS_INVAL;
    return error != VFS_OK ? error : vfs_shutdown(d->node, arg32(c, 1));
}
