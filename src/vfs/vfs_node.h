/* What a file is made of: the interface that each kind of file implements. A new kind is one new
 * file of code with a struct vfs_ops; what it leaves NULL has the answer that the comment names.
 *
 * Nodes are counted: each function that gives one out gives a reference with it. Nothing here
 * blocks: an operation that cannot go on says VFS_AGAIN, and poll says what to wait for. Used by
 * one thread. */
#pragma once

#include "base/base.h"

/* The numbers are those of WASI preview 1 (witx, errno). */
enum vfs_error {
    VFS_OK = 0,
    VFS_TOO_BIG = 1, /* E2BIG */
    VFS_ACCES = 2,
    VFS_ADDRINUSE = 3,
    VFS_ADDRNOTAVAIL = 4,
    VFS_AFNOSUPPORT = 5,
    VFS_AGAIN = 6,
    VFS_BADF = 8,
    VFS_BUSY = 10,
    VFS_CONNABORTED = 13,
    VFS_CONNREFUSED = 14,
    VFS_CONNRESET = 15,
    VFS_EXIST = 20,
    VFS_FAULT = 21,
    VFS_FBIG = 22,
    VFS_HOSTUNREACH = 23,
    VFS_ILSEQ = 25,
    VFS_INPROGRESS = 26,
    VFS_INTR = 27,
    VFS_INVAL = 28,
    VFS_IO = 29,
    VFS_ISDIR = 31,
    VFS_LOOP = 32,
    VFS_MFILE = 33,
    VFS_MLINK = 34,
    VFS_NAMETOOLONG = 37,
    VFS_NETUNREACH = 40,
    VFS_NFILE = 41,
    VFS_NOBUFS = 42,
    VFS_NOENT = 44,
    VFS_NOMEM = 48,
    VFS_NOSPC = 51,
    VFS_NOSYS = 52,
    VFS_NOTCONN = 53,
    VFS_NOTDIR = 54,
    VFS_NOTEMPTY = 55,
    VFS_NOTSOCK = 57,
    VFS_NOTSUP = 58,
    VFS_OVERFLOW = 61,
    VFS_PERM = 63,
    VFS_PIPE = 64,
    VFS_PROTONOSUPPORT = 66,
    VFS_ROFS = 69,
    VFS_SPIPE = 70,
    VFS_TIMEDOUT = 73,
    VFS_XDEV = 75,
    VFS_NOTCAPABLE = 76
};

/* The numbers are those of WASI preview 1 (witx, filetype). */
enum vfs_type {
    VFS_UNKNOWN = 0, /* the host's stdin, when it is no terminal */
    VFS_CHARACTER_DEVICE = 2,
    VFS_DIRECTORY = 3,
    VFS_REGULAR_FILE = 4,
    VFS_SOCKET = 6,
    VFS_SYMLINK = 7
};

/* Names in a directory, without "." and "..". */
#define VFS_NAME_MAX 255
#define VFS_PATH_MAX 4095

struct vfs_stat {
    uint64_t device, inode, links, size;
    uint64_t accessed_ns, modified_ns, changed_ns; /* since 1970 */
    enum vfs_type type;
};

/* An entry of a directory. Cookies grow in the order of listing and stay with their entry. */
struct vfs_entry {
    uint64_t cookie, inode;
    struct bytes name; /* borrowed until the directory changes */
    enum vfs_type type;
};

/* New times; a NULL keeps the old. */
struct vfs_times {
    const uint64_t *accessed_ns, *modified_ns;
};

/* Events, as bits. */
#define VFS_READABLE 1u
#define VFS_WRITABLE 2u
#define VFS_HANGUP 4u /* the peer is gone, or has ended its half */

/* What the platform waits for. */
struct vfs_wait {
    int handle;
    unsigned events; /* wanted */
    unsigned woken;  /* what happened */
};

/* What poll says: ready now, or what to wait for. */
struct vfs_poll {
    unsigned ready;       /* of the events wanted, and VFS_HANGUP */
    uint64_t size;        /* bytes that can be read, at least; 0 when unknown */
    enum vfs_error error; /* the next operation would fail with it; counts as ready */
    struct vfs_wait wait; /* when nothing is ready */
};

