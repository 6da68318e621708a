#include "http/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http/clock.h"
#include "http/linger.h"

struct watch_link {
    struct watch *watch;
    struct watch_link *previous, *next;
    int fd;
    struct deadline deadline;
    bool lingers;
    struct address_key key;
    char text[HTTP_ADDRESS_SIZE];
};

struct watch {
    pthread_t thread;
    pthread_mutex_t mutex; /* of all below */
    struct watch_link *links;
    size_t count;
    uint64_t cut_count;
    struct linger_set linger;
    bool is_stopping;
    int wake; /* an eventfd: the thread has something new to look at */
    unsigned tick_ms;
};

static void wake(struct watch *w)
{
    uint64_t one = 1;

    /* it can only fail when it is awake anyway */
    if (write(w->wake, &one, sizeof one) < 0)
        return;
}

static void cut_late(struct watch *w, uint64_t now)
{
    for (struct watch_link *l = w->links; l != NULL; l = l->next) {
        if (!deadline_passed(l->deadline, now))
            continue;
        (void)shutdown(l->fd, SHUT_RDWR);
        l->deadline = deadline_never();
        w->cut_count++;
    }
}

static void *watch_run(void *context)
{
    struct watch *w = context;
    struct linger_set *linger = &w->linger;
    bool goes_on = true;

    while (goes_on) {
        struct pollfd polls[LINGER_MAX + 1];
        uint64_t ignored;
        (void)pthread_mutex_lock(&w->mutex);
        size_t count = linger->count + 1;
        memcpy(polls, linger->polls, count * sizeof *polls);
        (void)pthread_mutex_unlock(&w->mutex);
        (void)poll(polls, count, (int)w->tick_ms);
        if (polls[0].revents != 0 && read(w->wake, &ignored, sizeof ignored) < 0)
            polls[0].revents = 0;
        (void)pthread_mutex_lock(&w->mutex);
        /* only this thread takes from the row; others add at its end */
        for (size_t i = 1; i < count; i++)
            linger->polls[i].revents = polls[i].revents;
        uint64_t now = clock_ns();
        linger_serve(linger, now);
        cut_late(w, now);
        goes_on = !w->is_stopping;
        (void)pthread_mutex_unlock(&w->mutex);
    }
    return NULL;
}

static void watch_free(struct watch *w)
{
    linger_done(&w->linger);
    if (w->wake >= 0)
        (void)close(w->wake);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
}

bool watch_start(unsigned tick_ms, struct watch **out, struct err *err)
{
    struct watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the list of connections", ERR_NO_AT);
    (void)pthread_mutex_init(&w->mutex, NULL);
    w->tick_ms = tick_ms;
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->linger.polls[0] = (struct pollfd){.fd = w->wake, .events = POLLIN};
    int number = w->wake < 0 ? errno : pthread_create(&w->thread, NULL, watch_run, w);
    if (number != 0) {
        watch_free(w);
        return err_set(err, ERR_IO, "no thread to watch connections", (uint64_t)number);
    }
    *out = w;
    return true;
}

void watch_stop(struct watch *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    w->is_stopping = true;
    (void)pthread_mutex_unlock(&w->mutex);
    wake(w);
    (void)pthread_join(w->thread, NULL);
    watch_free(w);
}

struct watch_link *watch_open(struct watch *w, int fd, const struct sockaddr *from,
                              struct deadline deadline)
{
    struct watch_link *link = calloc(1, sizeof *link);

    if (link == NULL)
        return NULL;
    link->watch = w;
    link->fd = fd;
    link->deadline = deadline;
    address_of(from, &link->key, link->text);
    (void)pthread_mutex_lock(&w->mutex);
    link->next = w->links;
    if (link->next != NULL)
        link->next->previous = link;
    w->links = link;
    w->count++;
    (void)pthread_mutex_unlock(&w->mutex);
    return link;
}

void watch_close(struct watch_link *link)
{
    struct watch *w = link->watch;
    int kept = link->lingers ? fcntl(link->fd, F_DUPFD_CLOEXEC, 0) : -1;

    (void)pthread_mutex_lock(&w->mutex);
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        w->links = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
    w->count--;
    if (kept >= 0) {
        (void)shutdown(kept, SHUT_WR);
        linger_add(&w->linger, kept, clock_ns());
    }
    (void)pthread_mutex_unlock(&w->mutex);
    if (kept >= 0)
        wake(w);
    free(link);
}

void watch_set_deadline(struct watch_link *link, struct deadline deadline)
{
    (void)pthread_mutex_lock(&link->watch->mutex);
    link->deadline = deadline;
    (void)pthread_mutex_unlock(&link->watch->mutex);
}

void watch_hasten(struct watch_link *link, struct deadline deadline)
{
    (void)pthread_mutex_lock(&link->watch->mutex);
    link->deadline = deadline_sooner(link->deadline, deadline);
    (void)pthread_mutex_unlock(&link->watch->mutex);
}

void watch_linger(struct watch_link *link)
{
    link->lingers = true; /* on the connection's own thread, as watch_close */
}

const struct address_key *watch_key(const struct watch_link *link)
{
    return &link->key;
}

const char *watch_text(const struct watch_link *link)
{
    return link->text;
}

size_t watch_count_of(struct watch *w, const struct address_key *key)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&w->mutex);
    for (const struct watch_link *l = w->links; l != NULL; l = l->next)
        count += address_equal(&l->key, key);
    (void)pthread_mutex_unlock(&w->mutex);
    return count;
}

size_t watch_count(struct watch *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    size_t count = w->count;
    (void)pthread_mutex_unlock(&w->mutex);
    return count;
}

uint64_t watch_cut_count(struct watch *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    uint64_t count = w->cut_count;
    (void)pthread_mutex_unlock(&w->mutex);
    return count;
}
