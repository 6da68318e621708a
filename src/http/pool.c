#include "http/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/secret.h"
#include "http/curl.h"

#define PARALLEL_DEFAULT 4
#define PARALLEL_MAX 16
#define BODY_MAX_DEFAULT ((size_t)64 << 10)
#define CONNECT_TIMEOUT_S 10L
#define STALL_S 60L /* without a byte, and it is given up */
#define BUFFER_SIZE (256L << 10)
#define TRIES_MAX 5
#define WAIT_MS 200 /* before the second try; then twice as long each time */
#define POLL_MS 200

/* One connection's worth of work. */
struct slot {
    CURL *curl;
    struct http_transfer *transfer; /* NULL: free */
    struct curl_slist *headers;
    struct writer reply_headers, reply_body;
    uint64_t sent;
    bool is_delivered; /* the sink has some of it: it cannot begin anew */
    bool is_waiting;   /* to be tried again, by its turn */
    unsigned tries, wait_ms;
    struct err err; /* of the sink, or of reading the file; ERR_NONE */
    const struct http_work *work;
};

struct http_pool {
    CURLM *multi;
    struct bytes ca;
    char *authorization; /* "Authorization: …" or NULL */
    struct slot slots[PARALLEL_MAX];
    size_t slot_count;
};

bool http_pool_new(const struct http_pool_options *options, struct http_pool **out, struct err *err)
{
    struct http_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        return err_set(err, ERR_MEMORY, "no memory for connections", ERR_NO_AT);
    pool->ca = options->ca;
    pool->slot_count = options->parallel == 0             ? PARALLEL_DEFAULT
                       : options->parallel > PARALLEL_MAX ? PARALLEL_MAX
                                                          : options->parallel;
    pool->multi = curl_multi_init();
    bool ok = pool->multi != NULL;
    for (size_t i = 0; ok && i < pool->slot_count; i++)
        ok = (pool->slots[i].curl = curl_easy_init()) != NULL;
    if (ok && options->authorization != NULL) {
        size_t size = strlen(options->authorization) + sizeof "Authorization: ";
        pool->authorization = calloc(1, size);
        ok = pool->authorization != NULL;
        if (ok) {
            struct writer w = writer_fixed(pool->authorization, size);
            writer_text(&w, "Authorization: ");
            writer_text(&w, options->authorization);
        }
    }
    if (!ok) {
        http_pool_free(pool);
        return err_set(err, ERR_MEMORY, "no memory for connections", ERR_NO_AT);
    }
    *out = pool;
    return true;
}

void http_pool_free(struct http_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->slot_count; i++)
        curl_easy_cleanup(pool->slots[i].curl);
    (void)curl_multi_cleanup(pool->multi);
    if (pool->authorization != NULL)
        secret_wipe(pool->authorization, strlen(pool->authorization));
    free(pool->authorization);
    free(pool);
}

/* ---- what libcurl calls ---- */

static size_t on_header(char *data, size_t one, size_t size, void *context)
{
    struct slot *slot = context;
    struct bytes line = bytes_from(data, size);

    (void)one;
    if (bytes_starts_with(line, bytes_of("HTTP/"))) /* an interim reply came before */
        writer_truncate(&slot->reply_headers, 0);
    writer_bytes(&slot->reply_headers, line);
    return slot->reply_headers.failed == ERR_NONE ? size : CURL_WRITEFUNC_ERROR;
}

static void count(const struct slot *slot, size_t size)
{
    if (slot->work->moved != NULL)
        slot->work->moved(slot->work->context, size);
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct slot *slot = context;
    const struct http_sink *sink = slot->transfer->sink;
    struct bytes part = bytes_from(data, size);
    long status = 0;

    (void)one;
    (void)curl_easy_getinfo(slot->curl, CURLINFO_RESPONSE_CODE, &status);
    if (sink == NULL || (status != 200 && status != 206)) {
        writer_bytes(&slot->reply_body, part);
        return slot->reply_body.failed == ERR_NONE ? size : CURL_WRITEFUNC_ERROR;
    }
    slot->is_delivered = true;
    count(slot, size);
    return sink->write(sink->context, (unsigned)status, part, &slot->err) ? size
                                                                          : CURL_WRITEFUNC_ERROR;
}

static uint64_t body_size(const struct http_transfer *t)
{
    return t->is_file ? t->body_size : t->body.size;
}

