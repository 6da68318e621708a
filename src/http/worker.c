#include "http/worker.h"

#include <pthread.h>
#include <stdlib.h>

#define THREADS_MAX 256u

struct workers {
    void (*work)(void *job);
    pthread_t threads[THREADS_MAX];
    size_t thread_count;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t given;
    void **queue; /* a ring */
    size_t capacity, first, count;
    bool is_over;
};

static void *run(void *argument)
{
    struct workers *w = argument;

    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->count == 0 && !w->is_over)
            (void)pthread_cond_wait(&w->given, &w->lock);
        if (w->count == 0)
            break;
        void *job = w->queue[w->first];
        w->first = (w->first + 1) % w->capacity;
        w->count--;
        (void)pthread_mutex_unlock(&w->lock);
        w->work(job);
        (void)pthread_mutex_lock(&w->lock);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

bool workers_new(unsigned threads, size_t queue, void (*work)(void *job), struct workers **out,
                 struct err *err)
{
    struct workers *w = calloc(1, sizeof *w);

    if (w != NULL)
        w->queue = calloc(queue, sizeof *w->queue);
    if (w == NULL || w->queue == NULL) {
        free(w);
        return err_set(err, ERR_MEMORY, "no memory for workers", ERR_NO_AT);
    }
    w->work = work;
    w->capacity = queue;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->given, NULL);
    while (w->thread_count < threads && w->thread_count < THREADS_MAX &&
           pthread_create(&w->threads[w->thread_count], NULL, run, w) == 0)
        w->thread_count++;
    if (w->thread_count == 0) {
        workers_free(w);
        return err_set(err, ERR_MEMORY, "cannot start a thread", ERR_NO_AT);
    }
    *out = w;
    return true;
}

void workers_free(struct workers *workers)
{
    if (workers == NULL)
        return;
    (void)pthread_mutex_lock(&workers->lock);
    workers->is_over = true;
    (void)pthread_cond_broadcast(&workers->given);
    (void)pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; i < workers->thread_count; i++)
        (void)pthread_join(workers->threads[i], NULL);
    (void)pthread_cond_destroy(&workers->given);
    (void)pthread_mutex_destroy(&workers->lock);
    free(workers->queue);
    free(workers);
}

bool workers_give(struct workers *workers, void *job)
{
    (void)pthread_mutex_lock(&workers->lock);
    bool has_room = workers->count < workers->capacity;
    if (has_room) {
        workers->queue[(workers->first + workers->count) % workers->capacity] = job;
        workers->count++;
        (void)pthread_cond_signal(&workers->given);
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return has_room;
}
