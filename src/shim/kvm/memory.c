/* The exec layer's address space. Physical memory goes in frames of 2 MiB, which are present from
 * the start of their use; addresses go in blocks of the same size, each with its frame or none, so
 * that a reservation costs nothing. What is less than half a frame shares one. Of a block that is
 * unmapped in parts, these stay until the last of them goes. */
#include "shim/kvm/user.h"

#define BLOCKS 524288u /* 1 TiB of addresses */
#define FRAMES 65536u  /* 128 GiB of memory */
#define SMALL_MAX (FRAME_SIZE / 2)
#define HEAP_BLOCKS 32768u /* 64 GiB for brk */

/* A block's state. */
#define FREE 0u
#define RESERVED 1u /* no frame */
#define FOREIGN 2u  /* the exec layer's image: its pages are not frames */
#define FIRST 3u    /* + the frame's number */

/* In the first frames of the pool. */
struct books {
    uint32_t blocks[BLOCKS];
    uint32_t free_frames[FRAMES]; /* used before, to be zeroed */
    uint32_t free_count;
    uint16_t pages[BLOCKS]; /* that mappings have of a block; of heap, stack and image: 0 */
};
#define BOOKS_FRAMES ((sizeof(struct books) + FRAME_SIZE - 1) / FRAME_SIZE)
#define BOOKS_VA 0x40000000ull

static uint64_t base;                  /* of block 0 */
static uint32_t frame_next, frame_end; /* of the pool, never used */
static uint32_t heap_blocks;           /* those with a frame, of the first HEAP_BLOCKS */
static uint64_t heap_end;
static uint32_t block_next = HEAP_BLOCKS;
static uint32_t small_block;
static uint64_t small_at = FRAME_SIZE; /* in it */

static struct books *books(void)
{
    return (struct books *)BOOKS_VA;
}

static uint64_t address_of(uint32_t block_number)
{
    return base + (uint64_t)block_number * FRAME_SIZE;
}

static void zero(uint64_t address, uint64_t size)
{
    __asm__ volatile("rep stosq" : "+D"(address), "+c"((uint64_t){size / 8}) : "a"(0) : "memory");
}

void memory_clean(uint64_t address, uint64_t size)
{
    if (user_mode == MODE_SNP)
        zero(address, size);
}

bool memory_init(uint64_t memory_end)
{
    if (memory_end > MEMORY_END || memory_end < POOL_PA + (BOOKS_FRAMES + 8) * FRAME_SIZE)
        return false;
    frame_end = (uint32_t)MIN((memory_end - POOL_PA) / FRAME_SIZE, FRAMES);
    if (kernel_request(KERNEL_MAP, BOOKS_VA, POOL_PA, BOOKS_FRAMES * FRAME_SIZE, PROT_BITS) != 0)
        return false;
    memory_clean(BOOKS_VA, BOOKS_FRAMES * FRAME_SIZE);
    frame_next = BOOKS_FRAMES;
    /* between 32 and 96 TiB, where nothing else lies */
    base = 0x200000000000 + (shim_random() & 0x3fffffff) * 0x10000;
    base &= ~(uint64_t)(FRAME_SIZE - 1);
    heap_end = address_of(0);
    return true;
}

/* A frame mapped at a block, and zero. */
static bool back(uint32_t number, uint64_t prot)
{
    struct books *b = books();
    bool is_used = b->free_count != 0, is_clean = !is_used && user_mode != MODE_SNP;
    uint32_t frame;

    if (is_used)
        frame = b->free_frames[--b->free_count];
    else if (frame_next != frame_end)
        frame = frame_next++;
    else
        return false;
    uint64_t va = address_of(number), pa = POOL_PA + (uint64_t)frame * FRAME_SIZE;
    if (kernel_request(KERNEL_MAP, va, pa, FRAME_SIZE, is_clean ? prot : PROT_BITS) != 0) {
        b->free_frames[b->free_count++] = frame;
        return false;
    }
    b->blocks[number] = FIRST + frame;
    if (is_clean)
        return true;
    zero(va, FRAME_SIZE);
    return prot == PROT_BITS || kernel_request(KERNEL_PROTECT, va, FRAME_SIZE, prot, 0) == 0;
}

static void give_up(uint32_t number)
{
    struct books *b = books();

    if (b->blocks[number] >= FIRST) {
        (void)kernel_request(KERNEL_UNMAP, address_of(number), FRAME_SIZE, 0, 0);
        b->free_frames[b->free_count++] = b->blocks[number] - FIRST;
    }
    b->blocks[number] = FREE;
    b->pages[number] = 0;
}

/* `count` free blocks in a row, which are then reserved, with one before them that is not: 0 when
 * there are none. */
static uint32_t take_blocks(uint32_t count)
{
    struct books *b = books();

    for (unsigned round = 0; round < 2; round++) {
        uint32_t run = 0;
        for (uint32_t i = block_next; i < BLOCKS; i++) {
            run = b->blocks[i] == FREE ? run + 1 : 0;
            if (run <= count)
                continue;
            for (uint32_t k = i - count + 1; k <= i; k++)
                b->blocks[k] = RESERVED;
            block_next = i + 1;
            return i - count + 1;
        }
        block_next = HEAP_BLOCKS;
    }
    return 0;
}

uint64_t memory_place(uint64_t size)
{
    uint32_t count = (uint32_t)((size + FRAME_SIZE - 1) / FRAME_SIZE), first = take_blocks(count);

    for (uint32_t i = 0; first != 0 && i < count; i++)
        books()->blocks[first + i] = FOREIGN;
    return first != 0 ? address_of(first) : 0;
}

