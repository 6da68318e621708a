/* The exec layer's address space in an enclave. Without SGX2 it has the pages that were loaded with
 * it, whose content is the loader's until they are handed out, and keeps their rights; with it,
 * pages come (EACCEPT), lose the right to be written, and go. A page that is handed out is zero.
 * One byte of books for each page. */
#include "shim/sgx/enclave.h"

#define PAGE ENCLAVE_PAGE_SIZE
#define PAGES ((ENCLAVE_SIZE - HEAP_AT) / PAGE)
#define LOADED (HEAP_SIZE / PAGE)
#define PAGE_OF(at) (((at)-HEAP_AT) / PAGE)
_Static_assert(PAGES <= BOOKS_SIZE, "a byte for each page");

/* A page's state. */
#define TAKEN 1u   /* its address is somebody's */
#define LIVE 2u    /* with content */
#define PRESENT 4u /* it is in the enclave */
#define LIMITED 8u /* and may only be read */

#define ENOMEM 12
#define EINVAL 22
#define MAP_FIXED 0x10

static uint64_t heap; /* its address */
static uint8_t *books;
static bool has_sgx2;
static uint64_t brk_end;

static uint64_t address_of(uint64_t page)
{
    return heap + page * PAGE;
}

static void zero(uint64_t address, uint64_t size)
{
    __asm__ volatile("rep stosq" : "+D"(address), "+c"((uint64_t){size / 8}) : "a"(0) : "memory");
}

void heap_init(bool can_grow)
{
    heap = (uint64_t)enclave_base + HEAP_AT;
    books = enclave_base + BOOKS_AT;
    has_sgx2 = can_grow;
    brk_end = (uint64_t)enclave_base + BRK_AT;
    zero((uint64_t)books, BOOKS_SIZE);
    zero(heap, STACK_SIZE);
    memset(books, PRESENT, LOADED);
    memset(books, PRESENT | TAKEN | LIVE, PAGE_OF(BRK_AT));
    memset(books + PAGE_OF(BRK_AT), PRESENT | TAKEN, BRK_SIZE / PAGE);
}

uint64_t heap_stack(void)
{
    return heap + STACK_SIZE;
}

bool heap_is_hole(uint64_t address)
{
    uint64_t page = (address - heap) / PAGE;

    return address >= heap && page >= PAGE_OF(MAP_AT) && page < PAGES && (books[page] & LIVE) == 0;
}

/* ---- the books ---- */

/* A reservation has millions of pages, and each load is fenced: eight of them at a time. */
#define STEP 8u
#define EACH UINT64_C(0x0101010101010101)

static uint64_t *eight(uint64_t page)
{
    return (uint64_t *)(void *)&books[page];
}

static bool is_eight(uint64_t page, uint64_t end)
{
    return page % STEP == 0 && end - page >= STEP;
}

/* The first page from `page` on that is not as `state` says under `mask`, before `end`. */
static uint64_t run_end(uint64_t page, uint64_t end, unsigned mask, unsigned state)
{
    while (page < end) {
        if (is_eight(page, end) && (*eight(page) & mask * EACH) == state * EACH)
            page += STEP;
        else if ((books[page] & mask) == state)
            page++;
        else
            break;
    }
    return page;
}

/* In the books of [page, end). */
static void change_books(uint64_t page, uint64_t end, unsigned removed, unsigned added)
{
    while (page < end) {
        if (is_eight(page, end)) {
            *eight(page) = (*eight(page) & ~(removed * EACH)) | added * EACH;
            page += STEP;
        } else {
            books[page] = (uint8_t)((books[page] & ~removed) | added);
            page++;
        }
    }
}

/* ---- pages ---- */

/* A page with content that is all zero, to be read and written. False: there is no more memory. */
static bool enliven(uint64_t page)
{
    uint64_t address = address_of(page);

    if ((books[page] & PRESENT) == 0) {
        /* the processor gives it zeroed (SDM 3D, "EAUG"), and once */
        if (!has_sgx2 ||
            enclu_accept(address, PAGE_REGULAR | PAGE_PENDING | PAGE_READ | PAGE_WRITE) != 0)
            return false;
        books[page] |= PRESENT;
    } else {
        if ((books[page] & LIMITED) != 0)
            enclu_extend(address);
        zero(address, PAGE);
    }
    books[page] = (uint8_t)((books[page] | LIVE) & ~LIMITED);
    return true;
}

/* Has the loader change a range, and accepts each page of it as changed. */
static bool change(uint64_t address, uint64_t size, uint64_t why, uint64_t flags)
{
    if (enclave_ask(why, address - (uint64_t)enclave_base, size) != 0)
        return false;
    for (uint64_t at = address; at < address + size; at += PAGE) {
        if (enclu_accept(at, flags) != 0)
            return false;
    }
    return true;
}

static bool limit(uint64_t address, uint64_t size)
{
    return change(address, size, EXIT_RESTRICT, PAGE_REGULAR | PAGE_RESTRICTED | PAGE_READ);
}

/* ---- mappings ---- */

/* `count` pages whose addresses are nobody's, one more before them; in a range of pages. 0: none.
 */
static uint64_t find(uint64_t count, uint64_t from, uint64_t to)
{
    for (uint64_t page = from; page < to;) {
        bool is_free = (books[page] & TAKEN) == 0;
        uint64_t end = run_end(page, MIN(to, page + count + 1), TAKEN, books[page] & TAKEN);
        if (is_free && end - page > count)
            return page + 1;
        page = end;
    }
    return 0;
}

