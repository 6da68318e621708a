/* Files, directories and symlinks in memory: /tmp, the package's files, and the directories that
 * devices and sockets are mounted in. Names and contents are the workload's; each file system has a
 * budget, and a write beyond it is VFS_NOSPC. */
#include <stdlib.h>
#include <string.h>

#include "vfs/internal.h"

/* What a node or an entry counts for in the budget, beside contents and names. */
#define NODE_COST 256u
#define ENTRY_COST 64u
#define LINKS_MAX 65000u

struct mem {
    struct vfs *vfs;
    uint64_t device, size_max, used;
    uint64_t nodes; /* alive */
    bool is_read_only;
    bool is_ending;         /* a release is at work on `ended` */
    struct mem_node *ended; /* directories whose entries have to go */
};

struct mem_entry {
    struct vfs_node *node; /* NULL: removed */
    uint64_t cookie;
    uint32_t hash;
    uint8_t name_size;
    char *name;
};

/* A directory: entries in the order of their cookies, and an index into them by name. */
struct mem_directory {
    struct mem_entry *entries;
    uint32_t *index; /* by hash, open addressing: position + 1, 0 free; twice `capacity` slots */
    uint32_t used, capacity, alive;
    uint64_t cookie_last;
    struct mem_node *parent; /* only to refuse a move into itself; not a reference */
    bool is_removed;
};

struct mem_file {
    uint8_t *data;
    uint64_t size, capacity;
    bool is_constant; /* data is borrowed */
};

struct mem_node {
    struct vfs_node node;
    struct mem *fs;
    struct vfs_stat stat; /* size is that of a file or symlink */
    struct mem_node *next_ended;
    union {
        struct mem_directory directory;
        struct mem_file file;
        uint8_t *target;
    } of;
};

static const struct vfs_ops directory_ops, file_ops, symlink_ops;

static struct mem_node *mem_of(struct vfs_node *node)
{
    return (struct mem_node *)(void *)node;
}

static bool is_mem(const struct vfs_node *node)
{
    return node->ops == &directory_ops || node->ops == &file_ops || node->ops == &symlink_ops;
}

static uint64_t now(const struct mem *fs)
{
    return fs->vfs->platform.realtime_ns(fs->vfs->platform.context);
}

static void modified(struct mem_node *n)
{
    n->stat.modified_ns = n->stat.changed_ns = now(n->fs);
}

static bool charge(struct mem *fs, uint64_t size)
{
    if (size > fs->size_max - fs->used)
        return false;
    fs->used += size;
    return true;
}

static struct mem_node *node_new(struct mem *fs, enum vfs_type type)
{
    const struct vfs_ops *ops = type == VFS_DIRECTORY      ? &directory_ops
                                : type == VFS_REGULAR_FILE ? &file_ops
                                                           : &symlink_ops;
    if (!charge(fs, NODE_COST))
        return NULL;
    struct mem_node *n = calloc(1, sizeof *n);
    if (n == NULL) {
        fs->used -= NODE_COST;
        return NULL;
    }
    vfs_node_init(&n->node, ops);
    n->fs = fs;
    uint64_t time = now(fs);
    n->stat = (struct vfs_stat){.device = fs->device,
                                .inode = vfs_inode_new(fs->vfs),
                                .type = type,
                                .accessed_ns = time,
                                .modified_ns = time,
                                .changed_ns = time};
    fs->nodes++;
    return n;
}

/* ---- directories ---- */

static uint32_t name_hash(struct bytes name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 16777619u;
    return hash;
}

static struct mem_entry *find(const struct mem_directory *d, struct bytes name)
{
    if (d->alive == 0)
        return NULL;
    uint32_t hash = name_hash(name), mask = 2 * d->capacity - 1;
    for (uint32_t slot = hash & mask; d->index[slot] != 0; slot = (slot + 1) & mask) {
        struct mem_entry *e = &d->entries[d->index[slot] - 1];
        if (e->node != NULL && e->hash == hash &&
            bytes_equal(bytes_from(e->name, e->name_size), name))
            return e;
    }
    return NULL;
}

static void index_put(struct mem_directory *d, uint32_t position)
{
    uint32_t mask = 2 * d->capacity - 1, slot = d->entries[position].hash & mask;

    while (d->index[slot] != 0)
        slot = (slot + 1) & mask;
    d->index[slot] = position + 1;
}