uint64_t memory_frames(uint64_t size)
{
    uint32_t count = (uint32_t)((size + FRAME_SIZE - 1) / FRAME_SIZE), first = frame_next;

    if (count > frame_end - frame_next)
        return 0;
    frame_next += count;
    return POOL_PA + (uint64_t)first * FRAME_SIZE;
}

uint64_t memory_stack(uint64_t size)
{
    uint32_t first = take_blocks((uint32_t)(size / FRAME_SIZE));
    uint64_t place = first != 0 ? address_of(first) : 0;

    for (uint64_t at = 0; place != 0 && at < size; at += FRAME_SIZE) {
        if (!back((uint32_t)((place + at - base) / FRAME_SIZE), PROT_BITS))
            return 0;
    }
    return place != 0 ? place + size : 0;
}

int64_t memory_brk(uint64_t address)
{
    if (address < address_of(0) || address > address_of(HEAP_BLOCKS))
        return (int64_t)heap_end;
    while (address > address_of(heap_blocks)) {
        if (!back(heap_blocks, PROT_BITS))
            return (int64_t)heap_end;
        heap_blocks++;
    }
    if (address < heap_end) {
        /* what it gets again is zero */
        while (heap_blocks != 0 && address <= address_of(heap_blocks - 1))
            give_up(--heap_blocks);
        uint64_t rest = MIN(address_of(heap_blocks), heap_end);
        for (uint64_t at = address; at < rest; at++)
            *(volatile uint8_t *)at = 0;
    }
    heap_end = address;
    return (int64_t)heap_end;
}

#define ENOMEM 12
#define EINVAL 22
#define MAP_FIXED 0x10

static int64_t map_small(uint64_t size, uint64_t prot)
{
    struct books *b = books();

    if (small_at + size > FRAME_SIZE) {
        uint32_t number = take_blocks(1);
        if (number == 0)
            return -ENOMEM;
        if (!back(number, PROT_BITS)) {
            give_up(number);
            return -ENOMEM;
        }
        if (small_block != 0 && b->pages[small_block] == 0)
            give_up(small_block);
        small_block = number;
        small_at = 0;
    }
    uint64_t place = address_of(small_block) + small_at;
    small_at += size;
    b->pages[small_block] = (uint16_t)(b->pages[small_block] + size / PAGE_SIZE);
    if (prot != PROT_BITS && kernel_request(KERNEL_PROTECT, place, size, prot, 0) != 0)
        return -ENOMEM;
    return (int64_t)place;
}

int64_t memory_map(uint64_t size, uint64_t prot, uint64_t flags)
{
    if (size == 0 || size > (uint64_t)BLOCKS * FRAME_SIZE || (flags & MAP_FIXED) != 0)
        return -EINVAL;
    size = (size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (prot != 0 && size <= SMALL_MAX)
        return map_small(size, prot);
    uint32_t count = (uint32_t)((size + FRAME_SIZE - 1) / FRAME_SIZE), first = take_blocks(count);
    if (first == 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        books()->pages[first + i] =
            (uint16_t)(MIN(size - (uint64_t)i * FRAME_SIZE, FRAME_SIZE) / PAGE_SIZE);
        if (prot == 0 || back(first + i, prot))
            continue;
        for (uint32_t k = 0; k < count; k++)
            give_up(first + k);
        return -ENOMEM;
    }
    return (int64_t)address_of(first);
}

/* Whether a range is ours to change. */
static bool is_mapped(uint64_t address, uint64_t size)
{
    return size != 0 && ((address | size) & (PAGE_SIZE - 1)) == 0 && address >= base &&
           size <= (uint64_t)BLOCKS * FRAME_SIZE &&
           address - base <= (uint64_t)BLOCKS * FRAME_SIZE - size;
}

int64_t memory_unmap(uint64_t address, uint64_t size)
{
    struct books *b = books();

    size = (size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (!is_mapped(address, size))
        return -EINVAL;
    for (uint64_t at = address, step; at < address + size; at += step) {
        uint32_t number = (uint32_t)((at - base) / FRAME_SIZE);
        step = MIN(FRAME_SIZE - (at & (FRAME_SIZE - 1)), address + size - at);
        if (b->blocks[number] == FREE)
            continue;
        if (b->pages[number] < step / PAGE_SIZE) /* heap, stack, image; or gone before */
            return -EINVAL;
        b->pages[number] = (uint16_t)(b->pages[number] - step / PAGE_SIZE);
        if (b->pages[number] == 0 && number != small_block)
            give_up(number);
    }
    return 0;
}

int64_t memory_protect(uint64_t address, uint64_t size, uint64_t prot)
{
    struct books *b = books();

    size = (size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    if (!is_mapped(address, size))
        return -EINVAL;
    for (uint64_t at = address, step; at < address + size; at += step) {
        uint32_t number = (uint32_t)((at - base) / FRAME_SIZE);
        uint64_t in_block = at & (FRAME_SIZE - 1);
        step = MIN(FRAME_SIZE - in_block, address + size - at);
        if (b->blocks[number] == FREE)
            return -ENOMEM;
        if (b->blocks[number] == FOREIGN) {
            if (kernel_request(KERNEL_PROTECT, at, step, prot, 0) != 0)
                return -ENOMEM;
            continue;
        }
        if (b->blocks[number] == RESERVED) {
            if (prot == 0)
                continue;
            if (!back(number, step == FRAME_SIZE ? prot : 0))
                return -ENOMEM;
            if (step == FRAME_SIZE)
                continue;
        }
        uint64_t pa = POOL_PA + (uint64_t)(b->blocks[number] - FIRST) * FRAME_SIZE + in_block;
        if (kernel_request(KERNEL_MAP, at, pa, step, prot) != 0)
            return -ENOMEM;
    }
    return 0;
}
