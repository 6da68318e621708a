#include "http/linger.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_MAX 16 /* of one socket at a time, so that none starves the others */

void linger_add(struct linger_set *l, int fd, uint64_t now_ns)
{
    if (l->count == LINGER_MAX) {
        (void)close(fd);
        return;
    }
    l->count++;
    l->polls[l->count] = (struct pollfd){.fd = fd, .events = POLLIN};
    l->end_ns[l->count] = deadline_after(now_ns, LINGER_MS).at_ns;
}

/* Whether the client may still send. */
static bool discard(int fd)
{
    char dropped[16384];

    for (unsigned i = 0; i < READS_MAX; i++) {
        ssize_t got = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (got == 0)
            return false;
    }
    return true;
}

void linger_serve(struct linger_set *l, uint64_t now_ns)
{
    for (size_t i = 1; i <= l->count;) {
        bool goes_on = now_ns < l->end_ns[i];
        if (goes_on && l->polls[i].revents != 0)
            goes_on = discard(l->polls[i].fd);
        if (goes_on) {
            l->polls[i++].revents = 0;
            continue;
        }
        (void)close(l->polls[i].fd);
        l->polls[i] = l->polls[l->count];
        l->end_ns[i] = l->end_ns[l->count];
        l->count--;
    }
}

void linger_done(struct linger_set *l)
{
    for (size_t i = 1; i <= l->count; i++)
        (void)close(l->polls[i].fd);
    l->count = 0;
}
