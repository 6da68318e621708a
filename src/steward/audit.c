#include "steward/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "base/banned.h"

#define GROUP_MAX ((size_t)8 << 20)
#define READ_SIZE ((size_t)64 << 10)

struct audit {
    int fd;
    uint64_t size;          /* on the disk */
    uint64_t next, counted; /* the number of the next line; of the first of the group */
    uint8_t head[AUDIT_HASH_SIZE], synced_head[AUDIT_HASH_SIZE];
    struct arena arena; /* of the group */
    struct writer group;
};

static void hash_line(struct bytes line, uint8_t out[AUDIT_HASH_SIZE])
{
    unsigned size = 0;
    int ok = EVP_Digest(line.data, line.size, out, &size, EVP_sha256(), NULL);

    if (ok != 1 || size != AUDIT_HASH_SIZE)
        abort(); /* no SHA-256: nothing can be proved here */
}

static bool fail_io(struct err *err, const char *msg)
{
    return err_set(err, ERR_IO, msg, (uint64_t)errno);
}

/* ---- lines ---- */

struct line {
    uint64_t number;
    uint8_t previous[AUDIT_HASH_SIZE];
    bool is_issued, is_refused;
};

static bool line_parse(struct bytes text, struct line *out, struct err *err)
{
    json_t *root = text.size <= AUDIT_LINE_MAX ? json_loadb((const char *)text.data, text.size,
                                                            JSON_REJECT_DUPLICATES, NULL)
                                               : NULL;
    const char *previous = json_string_value(json_object_get(root, "prev"));
    const char *event = json_string_value(json_object_get(root, "event"));
    const json_t *number = json_object_get(root, "seq");
    struct err ignored;
    size_t size = 0;

    bool ok =
        previous != NULL && event != NULL && json_is_integer(number) &&
        json_integer_value(number) > 0 &&
        hex_decode(bytes_of(previous), out->previous, sizeof out->previous, &size, &ignored) &&
        size == sizeof out->previous;
    if (ok) {
        out->number = (uint64_t)json_integer_value(number);
        out->is_issued = strcmp(event, "issued") == 0;
        out->is_refused = strcmp(event, "refused") == 0;
    }
    json_decref(root);
    return ok || err_set(err, ERR_FORMAT, "a line of the audit log is malformed", ERR_NO_AT);
}

/* ---- opening ---- */

/* Where the last line begins, and where the last whole one ends. */
struct tail {
    uint64_t begin, end;
};

/* Looks for the last two ends of lines, in at most one line's length before the end. */
static bool find_tail(int fd, uint64_t size, struct arena *arena, struct tail *out, struct err *err)
{
    uint64_t from = size > 2 * AUDIT_LINE_MAX ? size - 2 * AUDIT_LINE_MAX : 0;
    size_t want = (size_t)(size - from), got = 0;
    uint8_t *data = arena_alloc(arena, want, 1);

    *out = (struct tail){.begin = 0, .end = 0};
    if (data == NULL)
        return err_set(err, ERR_MEMORY, "no memory to read the audit log", ERR_NO_AT);
    while (got < want) {
        ssize_t n = pread(fd, data + got, want - got, (off_t)(from + got));
        if (n <= 0)
            return fail_io(err, "cannot read the audit log");
        got += (size_t)n;
    }
    const uint8_t *last = want != 0 ? memrchr(data, '\n', want) : NULL;
    if (last == NULL)
        return from == 0 ||
               err_set(err, ERR_FORMAT, "the audit log's last line is longer than any", ERR_NO_AT);
    out->end = from + (uint64_t)(last - data) + 1;
    const uint8_t *before = memrchr(data, '\n', (size_t)(last - data));
    out->begin = before != NULL ? from + (uint64_t)(before - data) + 1 : 0;
    return before != NULL || from == 0 ||
           err_set(err, ERR_FORMAT, "the audit log's last line is longer than any", ERR_NO_AT);
}