/* Where they go: memory to the front, reservations, which may become it, behind. */
static uint64_t place(uint64_t count, bool is_reservation)
{
    uint64_t first = is_reservation ? 0 : find(count, PAGE_OF(MAP_AT), PAGE_OF(RESERVED_AT));

    if (first == 0 && (is_reservation || has_sgx2))
        first = find(count, PAGE_OF(RESERVED_AT), PAGES);
    return first;
}

/* Gives back what is of no use any more. What the loader had put there from the start stays, as
 * does what it does not take away. */
static void give_up(uint64_t first, uint64_t end)
{
    for (uint64_t page = first; page < end;) {
        uint64_t part = page < LOADED ? MIN(end, LOADED) : end;
        uint64_t next = run_end(page, part, PRESENT, books[page] & PRESENT);
        uint64_t address = address_of(page), size = (next - page) * PAGE;
        bool is_gone = (books[page] & PRESENT) != 0 && page >= LOADED && has_sgx2 &&
                       change(address, size, EXIT_TRIM, PAGE_TRIMMED | PAGE_MODIFIED);
        if (is_gone) /* of no use to anybody now, whether the loader takes them or not */
            (void)enclave_ask(EXIT_REMOVE, address - (uint64_t)enclave_base, size);
        change_books(page, next, TAKEN | LIVE | (is_gone ? PRESENT | LIMITED : 0), 0);
        page = next;
    }
}

static int64_t set_rights(uint64_t first, uint64_t end, uint64_t prot)
{
    for (uint64_t page = first; page < end && prot != 0; page++) {
        if ((books[page] & LIVE) == 0) {
            if (!enliven(page))
                return -ENOMEM;
        } else if (prot == PROT_BITS && (books[page] & LIMITED) != 0) {
            enclu_extend(address_of(page));
            books[page] &= (uint8_t)~LIMITED;
        }
    }
    if (prot == PROT_BITS || !has_sgx2)
        return 0;
    for (uint64_t page = first; page < end;) {
        bool is_to_limit = (books[page] & (LIVE | LIMITED)) == LIVE;
        uint64_t next = run_end(page, end, LIVE | LIMITED, books[page] & (LIVE | LIMITED));
        if (is_to_limit && !limit(address_of(page), (next - page) * PAGE))
            return -ENOMEM;
        if (is_to_limit)
            change_books(page, next, 0, LIMITED);
        page = next;
    }
    return 0;
}

int64_t memory_map(uint64_t size, uint64_t prot, uint64_t flags)
{
    uint64_t count = size / PAGE + (size % PAGE != 0 ? 1 : 0);

    if (size == 0 || (flags & MAP_FIXED) != 0)
        return -EINVAL;
    uint64_t first = count < PAGES ? place(count, prot == 0) : 0;
    if (first == 0)
        return -ENOMEM;
    change_books(first, first + count, 0, TAKEN);
    if (set_rights(first, first + count, prot) != 0) {
        give_up(first, first + count);
        return -ENOMEM;
    }
    return (int64_t)address_of(first);
}

/* The pages of a range of mappings; false: it has others. */
static bool take_range(uint64_t address, uint64_t size, uint64_t *first, uint64_t *end)
{
    *first = (address - heap) / PAGE;
    *end = *first + size / PAGE + (size % PAGE != 0 ? 1 : 0);
    return size != 0 && size < ENCLAVE_SIZE && address % PAGE == 0 && address >= heap &&
           *first >= PAGE_OF(MAP_AT) && *end <= PAGES;
}

int64_t memory_unmap(uint64_t address, uint64_t size)
{
    uint64_t first, end;

    if (!take_range(address, size, &first, &end))
        return -EINVAL;
    for (uint64_t page = first; page < end;) {
        uint64_t next = run_end(page, end, TAKEN, books[page] & TAKEN);
        if ((books[page] & TAKEN) != 0)
            give_up(page, next);
        page = next;
    }
    return 0;
}

/* Of the exec layer's own image: its constants are to be read only, once it has relocated itself.
 * Without SGX2 they stay as they were loaded; with it, the exec layer could not say why it ends. */
static int64_t protect_image(uint64_t address, uint64_t size, uint64_t prot)
{
    size = (size + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (prot != 1)
        return -EINVAL;
    if (has_sgx2 && !limit(address, size))
        proxy_panic("the processor has not taken the right to write from pages of the exec layer",
                    0);
    return 0;
}

int64_t memory_protect(uint64_t address, uint64_t size, uint64_t prot)
{
    uint64_t keep = (uint64_t)enclave_base + KEEP_AT, first, end;

    if (address % PAGE == 0 && address >= keep && size != 0 && size <= KEEP_SIZE_MAX &&
        address - keep <= KEEP_SIZE_MAX - size)
        return protect_image(address, size, prot);
    if (!take_range(address, size, &first, &end))
        return -EINVAL;
    if (run_end(first, end, TAKEN, TAKEN) != end)
        return -ENOMEM;
    return set_rights(first, end, prot);
}

int64_t memory_brk(uint64_t address)
{
    uint64_t from = (uint64_t)enclave_base + BRK_AT;

    if (address < from || address > from + BRK_SIZE)
        return (int64_t)brk_end;
    if (address > brk_end) /* what was there before is its loader's, or was given back */
        memset((void *)brk_end, 0, address - brk_end);
    brk_end = address;
    return (int64_t)brk_end;
}
