/* Ends connections whose request takes too long to arrive, however busy they look. Private. */
#pragma once

#include "base/base.h"

struct watch;
struct watched;

/* Starts a thread. ERR_MEMORY. */
MUST_CHECK bool watch_new(struct watch **out, struct err *err);
/* Every connection must have been removed. */
void watch_free(struct watch *watch);

/* A connection that shall end at the deadline. NULL: no memory. The socket stays open until it is
 * removed. */
struct watched *watch_add(struct watch *watch, int fd, struct deadline deadline);
void watch_set(struct watch *watch, struct watched *watched, struct deadline deadline);
void watch_remove(struct watch *watch, struct watched *watched);
/* How many there are. */
size_t watch_count(struct watch *watch);
