/* poll_oneoff: waits for clocks and descriptors at once. */
#include <stdlib.h>
#include <string.h>

#include "wasi/internal.h"

#define SUBSCRIPTION_SIZE 48u
#define EVENT_SIZE 32u
/* More than any program has descriptors. */
#define SUBSCRIPTIONS_MAX 65536u

#define EVENTTYPE_CLOCK 0u
#define EVENTTYPE_FD_READ 1u
#define EVENTTYPE_FD_WRITE 2u

#define SUBCLOCK_ABSTIME 1u
#define EVENT_HANGUP 1u

/* A subscription, and how it stands. */
struct poll_item {
    uint64_t userdata;
    uint8_t type;
    bool is_clock;
    bool has_happened;
    enum vfs_error error; /* what the event says */
    uint64_t size;        /* bytes to read */
    bool is_hangup;
    uint32_t fd;
    uint64_t until_ns; /* of a clock, on the monotonic one */
    unsigned woken;
};

static struct poll_item *items_of(struct wasi *wasi, size_t count)
{
    if (count > wasi->item_capacity) {
        struct poll_item *items = realloc(wasi->items, count * sizeof *items);
        if (items == NULL)
            return NULL;
        wasi->items = items;
        struct vfs_wait *waits = realloc(wasi->waits, count * sizeof *waits);
        if (waits == NULL)
            return NULL;
        wasi->waits = waits;
        wasi->item_capacity = count;
    }
    return wasi->items;
}

/* When a clock's time comes, by the monotonic clock. The realtime clock of a keep is not set while
 * it runs. */
static uint64_t clock_until(const struct vfs_platform *p, uint32_t id, uint64_t timeout,
                            bool is_absolute)
{
    uint64_t now = p->monotonic_ns(p->context), until;

    if (is_absolute && id == CLOCK_MONOTONIC_ID)
        return timeout;
    if (is_absolute) {
        uint64_t realtime = p->realtime_ns(p->context);
        timeout = timeout > realtime ? timeout - realtime : 0;
    }
    return checked_add(now, timeout, &until) ? until : UINT64_MAX;
}

static void item_parse(const struct call *c, const uint8_t *at, struct poll_item *out)
{
    const struct vfs_platform *p = vfs_platform(c->wasi->config.vfs);

    *out = (struct poll_item){.userdata = load_u64(at), .type = at[8], .until_ns = UINT64_MAX};
    if (out->type == EVENTTYPE_CLOCK) {
        uint32_t id = load_u32(at + 16);
        uint16_t flags = load_u16(at + 40);
        out->is_clock = true;
        if (id > CLOCK_MONOTONIC_ID)
            out->error = id <= 3 ? VFS_NOTSUP : VFS_INVAL;
        else if ((flags & ~SUBCLOCK_ABSTIME) != 0)
            out->error = VFS_INVAL;
        else
            out->until_ns = clock_until(p, id, load_u64(at + 24), flags != 0);
    } else if (out->type <= EVENTTYPE_FD_WRITE) {
        struct descriptor *d;
        out->fd = load_u32(at + 16);
        out->error = descriptor_get(c->wasi, out->fd, 0, &d);
        /* the specification gives no right for it alone: to read or write is enough */
        uint64_t right = out->type == EVENTTYPE_FD_READ ? RIGHT_FD_READ : RIGHT_FD_WRITE;
        if (out->error == VFS_OK && (d->rights & (right | RIGHT_POLL_FD_READWRITE)) == 0)
            out->error = VFS_NOTCAPABLE;
    } else {
        out->error = VFS_INVAL;
    }
    out->has_happened = out->error != VFS_OK;
}