#define VFS_SHUTDOWN_READ 1u
#define VFS_SHUTDOWN_WRITE 2u

#define VFS_OPEN_READ 1u
#define VFS_OPEN_WRITE 2u
#define VFS_OPEN_NONBLOCK 4u
#define VFS_OPEN_TRUNCATE 8u

struct vfs_node;

struct vfs_ops {
    enum vfs_type type;
    bool is_stream; /* there are no offsets: offset arguments are 0, seeking is VFS_SPIPE */

    /* The last reference is gone. */
    void (*release)(struct vfs_node *node);
    /* NULL: the type, and zeroes. */
    void (*stat)(struct vfs_node *node, struct vfs_stat *out);
    /* What an open gets, with VFS_OPEN_ flags. NULL: the node itself. */
    enum vfs_error (*open)(struct vfs_node *node, unsigned flags, struct vfs_node **out);

    /* bytes; *done is set on VFS_OK alone. NULL: VFS_INVAL, or VFS_ISDIR for a directory */
    enum vfs_error (*read)(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                           size_t *done);
    enum vfs_error (*write)(struct vfs_node *node, uint64_t offset, struct bytes in, size_t *done);
    /* NULL: VFS_INVAL */
    enum vfs_error (*resize)(struct vfs_node *node, uint64_t size);
    /* NULL: VFS_PERM */
    enum vfs_error (*set_times)(struct vfs_node *node, struct vfs_times times);

    /* wanted: VFS_READABLE, VFS_WRITABLE; woken: what a wait for this node gave, else 0. NULL:
     * always ready */
    void (*poll)(struct vfs_node *node, unsigned wanted, unsigned woken, struct vfs_poll *out);

    /* sockets. NULL: VFS_NOTSOCK; but peek, NULL: as accept */
    enum vfs_error (*peek)(struct vfs_node *node, void *out, size_t size, size_t *done);
    enum vfs_error (*accept)(struct vfs_node *node, struct vfs_node **out);
    enum vfs_error (*shutdown)(struct vfs_node *node, unsigned how);

    /* directories; NULL of lookup: VFS_NOTDIR for all, of the others: VFS_ROFS or VFS_NOTSUP */
    enum vfs_error (*lookup)(struct vfs_node *dir, struct bytes name, struct vfs_node **out);
    /* The first entry behind a cookie (0: the first of all); VFS_NOENT at the end. */
    enum vfs_error (*list)(struct vfs_node *dir, uint64_t after, struct vfs_entry *out);
    /* Makes a regular file, directory or symlink (with its target). There is none of the name. */
    enum vfs_error (*make)(struct vfs_node *dir, struct bytes name, enum vfs_type type,
                           struct bytes target, struct vfs_node **out);
    enum vfs_error (*link)(struct vfs_node *dir, struct bytes name, struct vfs_node *node);
    /* Removes an entry: of a directory, or of anything else. */
    enum vfs_error (*remove)(struct vfs_node *dir, struct bytes name, bool is_directory);
    /* `to` may be of another kind: then VFS_XDEV. */
    enum vfs_error (*rename)(struct vfs_node *from, struct bytes name, struct vfs_node *to,
                             struct bytes new_name);
    /* The target of a symlink; borrowed from it. Only symlinks have it. */
    struct bytes (*target)(struct vfs_node *node);
};

struct vfs_node {
    const struct vfs_ops *ops;
    uint32_t references;
};

/* For whoever makes a node: one reference. */
static inline void vfs_node_init(struct vfs_node *node, const struct vfs_ops *ops)
{
    *node = (struct vfs_node){.ops = ops, .references = 1};
}

static inline struct vfs_node *vfs_node_hold(struct vfs_node *node)
{
    node->references++;
    return node;
}

/* Gives a reference back; NULL is taken. */
void vfs_node_drop(struct vfs_node *node);
