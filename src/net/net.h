/* Sockets as files (DESIGN.md §8): /net/con/HOST:PORT connects when it is opened, /net/lis/PORT
 * listens, and /net/peer tells who is at the other end. What may be opened, the workload's
 * configuration says.
 *
 * The host owns the network: addresses and data that come from it are not to be believed. In this
 * version sockets are plain TCP; an entry that asks for TLS is refused by name. */
#pragma once

#include "base/base.h"
#include "package/config.h"
#include "vfs/vfs.h"

struct net;

struct net_address {
    uint8_t family; /* 4 or 6 */
    uint8_t bytes[16];
};

#define NET_ADDRESSES_MAX 16

struct net_config {
    struct vfs *vfs;
    const struct config *config; /* of the workload */
    void *context;
    /* Addresses of a host name, at most NET_ADDRESSES_MAX; VFS_NOENT when there are none. */
    enum vfs_error (*resolve)(void *context, struct bytes name, struct net_address *out,
                              size_t *count);
    /* The node behind a descriptor of the workload, borrowed; NULL when there is none. */
    struct vfs_node *(*node_of_fd)(void *context, uint32_t fd);
};

/* Mounts /net. config is copied; what it points to must outlive the net. ERR_MEMORY. */
MUST_CHECK bool net_new(const struct net_config *config, struct net **out, struct err *err);
/* Every socket must have been closed, and the vfs freed. NULL is taken. */
void net_free(struct net *net);

/* A socket of a [[files]] entry of kind listen or connect. A connection is made when it returns. */
enum vfs_error net_open(struct net *net, const struct config_file *file, struct vfs_node **out);

/* "connection refused" and the like, for messages; a literal. */
const char *net_error_text(enum vfs_error error);

/* The errno of a call, 0 or less being none, as the file system has it. What is not known is
 * VFS_IO. */
enum vfs_error net_error(int number);
