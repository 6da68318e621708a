/* What the files of the room share. */
#pragma once

#include "vfs/vfs.h"

struct vfs {
    struct vfs_platform platform;
    struct vfs_node *root;
    uint64_t inodes; /* given so far */
};

/* mem.c: a file system in memory: directories, regular files, symlinks. It ends when no node of it
 * is left. NULL: no memory. */
struct vfs_node *mem_new(struct vfs *vfs, uint64_t device, uint64_t size_max, bool is_read_only);
/* Puts a node there, even if the file system is read only. Keeps a reference. */
enum vfs_error mem_insert(struct vfs_node *dir, struct bytes name, struct vfs_node *node);
/* Makes a directory or a file with borrowed content, even if the file system is read only. */
enum vfs_error mem_make_directory(struct vfs_node *dir, struct bytes name, struct vfs_node **out);
enum vfs_error mem_make_constant(struct vfs_node *dir, struct bytes name, struct bytes content);

/* dev.c: puts null, zero, random and urandom into a directory. */
bool dev_insert(struct vfs *vfs, struct vfs_node *dir, struct err *err);
