#include "http/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#define STACK_SIZE ((size_t)1 << 20)

struct worker_pool {
    pthread_mutex_t mutex;
    pthread_cond_t has_job, is_idle;
    void (*work)(void *job, bool is_dropped);
    void **queue; /* a ring of queue_max */
    size_t queue_max, first, queued;
    size_t taken; /* places: reserved, queued, or in work */
    bool drops, is_stopping;
    unsigned thread_count;
    pthread_t threads[];
};

static void *worker_run(void *context)
{
    struct worker_pool *p = context;

    (void)pthread_mutex_lock(&p->mutex);
    for (;;) {
        while (p->queued == 0 && !p->is_stopping)
            (void)pthread_cond_wait(&p->has_job, &p->mutex);
        if (p->queued == 0)
            break;
        void *job = p->queue[p->first];
        bool is_dropped = p->drops;
        p->first = (p->first + 1) % p->queue_max;
        p->queued--;
        (void)pthread_mutex_unlock(&p->mutex);
        p->work(job, is_dropped);
        (void)pthread_mutex_lock(&p->mutex);
        if (--p->taken == 0)
            (void)pthread_cond_broadcast(&p->is_idle);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static int start_threads(struct worker_pool *p, unsigned threads)
{
    pthread_attr_t attributes;
    int number = pthread_attr_init(&attributes);

    if (number != 0)
        return number;
    number = pthread_attr_setstacksize(&attributes, STACK_SIZE);
    while (number == 0 && p->thread_count < threads) {
        number = pthread_create(&p->threads[p->thread_count], &attributes, worker_run, p);
        p->thread_count += number == 0;
    }
    (void)pthread_attr_destroy(&attributes);
    return number;
}

bool worker_pool_start(unsigned threads, size_t queue_max, void (*work)(void *job, bool is_dropped),
                       struct worker_pool **out, struct err *err)
{
    struct worker_pool *p = calloc(1, sizeof *p + threads * sizeof *p->threads);
    /* those in work have left the queue, but a place is theirs until they are done */
    size_t places = queue_max + threads;

    if (p != NULL)
        p->queue = calloc(places, sizeof *p->queue);
    if (p == NULL || p->queue == NULL) {
        free(p);
        return err_set(err, ERR_MEMORY, "no memory for workers", ERR_NO_AT);
    }
    (void)pthread_mutex_init(&p->mutex, NULL);
    (void)pthread_cond_init(&p->has_job, NULL);
    (void)pthread_cond_init(&p->is_idle, NULL);
    p->work = work;
    p->queue_max = places;
    int number = start_threads(p, threads);
    if (number != 0) {
        worker_pool_free(p);
        return err_set(err, ERR_IO, "no threads for workers", (uint64_t)number);
    }
    *out = p;
    return true;
}

bool worker_pool_reserve(struct worker_pool *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    bool has_room = !p->drops && p->taken < p->queue_max;
    p->taken += has_room;
    (void)pthread_mutex_unlock(&p->mutex);
    return has_room;
}

void worker_pool_put(struct worker_pool *p, void *job)
{
    (void)pthread_mutex_lock(&p->mutex);
    assert(p->queued < p->taken);
    p->queue[(p->first + p->queued++) % p->queue_max] = job;
    (void)pthread_cond_signal(&p->has_job);
    (void)pthread_mutex_unlock(&p->mutex);
}

void worker_pool_drop(struct worker_pool *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    p->drops = true;
    while (p->taken != 0)
        (void)pthread_cond_wait(&p->is_idle, &p->mutex);
    (void)pthread_mutex_unlock(&p->mutex);
}

void worker_pool_free(struct worker_pool *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->mutex);
    p->is_stopping = true;
    (void)pthread_cond_broadcast(&p->has_job);
    (void)pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < p->thread_count; i++)
        (void)pthread_join(p->threads[i], NULL);
    (void)pthread_cond_destroy(&p->is_idle);
    (void)pthread_cond_destroy(&p->has_job);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p->queue);
    free(p);
}
