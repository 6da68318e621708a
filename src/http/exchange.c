/* One request, step by step. libmicrohttpd calls with the headers, with each part of the body, and
 * at its end; the answer can be given only at the first and the last of these (0.9.75). */
#include <stdlib.h>

#include "http/clock.h"
#include "http/internal.h"

#define BODY_FIRST 4096 /* memory that a body begins with */
/* What a refused body may have beyond what its route takes; then we hang up. */
#define EXCESS_MAX ((uint64_t)16 << 20)

static void *copy_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = arena_alloc(arena, size, 1);

    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

struct http_exchange *exchange_new(struct http_server *server, struct MHD_Connection *connection,
                                   struct watch_link *link, const char *target)
{
    struct http_exchange *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    arena_init(&e->arena, arena_heap, server->options.arena_limit);
    char *path = copy_text(&e->arena, target);
    if (path == NULL) {
        free(e);
        return NULL;
    }
    char *mark = strchr(path, '?');
    if (mark != NULL)
        *mark = '\0';
    e->server = server;
    e->connection = connection;
    e->link = link;
    e->began_ns = clock_ns();
    e->request = (struct http_request){.path = path,
                                       .query = mark != NULL ? mark + 1 : "",
                                       .method = "",
                                       .arena = &e->arena,
                                       .exchange = e};
    memcpy(e->request.client, watch_text(link), strnlen(watch_text(link), HTTP_ADDRESS_SIZE - 1));
    (void)pthread_mutex_lock(&server->mutex);
    server->exchanges++;
    (void)pthread_mutex_unlock(&server->mutex);
    return e;
}

void exchange_free(struct http_exchange *e)
{
    struct http_server *s = e->server;

    if (e->response.done != NULL)
        e->response.done(e->response.context);
    if (e->has_begun)
        e->route->end(s->options.context, &e->request);
    if (e->answer != NULL)
        MHD_destroy_response(e->answer);
    if (e->phase != PHASE_DONE)
        metrics_unanswered(s->metrics);
    free(e->body);
    arena_done(&e->arena);
    free(e);
    (void)pthread_mutex_lock(&s->mutex);
    if (--s->exchanges == 0)
        (void)pthread_cond_broadcast(&s->is_quiet);
    (void)pthread_mutex_unlock(&s->mutex);
}

/* Gives the request to a worker, or answers that they have too much to do. */
static void dispatch(struct http_exchange *e)
{
    if (!worker_pool_reserve(e->server->workers)) {
        http_response_header(&e->response, "Retry-After", "1");
        answer_fail(e, 503, "busy", "the server has too much to do");
        e->phase = PHASE_ANSWER;
        return;
    }
    e->phase = PHASE_WORK;
    MHD_suspend_connection(e->connection);
    worker_pool_put(e->server->workers, e);
}

void exchange_work(void *exchange, bool is_dropped)
{
    struct http_exchange *e = exchange;

    if (is_dropped) {
        answer_fail(e, 503, "stopping", "the server stops");
    } else {
        e->route->handle(e->server->options.context, &e->request, &e->response);
        answer_make(e);
    }
    e->phase = PHASE_ANSWER;
    MHD_resume_connection(e->connection); /* from here on e is not ours, and may be gone */
}

/* How long an answer of this size may take to be read. */
static uint64_t sending_ms(const struct http_exchange *e, uint64_t size)
{
    uint64_t ms;

    return checked_mul(size, 1000u, &ms) ? ms / e->server->options.answer_rate : UINT64_MAX / 2;
}

/* Gives the answer to libmicrohttpd. */
static bool give_answer(struct http_exchange *e)
{
    struct http_server *s = e->server;
    uint64_t now = clock_ns();
    uint64_t size = e->response.read != NULL ? e->response.size : e->response.body.size;

    if (e->answer == NULL)
        return false;
    (void)pthread_mutex_lock(&s->mutex);
    bool is_last = s->is_draining;
    (void)pthread_mutex_unlock(&s->mutex);
    if (is_last || e->dropped != 0)
        (void)MHD_add_response_header(e->answer, "Connection", "close");
    if (e->is_early && e->has_body)
        watch_linger(e->link);
    watch_set_deadline(e->link,
                       deadline_after(now, s->options.request_timeout_ms + sending_ms(e, size)));
    if (MHD_queue_response(e->connection, e->status, e->answer) != MHD_YES)
        return false;
    metrics_answered(s->metrics, e->route, e->request.method, e->status, now - e->began_ns);
    e->phase = PHASE_DONE;
    return true;
}

