/* Calls that leave: arguments into the sallyport's block, an exit, results back. What the host
 * answers is copied once, then checked (Iago attacks): an errno of the list, no more bytes than
 * asked for, small numbers as descriptors, no pointers. */
#include "sallyport/sallyport.h"
#include "shim/shim.h"

#define ERRNO_MAX 4095
#define EIO 5
#define ENOSYS 38
#define NOWHERE UINT64_MAX
/* At once; more is for the next call, as with any read or write. */
#define TRANSFER_MAX ((uint64_t)256 << 10)
#define DESCRIPTOR_MAX 65535
#define REVENTS (UINT64_C(0xffff) << 48) /* of a struct pollfd, in its word */

/* A host can have mapped the registers of a device where the block is to be. So nothing but whole
 * words at aligned addresses goes there (INTEL-SA-00615, stale data of MMIO) and comes from there
 * (INTEL-SA-00657, of the local APIC). Pieces begin at multiples of 16. */
#define WORD 8

static volatile uint64_t *word_at(uint64_t at)
{
    return (volatile uint64_t *)(void *)(block()->data + at);
}

static void copy_words(void *to, const void *from, uint64_t count)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* Of the last word what is behind the piece is zero. */
static void copy_out(uint64_t at, const void *from, uint64_t size)
{
    uint64_t whole = size / WORD, last = 0;

    copy_words(block()->data + at, from, whole);
    if (size % WORD != 0) {
        memcpy(&last, (const uint8_t *)from + whole * WORD, size % WORD);
        *word_at(at + whole * WORD) = last;
    }
}

static void copy_in(void *to, uint64_t at, uint64_t size)
{
    uint64_t whole = size / WORD;

    copy_words(to, block()->data + at, whole);
    if (size % WORD != 0) {
        uint64_t last = *word_at(at + whole * WORD);
        memcpy((uint8_t *)to + whole * WORD, &last, size % WORD);
    }
}

_Noreturn void proxy_end(const char *why, const struct fault *f, uint64_t address)
{
    /* all of it: the arguments of a call may be there */
    struct panic p = {
        .vector = f->vector, .error = f->error, .rip = f->rip, .rsp = f->rsp, .address = address};

    for (unsigned i = 0; why[i] != '\0' && i < sizeof p.text - 1; i++)
        p.text[i] = why[i];
    copy_out(0, &p, sizeof p);
    shim_end();
}

_Noreturn void proxy_panic(const char *why, uint64_t number)
{
    const struct fault none = {.error = number};

    proxy_end(why, &none, 0);
}

static bool add_piece(struct transfer *t, unsigned i, uint64_t address, uint64_t size, bool goes,
                      bool comes)
{
    struct piece *p = &t->pieces[i];

    if (address == 0) {
        t->args[i] = NOWHERE;
        return true;
    }
    uint64_t at = (t->used + 15) & ~15ull;
    if (size > BLOCK_DATA_SIZE || at > BLOCK_DATA_SIZE - size)
        return false;
    *p = (struct piece){.address = address, .size = size, .at = at, .goes = goes, .comes = comes};
    t->used = at + size;
    t->args[i] = at;
    if (goes)
        copy_out(at, (const void *)address, size);
    return true;
}

/* Whether an argument is the size of another, which is read there before it is written. */
static bool is_size(const struct call *call, unsigned i)
{
    for (unsigned k = 0; k < 6; k++) {
        if (call->args[k].kind == CALL_ARG_OUT_AT && call->args[k].value == (int64_t)i)
            return true;
    }
    return false;
}

/* Of a struct pollfd the last field comes, and what is in it before may be anything. */
static bool add_polled(struct transfer *t, unsigned i, uint64_t address, uint64_t count)
{
    if (count > BLOCK_DATA_SIZE / WORD || !add_piece(t, i, address, count * WORD, false, true))
        return false;
    for (uint64_t at = 0; address != 0 && at < t->pieces[i].size; at += WORD)
        *word_at(t->pieces[i].at + at) = *(const uint64_t *)(address + at) & ~REVENTS;
    return true;
}