static bool read_head(struct audit *a, const struct tail *tail, struct err *err)
{
    size_t size = (size_t)(tail->end - tail->begin);
    uint8_t *data = arena_alloc(&a->arena, size, 1);
    struct line line;

    if (size == 0)
        return true;
    if (data == NULL)
        return err_set(err, ERR_MEMORY, "no memory to read the audit log", ERR_NO_AT);
    if (pread(a->fd, data, size, (off_t)tail->begin) != (ssize_t)size)
        return fail_io(err, "cannot read the audit log");
    struct bytes text = bytes_from(data, size - 1);
    if (!line_parse(text, &line, err))
        return false;
    hash_line(text, a->head);
    a->next = line.number + 1;
    return true;
}

/* Cuts what a crash left of a line, and says so in the log. */
static bool recover(struct audit *a, uint64_t size, const struct tail *tail, struct err *err)
{
    uint8_t text[64];
    struct writer w = writer_fixed(text, sizeof text);
    struct bytes members;

    a->size = tail->end;
    if (size == tail->end)
        return true;
    if (ftruncate(a->fd, (off_t)tail->end) != 0)
        return fail_io(err, "cannot mend the audit log");
    writer_format(&w, "\"event\":\"recovered\",\"cut\":%llu",
                  (unsigned long long)(size - tail->end));
    return writer_done(&w, &members, err) && audit_add(a, os_unix_ms(), members, err) &&
           audit_sync(a, err);
}

