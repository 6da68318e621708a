/* Functions on descriptors. */
#include <string.h>

#include "wasi/internal.h"

enum whence { WHENCE_SET, WHENCE_CUR, WHENCE_END, WHENCE_COUNT };

#define ADVICE_COUNT 6u

static uint64_t size_of(const struct descriptor *d)
{
    struct vfs_stat stat;

    vfs_stat(d->node, &stat);
    return stat.size;
}

static bool is_stream(const struct descriptor *d)
{
    return d->node->ops->is_stream;
}

/* ---- reading and writing ---- */

enum vfs_error read_iovecs(const struct call *c, struct descriptor *d, uint64_t offset,
                           const struct iovecs *v, bool wait_for_all, size_t *done)
{
    struct vfs *vfs = c->wasi->config.vfs;
    size_t total = 0, got = 0;
    enum vfs_error error = VFS_OK;

    /* a read of nothing, too, says whether the file can be read */
    if (v->size == 0) {
        error = vfs_read(vfs, d->node, offset, c->wasi->bounce, 0, true, &got);
        *done = 0;
        return error == VFS_AGAIN ? VFS_OK : error;
    }
    for (uint32_t i = 0; i < v->count; i++) {
        uint32_t size;
        uint8_t *at = iovecs_at(v, i, &size);
        for (size_t filled = 0; filled < size; filled += got) {
            /* having something, wait no more */
            bool no_wait = descriptor_is_nonblocking(d) || (total != 0 && !wait_for_all);
            got = 0;
            error =
                vfs_read(vfs, d->node, offset + total, at + filled, size - filled, no_wait, &got);
            total += got;
            if (error != VFS_OK || got == 0 || (got < size - filled && !wait_for_all)) {
                *done = total;
                return total != 0 ? VFS_OK : error;
            }
        }
    }
    *done = total;
    return VFS_OK;
}

/* The next piece to write, from the buffer at *index on: buffers that fit together are collected
 * into one of ours, so that they go out at once. */
static struct bytes gather(const struct call *c, const struct iovecs *v, uint32_t *index)
{
    uint32_t size;
    const uint8_t *at = iovecs_at(v, (*index)++, &size);

    if (size >= BOUNCE_SIZE || *index == v->count)
        return bytes_from(at, size);
    size_t filled = 0;
    while (size <= BOUNCE_SIZE - filled) {
        if (size != 0)
            memcpy(c->wasi->bounce + filled, at, size);
        filled += size;
        if (*index == v->count)
            break;
        at = iovecs_at(v, *index, &size);
        if (size <= BOUNCE_SIZE - filled)
            ++*index;
    }
    return bytes_from(c->wasi->bounce, filled);
}

enum vfs_error write_iovecs(const struct call *c, struct descriptor *d, uint64_t offset,
                            const struct iovecs *v, size_t *done)
{
    enum vfs_error error = VFS_OK;
    size_t total = 0;
    uint32_t index = 0;

    do {
        struct bytes piece = v->count == 0 ? bytes_from(NULL, 0) : gather(c, v, &index);
        size_t written = 0;
        error = vfs_write(c->wasi->config.vfs, d->node, offset + total, piece,
                          descriptor_is_nonblocking(d), &written);
        total += written;
        if (written < piece.size)
            break;
    } while (error == VFS_OK && index < v->count);
    *done = total;
    return total != 0 ? VFS_OK : error;
}

typedef enum vfs_error transfer(const struct call *c, struct descriptor *d, uint64_t offset,
                                const struct iovecs *v, size_t *done);

static enum vfs_error read_some(const struct call *c, struct descriptor *d, uint64_t offset,
                                const struct iovecs *v, size_t *done)
{
    return read_iovecs(c, d, offset, v, false, done);
}

/* fd_read and fd_write: at the descriptor's place, which moves. */
static enum vfs_error move_bytes(struct call *c, uint64_t right, transfer *code)
{
    struct descriptor *d;
    struct iovecs v;
    uint8_t *done_at = guest_at(c, arg32(c, 3), 4);
    size_t done = 0;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), right, &d);

    if (error == VFS_OK)
        error = iovecs_parse(c, arg32(c, 1), arg32(c, 2), &v);
    if (error == VFS_OK && done_at == NULL)
        error = VFS_FAULT;
    if (error != VFS_OK)
        return error;
    if (right == RIGHT_FD_WRITE && (d->flags & FDFLAG_APPEND) != 0 && !is_stream(d))
        d->offset = size_of(d);
    error = code(c, d, is_stream(d) ? 0 : d->offset, &v, &done);
    if (error != VFS_OK)
        return error;
    d->offset += done;
    store_u32(done_at, (uint32_t)done);
    return VFS_OK;
}

