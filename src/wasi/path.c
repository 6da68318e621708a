/* Functions on paths. */
#include <string.h>

#include "wasi/internal.h"

#define OFLAG_CREAT 1u
#define OFLAG_DIRECTORY 2u
#define OFLAG_EXCL 4u
#define OFLAG_TRUNC 8u
#define OFLAGS_ALL 15u

/* A directory and a path below it, from the arguments at `index`: descriptor, address, size. */
struct place {
    struct vfs_node *dir;
    struct descriptor *d;
    struct bytes path;
};

static enum vfs_error place_parse(const struct call *c, uint32_t fd, uint32_t address,
                                  uint32_t size, uint64_t rights, struct place *out)
{
    enum vfs_error error = descriptor_directory(c->wasi, fd, rights, &out->d);

    if (error != VFS_OK)
        return error;
    out->dir = out->d->node;
    return guest_bytes(c, address, size, &out->path);
}

static enum vfs_error check_lookup(uint32_t flags, bool *follow)
{
    *follow = (flags & LOOKUP_SYMLINK_FOLLOW) != 0;
    return (flags & ~LOOKUP_SYMLINK_FOLLOW) != 0 ? VFS_INVAL : VFS_OK;
}

enum vfs_error wasi_path_create_directory(struct call *c)
{
    struct place p;
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 1), arg32(c, 2), RIGHT_PATH_CREATE_DIRECTORY, &p);

    return error != VFS_OK ? error : vfs_make_directory(c->wasi->config.vfs, p.dir, p.path);
}

enum vfs_error wasi_path_remove_directory(struct call *c)
{
    struct place p;
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 1), arg32(c, 2), RIGHT_PATH_REMOVE_DIRECTORY, &p);

    return error != VFS_OK ? error : vfs_remove(c->wasi->config.vfs, p.dir, p.path, true);
}

enum vfs_error wasi_path_unlink_file(struct call *c)
{
    struct place p;
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 1), arg32(c, 2), RIGHT_PATH_UNLINK_FILE, &p);

    return error != VFS_OK ? error : vfs_remove(c->wasi->config.vfs, p.dir, p.path, false);
}

enum vfs_error wasi_path_filestat_get(struct call *c)
{
    struct place p;
    struct vfs_node *node;
    struct vfs_stat stat;
    bool follow;
    uint8_t *at = guest_at(c, arg32(c, 4), FILESTAT_SIZE);
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 2), arg32(c, 3), RIGHT_PATH_FILESTAT_GET, &p);

    if (error == VFS_OK)
        error = check_lookup(arg32(c, 1), &follow);
    if (error == VFS_OK && at == NULL)
        error = VFS_FAULT;
    if (error == VFS_OK)
        error = vfs_resolve(c->wasi->config.vfs, p.dir, p.path, follow, &node);
    if (error != VFS_OK)
        return error;
    vfs_stat(node, &stat);
    vfs_node_drop(node);
    filestat_store(at, &stat);
    return VFS_OK;
}

enum vfs_error wasi_path_filestat_set_times(struct call *c)
{
    struct place p;
    struct vfs_node *node;
    struct vfs_times times;
    uint64_t storage[2];
    bool follow;
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 2), arg32(c, 3), RIGHT_PATH_FILESTAT_SET_TIMES, &p);

    if (error == VFS_OK)
        error = check_lookup(arg32(c, 1), &follow);
    if (error == VFS_OK)
        error = times_parse(c, arg64(c, 4), arg64(c, 5), arg32(c, 6), storage, &times);
    if (error == VFS_OK)
        error = vfs_resolve(c->wasi->config.vfs, p.dir, p.path, follow, &node);
    if (error != VFS_OK)
        return error;
    error = vfs_set_times(node, times);
    vfs_node_drop(node);
    return error;
}

enum vfs_error wasi_path_link(struct call *c)
{
    struct place from, to;
    bool follow;
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 2), arg32(c, 3), RIGHT_PATH_LINK_SOURCE, &from);

    if (error == VFS_OK)
        error = place_parse(c, arg32(c, 4), arg32(c, 5), arg32(c, 6), RIGHT_PATH_LINK_TARGET, &to);
    if (error == VFS_OK)
        error = check_lookup(arg32(c, 1), &follow);
    if (error != VFS_OK)
        return error;
    return vfs_link(c->wasi->config.vfs, from.dir, from.path, follow, to.dir, to.path);
}

enum vfs_error wasi_path_rename(struct call *c)
{
    struct place from, to;
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 1), arg32(c, 2), RIGHT_PATH_RENAME_SOURCE, &from);

    if (error == VFS_OK)
        error =
            place_parse(c, arg32(c, 3), arg32(c, 4), arg32(c, 5), RIGHT_PATH_RENAME_TARGET, &to);
    if (error != VFS_OK)
        return error;
    return vfs_rename(c->wasi->config.vfs, from.dir, from.path, to.dir, to.path);
}

enum vfs_error wasi_path_symlink(struct call *c)
{
    struct place p;
    struct bytes target;
    enum vfs_error error =
        place_parse(c, arg32(c, 2), arg32(c, 3), arg32(c, 4), RIGHT_PATH_SYMLINK, &p);