/* Room for one more entry: drops the removed ones, and doubles when they are few. */
static bool directory_grow(struct mem_directory *d)
{
    if (d->used < d->capacity)
        return true;
    uint32_t capacity = d->capacity == 0             ? 8
                        : d->alive > d->capacity / 2 ? 2 * d->capacity
                                                     : d->capacity;
    if (capacity > UINT32_MAX / 4)
        return false;
    struct mem_entry *entries = calloc(capacity, sizeof *entries);
    uint32_t *index = calloc(2 * (size_t)capacity, sizeof *index);
    if (entries == NULL || index == NULL) {
        free(entries);
        free(index);
        return false;
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < d->used; i++) {
        if (d->entries[i].node != NULL)
            entries[used++] = d->entries[i];
    }
    free(d->entries);
    free(d->index);
    d->entries = entries;
    d->index = index;
    d->used = used;
    d->capacity = capacity;
    for (uint32_t i = 0; i < used; i++)
        index_put(d, i);
    return true;
}

/* What changes in a directory and a node when it gets a name there. */
static void attached(struct mem_node *dir, struct vfs_node *node)
{
    modified(dir);
    if (!is_mem(node))
        return;
    struct mem_node *n = mem_of(node);
    n->stat.links++;
    n->stat.changed_ns = dir->stat.changed_ns;
    if (node->ops == &directory_ops && n->fs == dir->fs)
        n->of.directory.parent = dir;
}

/* Puts a node under a name that is not there; the reference becomes the entry's. */
static enum vfs_error enter(struct mem_node *dir, struct bytes name, struct vfs_node *node)
{
    struct mem_directory *d = &dir->of.directory;

    if (name.size == 0 || name.size > VFS_NAME_MAX)
        return VFS_NAMETOOLONG;
    if (d->is_removed)
        return VFS_NOENT;
    if (!charge(dir->fs, ENTRY_COST + name.size))
        return VFS_NOSPC;
    char *copy = malloc(name.size);
    if (copy == NULL || !directory_grow(d)) {
        free(copy);
        dir->fs->used -= ENTRY_COST + name.size;
        return VFS_NOMEM;
    }
    memcpy(copy, name.data, name.size);
    d->entries[d->used] = (struct mem_entry){.node = node,
                                             .cookie = ++d->cookie_last,
                                             .hash = name_hash(name),
                                             .name_size = (uint8_t)name.size,
                                             .name = copy};
    index_put(d, d->used++);
    d->alive++;
    attached(dir, node);
    return VFS_OK;
}

static void detached(struct mem_node *dir, struct vfs_node *node)
{
    modified(dir);
    if (!is_mem(node))
        return;
    struct mem_node *n = mem_of(node);
    n->stat.links--;
    n->stat.changed_ns = dir->stat.changed_ns;
    /* it may outlive the directory; while it is moved it has two links, the new one's parent */
    if (node->ops == &directory_ops && n->stat.links == 0)
        n->of.directory.parent = NULL;
}

/* Takes an entry away; its reference goes to the caller. */
static struct vfs_node *leave(struct mem_node *dir, struct mem_entry *e)
{
    struct vfs_node *node = e->node;

    dir->fs->used -= ENTRY_COST + e->name_size;
    free(e->name);
    e->name = NULL;
    e->node = NULL;
    dir->of.directory.alive--;
    detached(dir, node);
    return node;
}

static void directory_empty(struct mem_node *dir)
{
    struct mem_directory *d = &dir->of.directory;

    for (uint32_t i = 0; i < d->used; i++) {
        if (d->entries[i].node != NULL)
            vfs_node_drop(leave(dir, &d->entries[i]));
    }
    free(d->entries);
    free(d->index);
}

/* Takes a node out of the world. Directories in each other may be many: they wait in a list rather
 * than on the stack. */
static void release(struct vfs_node *node)
{
    struct mem_node *n = mem_of(node);
    struct mem *fs = n->fs;

    n->next_ended = fs->ended;
    fs->ended = n;
    if (fs->is_ending)
        return;
    fs->is_ending = true;
    while ((n = fs->ended) != NULL) {
        fs->ended = n->next_ended;
        if (n->stat.type == VFS_DIRECTORY) {
            directory_empty(n);
        } else if (n->stat.type == VFS_SYMLINK) {
            fs->used -= n->stat.size;
            free(n->of.target);
        } else if (!n->of.file.is_constant) {
            fs->used -= n->of.file.capacity;
            free(n->of.file.data);
        }
        fs->used -= NODE_COST;
        fs->nodes--;
        free(n);
    }
    fs->is_ending = false;
    if (fs->nodes == 0)
        free(fs);
}

