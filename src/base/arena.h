/* Arenas: memory that is taken piece by piece and given back all at once, within a limit.
 *
 * An arena takes blocks from a source: the heap, or memory that the caller owns. It is not for
 * sharing between threads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Where blocks come from. take returns NULL when there is none; give gets back what take gave. */
struct arena_source {
    void *(*take)(void *context, size_t size);
    void (*give)(void *context, void *block, size_t size);
    void *context;
};

/* Blocks by malloc and free. */
extern const struct arena_source arena_heap;

struct arena_block;

/* Opaque in spirit: only the functions below touch the fields. */
struct arena {
    struct arena_source source;
    struct arena_block *blocks; /* newest first */
    uint8_t *at, *end;          /* what is free in the newest block */
    size_t limit, taken;        /* bytes of blocks */
    bool wipe;
};

/* An arena that never takes more than `limit` bytes of blocks from the source, its own bookkeeping
 * included. Takes nothing yet. */
void arena_init(struct arena *a, struct arena_source source, size_t limit);

/* An arena over memory that the caller owns and keeps until arena_done. It never grows. */
void arena_init_fixed(struct arena *a, void *memory, size_t size);

/* From now on, memory is zeroed before it is given back or left behind by arena_resize: for an
 * arena that holds secrets. Call it before the first allocation. */
void arena_set_wipe(struct arena *a);

/* Gives everything back. The arena is then empty and may be used again. */
void arena_done(struct arena *a);

/* `size` bytes aligned to `align` (a power of two, at most 64), not zeroed; NULL when the limit or
 * the source forbids it. size 0 gives a valid pointer to nothing. */
MUST_CHECK void *arena_alloc(struct arena *a, size_t size, size_t align);

/* As arena_alloc for count things of the given size, zeroed. */
MUST_CHECK void *arena_alloc_array(struct arena *a, size_t count, size_t size, size_t align);

/* Makes the piece at `old` (old_size bytes, from this arena with the same align) new_size bytes
 * large, in place when it is the newest piece, otherwise by copying. NULL leaves it as it was. */
MUST_CHECK void *arena_resize(struct arena *a, void *old, size_t old_size, size_t new_size,
                              size_t align);

/* Bytes of blocks taken from the source. */
static inline size_t arena_taken(const struct arena *a)
{
    return a->taken;
}

#define ARENA_NEW(a, type) ((type *)arena_alloc_array((a), 1, sizeof(type), _Alignof(type)))
#define ARENA_ARRAY(a, type, count) \
    ((type *)arena_alloc_array((a), (count), sizeof(type), _Alignof(type)))
