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

static void copy(void *to, const void *from, uint64_t size)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

_Noreturn void proxy_end(const char *why, const struct fault *f, uint64_t address)
{
    volatile struct panic *p = (void *)block()->data;
    unsigned i = 0;

    /* all of it: the arguments of a call may be there */
    p->vector = f->vector;
    p->error = f->error;
    p->rip = f->rip;
    p->rsp = f->rsp;
    p->address = address;
    p->is_ring0 = 0;
    for (; why[i] != '\0' && i < sizeof p->text - 1; i++)
        p->text[i] = why[i];
    p->text[i] = '\0';
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
        copy(block()->data + at, (const void *)address, size);
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
        return add_piece(t, i, args[i], n, true, true); /* sizes go there, too */
    case CALL_ARG_OUT_AT:
        return add_piece(t, i, args[n] != 0 ? args[i] : 0,
                         args[n] != 0 ? *(const uint32_t *)args[n] : 0, false, true);
    case CALL_ARG_POLLFDS:
        t->limit = args[n];
        return args[n] <= BLOCK_DATA_SIZE / 8 && add_piece(t, i, args[i], args[n] * 8, true, true);
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
        sizes[i] = *(volatile const uint32_t *)(void *)(block()->data + t->pieces[arg->value].at);
        if (sizes[i] > t->pieces[i].size)
            return false;
    }
    return true;
}

/* Of a struct pollfd the last field alone is the host's. */
static void take_polled(const struct piece *p)
{
    for (uint64_t at = 6; at < p->size; at += 8)
        *(uint16_t *)(p->address + at) =
            *(volatile const uint16_t *)(void *)(block()->data + p->at + at);
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
            copy((void *)p->address, block()->data + p->at,
                 t->call->args[i].kind == CALL_ARG_OUT ? (uint64_t)result : p->size);
    }
    for (unsigned i = 0; i < 6; i++) {
        if (t->call->args[i].kind == CALL_ARG_OUT_AT && t->pieces[i].address != 0)
            *(uint32_t *)t->pieces[t->call->args[i].value].address = sizes[i];
    }
    return true;
}

bool proxy_put(struct transfer *t, uint64_t number, const uint64_t args[6])
{
    struct block *b = block();

    *t = (struct transfer){.call = call_find(number)};
    for (unsigned i = 0; i < 6; i++)
        t->args[i] = args[i];
    if (t->call != 0 && !call_fits(t->call, args))
        t->call = 0;
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
