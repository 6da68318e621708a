/* Threads that do what may take a while. Private. */
#pragma once

#include "base/base.h"

struct workers;

/* Starts so many threads, which call `work` with what they are given. ERR_MEMORY. */
MUST_CHECK bool workers_new(unsigned threads, size_t queue, void (*work)(void *job),
                            struct workers **out, struct err *err);
/* Does what is in the queue, and ends. */
void workers_free(struct workers *workers);
/* False: the queue is full. */
MUST_CHECK bool workers_give(struct workers *workers, void *job);