static void stat_node(struct vfs_node *node, struct vfs_stat *out)
{
    *out = mem_of(node)->stat;
}

static enum vfs_error set_times(struct vfs_node *node, struct vfs_times times)
{
    struct mem_node *n = mem_of(node);

    if (n->fs->is_read_only)
        return VFS_ROFS;
    if (times.accessed_ns != NULL)
        n->stat.accessed_ns = *times.accessed_ns;
    if (times.modified_ns != NULL)
        n->stat.modified_ns = *times.modified_ns;
    n->stat.changed_ns = now(n->fs);
    return VFS_OK;
}

static enum vfs_error lookup(struct vfs_node *dir, struct bytes name, struct vfs_node **out)
{
    struct mem_entry *e = find(&mem_of(dir)->of.directory, name);

    if (e == NULL)
        return name.size > VFS_NAME_MAX ? VFS_NAMETOOLONG : VFS_NOENT;
    *out = vfs_node_hold(e->node);
    return VFS_OK;
}

static enum vfs_error list(struct vfs_node *dir, uint64_t after, struct vfs_entry *out)
{
    const struct mem_directory *d = &mem_of(dir)->of.directory;
    uint32_t low = 0, high = d->used;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->entries[middle].cookie <= after)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < d->used && d->entries[low].node == NULL)
        low++;
    if (low == d->used)
        return VFS_NOENT;
    const struct mem_entry *e = &d->entries[low];
    struct vfs_stat stat;
    vfs_stat(e->node, &stat);
    *out = (struct vfs_entry){.cookie = e->cookie,
                              .inode = stat.inode,
                              .name = bytes_from(e->name, e->name_size),
                              .type = stat.type};
    return VFS_OK;
}

static enum vfs_error make(struct vfs_node *node, struct bytes name, enum vfs_type type,
                           struct bytes target, struct vfs_node **out)
{
    struct mem_node *dir = mem_of(node);

    if (dir->fs->is_read_only)
        return VFS_ROFS;
    struct mem_node *made = node_new(dir->fs, type);
    if (made == NULL)
        return VFS_NOSPC;
    enum vfs_error error = VFS_OK;
    if (type == VFS_SYMLINK) {
        uint8_t *copy = charge(dir->fs, target.size) ? malloc(target.size) : NULL;
        if (copy == NULL) {
            error = VFS_NOSPC;
        } else {
            memcpy(copy, target.data, target.size);
            made->of.target = copy;
            made->stat.size = target.size;
        }
    }
    if (error == VFS_OK)
        error = enter(dir, name, &made->node);
    if (error != VFS_OK) {
        vfs_node_drop(&made->node);
        return error;
    }
    *out = vfs_node_hold(&made->node);
    return VFS_OK;
}

static enum vfs_error link_node(struct vfs_node *node, struct bytes name, struct vfs_node *linked)
{
    struct mem_node *dir = mem_of(node);

    if (!is_mem(linked) || mem_of(linked)->fs != dir->fs)
        return VFS_XDEV;
    if (linked->ops == &directory_ops)
        return VFS_PERM;
    if (dir->fs->is_read_only)
        return VFS_ROFS;
    if (mem_of(linked)->stat.links >= LINKS_MAX)
        return VFS_MLINK;
    enum vfs_error error = enter(dir, name, linked);
    if (error == VFS_OK)
        (void)vfs_node_hold(linked);
    return error;
}

/* Whether an entry may go: for remove, and for rename over it. */
static enum vfs_error removable(const struct mem_entry *e, bool is_directory)
{
    if (e->node->ops->type != VFS_DIRECTORY)
        return is_directory ? VFS_NOTDIR : VFS_OK;
    if (!is_directory)
        return VFS_ISDIR;
    return mem_of(e->node)->of.directory.alive != 0 ? VFS_NOTEMPTY : VFS_OK;
}