static bool take_headers(struct http_exchange *e, const char *method)
{
    e->request.method = method;
    e->phase = PHASE_BODY;
    if (!exchange_judge(e)) {
        answer_make(e);
        e->phase = PHASE_ANSWER;
        e->is_early = e->has_body;
        /* without a body it waits for the last call: an answer to the first ends the connection */
        return e->is_early ? give_answer(e) : true;
    }
    if (e->route->recall != NULL && !e->has_body &&
        e->route->recall(e->server->options.context, &e->request, &e->response)) {
        answer_make(e);
        e->phase = PHASE_ANSWER; /* at the last call, as above */
        return true;
    }
    if (e->route->begin == NULL)
        return true;
    e->has_begun = true;
    if (!e->route->begin(e->server->options.context, &e->request)) {
        e->is_early = e->has_body;
        watch_set_deadline(e->link, deadline_never());
        dispatch(e);
        return e->phase == PHASE_ANSWER && e->is_early ? give_answer(e) : true;
    }
    return true;
}

/* A body that is taken in parts may take as long as its size so far allows. */
static void extend_deadline(struct http_exchange *e)
{
    const struct http_server_options *o = &e->server->options;
    uint64_t ms;

    if (o->body_rate != 0 && checked_mul(e->received, 1000u, &ms))
        watch_set_deadline(e->link,
                           deadline_after(e->began_ns, o->request_timeout_ms + ms / o->body_rate));
}

/* Adds to the body in memory; false: no memory. */
static bool keep_part(struct http_exchange *e, struct bytes part)
{
    size_t size = (size_t)e->received;

    if (part.size > e->body_capacity - size) {
        size_t wanted = e->body_capacity != 0 ? e->body_capacity * 2 : BODY_FIRST;
        while (wanted - size < part.size)
            wanted *= 2;
        if (wanted > e->route->body_max)
            wanted = e->route->body_max;
        uint8_t *grown = realloc(e->body, wanted);
        if (grown == NULL)
            return false;
        e->body = grown;
        e->body_capacity = wanted;
    }
    memcpy(e->body + size, part.data, part.size);
    return true;
}

static void take_part(struct http_exchange *e, struct bytes part)
{
    if (part.size > e->route->body_max - e->received) {
        answer_fail(e, 413, "body-too-large", "the body is larger than this path takes");
        e->phase = PHASE_ANSWER;
        e->dropped = part.size;
        return;
    }
    if (e->route->begin != NULL) {
        e->received += part.size;
        extend_deadline(e);
        if (!e->route->receive(e->server->options.context, &e->request, part)) {
            e->dropped = part.size; /* of no use to anybody, and the connection ends */
            dispatch(e);
        }
        return;
    }
    if (!keep_part(e, part)) {
        answer_fail(e, 503, "busy", "the server has no memory for the body");
        e->phase = PHASE_ANSWER;
        e->dropped = part.size;
        return;
    }
    e->received += part.size;
}

bool exchange_step(struct http_exchange *e, const char *method, struct bytes part)
{
    switch (e->phase) {
    case PHASE_HEADERS:
        return take_headers(e, method);
    case PHASE_BODY:
        if (part.size != 0) {
            take_part(e, part);
            return true;
        }
        e->request.body = bytes_from(e->body, e->body != NULL ? (size_t)e->received : 0);
        watch_set_deadline(e->link, deadline_never());
        dispatch(e);
        return e->phase == PHASE_ANSWER ? give_answer(e) : true;
    case PHASE_ANSWER:
        if (part.size == 0)
            return give_answer(e);
        e->dropped += part.size;
        return e->received + e->dropped <= e->route->body_max + EXCESS_MAX;
    case PHASE_WORK:
    case PHASE_DONE:
        break;
    }
    return true;
}