static bool add_arg(struct transfer *t, unsigned i, const uint64_t args[6])
{
    const struct call_arg *arg = &t->call->args[i];
    uint64_t n = (uint64_t)arg->value;

    switch (arg->kind) {
    case CALL_ARG_IN:
    case CALL_ARG_OUT:
        if (t->args[n] > TRANSFER_MAX)
            t->args[n] = TRANSFER_MAX;
        t->limit = t->args[n];
        return add_piece(t, i, args[i], t->args[n], arg->kind == CALL_ARG_IN,
                         arg->kind == CALL_ARG_OUT);
    case CALL_ARG_GIVE:
        return add_piece(t, i, args[i], n, true, false);
    case CALL_ARG_TAKE:
        /* what else is there before may be anything, and stays */
        return add_piece(t, i, args[i], n, is_size(t->call, i), true);
    case CALL_ARG_OUT_AT:
        return add_piece(t, i, args[n] != 0 ? args[i] : 0,
                         args[n] != 0 ? *(const uint32_t *)args[n] : 0, false, true);
    case CALL_ARG_POLLFDS:
        t->limit = args[n];
        return add_polled(t, i, args[i], args[n]);
    case CALL_ARG_NONE: /* whatever is in the register is not the host's */
        t->args[i] = 0;
        return true;
    default:
        return true;
    }
}

/* What a result may be, where it is no error. */
static bool is_sane(const struct transfer *t, int64_t result)
{
    bool gives_descriptor = t->call->number == 41 || t->call->number == 288; /* socket, accept4 */

    if (gives_descriptor)
        return result <= DESCRIPTOR_MAX;
    return (uint64_t)result <= t->limit;
}

/* The sizes of what CALL_ARG_OUT_AT has written, which are read once: false when one is more than
 * there is room for. */
static bool take_sizes(const struct transfer *t, uint32_t sizes[6])
{
    for (unsigned i = 0; i < 6; i++) {
        const struct call_arg *arg = &t->call->args[i];
        if (arg->kind != CALL_ARG_OUT_AT || t->pieces[i].address == 0)
            continue;
        sizes[i] = (uint32_t)*word_at(t->pieces[arg->value].at);
        if (sizes[i] > t->pieces[i].size)
            return false;
    }
    return true;
}

/* Of a struct pollfd the last field alone is the host's. */
static void take_polled(const struct piece *p)
{
    for (uint64_t at = 0; at < p->size; at += WORD) {
        uint64_t *to = (uint64_t *)(p->address + at);
        *to = (*to & ~REVENTS) | (*word_at(p->at + at) & REVENTS);
    }
}

/* Takes what has come: of a read as many bytes as the result says. */
static bool take(const struct transfer *t, int64_t result)
{
    uint32_t sizes[6] = {0};

    if (!take_sizes(t, sizes))
        return false;
    for (unsigned i = 0; i < 6; i++) {
        const struct piece *p = &t->pieces[i];
        if (!p->comes)
            continue;
        if (t->call->args[i].kind == CALL_ARG_POLLFDS)
            take_polled(p);
        else
            copy_in((void *)p->address, p->at,
                    t->call->args[i].kind == CALL_ARG_OUT ? (uint64_t)result : p->size);
    }
    for (unsigned i = 0; i < 6; i++) {
        if (t->call->args[i].kind == CALL_ARG_OUT_AT && t->pieces[i].address != 0)
            *(uint32_t *)t->pieces[t->call->args[i].value].address = sizes[i];
    }
    return true;
}

/* Of a call that is only told: what keeps it from fitting, so that the loader sees it, too. */
static uint64_t told(const struct call_arg *arg, uint64_t value)
{
    bool is_enforced =
        arg->kind == CALL_ARG_MASK || arg->kind == CALL_ARG_IS || arg->kind == CALL_ARG_EITHER;

    return is_enforced ? value : 0;
}

bool proxy_put(struct transfer *t, uint64_t number, const uint64_t args[6])
{
    struct block *b = block();
    const struct call *call = call_find(number);
    bool fits = call != 0 && call_fits(call, args);

    *t = (struct transfer){.call = fits ? call : 0};
    for (unsigned i = 0; i < 6 && call != 0; i++)
        t->args[i] = fits ? args[i] : told(&call->args[i], args[i]);
    for (unsigned i = 0; i < 6 && t->call != 0; i++) {
        if (!add_arg(t, i, args))
            return false;
    }
    *(volatile uint64_t *)&b->number = number;
    for (unsigned i = 0; i < 6; i++)
        ((volatile uint64_t *)b->args)[i] = t->args[i];
    return true;
}

int64_t proxy_take(const struct transfer *t)
{
    int64_t result = *(volatile int64_t *)&block()->result;

    if (t->call == 0)
        return -ENOSYS;
    if (result < 0)
        return result >= -ERRNO_MAX ? result : -EIO;
    return is_sane(t, result) && take(t, result) ? result : -EIO;
}
