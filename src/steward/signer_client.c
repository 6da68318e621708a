/* Asking the signing process: many threads, one socket, and a thread that hands out the answers. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/os.h"
#include "steward/signer_wire.h"
#include "base/banned.h"

/* A thread that waits for its answer; on its own stack. */
struct waiter {
    struct waiter *next;
    uint64_t number;
    struct arena *arena; /* where the answer goes; NULL: it has none */
    struct bytes der;
    struct err *err;
    bool is_done, is_good;
    pthread_cond_t woken;
};

struct signer {
    int fd;
    pthread_t reader;
    bool has_reader;
    pthread_mutex_t lock; /* of all below */
    pthread_mutex_t sending;
    struct waiter *waiters;
    uint64_t next_number;
    bool is_gone;
};

static bool gone(struct err *err)
{
    return err_set(err, ERR_IO, "the signing process has ended", ERR_NO_AT);
}

/* ---- answers ---- */

struct incoming {
    uint64_t number;
    uint8_t kind;
    struct bytes content; /* on the heap */
};

static bool read_all(int fd, void *out, size_t size)
{
    struct err err;
    size_t got;

    return os_read_exactly(fd, out, size, &got, &err) && got == size;
}

static bool read_message(int fd, struct incoming *out)
{
    uint8_t header[SIGNER_HEADER_SIZE];
    struct reader r = reader_of(bytes_from(header, sizeof header));
    uint32_t size;

    if (!read_all(fd, header, sizeof header) || !reader_u32le(&r, &size) ||
        !reader_u64le(&r, &out->number) || !reader_u8(&r, &out->kind) ||
        size < SIGNER_HEADER_SIZE - 4 || size > SIGNER_MESSAGE_MAX)
        return false;
    size -= SIGNER_HEADER_SIZE - 4;
    uint8_t *data = malloc(size + 1);
    if (data == NULL || !read_all(fd, data, size)) {
        free(data);
        return false;
    }
    out->content = bytes_from(data, size);
    return true;
}

static void incoming_done(struct incoming *m)
{
    free((void *)(uintptr_t)m->content.data);
}

static bool fail_as_told(struct bytes content, struct err *err)
{
    static const char *const messages[ERR_CODE_COUNT] = {
        [ERR_POLICY] = "the signing process refuses",
        [ERR_IO] = "the audit log cannot be written",
        [ERR_INVALID] = "the signing process cannot make such a certificate",
    };
    enum err_code code = content.size != 0 && content.data[0] < ERR_CODE_COUNT
                             ? (enum err_code)content.data[0]
                             : ERR_FORMAT;

    log_warn("the signing process refuses", log_bytes("reason", bytes_after(content, 1)));
    return err_set(err, code,
                   messages[code] != NULL ? messages[code] : "the signing process failed",
                   ERR_NO_AT);
}

static bool take_answer(struct waiter *waiter, const struct incoming *m)
{
    if (m->kind != SIGNER_DONE)
        return fail_as_told(m->content, waiter->err);
    if (waiter->arena == NULL)
        return true;
    struct writer w = writer_growable(waiter->arena, SIGNER_MESSAGE_MAX);
    writer_bytes(&w, m->content);
    return writer_done(&w, &waiter->der, waiter->err);
}

static void wake(struct waiter *waiter, bool is_good)
{
    waiter->is_good = is_good;
    waiter->is_done = true;
    (void)pthread_cond_signal(&waiter->woken);
}

/* The waiter of a number, taken off the list; the lock is held. */
static struct waiter *take_waiter(struct signer *s, uint64_t number)
{
    struct waiter **at = &s->waiters;

    while (*at != NULL && (*at)->number != number)
        at = &(*at)->next;
    struct waiter *found = *at;
    if (found != NULL)
        *at = found->next;
    return found;
}