static void removed(struct vfs_node *node)
{
    if (node->ops == &directory_ops)
        mem_of(node)->of.directory.is_removed = true;
    vfs_node_drop(node);
}

/* Gives an entry another node, which keeps its place in the directory. */
static void replace(struct mem_node *dir, struct mem_entry *e, struct vfs_node *node)
{
    struct vfs_node *old = e->node;

    e->node = vfs_node_hold(node);
    detached(dir, old);
    attached(dir, node);
    removed(old);
}

static enum vfs_error remove_name(struct vfs_node *node, struct bytes name, bool is_directory)
{
    struct mem_node *dir = mem_of(node);
    struct mem_entry *e = find(&dir->of.directory, name);

    if (e == NULL)
        return VFS_NOENT;
    if (dir->fs->is_read_only)
        return VFS_ROFS;
    enum vfs_error error = removable(e, is_directory);
    if (error == VFS_OK)
        removed(leave(dir, e));
    return error;
}

/* Whether `inner` is `outer` or lies in it. */
static bool is_inside(const struct mem_node *inner, const struct mem_node *outer)
{
    while (inner != NULL && inner != outer)
        inner = inner->of.directory.parent;
    return inner != NULL;
}

static enum vfs_error rename_node(struct vfs_node *from_node, struct bytes name,
                                  struct vfs_node *to_node, struct bytes new_name)
{
    struct mem_node *from = mem_of(from_node);
    struct mem_entry *e = find(&from->of.directory, name);

    if (e == NULL)
        return VFS_NOENT;
    if (to_node->ops != &directory_ops || mem_of(to_node)->fs != from->fs)
        return VFS_XDEV;
    if (from->fs->is_read_only)
        return VFS_ROFS;
    struct mem_node *to = mem_of(to_node);
    bool is_directory = e->node->ops == &directory_ops;
    if (is_directory && is_inside(to, mem_of(e->node)))
        return VFS_INVAL;
    struct mem_entry *over = find(&to->of.directory, new_name);
    if (over == NULL) {
        struct vfs_node *node = vfs_node_hold(e->node);
        enum vfs_error error = enter(to, new_name, node);
        if (error != VFS_OK) {
            vfs_node_drop(node);
            return error;
        }
    } else {
        if (over->node == e->node)
            return VFS_OK; /* two names of one file: POSIX says to do nothing */
        enum vfs_error error = removable(over, is_directory);
        if (error != VFS_OK)
            return error;
        replace(to, over, e->node);
    }
    /* found again: to may be from, and have grown */
    vfs_node_drop(leave(from, find(&from->of.directory, name)));
    return VFS_OK;
}

static struct bytes target(struct vfs_node *node)
{
    struct mem_node *n = mem_of(node);

    return bytes_from(n->of.target, (size_t)n->stat.size);
}

/* ---- regular files ---- */

static enum vfs_error file_open(struct vfs_node *node, unsigned flags, struct vfs_node **out)
{
    if ((flags & VFS_OPEN_WRITE) != 0 && mem_of(node)->fs->is_read_only)
        return VFS_ROFS;
    *out = vfs_node_hold(node);
    return VFS_OK;
}

static enum vfs_error file_read(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                                size_t *done)
{
    struct mem_node *n = mem_of(node);
    uint64_t left = offset < n->stat.size ? n->stat.size - offset : 0;

    *done = size < left ? size : (size_t)left;
    if (*done != 0)
        memcpy(out, n->of.file.data + offset, *done);
    if (!n->fs->is_read_only)
        n->stat.accessed_ns = now(n->fs);
    return VFS_OK;
}

/* Makes room for `size` bytes and sets the file's size; what is new reads as zeroes. */
static enum vfs_error file_extend(struct mem_node *n, uint64_t size)
{
    struct mem_file *f = &n->of.file;

    if (size > n->fs->size_max)
        return VFS_FBIG;
    if (size > f->capacity) {
        uint64_t capacity = f->capacity + f->capacity / 2;
        if (capacity < size)
            capacity = size < 64 ? 64 : size;
        if (!charge(n->fs, capacity - f->capacity)) {
            capacity = size;
            if (!charge(n->fs, capacity - f->capacity))
                return VFS_NOSPC;
        }
        uint8_t *data = realloc(f->data, (size_t)capacity);
        if (data == NULL) {
            n->fs->used -= capacity - f->capacity;
            return VFS_NOSPC;
        }
        f->data = data;
        f->capacity = capacity;
    }
    memset(f->data + n->stat.size, 0, (size_t)(size - n->stat.size));
    n->stat.size = size;
    return VFS_OK;
}

