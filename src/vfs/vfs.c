/* The root, its mounts, and what all kinds of file have in common. */
#include "vfs/vfs.h"

#include <stdlib.h>

#include "vfs/internal.h"

enum device { DEVICE_PACKAGE = 1, DEVICE_TMP };

uint64_t vfs_inode_new(struct vfs *vfs)
{
    return ++vfs->inodes;
}

struct vfs_node *vfs_directory_new(struct vfs *vfs)
{
    return mem_new(vfs, DEVICE_PACKAGE, UINT64_MAX, true);
}

bool vfs_insert(struct vfs_node *dir, const char *name, struct vfs_node *node, struct err *err)
{
    switch (mem_insert(dir, bytes_of(name), node)) {
    case VFS_OK:
        return true;
    case VFS_EXIST:
        return err_set(err, ERR_INVALID, "a file of that name is mounted already", ERR_NO_AT);
    default:
        return err_set(err, ERR_MEMORY, "no memory for a mounted file", ERR_NO_AT);
    }
}

bool vfs_new(const struct vfs_platform *platform, uint64_t tmp_size_max, struct vfs **out,
             struct err *err)
{
    struct vfs *vfs = calloc(1, sizeof *vfs);

    if (vfs == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the file system", ERR_NO_AT);
    vfs->platform = *platform;
    vfs->root = vfs_directory_new(vfs);
    struct vfs_node *tmp = mem_new(vfs, DEVICE_TMP, tmp_size_max, false);
    struct vfs_node *dev = vfs_directory_new(vfs);
    bool ok = vfs->root != NULL && tmp != NULL && dev != NULL;
    if (!ok)
        (void)err_set(err, ERR_MEMORY, "no memory for the file system", ERR_NO_AT);
    ok = ok && dev_insert(vfs, dev, err) && vfs_insert(vfs->root, "tmp", tmp, err) &&
         vfs_insert(vfs->root, "dev", dev, err);
    vfs_node_drop(tmp);
    vfs_node_drop(dev);
    if (!ok) {
        vfs_free(vfs);
        return false;
    }
    *out = vfs;
    return true;
}

void vfs_free(struct vfs *vfs)
{
    if (vfs == NULL)
        return;
    vfs_node_drop(vfs->root);
    free(vfs);
}

struct vfs_node *vfs_root(struct vfs *vfs)
{
    return vfs->root;
}

const struct vfs_platform *vfs_platform(const struct vfs *vfs)
{
    return &vfs->platform;
}

static bool is_reserved(struct bytes name)
{
    return bytes_is(name, "tmp") || bytes_is(name, "dev") || bytes_is(name, "net");
}

/* The directory of a name in dir, made when it is not there; borrowed. */
static enum vfs_error enter_directory(struct vfs_node **dir, struct bytes name)
{
    struct vfs_node *next;
    enum vfs_error error = (*dir)->ops->lookup(*dir, name, &next);

    if (error == VFS_NOENT)
        error = mem_make_directory(*dir, name, &next);
    if (error != VFS_OK)
        return error;
    bool is_directory = next->ops->type == VFS_DIRECTORY;
    vfs_node_drop(next); /* its parent holds it */
    *dir = next;
    return is_directory ? VFS_OK : VFS_NOTDIR;
}

bool vfs_add_file(struct vfs *vfs, struct bytes path, struct bytes content, struct err *err)
{
    struct vfs_node *dir = vfs->root;
    enum vfs_error error = VFS_OK;

    if (path.size == 0 || path.size > VFS_PATH_MAX || !utf8_is_valid(path))
        return err_set(err, ERR_INVALID, "a file of the package has an unusable path", ERR_NO_AT);
    for (size_t at = 0, size; error == VFS_OK; at += size + 1) {
        struct bytes rest = bytes_after(path, at);
        const uint8_t *slash = rest.size == 0 ? NULL : memchr(rest.data, '/', rest.size);
        size = slash != NULL ? (size_t)(slash - rest.data) : rest.size;
        struct bytes name = bytes_before(rest, size);
        if (size == 0 || size > VFS_NAME_MAX || bytes_is(name, ".") || bytes_is(name, "..") ||
            memchr(name.data, 0, size) != NULL || (at == 0 && is_reserved(name)))
            return err_set(err, ERR_INVALID,
                           "a file of the package has an unusable path, at offset", at);
        if (slash == NULL) {
            error = mem_make_constant(dir, name, content);
            break;
        }
        error = enter_directory(&dir, name);
    }
    if (error == VFS_EXIST || error == VFS_NOTDIR)
        return err_set(err, ERR_INVALID, "two files of the package have one path", ERR_NO_AT);
    return error == VFS_OK || err_set(err, ERR_MEMORY, "no memory for the package", ERR_NO_AT);
}

/* ---- what nodes leave open ---- */

void vfs_node_drop(struct vfs_node *node)
{
    if (node != NULL && --node->references == 0)
        node->ops->release(node);
}

void vfs_stat(struct vfs_node *node, struct vfs_stat *out)
{
    *out = (struct vfs_stat){.type = node->ops->type};
    if (node->ops->stat != NULL)
        node->ops->stat(node, out);
}

enum vfs_error vfs_resize(struct vfs_node *node, uint64_t size)
{
    return node->ops->resize != NULL ? node->ops->resize(node, size) : VFS_INVAL;
}

enum vfs_error vfs_set_times(struct vfs_node *node, struct vfs_times times)
{
    return node->ops->set_times != NULL ? node->ops->set_times(node, times) : VFS_PERM;
}

void vfs_poll(struct vfs_node *node, unsigned wanted, unsigned woken, struct vfs_poll *out)
{
    *out = (struct vfs_poll){.ready = wanted};
    if (node->ops->poll != NULL)
        node->ops->poll(node, wanted, woken, out);
}

enum vfs_error vfs_list(struct vfs_node *dir, uint64_t after, struct vfs_entry *out)
{
    struct vfs_stat stat;

