/* The world as the workload's files see it. The host's clocks are hints: they may stand still here,
 * but never run backwards, and realtime is never earlier than what trusted parties have signed. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "keep/keep.h"

#define NS_PER_S UINT64_C(1000000000)

/* ---- time ---- */

/* When the image was built (DESIGN.md §3): it cannot be earlier. */
static uint64_t realtime_floor = (uint64_t)KEEP_BUILD_TIME * NS_PER_S;

/* The clock's reading, or the last one when it would be less, or is no time at all. */
static uint64_t rising(clockid_t clock, uint64_t *floor)
{
    struct timespec now;

    if (clock_gettime(clock, &now) == 0 && now.tv_sec >= 0 && now.tv_nsec >= 0 &&
        (uint64_t)now.tv_sec < UINT64_MAX / NS_PER_S && (uint64_t)now.tv_nsec < NS_PER_S) {
        uint64_t ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
        if (ns > *floor)
            *floor = ns;
    }
    return *floor;
}

static uint64_t realtime_ns(void *context)
{
    (void)context;
    return rising(CLOCK_REALTIME, &realtime_floor);
}

static uint64_t monotonic_ns(void *context)
{
    static uint64_t floor;

    (void)context;
    return rising(CLOCK_MONOTONIC, &floor);
}

int64_t platform_now(void)
{
    return (int64_t)(realtime_ns(NULL) / NS_PER_S);
}

void platform_raise_floor(int64_t seconds)
{
    if (seconds > 0 && (uint64_t)seconds < UINT64_MAX / NS_PER_S &&
        (uint64_t)seconds * NS_PER_S > realtime_floor)
        realtime_floor = (uint64_t)seconds * NS_PER_S;
}

/* ---- randomness ---- */

static bool fill_random(void *context, void *out, size_t size)
{
    uint8_t *at = out;

    (void)context;
    while (size != 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || (size_t)got > size)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

/* ---- waiting ---- */

/* Room for pollfds, one at least, kept for the next wait. NULL: no memory. */
static struct pollfd *pollfds_of(size_t count)
{
    static struct pollfd *fds;
    static size_t capacity;

    if (count >= capacity) {
        struct pollfd *more = realloc(fds, (count + 1) * 2 * sizeof *more);
        if (more == NULL)
            return NULL;
        fds = more;
        capacity = (count + 1) * 2;
    }
    return fds;
}

static struct pollfd pollfd_of(const struct vfs_wait *wait)
{
    short events = (short)(((wait->events & VFS_READABLE) != 0 ? POLLIN : 0) |
                           ((wait->events & VFS_WRITABLE) != 0 ? POLLOUT : 0));

    return (struct pollfd){.fd = wait->handle, .events = events};
}

static unsigned woken_of(short events)
{
    unsigned woken = 0;

    if ((events & POLLIN) != 0)
        woken |= VFS_READABLE;
    if ((events & POLLOUT) != 0)
        woken |= VFS_WRITABLE;
    if ((events & (POLLHUP | POLLERR | POLLNVAL)) != 0)
        woken |= VFS_HANGUP;
    return woken;
}

/* poll until a time of the monotonic clock, 0: only looks, UINT64_MAX: for ever. VFS_OK: *ready
 * says of how many. */
static enum vfs_error poll_until(struct pollfd *fds, size_t count, uint64_t until_ns, int *ready)
{
    struct timespec left = {.tv_sec = 0};

    if (until_ns != UINT64_MAX && until_ns != 0) {
        uint64_t now = monotonic_ns(NULL);
        uint64_t left_ns = until_ns > now ? until_ns - now : 0;
        left.tv_sec = (time_t)(left_ns / NS_PER_S);
        left.tv_nsec = (long)(left_ns % NS_PER_S);
    }
    *ready = ppoll(fds, count, until_ns == UINT64_MAX ? NULL : &left, NULL);
    if (*ready >= 0)
        return VFS_OK;
    *ready = 0;
    return errno == EINTR ? VFS_OK : net_error(errno);
}

/* One wait for the program's files and what goes on beside it. */
static enum vfs_error wait_once(struct vfs_wait *waits, size_t count, uint64_t until_ns,
                                bool *is_woken)
{
    static struct vfs_wait others[BACKGROUND_WAITS_MAX];
    size_t other_count = background_waits(others, BACKGROUND_WAITS_MAX);
    uint64_t due = until_ns != 0 ? background_due_ns() : 0;
    struct pollfd *fds = pollfds_of(count + other_count);
    int ready;

    *is_woken = false;
    if (fds == NULL)
        return VFS_NOMEM;
    for (size_t i = 0; i < count; i++)
        fds[i] = pollfd_of(&waits[i]);
    for (size_t i = 0; i < other_count; i++)
        fds[count + i] = pollfd_of(&others[i]);
    enum vfs_error error =
        poll_until(fds, count + other_count, due < until_ns ? due : until_ns, &ready);
    for (size_t i = 0; i < count && error == VFS_OK; i++) {
        waits[i].woken = ready > 0 ? woken_of(fds[i].revents) : 0;
        *is_woken |= waits[i].woken != 0;
    }
    return error;
}

static enum vfs_error wait_for(void *context, struct vfs_wait *waits, size_t count,
                               uint64_t until_ns)
{
    bool is_woken = false;

    if (count == 0 && until_ns == 0) {
        (void)background_advance();
        (void)sched_yield();
        return VFS_OK;
    }
    for (;;) {
        enum vfs_error error = wait_once(waits, count, until_ns, &is_woken);
        if (error != VFS_OK)
            return error;
        if (background_advance() || is_woken || until_ns == 0 ||
            (until_ns != UINT64_MAX && monotonic_ns(context) >= until_ns))
            return VFS_OK;
    }
}

enum vfs_error platform_wait_one(int fd, bool for_write, uint64_t until_ns)
{
    struct pollfd poll_of = {.fd = fd, .events = for_write ? POLLOUT : POLLIN};
    int ready;

    return poll_until(&poll_of, 1, until_ns, &ready);
}

const struct vfs_platform keep_platform = {
    .realtime_ns = realtime_ns,
    .monotonic_ns = monotonic_ns,
    .random = fill_random,
    .wait = wait_for,
};
