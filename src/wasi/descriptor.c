/* The table of descriptors, and what each may do. */
#include <stdlib.h>

#include "wasi/internal.h"

enum vfs_error descriptor_get(struct wasi *wasi, uint32_t fd, uint64_t rights,
                              struct descriptor **out)
{
    if (fd >= wasi->descriptor_count || wasi->descriptors[fd].node == NULL)
        return VFS_BADF;
    *out = &wasi->descriptors[fd];
    return ((*out)->rights & rights) == rights ? VFS_OK : VFS_NOTCAPABLE;
}

enum vfs_error descriptor_directory(struct wasi *wasi, uint32_t fd, uint64_t rights,
                                    struct descriptor **out)
{
    enum vfs_error error = descriptor_get(wasi, fd, 0, out);

    if (error != VFS_OK)
        return error;
    if ((*out)->node->ops->type != VFS_DIRECTORY)
        return VFS_NOTDIR;
    return descriptor_get(wasi, fd, rights, out);
}

/* Room for the descriptor `fd`. */
static bool table_grow(struct wasi *wasi, uint32_t fd)
{
    if (fd < wasi->descriptor_count)
        return true;
    size_t count = wasi->descriptor_count == 0 ? 16 : wasi->descriptor_count * 2;
    if (count <= fd)
        count = (size_t)fd + 1;
    struct descriptor *grown = realloc(wasi->descriptors, count * sizeof *grown);
    if (grown == NULL)
        return false;
    for (size_t i = wasi->descriptor_count; i < count; i++)
        grown[i] = (struct descriptor){.node = NULL};
    wasi->descriptors = grown;
    wasi->descriptor_count = count;
    return true;
}

enum vfs_error descriptor_add(struct wasi *wasi, struct descriptor d, uint32_t *fd)
{
    uint32_t free_fd = wasi->lowest_free;

    if (wasi->open_count >= wasi->config.open_files_max)
        return VFS_MFILE;
    while (free_fd < wasi->descriptor_count && wasi->descriptors[free_fd].node != NULL)
        free_fd++;
    if (!table_grow(wasi, free_fd))
        return VFS_NOMEM;
    wasi->descriptors[free_fd] = d;
    wasi->lowest_free = free_fd + 1;
    wasi->open_count++;
    *fd = free_fd;
    return VFS_OK;
}

void descriptor_close(struct wasi *wasi, uint32_t fd)
{
    struct vfs_node *node = wasi->descriptors[fd].node;

    wasi->descriptors[fd] = (struct descriptor){.node = NULL};
    wasi->open_count--;
    if (fd < wasi->lowest_free)
        wasi->lowest_free = fd;
    vfs_node_drop(node);
}

static const struct {
    uint64_t rights, inheriting;
} roles[] = {
    [WASI_ROLE_INPUT] = {RIGHT_FD_READ | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET |
                             RIGHT_POLL_FD_READWRITE,
                         0},
    [WASI_ROLE_OUTPUT] = {RIGHT_FD_WRITE | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET |
                              RIGHT_POLL_FD_READWRITE | RIGHT_FD_SYNC | RIGHT_FD_DATASYNC,
                          0},
    [WASI_ROLE_LISTENER] = {RIGHTS_LISTENER, RIGHTS_CONNECTION},
    [WASI_ROLE_CONNECTION] = {RIGHTS_CONNECTION, 0},
    [WASI_ROLE_DIRECTORY] = {RIGHTS_ALL & ~(RIGHT_FD_SEEK | RIGHT_FD_TELL), RIGHTS_ALL},
};

bool wasi_add(struct wasi *wasi, struct vfs_node *node, enum wasi_role role,
              const char *preopen_name, uint32_t *fd, struct err *err)
{
    struct descriptor d = {.node = vfs_node_hold(node),
                           .rights = roles[role].rights,
                           .inheriting = roles[role].inheriting,
                           .preopen_name = preopen_name};

    if (descriptor_add(wasi, d, fd) == VFS_OK)
        return true;
    vfs_node_drop(node);
    return err_set(err, ERR_LIMIT, "too many open files, more than", wasi->config.open_files_max);
}

void wasi_skip_to(struct wasi *wasi, uint32_t fd)
{
    if (wasi->lowest_free < fd)
        wasi->lowest_free = fd;
}

struct vfs_node *wasi_node(const struct wasi *wasi, uint32_t fd)
{
    return fd < wasi->descriptor_count ? wasi->descriptors[fd].node : NULL;
}