enum vfs_error wasi_fd_read(struct call *c)
{
    return move_bytes(c, RIGHT_FD_READ, read_some);
}

enum vfs_error wasi_fd_write(struct call *c)
{
    return move_bytes(c, RIGHT_FD_WRITE, write_iovecs);
}

/* fd_pread and fd_pwrite: at an offset that is given. */
static enum vfs_error move_bytes_at(struct call *c, uint64_t right, transfer *code)
{
    struct descriptor *d;
    struct iovecs v;
    uint8_t *done_at = guest_at(c, arg32(c, 4), 4);
    size_t done = 0;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error == VFS_OK && is_stream(d))
        error = VFS_SPIPE;
    if (error == VFS_OK)
        error = descriptor_get(c->wasi, arg32(c, 0), right | RIGHT_FD_SEEK, &d);
    if (error == VFS_OK)
        error = iovecs_parse(c, arg32(c, 1), arg32(c, 2), &v);
    if (error == VFS_OK && done_at == NULL)
        error = VFS_FAULT;
    if (error == VFS_OK && arg64(c, 3) > INT64_MAX)
        error = VFS_INVAL;
    if (error == VFS_OK)
        error = code(c, d, arg64(c, 3), &v, &done);
    if (error == VFS_OK)
        store_u32(done_at, (uint32_t)done);
    return error;
}

enum vfs_error wasi_fd_pread(struct call *c)
{
    return move_bytes_at(c, RIGHT_FD_READ, read_some);
}

enum vfs_error wasi_fd_pwrite(struct call *c)
{
    return move_bytes_at(c, RIGHT_FD_WRITE, write_iovecs);
}

static enum vfs_error new_offset(const struct descriptor *d, int64_t delta, uint32_t whence,
                                 uint64_t *out)
{
    uint64_t base = whence == WHENCE_SET ? 0 : whence == WHENCE_CUR ? d->offset : size_of(d);
    int64_t sum;

    if (whence >= WHENCE_COUNT)
        return VFS_INVAL;
    if (!checked_add(base, delta, &sum))
        return delta < 0 ? VFS_INVAL : VFS_OVERFLOW;
    if (sum < 0)
        return VFS_INVAL;
    *out = (uint64_t)sum;
    return VFS_OK;
}

enum vfs_error wasi_fd_seek(struct call *c)
{
    struct descriptor *d;
    uint8_t *at = guest_at(c, arg32(c, 3), 8);
    uint64_t offset;
    int64_t delta = (int64_t)arg64(c, 1);
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error != VFS_OK)
        return error;
    if (is_stream(d))
        return VFS_SPIPE;
    /* to ask where one is takes less than to go elsewhere */
    uint64_t right = arg32(c, 2) == WHENCE_CUR && delta == 0 ? RIGHT_FD_TELL : RIGHT_FD_SEEK;
    error = descriptor_get(c->wasi, arg32(c, 0), right, &d);
    if (error == VFS_OK)
        error = new_offset(d, delta, arg32(c, 2), &offset);
    if (error == VFS_OK && at == NULL)
        error = VFS_FAULT;
    if (error != VFS_OK)
        return error;
    d->offset = offset;
    store_u64(at, offset);
    return VFS_OK;
}

enum vfs_error wasi_fd_tell(struct call *c)
{
    struct descriptor *d;
    uint8_t *at = guest_at(c, arg32(c, 1), 8);
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error == VFS_OK && is_stream(d))
        error = VFS_SPIPE;
    if (error == VFS_OK)
        error = descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_TELL, &d);
    if (error == VFS_OK && at == NULL)
        error = VFS_FAULT;
    if (error == VFS_OK)
        store_u64(at, d->offset);
    return error;
}

/* ---- the descriptor itself ---- */

enum vfs_error wasi_fd_close(struct call *c)
{
    struct descriptor *d;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error == VFS_OK)
        descriptor_close(c->wasi, arg32(c, 0));
    return error;
}

enum vfs_error wasi_fd_renumber(struct call *c)
{
    struct descriptor *from, *to = NULL;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &from);

    if (error == VFS_OK)
        error = descriptor_get(c->wasi, arg32(c, 1), 0, &to);
    if (error != VFS_OK || from == to)
        return error;
    (void)vfs_node_hold(from->node);
    vfs_node_drop(to->node);
    *to = *from;
    descriptor_close(c->wasi, arg32(c, 0));
    return VFS_OK;
}