/* Asks a descriptor's file; what to wait for goes to *wait. */
static void item_poll(const struct wasi *wasi, struct poll_item *item, struct vfs_wait *wait)
{
    const struct descriptor *d = &wasi->descriptors[item->fd];
    unsigned wanted = item->type == EVENTTYPE_FD_READ ? VFS_READABLE : VFS_WRITABLE;
    struct vfs_poll poll;
    struct vfs_stat stat;

    vfs_poll(d->node, wanted, item->woken, &poll);
    if (poll.ready == 0 && poll.error == VFS_OK) {
        *wait = poll.wait;
        return;
    }
    item->has_happened = true;
    item->error = poll.error;
    item->is_hangup = (poll.ready & VFS_HANGUP) != 0;
    item->size = poll.size;
    if (wanted == VFS_READABLE && d->node->ops->type == VFS_REGULAR_FILE) {
        vfs_stat(d->node, &stat);
        item->size = d->offset < stat.size ? stat.size - d->offset : 0;
    }
}

static uint64_t earliest(const struct poll_item *items, uint32_t count)
{
    uint64_t until = UINT64_MAX;

    for (uint32_t i = 0; i < count; i++) {
        if (items[i].is_clock && items[i].until_ns < until)
            until = items[i].until_ns;
    }
    return until;
}

/* One look at everything; the waits of what has not happened go to wasi->waits, in order. */
static uint32_t look(struct wasi *wasi, struct poll_item *items, uint32_t count, size_t *waits)
{
    const struct vfs_platform *p = vfs_platform(wasi->config.vfs);
    uint32_t happened = 0;
    uint64_t now = 0;

    *waits = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct poll_item *item = &items[i];
        if (!item->has_happened && item->is_clock) {
            if (now == 0)
                now = p->monotonic_ns(p->context);
            item->has_happened = now >= item->until_ns;
        } else if (!item->has_happened) {
            item_poll(wasi, item, &wasi->waits[*waits]);
            *waits += !item->has_happened;
        }
        happened += item->has_happened;
    }
    return happened;
}

/* Hands what the wait gave to the items, in the order of look. */
static void wake(const struct wasi *wasi, struct poll_item *items, uint32_t count)
{
    size_t next = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (!items[i].has_happened && !items[i].is_clock)
            items[i].woken = wasi->waits[next++].woken;
    }
}

static enum vfs_error poll_all(struct wasi *wasi, struct poll_item *items, uint32_t count,
                               uint32_t *happened)
{
    const struct vfs_platform *p = vfs_platform(wasi->config.vfs);
    uint64_t until = earliest(items, count);
    bool is_first = true;
    size_t waits;

    for (;;) {
        *happened = look(wasi, items, count, &waits);
        /* what needs a wait to be seen gets its chance beside what is ready at once */
        if (*happened != 0 && (!is_first || waits == 0))
            return VFS_OK;
        is_first = false;
        enum vfs_error error = p->wait(p->context, wasi->waits, waits, *happened != 0 ? 0 : until);
        if (error != VFS_OK)
            return error;
        wake(wasi, items, count);
    }
}

static void event_store(uint8_t *at, const struct poll_item *item)
{
    memset(at, 0, EVENT_SIZE);
    store_u64(at, item->userdata);
    store_u16(at + 8, (uint16_t)item->error);
    at[10] = item->type;
    store_u64(at + 16, item->size);
    store_u16(at + 24, item->is_hangup ? EVENT_HANGUP : 0);
}

enum vfs_error wasi_poll_oneoff(struct call *c)
{
    uint32_t count = arg32(c, 2), happened = 0;
    uint8_t *in = guest_at(c, arg32(c, 0), (uint64_t)count * SUBSCRIPTION_SIZE);
    uint8_t *out = guest_at(c, arg32(c, 1), (uint64_t)count * EVENT_SIZE);
    uint8_t *happened_at = guest_at(c, arg32(c, 3), 4);

    if (count == 0 || count > SUBSCRIPTIONS_MAX)
        return VFS_INVAL;
    if (in == NULL || out == NULL || happened_at == NULL)
        return VFS_FAULT;
    struct poll_item *items = items_of(c->wasi, count);
    if (items == NULL)
        return VFS_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        item_parse(c, in + (size_t)i * SUBSCRIPTION_SIZE, &items[i]);
    enum vfs_error error = poll_all(c->wasi, items, count, &happened);
    if (error != VFS_OK)
        return error;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].has_happened) {
            event_store(out, &items[i]);
            out += EVENT_SIZE;
        }
    }
    store_u32(happened_at, happened);
    return VFS_OK;
}