static bool open_log(struct audit *a, const char *path, struct err *err)
{
    struct stat status;
    struct tail tail;

    a->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (a->fd < 0 || fstat(a->fd, &status) != 0)
        return fail_io(err, "cannot open the audit log");
    if (flock(a->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? err_set(err, ERR_INVALID, "another process writes the audit log", ERR_NO_AT)
                   : fail_io(err, "cannot lock the audit log");
    return find_tail(a->fd, (uint64_t)status.st_size, &a->arena, &tail, err) &&
           read_head(a, &tail, err) && recover(a, (uint64_t)status.st_size, &tail, err);
}

static void begin_group(struct audit *a)
{
    arena_done(&a->arena);
    a->group = writer_growable(&a->arena, GROUP_MAX);
    a->counted = a->next;
    memcpy(a->synced_head, a->head, sizeof a->head);
}

bool audit_open(const char *path, struct audit **out, struct err *err)
{
    struct audit *a = calloc(1, sizeof *a);

    if (a == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the audit log", ERR_NO_AT);
    a->fd = -1;
    a->next = 1;
    arena_init(&a->arena, arena_heap, 2 * GROUP_MAX);
    a->group = writer_growable(&a->arena, GROUP_MAX);
    if (!open_log(a, path, err)) {
        audit_free(a);
        return false;
    }
    begin_group(a);
    *out = a;
    return true;
}

void audit_free(struct audit *audit)
{
    if (audit == NULL)
        return;
    if (audit->fd >= 0)
        (void)close(audit->fd);
    arena_done(&audit->arena);
    free(audit);
}

uint64_t audit_size(const struct audit *audit)
{
    return audit->size;
}

/* ---- writing ---- */

bool audit_add(struct audit *a, int64_t now_ms, struct bytes members, struct err *err)
{
    char time[RFC3339_SIZE], head[2 * AUDIT_HASH_SIZE];
    size_t begin = a->group.size;
    struct bytes all;

    if (members.size > AUDIT_LINE_MAX - 256)
        return err_set(err, ERR_LIMIT, "a line of the audit log is too long, in bytes",
                       members.size);
    rfc3339_format(now_ms, time);
    hex_encode(bytes_from(a->head, sizeof a->head), head);
    writer_format(&a->group, "{\"seq\":%llu,\"time\":\"%s\",\"prev\":\"%.*s\",",
                  (unsigned long long)a->next, time, (int)sizeof head, head);
    writer_bytes(&a->group, members);
    writer_text(&a->group, "}\n");
    if (!writer_done(&a->group, &all, err))
        return false;
    hash_line(bytes_from(all.data + begin, all.size - begin - 1), a->head);
    a->next++;
    return true;
}

bool audit_sync(struct audit *a, struct err *err)
{
    struct bytes all;

    bool ok = writer_done(&a->group, &all, err);
    if (ok && all.size != 0) {
        ok = os_write_fd(a->fd, all, err);
        if (ok && fdatasync(a->fd) != 0)
            ok = fail_io(err, "cannot sync the audit log");
        if (ok)
            a->size += all.size;
        /* part of it may be there; when not even this works, what follows does not either */
        else if (ftruncate(a->fd, (off_t)a->size) != 0)
            ok = fail_io(err, "cannot mend the audit log");
    }
    if (!ok) {
        a->next = a->counted;
        memcpy(a->head, a->synced_head, sizeof a->head);
    }
    begin_group(a);
    return ok;
}

/* ---- checking ---- */

struct walk {
    const struct audit_walk *options;
    struct audit_summary *summary;
    uint64_t number; /* of the last line; 0: none yet */
    uint64_t end;    /* behind the last line */
};

static bool take_line(struct walk *w, struct bytes text, struct err *err)
{
    struct line line;

    if (!line_parse(text, &line, err))
        return false;
    w->end += text.size + 1;
    bool is_first = w->number == 0;
    if (is_first && w->options->from == 0 &&
        (line.number != 1 || !bytes_are_zero(bytes_from(line.previous, sizeof line.previous))))
        return err_set(err, ERR_INVALID, "the audit log does not begin with its first line",
                       ERR_NO_AT);
    if (!is_first && line.number != w->number + 1)
        return err_set(err, ERR_INVALID, "lines are missing before number", line.number);
    if (!is_first && memcmp(line.previous, w->summary->head, sizeof line.previous) != 0)
        return err_set(err, ERR_INVALID,
                       "the line before this one is not the one that was written, number",
                       line.number);
    hash_line(text, w->summary->head);
    w->number = line.number;
    w->summary->lines++;
    w->summary->issued += line.is_issued;
    w->summary->refused += line.is_refused;
    return w->options->each == NULL || w->options->each(w->options->context, text, w->end) ||
           err_set(err, ERR_POLICY, "the walk was ended", ERR_NO_AT);
}

/* Takes the whole lines of the buffer; *used is how much they were. */
static bool take_lines(struct walk *w, struct bytes buffer, size_t *used, struct err *err)
{
    *used = 0;
    for (;;) {
        struct bytes rest = bytes_after(buffer, *used);
        const uint8_t *end = rest.size != 0 ? memchr(rest.data, '\n', rest.size) : NULL;
        if (end == NULL)
            return rest.size <= AUDIT_LINE_MAX ||
                   err_set(err, ERR_FORMAT, "a line of the audit log is too long", ERR_NO_AT);
        size_t size = (size_t)(end - rest.data);
        if (!take_line(w, bytes_from(rest.data, size), err))
            return false;
        *used += size + 1;
    }
}

bool audit_verify(int fd, const struct audit_walk *options, struct audit_summary *out,
                  uint64_t *line, struct err *err)
{
    uint8_t *buffer = malloc(READ_SIZE);
    struct walk w = {.options = options, .summary = out, .end = options->from};
    size_t held = 0, used;
    bool ok = buffer != NULL;

    *out = (struct audit_summary){.lines = 0};
    if (!ok)
        (void)err_set(err, ERR_MEMORY, "no memory to read the audit log", ERR_NO_AT);
    for (uint64_t at = options->from; ok;) {
        ssize_t n = pread(fd, buffer + held, READ_SIZE - held, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = fail_io(err, "cannot read the audit log");
        if (n <= 0)
            break;
        at += (uint64_t)n;
        held += (size_t)n;
        ok = take_lines(&w, bytes_from(buffer, held), &used, err);
        memmove(buffer, buffer + used, held - used);
        held -= used;
    }
    out->is_cut = ok && held != 0;
    *line = out->lines + !ok;
    free(buffer);
    return ok;
}
