/* Deadlines on the monotonic clock. The clock's reading is always an argument. Fit for shims. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)

struct deadline {
    uint64_t at_ns; /* on the monotonic clock */
};

/* A deadline that never passes. */
static inline struct deadline deadline_never(void)
{
    return (struct deadline){.at_ns = UINT64_MAX};
}

/* `timeout_ms` from now; never, when that is beyond the clock's range. */
static inline struct deadline deadline_after(uint64_t now_ns, uint64_t timeout_ms)
{
    uint64_t at;
    if (__builtin_mul_overflow(timeout_ms, NS_PER_MS, &at) ||
        __builtin_add_overflow(at, now_ns, &at))
        return deadline_never();
    return (struct deadline){.at_ns = at};
}

static inline struct deadline deadline_sooner(struct deadline a, struct deadline b)
{
    return a.at_ns < b.at_ns ? a : b;
}

static inline bool deadline_passed(struct deadline d, uint64_t now_ns)
{
    return d.at_ns != UINT64_MAX && now_ns >= d.at_ns;
}

/* What is left in milliseconds, as poll(2) takes it: rounded up, so that a wait of that length does
 * not end too early; 0 when passed; -1 for never; at most INT_MAX. */
static inline int deadline_left_ms(struct deadline d, uint64_t now_ns)
{
    if (d.at_ns == UINT64_MAX)
        return -1;
    if (now_ns >= d.at_ns)
        return 0;
    uint64_t left_ns = d.at_ns - now_ns;
    uint64_t left_ms = left_ns / NS_PER_MS + (left_ns % NS_PER_MS != 0);
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}