enum vfs_error wasi_fd_fdstat_get(struct call *c)
{
    struct descriptor *d;
    uint8_t *at = guest_at(c, arg32(c, 1), 24);
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error == VFS_OK && at == NULL)
        error = VFS_FAULT;
    if (error != VFS_OK)
        return error;
    memset(at, 0, 24);
    at[0] = (uint8_t)d->node->ops->type;
    store_u16(at + 2, d->flags);
    store_u64(at + 8, d->rights);
    store_u64(at + 16, d->inheriting);
    return VFS_OK;
}

enum vfs_error wasi_fd_fdstat_set_flags(struct call *c)
{
    struct descriptor *d;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_FDSTAT_SET_FLAGS, &d);

    if (error == VFS_OK && (arg32(c, 1) & ~FDFLAGS_ALL) != 0)
        error = VFS_INVAL;
    if (error == VFS_OK)
        d->flags = (uint16_t)arg32(c, 1);
    return error;
}

enum vfs_error wasi_fd_fdstat_set_rights(struct call *c)
{
    struct descriptor *d;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error != VFS_OK)
        return error;
    if ((arg64(c, 1) & ~d->rights) != 0 || (arg64(c, 2) & ~d->inheriting) != 0)
        return VFS_NOTCAPABLE;
    d->rights = arg64(c, 1);
    d->inheriting = arg64(c, 2);
    return VFS_OK;
}

enum vfs_error wasi_fd_prestat_get(struct call *c)
{
    struct descriptor *d;
    uint8_t *at = guest_at(c, arg32(c, 1), 8);
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error == VFS_OK && d->preopen_name == NULL)
        error = VFS_BADF; /* as the C library expects, which asks until this answer */
    if (error == VFS_OK && at == NULL)
        error = VFS_FAULT;
    if (error != VFS_OK)
        return error;
    store_u32(at, 0); /* a directory */
    store_u32(at + 4, (uint32_t)strlen(d->preopen_name));
    return VFS_OK;
}

enum vfs_error wasi_fd_prestat_dir_name(struct call *c)
{
    struct descriptor *d;
    uint8_t *at = guest_at(c, arg32(c, 1), arg32(c, 2));
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), 0, &d);

    if (error == VFS_OK && d->preopen_name == NULL)
        error = VFS_BADF;
    if (error == VFS_OK && strlen(d->preopen_name) > arg32(c, 2))
        error = VFS_NAMETOOLONG;
    if (error == VFS_OK && at == NULL)
        error = VFS_FAULT;
    if (error == VFS_OK)
        memcpy(at, d->preopen_name, strlen(d->preopen_name));
    return error;
}

/* ---- what concerns the file ---- */

enum vfs_error wasi_fd_advise(struct call *c)
{
    struct descriptor *d;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_ADVISE, &d);

    if (error == VFS_OK && is_stream(d))
        error = VFS_SPIPE;
    if (error == VFS_OK &&
        (arg32(c, 3) >= ADVICE_COUNT || arg64(c, 1) > INT64_MAX || arg64(c, 2) > INT64_MAX))
        error = VFS_INVAL;
    return error; /* all is in memory: no advice helps */
}

enum vfs_error wasi_fd_allocate(struct call *c)
{
    struct descriptor *d;
    uint64_t end;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_ALLOCATE, &d);

    if (error != VFS_OK)
        return error;
    if (arg64(c, 2) == 0 || arg64(c, 1) > INT64_MAX || arg64(c, 2) > INT64_MAX)
        return VFS_INVAL;
    if (!checked_add(arg64(c, 1), arg64(c, 2), &end))
        return VFS_FBIG;
    return end <= size_of(d) ? VFS_OK : vfs_resize(d->node, end);
}

/* Everything is where it stays the moment that it is written. */
enum vfs_error wasi_fd_datasync(struct call *c)
{
    struct descriptor *d;

    return descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_DATASYNC, &d);
}

enum vfs_error wasi_fd_sync(struct call *c)
{
    struct descriptor *d;

    return descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_SYNC, &d);
}