    if (dir->ops->type != VFS_DIRECTORY)
        return VFS_NOTDIR;
    if (after < 2) {
        vfs_stat(dir, &stat);
        *out = (struct vfs_entry){.cookie = after + 1,
                                  .inode = stat.inode,
                                  .name = bytes_of(after == 0 ? "." : ".."),
                                  .type = VFS_DIRECTORY};
        return VFS_OK;
    }
    if (dir->ops->list == NULL)
        return VFS_NOENT;
    enum vfs_error error = dir->ops->list(dir, after - 2, out);
    if (error == VFS_OK)
        out->cookie += 2;
    return error;
}

/* Waits until the node is ready for one of the events, or has an error to tell. */
static enum vfs_error wait_for(struct vfs *vfs, struct vfs_node *node, unsigned events)
{
    struct vfs_poll poll;
    unsigned woken = 0;

    for (;;) {
        vfs_poll(node, events, woken, &poll);
        if (poll.ready != 0 || poll.error != VFS_OK)
            return VFS_OK;
        enum vfs_error error = vfs->platform.wait(vfs->platform.context, &poll.wait, 1, UINT64_MAX);
        if (error != VFS_OK)
            return error;
        woken = poll.wait.woken;
    }
}

/* Whether an operation that gave *error is to be done once more: it had to wait, and has. */
static bool again(struct vfs *vfs, struct vfs_node *node, unsigned events, bool is_nonblocking,
                  enum vfs_error *error)
{
    if (*error != VFS_AGAIN || is_nonblocking)
        return false;
    *error = wait_for(vfs, node, events);
    return *error == VFS_OK;
}

static enum vfs_error no_bytes(const struct vfs_node *node)
{
    return node->ops->type == VFS_DIRECTORY ? VFS_ISDIR : VFS_INVAL;
}

enum vfs_error vfs_read(struct vfs *vfs, struct vfs_node *node, uint64_t offset, void *out,
                        size_t size, bool is_nonblocking, size_t *done)
{
    if (node->ops->read == NULL)
        return no_bytes(node);
    enum vfs_error error;
    do
        error = node->ops->read(node, offset, out, size, done);
    while (again(vfs, node, VFS_READABLE, is_nonblocking, &error));
    return error;
}

enum vfs_error vfs_peek(struct vfs *vfs, struct vfs_node *node, void *out, size_t size,
                        bool is_nonblocking, size_t *done)
{
    if (node->ops->peek == NULL)
        return VFS_NOTSOCK;
    enum vfs_error error;
    do
        error = node->ops->peek(node, out, size, done);
    while (again(vfs, node, VFS_READABLE, is_nonblocking, &error));
    return error;
}

enum vfs_error vfs_write(struct vfs *vfs, struct vfs_node *node, uint64_t offset, struct bytes in,
                         bool is_nonblocking, size_t *done)
{
    size_t written = 0;
    enum vfs_error error;

    if (node->ops->write == NULL)
        return no_bytes(node);
    do {
        size_t step = 0;
        error = node->ops->write(node, offset + written, bytes_after(in, written), &step);
        if (error == VFS_OK)
            written += step;
    } while (again(vfs, node, VFS_WRITABLE, is_nonblocking, &error) ||
             (error == VFS_OK && written < in.size && !is_nonblocking));
    *done = written;
    return written != 0 ? VFS_OK : error;
}

enum vfs_error vfs_accept(struct vfs *vfs, struct vfs_node *node, bool is_nonblocking,
                          struct vfs_node **out)
{
    if (node->ops->accept == NULL)
        return node->ops->type == VFS_SOCKET ? VFS_INVAL : VFS_NOTSOCK;
    enum vfs_error error;
    do
        error = node->ops->accept(node, out);
    while (again(vfs, node, VFS_READABLE, is_nonblocking, &error));
    return error;
}

enum vfs_error vfs_shutdown(struct vfs_node *node, unsigned how)
{
    return node->ops->shutdown != NULL ? node->ops->shutdown(node, how) : VFS_NOTSOCK;
}
