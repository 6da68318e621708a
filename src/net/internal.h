/* What the files of the room share. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/net.h"

#define DEVICE_NUMBER 4
/* Peers that nobody has asked for; the oldest make room. */
#define PEER_QUEUE_MAX 128
/* A handshake takes no longer, nor does what was written last before a close. */
#define PATIENCE_MS 10000
/* Closed connections that still send. */
#define LINGERING_MAX 128
/* A handshake that has had so long makes room for another when there is none. */
#define YOUTH_MS 1000

struct peer_queue {
    char *texts[PEER_QUEUE_MAX]; /* JSON, from the heap */
    size_t first, count;
};

struct net {
    struct net_config config;
    struct peer_queue connected, accepted;
    uint64_t connections;   /* those that the program has */
    struct connection *all; /* and those that it has not yet, or no more */
    int64_t recheck_at;     /* seconds since 1970: when a peer may have to go */
    size_t incoming;        /* of listeners, not yet accepted */
    bool is_full;           /* a listener waits until there is room for one more of them */
    size_t shaking;         /* in a handshake, these or others */
    size_t lingering;       /* closed, with something still to be sent */
    size_t unsent;          /* open, likewise */
};

/* An address and a port as the calls take them. */
struct endpoint {
    struct sockaddr_storage address;
    socklen_t size;
};

/* ---- address.c ---- */

struct endpoint endpoint_of(const struct net_address *address, uint16_t port);
/* Of an address in text: dotted decimal, or IPv6 with or without brackets. */
MUST_CHECK bool address_parse(struct bytes text, struct net_address *out);
/* "127.0.0.1:80", "[::1]:80". */
#define ENDPOINT_TEXT_SIZE 64
void endpoint_text(const struct sockaddr_storage *address, char out[ENDPOINT_TEXT_SIZE]);

/* ---- connection.c ---- */

enum connection_stage {
    CONNECTION_CONNECTING, /* TCP */
    CONNECTION_SHAKING,    /* TLS */
    CONNECTION_OPEN,
    CONNECTION_LINGERING, /* the program has closed it */
    CONNECTION_FAILED
};

struct connection {
    struct vfs_node node;
    struct net *net;
    struct connection *previous, *next; /* of all */
    int fd;                             /* -1: none */
    uint64_t inode;
    enum connection_stage stage;
    enum vfs_error failed; /* why it did */
    struct vfs_wait wait;  /* what the stage waits for */
    struct deadline deadline, began;
    const struct config_rule *rule;
    struct secure *secure;          /* NULL: plain, or not begun */
    bool is_unsent;                 /* counted in net->unsent */
    char where[ENDPOINT_TEXT_SIZE]; /* the other end, for messages */
    /* of a connection that we make */
    char *host;
    struct net_address addresses[NET_ADDRESSES_MAX];
    size_t address_count, next_address;
    uint16_t port;
    /* of one that comes in, until it is accepted */
    struct listener *listener;
};

struct connection_target {
    const struct config_rule *rule;
    struct bytes host; /* as config_host_canonical has it */
    uint16_t port;
    const struct net_address *addresses;
    size_t address_count;
};

/* Connects to the first of the addresses that answers. */
enum vfs_error connection_new(struct net *net, const struct connection_target *target,
                              bool is_nonblocking, struct vfs_node **out);
/* One that came in, over TLS if the rule says so: then its handshake begins. fd is taken over. */
enum vfs_error connection_incoming(struct net *net, const struct config_rule *rule, int fd,
                                   const struct sockaddr_storage *address, struct connection **out);
/* Goes on with what has to be done before it is open: VFS_OK, it is; VFS_AGAIN, n->wait says for
 * what; or why it never will be. */
enum vfs_error connection_advance(struct connection *n);
/* Of one that the program never had, or has no more. */
void connection_free(struct connection *n);
/* Counts it among those with something to send, or not. */
void connection_note_unsent(struct connection *n);
/* One that is the program's from now on. */
void connection_give(struct connection *n, struct vfs_node **out);
/* The identity of the peer of a connection, as JSON; NULL when the node is none, or its handshake
 * is not done. */
const char *connection_peer(const struct vfs_node *node);
/* Ends a connection whose peer is no longer who it was. */
void connection_break(struct connection *n, const char *why);

void set_socket_option(int fd, int level, int name, int value);
void socket_stat(uint64_t inode, struct vfs_stat *out);
/* What a plain socket says to a poll: what the wait saw, else that it has to be waited for. */
void socket_poll(int fd, unsigned wanted, unsigned woken, struct vfs_poll *out);
uint64_t net_now_ns(const struct net *net);

/* ---- listener.c ---- */

/* address NULL: every address of the machine. */
enum vfs_error listener_new(struct net *net, const struct config_rule *rule,
                            const struct net_address *address, uint16_t port,
                            struct vfs_node **out);
/* When there is room for one more handshake, on the monotonic clock: 0, there is; UINT64_MAX: not
 * before the program accepts somebody. */
uint64_t listener_room_ns(const struct net *net);

/* ---- secure.c: TLS, where there is OpenSSL ---- */

struct secure_ops {
    /* Begins a handshake on the connection's socket, by its rule. */
    enum vfs_error (*begin)(struct connection *n);
    void (*release)(struct secure *s);
    /* As connection_advance. */
    enum vfs_error (*advance)(struct secure *s, struct vfs_wait *wait);
    enum vfs_error (*read)(struct secure *s, void *out, size_t size, bool is_peek, size_t *done);
    enum vfs_error (*write)(struct secure *s, struct bytes in, size_t *done);
    void (*poll)(struct secure *s, unsigned wanted, unsigned woken, struct vfs_poll *out);
    /* Ends our half. */
    enum vfs_error (*end)(struct secure *s);
    bool (*has_unsent)(const struct secure *s);
    /* VFS_OK: nothing is left to be sent. */
    enum vfs_error (*flush)(struct secure *s);
    /* Why its handshake is not done yet, for who will not wait longer. */
    const char *(*delay)(const struct secure *s);
    const char *(*peer)(const struct secure *s);
    /* Why its peer is not to be believed any more; NULL: it is. *until: when to ask again, seconds
     * since 1970. */
    const char *(*recheck)(const struct secure *s, int64_t now, int64_t *until);
};

/* NULL: this build has no TLS. */
extern const struct secure_ops *const secure_ops;

/* ---- peer.c ---- */

/* Makes /net/peer. NULL: no memory. */
struct vfs_node *peer_directory_new(struct net *net);
/* Notes a peer; text is taken over and may be NULL: then there was no memory for it. */
void peer_queue_put(struct peer_queue *queue, char *text);
void peer_queue_done(struct peer_queue *queue);
