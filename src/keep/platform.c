/* The world as the workload's files see it. The host's clocks are hints: they may stand still here,
 * but never run backwards. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "keep/keep.h"

#define NS_PER_S UINT64_C(1000000000)

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
    static uint64_t floor;

    (void)context;
    return rising(CLOCK_REALTIME, &floor);
}

static uint64_t monotonic_ns(void *context)
{
    static uint64_t floor;

    (void)context;
    return rising(CLOCK_MONOTONIC, &floor);
}

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

/* pollfds, kept for the next wait. */
static struct pollfd *pollfds_of(size_t count)
{
    static struct pollfd *fds;
    static size_t capacity;

    if (count > capacity) {
        struct pollfd *more = realloc(fds, count * 2 * sizeof *more);
        if (more == NULL)
            return NULL;
        fds = more;
        capacity = count * 2;
    }
    return fds;
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

static enum vfs_error wait_for(void *context, struct vfs_wait *waits, size_t count,
                               uint64_t until_ns)
{
    struct timespec left = {.tv_sec = 0};

    if (count == 0 && until_ns == 0) {
        (void)sched_yield();
        return VFS_OK;
    }
    if (until_ns != UINT64_MAX && until_ns != 0) {
        uint64_t now = monotonic_ns(context);
        uint64_t left_ns = until_ns > now ? until_ns - now : 0;
        left.tv_sec = (time_t)(left_ns / NS_PER_S);
        left.tv_nsec = (long)(left_ns % NS_PER_S);
    }
    struct pollfd *fds = pollfds_of(count);
    if (fds == NULL && count != 0)
        return VFS_NOMEM;
    for (size_t i = 0; i < count; i++) {
        short events = (short)(((waits[i].events & VFS_READABLE) != 0 ? POLLIN : 0) |
                               ((waits[i].events & VFS_WRITABLE) != 0 ? POLLOUT : 0));
        fds[i] = (struct pollfd){.fd = waits[i].handle, .events = events};
    }
    int ready = ppoll(fds, count, until_ns == UINT64_MAX ? NULL : &left, NULL);
    if (ready < 0 && errno != EINTR)
        return net_error(errno);
    for (size_t i = 0; i < count; i++)
        waits[i].woken = ready > 0 ? woken_of(fds[i].revents) : 0;
    return VFS_OK;
}

const struct vfs_platform keep_platform = {
    .realtime_ns = realtime_ns,
    .monotonic_ns = monotonic_ns,
    .random = fill_random,
    .wait = wait_for,
};
