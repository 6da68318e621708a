/* Sockets of refused requests, kept after their connection: what the client still sends is read and
 * dropped for a moment. Closed with bytes unread, TCP would reset the connection, and the client
 * might never see why it was refused. Private to the room; not for several threads at once. */
#pragma once

#include <poll.h>

#include "base/base.h"

#define LINGER_MAX 64
#define LINGER_MS 2000

struct linger_set {
    struct pollfd polls[LINGER_MAX + 1]; /* the first is the caller's */
    uint64_t end_ns[LINGER_MAX + 1];
    size_t count; /* without the first */
};

/* Takes a descriptor; closes it at once when there are LINGER_MAX. */
void linger_add(struct linger_set *l, int fd, uint64_t now_ns);
/* Reads from those that polls says to be readable, closes those that ended or had their time. */
void linger_serve(struct linger_set *l, uint64_t now_ns);
void linger_done(struct linger_set *l);