static enum vfs_error file_write(struct vfs_node *node, uint64_t offset, struct bytes in,
                                 size_t *done)
{
    struct mem_node *n = mem_of(node);
    uint64_t end;

    if (n->fs->is_read_only)
        return VFS_ROFS;
    if (!checked_add(offset, in.size, &end))
        return VFS_FBIG;
    if (in.size != 0 && end > n->stat.size) {
        enum vfs_error error = file_extend(n, end);
        if (error != VFS_OK)
            return error;
    }
    if (in.size != 0) {
        memcpy(n->of.file.data + offset, in.data, in.size);
        modified(n);
    }
    *done = in.size;
    return VFS_OK;
}

static enum vfs_error file_resize(struct vfs_node *node, uint64_t size)
{
    struct mem_node *n = mem_of(node);

    if (n->fs->is_read_only)
        return VFS_ROFS;
    if (size > n->stat.size) {
        enum vfs_error error = file_extend(n, size);
        if (error != VFS_OK)
            return error;
    } else {
        n->stat.size = size;
        if (size == 0) {
            n->fs->used -= n->of.file.capacity;
            free(n->of.file.data);
            n->of.file = (struct mem_file){.data = NULL};
        }
    }
    modified(n);
    return VFS_OK;
}

static const struct vfs_ops directory_ops = {
    .type = VFS_DIRECTORY,
    .release = release,
    .stat = stat_node,
    .set_times = set_times,
    .lookup = lookup,
    .list = list,
    .make = make,
    .link = link_node,
    .remove = remove_name,
    .rename = rename_node,
};

static const struct vfs_ops file_ops = {
    .type = VFS_REGULAR_FILE,
    .release = release,
    .stat = stat_node,
    .open = file_open,
    .read = file_read,
    .write = file_write,
    .resize = file_resize,
    .set_times = set_times,
};

static const struct vfs_ops symlink_ops = {
    .type = VFS_SYMLINK,
    .release = release,
    .stat = stat_node,
    .set_times = set_times,
    .target = target,
};

struct vfs_node *mem_new(struct vfs *vfs, uint64_t device, uint64_t size_max, bool is_read_only)
{
    struct mem *fs = calloc(1, sizeof *fs);

    if (fs == NULL)
        return NULL;
    *fs = (struct mem){
        .vfs = vfs, .device = device, .size_max = size_max, .is_read_only = is_read_only};
    struct mem_node *root = node_new(fs, VFS_DIRECTORY);
    if (root == NULL) {
        free(fs);
        return NULL;
    }
    root->stat.links = 1;
    return &root->node;
}

enum vfs_error mem_insert(struct vfs_node *dir, struct bytes name, struct vfs_node *node)
{
    if (dir->ops != &directory_ops)
        return VFS_NOTDIR;
    if (find(&mem_of(dir)->of.directory, name) != NULL)
        return VFS_EXIST;
    enum vfs_error error = enter(mem_of(dir), name, node);
    if (error == VFS_OK)
        (void)vfs_node_hold(node);
    return error;
}

enum vfs_error mem_make_directory(struct vfs_node *dir, struct bytes name, struct vfs_node **out)
{
    struct mem_node *made = node_new(mem_of(dir)->fs, VFS_DIRECTORY);

    if (made == NULL)
        return VFS_NOMEM;
    enum vfs_error error = mem_insert(dir, name, &made->node);
    if (error != VFS_OK)
        vfs_node_drop(&made->node);
    else
        *out = &made->node;
    return error;
}

enum vfs_error mem_make_constant(struct vfs_node *dir, struct bytes name, struct bytes content)
{
    struct mem_node *made = node_new(mem_of(dir)->fs, VFS_REGULAR_FILE);

    if (made == NULL)
        return VFS_NOMEM;
    /* never written: the file system is read only */
    made->of.file = (struct mem_file){
        .data = (uint8_t *)(uintptr_t)content.data, .size = content.size, .is_constant = true};
    made->stat.size = content.size;
    enum vfs_error error = mem_insert(dir, name, &made->node);
    vfs_node_drop(&made->node);
    return error;
}
