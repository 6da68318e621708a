/* The monotonic clock. Private to the room. */
#pragma once

#include <time.h>

#include "base/base.h"

static inline uint64_t clock_ns(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0; /* cannot be: the clock exists */
    return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}