static size_t on_read(char *data, size_t one, size_t limit, void *context)
{
    struct slot *slot = context;
    const struct http_transfer *t = slot->transfer;
    uint64_t left = body_size(t) - slot->sent;
    size_t size = one * limit;

    size = size > left ? (size_t)left : size;
    if (size == 0)
        return 0;
    if (t->is_file) {
        ssize_t got = pread(t->body_fd, data, size, (off_t)slot->sent);
        if (got <= 0) {
            (void)err_set(&slot->err, ERR_IO, "a file became shorter, or cannot be read",
                          got < 0 ? (uint64_t)errno : ERR_NO_AT);
            return CURL_READFUNC_ABORT;
        }
        size = (size_t)got;
    } else {
        memcpy(data, t->body.data + slot->sent, size);
    }
    slot->sent += size;
    count(slot, size);
    return size;
}

static int on_seek(void *context, curl_off_t offset, int origin)
{
    struct slot *slot = context;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > body_size(slot->transfer))
        return CURL_SEEKFUNC_FAIL;
    slot->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- one transfer ---- */

static bool add_header(struct slot *slot, const char *line)
{
    struct curl_slist *list =
        strpbrk(line, "\r\n") == NULL ? curl_slist_append(slot->headers, line) : NULL;

    if (list != NULL)
        slot->headers = list;
    return list != NULL;
}

static bool set_headers(const struct http_pool *pool, struct slot *slot)
{
    const struct http_transfer *t = slot->transfer;
    bool ok = pool->authorization == NULL || add_header(slot, pool->authorization);

    for (size_t i = 0; ok && i < COUNT_OF(t->headers) && t->headers[i] != NULL; i++)
        ok = add_header(slot, t->headers[i]);
    return ok;
}

static bool has_body(const struct http_transfer *t)
{
    return t->is_file || t->body.size != 0 || t->method[0] == 'P';
}

