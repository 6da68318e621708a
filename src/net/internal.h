/* What the files of the room share. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/net.h"

#define DEVICE_NUMBER 4
/* Peers that nobody has asked for; the oldest make room. */
#define PEER_QUEUE_MAX 128

struct peer_queue {
    char *texts[PEER_QUEUE_MAX]; /* JSON, from the heap */
    size_t first, count;
};

struct net {
    struct net_config config;
    struct peer_queue connected, accepted;
    uint64_t connections; /* open ones */
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

/* ---- socket.c ---- */

/* Connects to the first of the addresses that answers. host is for /net/peer/con. */
enum vfs_error connection_new(struct net *net, struct bytes host, uint16_t port,
                              const struct net_address *addresses, size_t count,
                              bool is_nonblocking, struct vfs_node **out);
/* address NULL: every address of the machine. */
enum vfs_error listener_new(struct net *net, const struct net_address *address, uint16_t port,
                            struct vfs_node **out);
/* The identity of the peer of a connection, as JSON; NULL when the node is none. */
const char *connection_peer(const struct vfs_node *node);

/* ---- peer.c ---- */

/* Makes /net/peer. NULL: no memory. */
struct vfs_node *peer_directory_new(struct net *net);
/* Notes a peer; text is taken over and may be NULL: then there was no memory for it. */
void peer_queue_put(struct peer_queue *queue, char *text);
void peer_queue_done(struct peer_queue *queue);
