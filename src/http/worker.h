/* Threads that do jobs in their order, from a queue of a fixed size. Private to the room. */
#pragma once

#include "base/base.h"

struct worker_pool;

/* A job: work is called with what was put and whether it must be dropped, which is so after
 * worker_pool_drop: then it is only told so. ERR_MEMORY, ERR_IO. */
MUST_CHECK bool worker_pool_start(unsigned threads, size_t queue_max,
                                  void (*work)(void *job, bool is_dropped),
                                  struct worker_pool **out, struct err *err);

/* Whether there is room for one more job; when there is, it is kept for the next put. */
MUST_CHECK bool worker_pool_reserve(struct worker_pool *pool);
void worker_pool_put(struct worker_pool *pool, void *job);

/* No room any more; jobs that no thread has begun are dropped. Waits until all are done. */
void worker_pool_drop(struct worker_pool *pool);
void worker_pool_free(struct worker_pool *pool); /* after worker_pool_drop; NULL is nothing */
