/* The connections and their clocks. libmicrohttpd ends a connection that is silent; one that sends
 * a byte now and then it would keep for ever, so a thread here shuts down the sockets of those
 * whose request, or whose reading of the answer, takes too long. Private to the room; any thread.
 */
#pragma once

#include "http/address.h"

struct watch;
struct watch_link; /* a connection */

/* tick_ms: how late a deadline may be noticed. ERR_MEMORY, ERR_IO. */
MUST_CHECK bool watch_start(unsigned tick_ms, struct watch **out, struct err *err);
/* Ends the thread. There are no connections any more, or nobody will touch them. */
void watch_stop(struct watch *watch);

/* A connection begins and ends; between the two its descriptor is open. NULL: no memory. */
struct watch_link *watch_open(struct watch *watch, int fd, const struct sockaddr *from,
                              struct deadline deadline);
void watch_close(struct watch_link *link);

/* Its socket is shut down when the deadline passes. */
void watch_set_deadline(struct watch_link *link, struct deadline deadline);
/* As before, but never later than the deadline that there is. */
void watch_hasten(struct watch_link *link, struct deadline deadline);
/* After its end, what the client still sends is read for a while, so that it sees the answer. */
void watch_linger(struct watch_link *link);

/* Constant while the connection lives. */
const struct address_key *watch_key(const struct watch_link *link);
const char *watch_text(const struct watch_link *link);

/* How many there are of an address; of all; how many were shut down. */
size_t watch_count_of(struct watch *watch, const struct address_key *key);
size_t watch_count(struct watch *watch);
uint64_t watch_cut_count(struct watch *watch);
