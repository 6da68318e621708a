/* /dev: null, zero, random and urandom. Randomness is the platform's, so a keep's is the TEE's. */
#include <stdlib.h>
#include <string.h>

#include "vfs/internal.h"

#define DEVICE_NUMBER 3

struct device {
    struct vfs_node node;
    struct vfs *vfs;
    uint64_t inode;
};

static struct device *device_of(struct vfs_node *node)
{
    return (struct device *)(void *)node;
}

static void release(struct vfs_node *node)
{
    free(device_of(node));
}

static void stat_device(struct vfs_node *node, struct vfs_stat *out)
{
    *out = (struct vfs_stat){.device = DEVICE_NUMBER,
                             .inode = device_of(node)->inode,
                             .links = 1,
                             .type = VFS_CHARACTER_DEVICE};
}

static enum vfs_error read_end(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                               size_t *done)
{
    (void)node;
    (void)offset;
    (void)out;
    (void)size;
    *done = 0;
    return VFS_OK;
}

static enum vfs_error read_zeroes(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                                  size_t *done)
{
    (void)node;
    (void)offset;
    memset(out, 0, size);
    *done = size;
    return VFS_OK;
}

static enum vfs_error read_random(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                                  size_t *done)
{
    const struct vfs_platform *platform = &device_of(node)->vfs->platform;

    (void)offset;
    if (!platform->random(platform->context, out, size))
        return VFS_IO;
    *done = size;
    return VFS_OK;
}

static enum vfs_error write_away(struct vfs_node *node, uint64_t offset, struct bytes in,
                                 size_t *done)
{
    (void)node;
    (void)offset;
    *done = in.size;
    return VFS_OK;
}

static const struct {
    const char *name;
    struct vfs_ops ops;
} devices[] = {
#define DEVICE(device_name, reader)       \
    {                                     \
        .name = (device_name), .ops = {   \
            .type = VFS_CHARACTER_DEVICE, \
            .release = release,           \
            .stat = stat_device,          \
            .read = (reader),             \
            .write = write_away           \
        }                                 \
    }
    DEVICE("null", read_end),
    DEVICE("zero", read_zeroes),
    DEVICE("random", read_random),
    DEVICE("urandom", read_random),
};

bool dev_insert(struct vfs *vfs, struct vfs_node *dir, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(devices); i++) {
        struct device *d = calloc(1, sizeof *d);
        if (d == NULL)
            return err_set(err, ERR_MEMORY, "no memory for /dev", ERR_NO_AT);
        vfs_node_init(&d->node, &devices[i].ops);
        d->vfs = vfs;
        d->inode = vfs_inode_new(vfs);
        bool ok = vfs_insert(dir, devices[i].name, &d->node, err);
        vfs_node_drop(&d->node);
        if (!ok)
            return false;
    }
    return true;
}
