/* Sockets as files (DESIGN.md §8): /net/con/HOST:PORT connects when it is opened, /net/lis/PORT
 * listens, and /net/peer tells who is at the other end. What may be opened, the workload's
 * configuration says.
 *
 * Every socket is TLS 1.3 unless its entry says `prot = "tcp"`. The host owns the network:
 * addresses and data that come from it are not to be believed; who is at the other end, its
 * certificate says. Handshakes of those who come in go on beside everything else: see net_advance.
 */
#pragma once

#include "base/base.h"
#include "package/config.h"
#include "vfs/vfs.h"

struct net;
struct identity_trust;
struct tls_context;
struct tls_roots;

struct net_address {
    uint8_t family; /* 4 or 6 */
    uint8_t bytes[16];
};

#define NET_ADDRESSES_MAX 16

/* Who we are, and whom we believe. */
struct net_tls {
    void *context;
    const struct identity_trust *trust;
    bool simulated; /* simulated platforms are believed too */
    /* What is shown to peers from now on; NULL: our own certificate has expired, and until there is
     * a new one nobody can be judged. */
    struct tls_context *(*own)(void *context);
    /* The roots in a file of the package that the configuration names; NULL: none. */
    const struct tls_roots *(*anchor)(void *context, struct bytes file);
    /* It is not earlier than this: a certificate that was verified says so. */
    void (*saw_time)(void *context, int64_t floor);
    /* A revocation list is needed: of this CA (its certificate in DER), at this address, which a
     * certificate of a trusted Steward names. */
    void (*want_crl)(void *context, struct bytes url, struct bytes issuer);
};

struct net_config {
    struct vfs *vfs;
    const struct config *config; /* of the workload */
    const struct net_tls *tls;   /* NULL: there is no TLS; it must outlive the net */
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

/* The addresses of a host, as config_host_canonical has it: its own when it is one, this machine's
 * of "localhost", else those that `resolve` (see net_config) gives. */
enum vfs_error net_find_addresses(struct bytes host,
                                  enum vfs_error (*resolve)(void *context, struct bytes name,
                                                            struct net_address *out, size_t *count),
                                  void *context, struct net_address out[NET_ADDRESSES_MAX],
                                  size_t *count);

/* ---- what goes on beside the program ----
 *
 * Handshakes of those who come in, what was written and has not left, the end of connections whose
 * peer's certificate expires or is revoked. Whoever waits for something (struct vfs_platform's
 * wait) waits for these, too, and calls net_advance. */

#define NET_WAITS_MAX 1024
#define NET_SHAKING_MAX 128 /* handshakes at a time */

/* What to wait for; how many, at most `capacity`. */
size_t net_waits(const struct net *net, struct vfs_wait *out, size_t capacity);
/* When net_advance is due at the latest, on the monotonic clock; UINT64_MAX: never. */
uint64_t net_due_ns(const struct net *net);
/* Goes on with all of it. True: something happened that a waiting file may have to do with. */
bool net_advance(struct net *net);
/* Asks of every connection anew whether its peer may stay, as after a new revocation list. */
void net_recheck(struct net *net);
/* Sends what is left to be sent, in ten seconds at most: for the end. */
void net_drain(struct net *net);

/* "connection refused" and the like, for messages; a literal. */
const char *net_error_text(enum vfs_error error);

/* The errno of a call, 0 or less being none, as the file system has it. What is not known is
 * VFS_IO. */
enum vfs_error net_error(int number);