    if (error == VFS_OK)
        error = guest_bytes(c, arg32(c, 0), arg32(c, 1), &target);
    if (error != VFS_OK)
        return error;
    return vfs_make_symlink(c->wasi->config.vfs, target, p.dir, p.path);
}

enum vfs_error wasi_path_readlink(struct call *c)
{
    struct place p;
    struct vfs_node *node;
    uint8_t *buffer = guest_at(c, arg32(c, 3), arg32(c, 4)), *used_at = guest_at(c, arg32(c, 5), 4);
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 1), arg32(c, 2), RIGHT_PATH_READLINK, &p);

    if (error == VFS_OK && (buffer == NULL || used_at == NULL))
        error = VFS_FAULT;
    if (error == VFS_OK)
        error = vfs_resolve(c->wasi->config.vfs, p.dir, p.path, false, &node);
    if (error != VFS_OK)
        return error;
    if (node->ops->target != NULL) {
        struct bytes target = bytes_before(node->ops->target(node), arg32(c, 4));
        if (target.size != 0)
            memcpy(buffer, target.data, target.size);
        store_u32(used_at, (uint32_t)target.size);
    } else {
        error = VFS_INVAL;
    }
    vfs_node_drop(node);
    return error;
}

/* The rights over a directory that an open needs, beside those that it hands on. */
static uint64_t rights_needed(uint32_t oflags)
{
    uint64_t needed = RIGHT_PATH_OPEN;

    if ((oflags & OFLAG_CREAT) != 0)
        needed |= RIGHT_PATH_CREATE_FILE;
    if ((oflags & OFLAG_TRUNC) != 0)
        needed |= RIGHT_PATH_FILESTAT_SET_SIZE;
    return needed;
}

static unsigned open_flags(uint32_t oflags, uint64_t rights, uint32_t fdflags)
{
    const uint64_t writing = RIGHT_FD_WRITE | RIGHT_FD_ALLOCATE | RIGHT_FD_FILESTAT_SET_SIZE;
    unsigned flags = 0;

    if ((rights & (RIGHT_FD_READ | RIGHT_FD_READDIR)) != 0)
        flags |= VFS_OPEN_READ;
    if ((rights & writing) != 0 || (oflags & OFLAG_TRUNC) != 0)
        flags |= VFS_OPEN_WRITE;
    if ((oflags & OFLAG_TRUNC) != 0)
        flags |= VFS_OPEN_TRUNCATE;
    if ((fdflags & FDFLAG_NONBLOCK) != 0)
        flags |= VFS_OPEN_NONBLOCK;
    return flags;
}

enum vfs_error wasi_path_open(struct call *c)
{
    struct place p;
    struct descriptor d = {.rights = arg64(c, 5), .inheriting = arg64(c, 6)};
    uint32_t oflags = arg32(c, 4), fd;
    bool follow;
    uint8_t *fd_at = guest_at(c, arg32(c, 8), 4);
    enum vfs_error error =
        place_parse(c, arg32(c, 0), arg32(c, 2), arg32(c, 3), rights_needed(oflags), &p);

    if (error == VFS_OK)
        error = check_lookup(arg32(c, 1), &follow);
    if (error == VFS_OK && ((oflags & ~OFLAGS_ALL) != 0 || (arg32(c, 7) & ~FDFLAGS_ALL) != 0))
        error = VFS_INVAL;
    if (error == VFS_OK && fd_at == NULL)
        error = VFS_FAULT;
    if (error == VFS_OK && ((d.rights | d.inheriting) & ~p.d->inheriting) != 0)
        error = VFS_NOTCAPABLE;
    if (error == VFS_OK && c->wasi->open_count >= c->wasi->config.open_files_max)
        error = VFS_MFILE; /* before anything is made */
    if (error != VFS_OK)
        return error;
    unsigned how = (follow ? VFS_FOLLOW : 0u) | ((oflags & OFLAG_CREAT) != 0 ? VFS_CREATE : 0u) |
                   ((oflags & OFLAG_EXCL) != 0 ? VFS_EXCLUSIVE : 0u) |
                   ((oflags & OFLAG_DIRECTORY) != 0 ? VFS_ONLY_DIRECTORY : 0u);
    error = vfs_open(c->wasi->config.vfs, p.dir, p.path, how,
                     open_flags(oflags, d.rights, arg32(c, 7)), &d.node);
    if (error != VFS_OK)
        return error;
    d.flags = (uint16_t)arg32(c, 7);
    if (d.node->ops->type == VFS_SOCKET) {
        /* what can be done with sockets follows from having opened one */
        bool is_listener = d.node->ops->accept != NULL;
        d.rights = is_listener ? RIGHTS_LISTENER : RIGHTS_CONNECTION;
        d.inheriting = is_listener ? RIGHTS_CONNECTION : 0;
    }
    error = descriptor_add(c->wasi, d, &fd);
    if (error != VFS_OK)
        vfs_node_drop(d.node);
    else
        store_u32(fd_at, fd);
    return error;
}
