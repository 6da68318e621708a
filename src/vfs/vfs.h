/* The keep's virtual file system: paths, open files, and the kinds of file that need nothing of the
 * outside: /tmp, /dev and the package's files (DESIGN.md §8). Paths and file names come from the
 * workload and are hostile. Kinds of file that do I/O live elsewhere (net) and are mounted here. */
#pragma once

#include "vfs/vfs_node.h"

/* What the file system needs of the world. */
struct vfs_platform {
    void *context;
    uint64_t (*realtime_ns)(void *context); /* since 1970 */
    uint64_t (*monotonic_ns)(void *context);
    /* Fills with random bytes; false when there are none. */
    bool (*random)(void *context, void *out, size_t size);
    /* Waits until something of `waits` happens, which sets its `woken`, or until the monotonic
     * clock reaches until_ns (UINT64_MAX: for ever). May return early with nothing. */
    enum vfs_error (*wait)(void *context, struct vfs_wait *waits, size_t count, uint64_t until_ns);
};

struct vfs;

/* An empty root with /tmp, which holds at most tmp_size_max bytes, and /dev. */
MUST_CHECK bool vfs_new(const struct vfs_platform *platform, uint64_t tmp_size_max,
                        struct vfs **out, struct err *err);
/* Every file must have been closed. NULL is taken. */
void vfs_free(struct vfs *vfs);

/* Borrowed. */
struct vfs_node *vfs_root(struct vfs *vfs);
const struct vfs_platform *vfs_platform(const struct vfs *vfs);

/* Puts a file of the package at a path of names and '/', making directories on the way. The content
 * is borrowed and must outlive the vfs. ERR_INVALID when the path is not such, is taken, or lies
 * under /tmp, /dev or /net; ERR_MEMORY. */
MUST_CHECK bool vfs_add_file(struct vfs *vfs, struct bytes path, struct bytes content,
                             struct err *err);

/* A read-only directory, to be filled with vfs_insert and put somewhere. NULL: no memory. */
MUST_CHECK struct vfs_node *vfs_directory_new(struct vfs *vfs);
/* Puts a node into the root or into a directory of vfs_directory_new, and keeps a reference of its
 * own. ERR_INVALID when the name is taken. */
MUST_CHECK bool vfs_insert(struct vfs_node *dir, const char *name, struct vfs_node *node,
                           struct err *err);

/* A number for a file that is told apart from others by it. */
uint64_t vfs_inode_new(struct vfs *vfs);

/* ---- paths ----
 *
 * All start at a directory, which they cannot leave: neither by "..", nor by an absolute path, nor
 * by a symlink (VFS_PERM). Absolute targets of symlinks mean the root, when the start is the root.
 */

#define VFS_SYMLINKS_MAX 40

/* The file at a path; follow: even if the path ends at a symlink. */
enum vfs_error vfs_resolve(struct vfs *vfs, struct vfs_node *start, struct bytes path, bool follow,
                           struct vfs_node **out);

#define VFS_CREATE 1u
#define VFS_ONLY_DIRECTORY 2u
#define VFS_EXCLUSIVE 4u
#define VFS_FOLLOW 8u

/* Opens, makes (VFS_CREATE) and empties (VFS_OPEN_TRUNCATE) a file. how: the flags above; flags:
 * VFS_OPEN_ ones. */
enum vfs_error vfs_open(struct vfs *vfs, struct vfs_node *start, struct bytes path, unsigned how,
                        unsigned flags, struct vfs_node **out);

enum vfs_error vfs_make_directory(struct vfs *vfs, struct vfs_node *start, struct bytes path);
enum vfs_error vfs_make_symlink(struct vfs *vfs, struct bytes target, struct vfs_node *start,
                                struct bytes path);
enum vfs_error vfs_link(struct vfs *vfs, struct vfs_node *from_start, struct bytes from,
                        bool follow, struct vfs_node *start, struct bytes path);
enum vfs_error vfs_remove(struct vfs *vfs, struct vfs_node *start, struct bytes path,
                          bool is_directory);
enum vfs_error vfs_rename(struct vfs *vfs, struct vfs_node *from_start, struct bytes from,
                          struct vfs_node *to_start, struct bytes to);

/* ---- open files: nodes with the answers that they leave open ---- */

void vfs_stat(struct vfs_node *node, struct vfs_stat *out);
enum vfs_error vfs_resize(struct vfs_node *node, uint64_t size);
enum vfs_error vfs_set_times(struct vfs_node *node, struct vfs_times times);
/* wanted and woken as in vfs_ops. */
void vfs_poll(struct vfs_node *node, unsigned wanted, unsigned woken, struct vfs_poll *out);

/* The entry behind a cookie, 0 being the first; "." and ".." come first. VFS_NOENT at the end. */
enum vfs_error vfs_list(struct vfs_node *dir, uint64_t after, struct vfs_entry *out);

/* Reads and writes wait while there is nothing to do, unless is_nonblocking: then VFS_AGAIN. A read
 * returns what is there (0 at the end); a write that waits writes everything, unless it fails. */
enum vfs_error vfs_read(struct vfs *vfs, struct vfs_node *node, uint64_t offset, void *out,
                        size_t size, bool is_nonblocking, size_t *done);
enum vfs_error vfs_peek(struct vfs *vfs, struct vfs_node *node, void *out, size_t size,
                        bool is_nonblocking, size_t *done);
enum vfs_error vfs_write(struct vfs *vfs, struct vfs_node *node, uint64_t offset, struct bytes in,
                         bool is_nonblocking, size_t *done);
enum vfs_error vfs_accept(struct vfs *vfs, struct vfs_node *node, bool is_nonblocking,
                          struct vfs_node **out);
enum vfs_error vfs_shutdown(struct vfs_node *node, unsigned how);