static bool set_options(const struct http_pool *pool, struct slot *slot)
{
    const struct http_transfer *t = slot->transfer;
    const struct curl_peer peer = {.url = t->url, .ca = pool->ca};
    CURL *curl = slot->curl;

    curl_easy_reset(curl);
    bool is_set = curl_set_peer(curl, &peer) && set_headers(pool, slot);
    if (strcmp(t->method, "HEAD") == 0)
        CURL_SET(curl, CURLOPT_NOBODY, 1L);
    if (has_body(t)) {
        CURL_SET(curl, CURLOPT_UPLOAD, 1L);
        CURL_SET(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_size(t));
        CURL_SET(curl, CURLOPT_READFUNCTION, on_read);
        CURL_SET(curl, CURLOPT_READDATA, slot);
        CURL_SET(curl, CURLOPT_SEEKFUNCTION, on_seek);
        CURL_SET(curl, CURLOPT_SEEKDATA, slot);
        CURL_SET(curl, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_SIZE);
    }
    CURL_SET(curl, CURLOPT_CUSTOMREQUEST, t->method);
    CURL_SET(curl, CURLOPT_HTTPHEADER, slot->headers);
    CURL_SET(curl, CURLOPT_HEADERFUNCTION, on_header);
    CURL_SET(curl, CURLOPT_HEADERDATA, slot);
    CURL_SET(curl, CURLOPT_WRITEFUNCTION, on_body);
    CURL_SET(curl, CURLOPT_WRITEDATA, slot);
    CURL_SET(curl, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
    CURL_SET(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    CURL_SET(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    CURL_SET(curl, CURLOPT_LOW_SPEED_TIME, STALL_S);
    CURL_SET(curl, CURLOPT_PRIVATE, slot);
    return is_set;
}

/* Hands the slot's transfer to libcurl. */
static bool start(struct http_pool *pool, struct slot *slot)
{
    struct http_transfer *t = slot->transfer;

    slot->reply_headers = writer_growable(t->arena, HTTP_REPLY_HEADERS_MAX);
    slot->reply_body = writer_growable(t->arena, t->body_max != 0 ? t->body_max : BODY_MAX_DEFAULT);
    slot->sent = 0;
    slot->is_delivered = slot->is_waiting = false;
    slot->err = (struct err){.code = ERR_NONE};
    slot->tries++;
    return set_options(pool, slot) && curl_multi_add_handle(pool->multi, slot->curl) == CURLM_OK;
}

/* Takes the transfer away from libcurl. */
static void stop(struct http_pool *pool, struct slot *slot)
{
    (void)curl_multi_remove_handle(pool->multi, slot->curl);
    curl_slist_free_all(slot->headers);
    slot->headers = NULL;
}

static bool read_outcome(struct slot *slot, CURLcode code)
{
    struct http_transfer *t = slot->transfer;
    long status = 0;

    if (code != CURLE_OK && slot->err.code != ERR_NONE) {
        t->err = slot->err;
        return false;
    }
    if (code == CURLE_WRITE_ERROR)
        return err_set(&t->err, ERR_LIMIT, "a reply is larger than it may be", ERR_NO_AT);
    if (code != CURLE_OK)
        return curl_fail(code, &t->err);
    (void)curl_easy_getinfo(slot->curl, CURLINFO_RESPONSE_CODE, &status);
    t->reply.status = (unsigned)status;
    return writer_done(&slot->reply_headers, &t->reply.headers, &t->err) &&
           writer_done(&slot->reply_body, &t->reply.body, &t->err);
}

/* Whether what happened may pass: of a connection that never was or broke, a server that is busy.
 */
static bool may_pass(const struct slot *slot, CURLcode code)
{
    const struct http_transfer *t = slot->transfer;

    if (slot->tries >= TRIES_MAX || slot->is_delivered || slot->err.code != ERR_NONE)
        return false;
    if (code == CURLE_OK)
        return t->reply.status == 429 || t->reply.status == 503;
    return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
           (code == CURLE_COULDNT_CONNECT && slot->tries < 2);
}

/* A transfer came to its end: false when all is to stop. */
static bool finish(struct http_pool *pool, struct slot *slot, CURLcode code)
{
    struct http_transfer *t = slot->transfer;

    t->ok = read_outcome(slot, code);
    stop(pool, slot);
    if (may_pass(slot, code)) {
        slot->is_waiting = true;
        slot->wait_ms = (unsigned)WAIT_MS << (slot->tries - 1);
        return true;
    }
    slot->transfer = NULL;
    slot->tries = 0;
    return slot->work->done(slot->work->context, t);
}

/* ---- all of them ---- */

/* Gives work to what is free; *busy: how many have some. */
static bool fill(struct http_pool *pool, const struct http_work *work, size_t *busy)
{
    *busy = 0;
    for (size_t i = 0; i < pool->slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        bool is_new = slot->transfer == NULL;
        if (is_new && !work->next(work->context, &slot->transfer))
            return false;
        if (slot->transfer == NULL)
            continue;
        slot->work = work;
        if (is_new || (slot->is_waiting && slot->wait_ms == 0)) {
            if (!start(pool, slot) && !finish(pool, slot, CURLE_OUT_OF_MEMORY))
                return false;
        }
        ++*busy;
    }
    return true;
}

/* Time passes for those that wait. */
static void pass_time(struct http_pool *pool, unsigned ms)
{
    for (size_t i = 0; i < pool->slot_count; i++) {
        struct slot *slot = &pool->slots[i];
        slot->wait_ms -= slot->wait_ms < ms ? slot->wait_ms : ms;
    }
}

static bool collect(struct http_pool *pool)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        struct slot *slot = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
        if (!finish(pool, slot, code))
            return false;
    }
    return true;
}

/* Waits for sockets; a pause counts for those that wait only when it was one. */
static bool wait(struct http_pool *pool)
{
    int ready = 0;
    bool is_any_waiting = false;

    for (size_t i = 0; i < pool->slot_count; i++)
        is_any_waiting |= pool->slots[i].transfer != NULL && pool->slots[i].is_waiting;
    int pause = is_any_waiting ? WAIT_MS / 4 : POLL_MS;
    if (curl_multi_poll(pool->multi, NULL, 0, pause, &ready) != CURLM_OK)
        return false;
    if (ready == 0)
        pass_time(pool, (unsigned)pause);
    return true;
}

static void break_off(struct http_pool *pool, struct slot *slot, const struct http_work *work)
{
    struct http_transfer *t = slot->transfer;

    if (t == NULL)
        return;
    stop(pool, slot);
    slot->transfer = NULL;
    slot->tries = 0;
    t->ok = err_set(&t->err, ERR_IO, "the transfer was broken off", ERR_NO_AT);
    (void)work->done(work->context, t);
}

bool http_pool_run(struct http_pool *pool, const struct http_work *work)
{
    size_t busy;
    int running;
    bool ok = fill(pool, work, &busy);

    while (ok && busy != 0) {
        ok = curl_multi_perform(pool->multi, &running) == CURLM_OK && collect(pool) &&
             fill(pool, work, &busy) && (busy == 0 || wait(pool));
    }
    for (size_t i = 0; i < pool->slot_count; i++)
        break_off(pool, &pool->slots[i], work);
    return ok;
}

static bool next_of_one(void *context, struct http_transfer **out)
{
    struct http_transfer **one = context;

    *out = *one;
    *one = NULL;
    return true;
}

static bool done_with_one(void *context, struct http_transfer *transfer)
{
    (void)context;
    (void)transfer;
    return true;
}

bool http_pool_do(struct http_pool *pool, struct http_transfer *transfer)
{
    struct http_transfer *one = transfer;
    const struct http_work work = {.next = next_of_one, .done = done_with_one, .context = &one};

    transfer->ok = false;
    transfer->err =
        (struct err){.code = ERR_IO, .msg = "the transfer was broken off", .at = ERR_NO_AT};
    return http_pool_run(pool, &work) && transfer->ok;
}