static void *read_answers(void *argument)
{
    struct signer *s = argument;
    struct incoming m;

    while (read_message(s->fd, &m)) {
        (void)pthread_mutex_lock(&s->lock);
        struct waiter *waiter = take_waiter(s, m.number);
        if (waiter != NULL)
            wake(waiter, take_answer(waiter, &m));
        (void)pthread_mutex_unlock(&s->lock);
        incoming_done(&m);
    }
    (void)pthread_mutex_lock(&s->lock);
    s->is_gone = true;
    while (s->waiters != NULL) {
        struct waiter *waiter = take_waiter(s, s->waiters->number);
        wake(waiter, gone(waiter->err));
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- questions ---- */

/* Begins a message; its number is put in when it is sent. */
static void begin(struct writer *w, enum signer_kind kind)
{
    writer_u32le(w, 0);
    writer_u64le(w, 0);
    writer_u8(w, (uint8_t)kind);
}

static bool send_message(struct signer *s, struct writer *w, uint64_t number, struct err *err)
{
    uint32_t size = (uint32_t)(w->size - sizeof size);

    memcpy(w->data, &size, sizeof size);
    memcpy(w->data + sizeof size, &number, sizeof number);
    (void)pthread_mutex_lock(&s->sending);
    bool ok = os_write_fd(s->fd, bytes_from(w->data, w->size), err);
    (void)pthread_mutex_unlock(&s->sending);
    return ok || gone(err);
}

/* Sends and waits. *der is not touched when there is no arena. */
static bool ask(struct signer *s, struct writer *w, struct arena *arena, struct bytes *der,
                struct err *err)
{
    struct waiter waiter = {.arena = arena, .err = err};
    struct bytes message;
    struct err ignored;

    if (!writer_done(w, &message, err))
        return false;
    (void)pthread_cond_init(&waiter.woken, NULL);
    (void)pthread_mutex_lock(&s->lock);
    bool ok = !s->is_gone || gone(err);
    if (ok) {
        waiter.number = s->next_number++;
        waiter.next = s->waiters;
        /* taken off the list before it goes */
        /* cppcheck-suppress autoVariables */
        s->waiters = &waiter;
        (void)pthread_mutex_unlock(&s->lock);
        /* when it cannot be sent, the reader finds the same and wakes everybody */
        (void)!send_message(s, w, waiter.number, &ignored);
        (void)pthread_mutex_lock(&s->lock);
        while (!waiter.is_done)
            (void)pthread_cond_wait(&waiter.woken, &s->lock);
        ok = waiter.is_good;
    }
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_cond_destroy(&waiter.woken);
    if (ok && arena != NULL)
        *der = waiter.der;
    return ok;
}

/* Messages of decisions are made here. */
struct message {
    struct arena arena;
    struct writer w;
};

static void message_init(struct message *m, enum signer_kind kind)
{
    arena_init(&m->arena, arena_heap, SIGNER_MESSAGE_MAX + 4096);
    m->w = writer_growable(&m->arena, SIGNER_MESSAGE_MAX);
    begin(&m->w, kind);
}

bool signer_issue(struct signer *signer, const struct identity_fields *fields,
                  const struct signer_note *note, struct arena *arena, struct bytes *der,
                  struct err *err)
{
    struct message m;

    message_init(&m, SIGNER_ISSUE);
    signer_write_fields(&m.w, fields);
    signer_write_note(&m.w, note);
    bool ok = ask(signer, &m.w, arena, der, err);
    arena_done(&m.arena);
    return ok;
}

bool signer_refuse(struct signer *signer, const struct signer_refusal *refusal, struct err *err)
{
    struct message m;

    message_init(&m, SIGNER_REFUSE);
    signer_write_note(&m.w, &refusal->note);
    signer_write_bytes(&m.w, bytes_of(refusal->code));
    signer_write_bytes(&m.w, bytes_of(refusal->check));
    signer_write_bytes(&m.w, bytes_before(refusal->detail, 1024));
    signer_write_bytes(&m.w, refusal->spki);
    writer_u8(&m.w, refusal->identity != NULL);
    if (refusal->identity != NULL)
        signer_write_identity(&m.w, refusal->identity);
    bool ok = ask(signer, &m.w, NULL, NULL, err);
    arena_done(&m.arena);
    return ok;
}

bool signer_crl(struct signer *signer, const struct signer_revocation *revoked, size_t count,
                int64_t next_update, struct arena *arena, struct bytes *der, struct err *err)
{
    struct message m;

    message_init(&m, SIGNER_CRL);
    writer_u64le(&m.w, (uint64_t)next_update);
    writer_u32le(&m.w, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        writer_bytes(&m.w, bytes_from(revoked[i].serial, sizeof revoked[i].serial));
        writer_u64le(&m.w, (uint64_t)revoked[i].at);
    }
    bool ok = ask(signer, &m.w, arena, der, err);
    arena_done(&m.arena);
    return ok;
}

bool signer_event(struct signer *signer, const char *event, struct bytes detail, struct err *err)
{
    struct message m;

    message_init(&m, SIGNER_EVENT);
    signer_write_bytes(&m.w, bytes_of(event));
    signer_write_bytes(&m.w, detail);
    bool ok = ask(signer, &m.w, NULL, NULL, err);
    arena_done(&m.arena);
    return ok;
}

/* ---- its life ---- */

bool signer_new(int channel, struct signer **out, struct err *err)
{
    struct signer *s = calloc(1, sizeof *s);
    struct incoming ready;

    if (s == NULL) {
        (void)close(channel);
        return err_set(err, ERR_MEMORY, "no memory to ask the signing process", ERR_NO_AT);
    }
    s->fd = channel;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_mutex_init(&s->sending, NULL);
    s->next_number = 1; /* 0 is that of the first answer */
    bool ok = read_message(channel, &ready) || gone(err);
    if (ok)
        incoming_done(&ready);
    if (ok && !(s->has_reader = pthread_create(&s->reader, NULL, read_answers, s) == 0))
        ok = err_set(err, ERR_MEMORY, "cannot start a thread", ERR_NO_AT);
    if (!ok) {
        signer_free(s);
        return false;
    }
    *out = s;
    return true;
}

bool signer_is_alive(struct signer *signer)
{
    (void)pthread_mutex_lock(&signer->lock);
    bool is_alive = !signer->is_gone;
    (void)pthread_mutex_unlock(&signer->lock);
    return is_alive;
}

void signer_free(struct signer *signer)
{
    if (signer == NULL)
        return;
    (void)shutdown(signer->fd, SHUT_WR); /* the process answers what it has and ends */
    if (signer->has_reader)
        (void)pthread_join(signer->reader, NULL);
    (void)close(signer->fd);
    (void)pthread_mutex_destroy(&signer->lock);
    (void)pthread_mutex_destroy(&signer->sending);
    free(signer);
}
