#include "http/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define PERIOD_MS 250

struct watched {
    struct watched *next, *previous;
    struct deadline deadline;
    int fd;
    bool is_ended;
};

struct watch {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t woken;
    struct watched *first;
    size_t count;
    bool is_over;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *run(void *argument)
{
    struct watch *w = argument;

    (void)pthread_mutex_lock(&w->lock);
    while (!w->is_over) {
        struct timespec until;
        uint64_t now = now_ns(), next = now + PERIOD_MS * NS_PER_MS;
        for (struct watched *c = w->first; c != NULL; c = c->next) {
            if (c->is_ended || !deadline_passed(c->deadline, now))
                continue;
            c->is_ended = true;
            (void)shutdown(c->fd, SHUT_RDWR);
        }
        until.tv_sec = (time_t)(next / 1000000000u);
        until.tv_nsec = (long)(next % 1000000000u);
        (void)pthread_cond_timedwait(&w->woken, &w->lock, &until);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool watch_new(struct watch **out, struct err *err)
{
    struct watch *w = calloc(1, sizeof *w);
    pthread_condattr_t attributes;

    if (w == NULL)
        return err_set(err, ERR_MEMORY, "no memory to watch connections", ERR_NO_AT);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->woken, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&w->thread, NULL, run, w) != 0) {
        free(w);
        return err_set(err, ERR_MEMORY, "cannot start a thread", ERR_NO_AT);
    }
    *out = w;
    return true;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    (void)pthread_mutex_lock(&watch->lock);
    watch->is_over = true;
    (void)pthread_cond_signal(&watch->woken);
    (void)pthread_mutex_unlock(&watch->lock);
    (void)pthread_join(watch->thread, NULL);
    (void)pthread_cond_destroy(&watch->woken);
    (void)pthread_mutex_destroy(&watch->lock);
    free(watch);
}

struct watched *watch_add(struct watch *watch, int fd, struct deadline deadline)
{
    struct watched *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->fd = fd;
    c->deadline = deadline;
    (void)pthread_mutex_lock(&watch->lock);
    c->next = watch->first;
    if (c->next != NULL)
        c->next->previous = c;
    watch->first = c;
    watch->count++;
    (void)pthread_mutex_unlock(&watch->lock);
    return c;
}

void watch_set(struct watch *watch, struct watched *watched, struct deadline deadline)
{
    (void)pthread_mutex_lock(&watch->lock);
    watched->deadline = deadline;
    (void)pthread_mutex_unlock(&watch->lock);
}

void watch_remove(struct watch *watch, struct watched *watched)
{
    (void)pthread_mutex_lock(&watch->lock);
    if (watched->previous != NULL)
        watched->previous->next = watched->next;
    else
        watch->first = watched->next;
    if (watched->next != NULL)
        watched->next->previous = watched->previous;
    watch->count--;
    (void)pthread_mutex_unlock(&watch->lock);
    free(watched);
}

size_t watch_count(struct watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    size_t count = watch->count;
    (void)pthread_mutex_unlock(&watch->lock);
    return count;
}
