/* Arenas. The block sizes double from 4 KiB to 1 MiB; a larger piece gets a block of its own. */
#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/secret.h"
#include "base/banned.h"

enum {
    ARENA_BLOCK_MIN = 4096,
    ARENA_BLOCK_MAX = 1 << 20,
    ARENA_ALIGN_MAX = 64,
};

struct arena_block {
    struct arena_block *next;
    size_t size; /* with this header */
    bool owned;  /* by the source; otherwise by the caller */
};

static void *heap_take(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void heap_give(void *context, void *block, size_t size)
{
    (void)context;
    (void)size;
    free(block);
}

const struct arena_source arena_heap = {.take = heap_take, .give = heap_give};

void arena_init(struct arena *a, struct arena_source source, size_t limit)
{
    *a = (struct arena){.source = source, .limit = limit};
}

static void push_block(struct arena *a, void *memory, size_t size, bool owned)
{
    struct arena_block *block = memory;

    *block = (struct arena_block){.next = a->blocks, .size = size, .owned = owned};
    a->blocks = block;
    a->taken += size;
    a->at = (uint8_t *)memory + sizeof *block;
    a->end = (uint8_t *)memory + size;
}

void arena_init_fixed(struct arena *a, void *memory, size_t size)
{
    size_t skip = (size_t)(-(uintptr_t)memory & (_Alignof(struct arena_block) - 1));

    *a = (struct arena){.limit = size};
    if (size >= skip + sizeof(struct arena_block))
        push_block(a, (uint8_t *)memory + skip, size - skip, false);
    a->limit = 0; /* no further block */
}

void arena_set_wipe(struct arena *a)
{
    a->wipe = true;
}

void arena_done(struct arena *a)
{
    struct arena_block *block = a->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;
        size_t size = block->size;
        bool owned = block->owned;
        if (a->wipe)
            secret_wipe(block, size);
        if (owned)
            a->source.give(a->source.context, block, size);
        block = next;
    }
    a->blocks = NULL;
    a->at = a->end = NULL;
    a->taken = 0;
}

/* Room for `size` bytes at the alignment, in the newest block. */
static void *carve(struct arena *a, size_t size, size_t align)
{
    size_t skip = (size_t)(-(uintptr_t)a->at & (align - 1));
    size_t free_size = (size_t)(a->end - a->at);

    if (a->at == NULL || skip > free_size || size > free_size - skip)
        return NULL;
    uint8_t *piece = a->at + skip;
    a->at = piece + size;
    return piece;
}

static bool add_block(struct arena *a, size_t size, size_t align)
{
    size_t need, left = a->limit > a->taken ? a->limit - a->taken : 0;

    if (a->source.take == NULL || !checked_add(size, sizeof(struct arena_block) + align - 1, &need))
        return false;
    size_t wish = a->taken < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : a->taken;
    if (wish > ARENA_BLOCK_MAX)
        wish = ARENA_BLOCK_MAX;
    if (wish > left)
        wish = left;
    if (wish < need)
        wish = need;
    if (wish > left)
        return false;
    void *memory = a->source.take(a->source.context, wish);
    if (memory == NULL)
        return false;
    push_block(a, memory, wish, true);
    return true;
}

void *arena_alloc(struct arena *a, size_t size, size_t align)
{
    assert(align != 0 && (align & (align - 1)) == 0 && align <= ARENA_ALIGN_MAX);
    void *piece = carve(a, size, align);
    if (piece == NULL && add_block(a, size, align))
        piece = carve(a, size, align);
    return piece;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size, size_t align)
{
    size_t total;

    if (!checked_mul(count, size, &total))
        return NULL;
    void *piece = arena_alloc(a, total, align);
    if (piece != NULL && total != 0)
        memset(piece, 0, total);
    return piece;
}

void *arena_resize(struct arena *a, void *old, size_t old_size, size_t new_size, size_t align)
{
    uint8_t *piece = old;

    if (piece != NULL && piece + old_size == a->at && new_size <= (size_t)(a->end - piece)) {
        if (a->wipe && new_size < old_size)
            secret_wipe(piece + new_size, old_size - new_size);
        a->at = piece + new_size;
        return piece;
    }
    void *moved = arena_alloc(a, new_size, align);
    if (moved == NULL)
        return NULL;
    size_t kept = old_size < new_size ? old_size : new_size;
    if (piece != NULL && kept != 0) {
        memcpy(moved, piece, kept);
        if (a->wipe)
            secret_wipe(piece, old_size);
    }
    return moved;
}
