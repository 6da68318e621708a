/* What unit tests share. Include before anything else: cmocka wants its headers in this order. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"

/* A copy in a heap block of exactly that size, so that a sanitizer sees a read of one byte more.
 * Free the data. */
static inline struct bytes exact_copy(struct bytes b)
{
    uint8_t *data = malloc(b.size);
    assert_true(data != NULL || b.size == 0);
    if (b.size != 0)
        memcpy(data, b.data, b.size);
    return (struct bytes){.data = data, .size = b.size};
}

static inline void exact_free(struct bytes b)
{
    free((void *)(uintptr_t)b.data);
}

/* Calls check for every proper prefix of `in`, and for `in` with each byte flipped in turn. */
static inline void for_each_damage(struct bytes in, void (*check)(struct bytes damaged))
{
    for (size_t size = 0; size < in.size; size++) {
        struct bytes copy = exact_copy(bytes_before(in, size));
        check(copy);
        exact_free(copy);
    }
    for (size_t at = 0; at < in.size; at++) {
        struct bytes copy = exact_copy(in);
        ((uint8_t *)(uintptr_t)copy.data)[at] ^= 0xff;
        check(copy);
        exact_free(copy);
    }
}

/* An arena source whose n-th take fails, and all after it. */
struct failing_source {
    size_t takes_left;
    size_t held; /* blocks out */
};

static inline void *failing_take(void *context, size_t size)
{
    struct failing_source *s = context;
    if (s->takes_left == 0)
        return NULL;
    s->takes_left--;
    s->held++;
    return malloc(size);
}

static inline void failing_give(void *context, void *block, size_t size)
{
    struct failing_source *s = context;
    (void)size;
    s->held--;
    free(block);
}

static inline struct arena_source failing_source_of(struct failing_source *s)
{
    return (struct arena_source){.take = failing_take, .give = failing_give, .context = s};
}
