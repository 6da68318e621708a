#include "drawbridge/recall.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/banned.h"

#define PLACES 65536u /* many more than answers, so that few meet in one */
#define LOCKS 16u
#define SIZE_ALL ((size_t)16 << 20) /* of what is known */
#define SWEEP_MAX 256u              /* places that are looked at for one that is put in */
#define TEXT_MAX ((size_t)4 << 10)  /* of path and headers */

/* An answer in one block: what is behind it, and then the bytes. */
struct known {
    size_t size; /* of the block */
    const char *path, *content_type;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    unsigned status;
    struct bytes body;
};

struct recall {
    pthread_mutex_t locks[LOCKS]; /* lock i: of places i, i + LOCKS, … */
    struct known *places[PLACES];
    atomic_size_t size;
    atomic_uint hand; /* the place that goes next when there is too much */
    pthread_mutex_t age_lock;
    uint64_t age; /* how often all was forgotten */
};

bool recall_new(struct recall **out, struct err *err)
{
    struct recall *r = calloc(1, sizeof *r);

    if (r == NULL)
        return err_set(err, ERR_MEMORY, "no memory for answers", ERR_NO_AT);
    for (size_t i = 0; i < LOCKS; i++)
        (void)pthread_mutex_init(&r->locks[i], NULL);
    (void)pthread_mutex_init(&r->age_lock, NULL);
    *out = r;
    return true;
}

void recall_free(struct recall *recall)
{
    if (recall == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++)
        free(recall->places[i]);
    for (size_t i = 0; i < LOCKS; i++)
        (void)pthread_mutex_destroy(&recall->locks[i]);
    (void)pthread_mutex_destroy(&recall->age_lock);
    free(recall);
}

/* FNV-1a: whoever makes paths meet in one place makes them slower to answer, no more. */
static size_t place_of(const char *path)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *path != '\0'; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    return (size_t)((hash >> 32) % PLACES);
}

/* ---- copies ---- */

static const char *copy_text(struct writer *w, const char *text)
{
    size_t size = text != NULL ? strlen(text) + 1 : 0;
    uint8_t *place = text != NULL ? writer_reserve(w, size) : NULL;

    if (place != NULL)
        memcpy(place, text, size);
    return (const char *)place;
}

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

/* Bytes behind an answer. */
static size_t size_of(const char *path, const struct http_response *r)
{
    size_t size = text_size(path) + text_size(r->content_type);

    for (size_t i = 0; i < r->header_count; i++)
        size += text_size(r->headers[i].name) + text_size(r->headers[i].value);
    return size <= TEXT_MAX ? size + r->body.size : SIZE_MAX;
}

static void copy_headers(struct writer *w, struct http_header *out, const struct http_header *in,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (struct http_header){copy_text(w, in[i].name), copy_text(w, in[i].value)};
}

static struct known *copy_answer(const char *path, const struct http_response *r)
{
    size_t size = r->body.size <= RECALL_BODY_MAX ? size_of(path, r) : SIZE_MAX;
    struct known *known = size != SIZE_MAX ? malloc(sizeof *known + size) : NULL;

    if (known == NULL)
        return NULL;
    struct writer w = writer_fixed(known + 1, size);
    *known = (struct known){.size = sizeof *known + size,
                            .path = copy_text(&w, path),
                            .content_type = copy_text(&w, r->content_type),
                            .header_count = r->header_count,
                            .status = r->status};
    copy_headers(&w, known->headers, r->headers, r->header_count);
    uint8_t *body = writer_reserve(&w, r->body.size);
    if (body != NULL && r->body.size != 0)
        memcpy(body, r->body.data, r->body.size);
    known->body = bytes_from(body, r->body.size);
    return known;
}

static bool give(const struct known *known, struct arena *arena, struct http_response *response)
{
    size_t size = known->body.size + text_size(known->content_type);

    for (size_t i = 0; i < known->header_count; i++)
        size += text_size(known->headers[i].name) + text_size(known->headers[i].value);
    uint8_t *memory = arena_alloc(arena, size, 1);
    if (memory == NULL)
        return false;
    struct writer w = writer_fixed(memory, size);
    response->status = known->status;
    response->content_type = copy_text(&w, known->content_type);
    copy_headers(&w, response->headers, known->headers, known->header_count);
    response->header_count = known->header_count;
    uint8_t *body = writer_reserve(&w, known->body.size);
    if (body != NULL && known->body.size != 0)
        memcpy(body, known->body.data, known->body.size);
    response->body = bytes_from(body, known->body.size);
    return true;
}

/* ---- memory ---- */

bool recall_find(struct recall *recall, const char *path, struct arena *arena,
                 struct http_response *response)
{
    size_t place = place_of(path);
    pthread_mutex_t *lock = &recall->locks[place % LOCKS];

    (void)pthread_mutex_lock(lock);
    const struct known *known = recall->places[place];
    bool is_known = known != NULL && strcmp(known->path, path) == 0 && give(known, arena, response);
    (void)pthread_mutex_unlock(lock);
    return is_known;
}

uint64_t recall_age(struct recall *recall)
{
    (void)pthread_mutex_lock(&recall->age_lock);
    uint64_t age = recall->age;
    (void)pthread_mutex_unlock(&recall->age_lock);
    return age;
}

/* Puts another answer, or none, in a place, whose lock is held. */
static void replace(struct recall *recall, size_t place, struct known *known)
{
    struct known *old = recall->places[place];

    if (old != NULL)
        (void)atomic_fetch_sub(&recall->size, old->size);
    if (known != NULL)
        (void)atomic_fetch_add(&recall->size, known->size);
    free(old);
    recall->places[place] = known;
}

/* Forgets some answers, whichever, when there are too many. */
static void sweep(struct recall *recall)
{
    for (unsigned i = 0; i < SWEEP_MAX && atomic_load(&recall->size) > SIZE_ALL; i++) {
        size_t place = atomic_fetch_add(&recall->hand, 1) % PLACES;
        (void)pthread_mutex_lock(&recall->locks[place % LOCKS]);
        replace(recall, place, NULL);
        (void)pthread_mutex_unlock(&recall->locks[place % LOCKS]);
    }
}

void recall_keep(struct recall *recall, uint64_t age, const char *path,
                 const struct http_response *response)
{
    struct known *known = copy_answer(path, response);
    size_t place = place_of(path);

    if (known == NULL)
        return;
    (void)pthread_mutex_lock(&recall->locks[place % LOCKS]);
    if (recall_age(recall) == age) {
        replace(recall, place, known);
        known = NULL;
    }
    (void)pthread_mutex_unlock(&recall->locks[place % LOCKS]);
    free(known);
    sweep(recall);
}

void recall_forget(struct recall *recall)
{
    (void)pthread_mutex_lock(&recall->age_lock);
    recall->age++;
    (void)pthread_mutex_unlock(&recall->age_lock);
    /* what is put in from here on is of the new age */
    for (size_t i = 0; i < PLACES; i++) {
        (void)pthread_mutex_lock(&recall->locks[i % LOCKS]);
        replace(recall, i, NULL);
        (void)pthread_mutex_unlock(&recall->locks[i % LOCKS]);
    }
}