void filestat_store(uint8_t *at, const struct vfs_stat *stat)
{
    memset(at, 0, FILESTAT_SIZE);
    store_u64(at, stat->device);
    store_u64(at + 8, stat->inode);
    at[16] = (uint8_t)stat->type;
    store_u64(at + 24, stat->links);
    store_u64(at + 32, stat->size);
    store_u64(at + 40, stat->accessed_ns);
    store_u64(at + 48, stat->modified_ns);
    store_u64(at + 56, stat->changed_ns);
}

enum vfs_error wasi_fd_filestat_get(struct call *c)
{
    struct descriptor *d;
    struct vfs_stat stat;
    uint8_t *at = guest_at(c, arg32(c, 1), FILESTAT_SIZE);
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_FILESTAT_GET, &d);

    if (error == VFS_OK && at == NULL)
        error = VFS_FAULT;
    if (error != VFS_OK)
        return error;
    vfs_stat(d->node, &stat);
    filestat_store(at, &stat);
    return VFS_OK;
}

enum vfs_error wasi_fd_filestat_set_size(struct call *c)
{
    struct descriptor *d;
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_FILESTAT_SET_SIZE, &d);

    if (error == VFS_OK && arg64(c, 1) > INT64_MAX)
        error = VFS_INVAL;
    return error != VFS_OK ? error : vfs_resize(d->node, arg64(c, 1));
}

enum vfs_error times_parse(const struct call *c, uint64_t accessed_ns, uint64_t modified_ns,
                           uint32_t flags, uint64_t storage[2], struct vfs_times *out)
{
    const struct vfs_platform *p = vfs_platform(c->wasi->config.vfs);
    const uint32_t accessed = FSTFLAG_ATIM | FSTFLAG_ATIM_NOW;
    const uint32_t modified = FSTFLAG_MTIM | FSTFLAG_MTIM_NOW;

    if ((flags & ~(accessed | modified)) != 0 || (flags & accessed) == accessed ||
        (flags & modified) == modified)
        return VFS_INVAL;
    uint64_t now = p->realtime_ns(p->context);
    storage[0] = (flags & FSTFLAG_ATIM) != 0 ? accessed_ns : now;
    storage[1] = (flags & FSTFLAG_MTIM) != 0 ? modified_ns : now;
    out->accessed_ns = (flags & accessed) != 0 ? &storage[0] : NULL;
    out->modified_ns = (flags & modified) != 0 ? &storage[1] : NULL;
    return VFS_OK;
}

enum vfs_error wasi_fd_filestat_set_times(struct call *c)
{
    struct descriptor *d;
    struct vfs_times times;
    uint64_t storage[2];
    enum vfs_error error = descriptor_get(c->wasi, arg32(c, 0), RIGHT_FD_FILESTAT_SET_TIMES, &d);

    if (error == VFS_OK)
        error = times_parse(c, arg64(c, 1), arg64(c, 2), arg32(c, 3), storage, &times);
    return error != VFS_OK ? error : vfs_set_times(d->node, times);
}

/* A dirent and its name: cut where the buffer ends, which tells the workload to ask again. */
#define DIRENT_SIZE 24u

static void put(uint8_t *buffer, uint32_t size, uint32_t *used, const void *data, size_t data_size)
{
    uint32_t step = size - *used < data_size ? size - *used : (uint32_t)data_size;

    if (step != 0)
        memcpy(buffer + *used, data, step);
    *used += step;
}

enum vfs_error wasi_fd_readdir(struct call *c)
{
    struct descriptor *d;
    struct vfs_entry entry;
    uint32_t size = arg32(c, 2), used = 0;
    uint64_t cookie = arg64(c, 3);
    uint8_t *buffer = guest_at(c, arg32(c, 1), size), *used_at = guest_at(c, arg32(c, 4), 4);
    enum vfs_error error = descriptor_directory(c->wasi, arg32(c, 0), RIGHT_FD_READDIR, &d);

    if (error == VFS_OK && (buffer == NULL || used_at == NULL))
        error = VFS_FAULT;
    while (error == VFS_OK && used < size) {
        uint8_t head[DIRENT_SIZE] = {0};
        error = vfs_list(d->node, cookie, &entry);
        if (error != VFS_OK)
            break;
        cookie = entry.cookie;
        store_u64(head, cookie);
        store_u64(head + 8, entry.inode);
        store_u32(head + 16, (uint32_t)entry.name.size);
        head[20] = (uint8_t)entry.type;
        put(buffer, size, &used, head, sizeof head);
        put(buffer, size, &used, entry.name.data, entry.name.size);
    }
    if (error != VFS_OK && error != VFS_NOENT)
        return error;
    store_u32(used_at, used);
    return VFS_OK;
}
