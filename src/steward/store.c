#include "steward/store.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "steward/audit.h"
#include "base/banned.h"

#define BUSY_TIMEOUT_MS 2000
#define LIST_MAX 1000000u

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;" /* what a loss of power takes, the audit log gives back */
    "CREATE TABLE IF NOT EXISTS certificates (serial BLOB PRIMARY KEY, not_after INTEGER NOT NULL,"
    " measurement BLOB NOT NULL, chip BLOB NOT NULL, slug TEXT NOT NULL, simulated INTEGER NOT "
    "NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS revocations (kind INTEGER NOT NULL, value BLOB NOT NULL,"
    " reason TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, value));"
    "CREATE TABLE IF NOT EXISTS endorsements (hash BLOB PRIMARY KEY, kind TEXT NOT NULL,"
    " subject TEXT NOT NULL, url TEXT NOT NULL, expires INTEGER NOT NULL, chip BLOB NOT NULL,"
    " content BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS endorsements_by_chip ON endorsements (chip);"
    "CREATE INDEX IF NOT EXISTS endorsements_by_url ON endorsements (url);"
    "CREATE TABLE IF NOT EXISTS positions (log INTEGER PRIMARY KEY, at INTEGER NOT NULL);"
    /* how often revocations and endorsements changed, whoever changed them */
    "CREATE TABLE IF NOT EXISTS version (id INTEGER PRIMARY KEY CHECK (id = 0), n INTEGER NOT "
    "NULL);"
    "INSERT OR IGNORE INTO version VALUES (0, 1);"
    "CREATE TRIGGER IF NOT EXISTS revoked AFTER INSERT ON revocations"
    " BEGIN UPDATE version SET n = n + 1; END;"
    "CREATE TRIGGER IF NOT EXISTS endorsed AFTER INSERT ON endorsements"
    " BEGIN UPDATE version SET n = n + 1; END;";

enum statement {
    ADD_CERTIFICATE,
    PRUNE,
    REVOKE,
    REVOCATIONS,
    REVOKED,
    FORGET_URL,
    ADD_ENDORSEMENT,
    ENDORSEMENTS,
    HAS_ENDORSEMENT,
    VERSION,
    POSITION,
    SET_POSITION,
    STATEMENTS
};

/* Kinds by their numbers; a slug without a tag is the beginning of all its tags'. */
static const char sql_revoked[] =
    "SELECT c.serial, MIN(r.at) FROM certificates c JOIN revocations r ON"
    " (r.kind = 0 AND r.value = c.serial) OR"
    " (r.kind = 1 AND r.value = c.measurement) OR"
    " (r.kind = 2 AND r.value = c.chip) OR"
    " (r.kind = 3 AND c.slug != '' AND (CAST(r.value AS TEXT) = c.slug OR"
    "  substr(c.slug, 1, length(CAST(r.value AS TEXT)) + 1) ="
    "  CAST(r.value AS TEXT) || ':'))"
    " WHERE c.not_after > ?1 AND c.simulated = ?2 GROUP BY c.serial";
static const char sql_endorsements[] =
    "SELECT kind, subject, url, expires, chip, content FROM endorsements"
    " WHERE ?2 OR chip = ?1 ORDER BY kind, subject, hash";

static const char *const statements[STATEMENTS] = {
    [ADD_CERTIFICATE] = "INSERT OR IGNORE INTO certificates VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [PRUNE] = "DELETE FROM certificates WHERE not_after < ?1",
    [REVOKE] = "INSERT OR REPLACE INTO revocations VALUES (?1, ?2, ?3, ?4)",
    [REVOCATIONS] = "SELECT kind, value, reason, at FROM revocations ORDER BY at, kind, value",
    [REVOKED] = sql_revoked,
    [FORGET_URL] = "DELETE FROM endorsements WHERE url = ?1 AND url != ''",
    [ADD_ENDORSEMENT] = "INSERT OR REPLACE INTO endorsements VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [ENDORSEMENTS] = sql_endorsements,
    [HAS_ENDORSEMENT] = "SELECT 1 FROM endorsements WHERE url = ?1 AND expires > ?2",
    [VERSION] = "SELECT n FROM version",
    [POSITION] = "SELECT at FROM positions WHERE log = ?1",
    [SET_POSITION] = "INSERT OR REPLACE INTO positions VALUES (?1, ?2)",
};

const char *const revocation_kind_names[REVOCATION_KINDS] = {
    [REVOCATION_SERIAL] = "serial",
    [REVOCATION_MEASUREMENT] = "measurement",
    [REVOCATION_CHIP] = "chip",
    [REVOCATION_SLUG] = "slug",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    pthread_mutex_t lock; /* of all of it */
};

static bool fail(const struct store *s, struct err *err)
{
    int code = s->db != NULL ? sqlite3_errcode(s->db) : SQLITE_NOMEM;

    if (code == SQLITE_NOMEM)
        return err_set(err, ERR_MEMORY, "no memory for the store", ERR_NO_AT);
    return err_set(err, ERR_IO,
                   code == SQLITE_BUSY || code == SQLITE_LOCKED ? "the store is locked"
                   : code == SQLITE_FULL                        ? "the store's disk is full"
                                                                : "the store cannot be used",
                   code == SQLITE_FULL   ? ENOSPC
                   : code == SQLITE_BUSY ? EBUSY
                                         : EIO);
}

/* ---- statements ---- */

/* Begins one: the lock is held until end(). */
static sqlite3_stmt *begin(struct store *s, enum statement which)
{
    (void)pthread_mutex_lock(&s->lock);
    return s->statements[which];
}

static void end(struct store *s, sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    (void)pthread_mutex_unlock(&s->lock);
}

static void bind_blob(sqlite3_stmt *statement, int at, struct bytes value)
{
    /* NULL would be SQL's NULL */
    (void)sqlite3_bind_blob64(statement, at, value.data != NULL ? (const void *)value.data : "",
                              value.size, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *statement, int at, struct bytes value)
{
    (void)sqlite3_bind_text64(statement, at, value.data != NULL ? (const char *)value.data : "",
                              value.size, SQLITE_STATIC, SQLITE_UTF8);
}

/* Runs one that has no rows, whose lock is held. */
static bool step(struct store *s, sqlite3_stmt *statement, struct err *err)
{
    return sqlite3_step(statement) == SQLITE_DONE || fail(s, err);
}

static bool finish(struct store *s, sqlite3_stmt *statement, struct err *err)
{
    bool ok = step(s, statement, err);

    end(s, statement);
    return ok;
}

/* A column, in the arena. */
static bool column(sqlite3_stmt *statement, int at, struct arena *arena, struct bytes *out)
{
    const void *data = sqlite3_column_blob(statement, at);
    size_t size = (size_t)sqlite3_column_bytes(statement, at);
    uint8_t *copy = arena_alloc(arena, size, 1);

    if (copy == NULL)
        return false;
    if (size != 0)
        memcpy(copy, data, size);
    *out = bytes_from(copy, size);
    return true;
}

/* Collects the rows of a statement whose lock is held, as an array of things of `size` bytes. */
struct rows {
    size_t size;
    bool (*read)(sqlite3_stmt *statement, struct arena *arena, void *out);
};

static bool collect(struct store *s, sqlite3_stmt *statement, const struct rows *rows,
                    struct arena *arena, const void **out, size_t *count, struct err *err)
{
    uint8_t *items = NULL;
    size_t capacity = 0;
    int status;

    *count = 0;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        if (*count == capacity) {
            size_t larger = capacity != 0 ? capacity * 2 : 16;
            uint8_t *moved = *count < LIST_MAX ? arena_resize(arena, items, capacity * rows->size,
                                                              larger * rows->size, 8)
                                               : NULL;
            if (moved == NULL)
                break;
            items = moved;
            capacity = larger;
        }
        memset(items + *count * rows->size, 0, rows->size);
        if (!rows->read(statement, arena, items + *count * rows->size))
            break;
        ++*count;
    }
    *out = items;
    if (status == SQLITE_ROW)
        return err_set(err, ERR_MEMORY, "no memory for what the store has", ERR_NO_AT);
    return status == SQLITE_DONE || fail(s, err);
}

/* ---- opening ---- */

static bool prepare(struct store *s, const char *path, struct err *err)
{
    if (sqlite3_open_v2(path, &s->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS) != SQLITE_OK ||
        sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return fail(s, err);
    for (size_t i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[i], NULL) != SQLITE_OK)
            return fail(s, err);
    }
    return true;
}

static bool open_in(struct store *s, const char *folder, struct err *err)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/steward.db", folder);

    if (size < 0 || size >= (int)sizeof path)
        return err_set(err, ERR_LIMIT, "the store's folder has too long a name", ERR_NO_AT);
    mode_t mask = umask(0077);
    bool ok = prepare(s, path, err);
    (void)umask(mask);
    return ok;
}

bool store_open(const char *folder, struct store **out, struct err *err)
{
    uid_t user = geteuid();
    struct stat status;

    if (stat(folder, &status) != 0)
        return err_set(err, ERR_IO, "cannot open the store's folder", (uint64_t)errno);
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the store", ERR_NO_AT);
    (void)pthread_mutex_init(&s->lock, NULL);
    bool ok = user != 0 || status.st_uid == 0 || seteuid(status.st_uid) == 0 ||
              err_set(err, ERR_IO, "cannot act as the store's owner", (uint64_t)errno);
    ok = ok && open_in(s, folder, err);
    if (geteuid() != user && seteuid(user) != 0)
        ok = err_set(err, ERR_IO, "cannot act as oneself again", (uint64_t)errno);
    if (!ok) {
        store_close(s);
        return false;
    }
    *out = s;
    return true;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

bool store_version(struct store *store, uint64_t *out, struct err *err)
{
    sqlite3_stmt *statement = begin(store, VERSION);
    bool ok = sqlite3_step(statement) == SQLITE_ROW || fail(store, err);

    if (ok)
        *out = (uint64_t)sqlite3_column_int64(statement, 0);
    end(store, statement);
    return ok;
}

/* ---- certificates ---- */

static bool add_certificate(struct store *s, sqlite3_stmt *statement,
                            const struct store_certificate *c, struct err *err)
{
    bind_blob(statement, 1, bytes_from(c->serial, sizeof c->serial));
    (void)sqlite3_bind_int64(statement, 2, c->not_after);
    bind_blob(statement, 3, c->measurement);
    bind_blob(statement, 4, c->chip);
    bind_text(statement, 5, c->slug);
    (void)sqlite3_bind_int(statement, 6, c->is_simulated);
    bool ok = step(s, statement, err);
    (void)sqlite3_reset(statement);
    return ok;
}

bool store_add_certificate(struct store *store, const struct store_certificate *c, struct err *err)
{
    sqlite3_stmt *statement = begin(store, ADD_CERTIFICATE);
    bool ok = add_certificate(store, statement, c, err);

    end(store, statement);
    return ok;
}

bool store_prune(struct store *store, int64_t now, struct err *err)
{
    sqlite3_stmt *statement = begin(store, PRUNE);

    (void)sqlite3_bind_int64(statement, 1, now);
    return finish(store, statement, err);
}

/* A walk over lines of the audit log. */
struct catch_up {
    struct store *store;
    bool is_simulated;
    uint64_t end; /* behind the last line */
    struct err *err;
};

static struct bytes member(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text != NULL ? bytes_of(text) : (struct bytes){.size = 0};
}

static bool hex_member(const json_t *root, const char *name, uint8_t *out, size_t capacity,
                       struct bytes *value)
{
    struct err ignored;
    size_t size = 0;

    bool ok = hex_decode(member(root, name), out, capacity, &size, &ignored);
    *value = bytes_from(out, size);
    return ok;
}

static bool take_line(void *context, struct bytes line, uint64_t at_end)
{
    struct catch_up *c = context;
    struct store_certificate certificate = {.is_simulated = c->is_simulated};
    uint8_t measurement[64], chip[64];
    struct bytes serial;

    c->end = at_end;
    json_t *root = json_loadb((const char *)line.data, line.size, 0, NULL);
    bool ok = true;
    if (bytes_is(member(root, "event"), "issued")) {
        ok = (hex_member(root, "serial", certificate.serial, sizeof certificate.serial, &serial) &&
              hex_member(root, "measurement", measurement, sizeof measurement,
                         &certificate.measurement) &&
              hex_member(root, "chip", chip, sizeof chip, &certificate.chip)) ||
             err_set(c->err, ERR_FORMAT, "a line of the audit log is malformed", ERR_NO_AT);
        certificate.slug = member(root, "slug");
        certificate.not_after = json_integer_value(json_object_get(root, "notAfter"));
        ok = ok &&
             add_certificate(c->store, c->store->statements[ADD_CERTIFICATE], &certificate, c->err);
    }
    json_decref(root);
    return ok;
}

static bool execute(struct store *s, const char *sql, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(s, err);
}

/* The lock is held. */
static bool read_position(struct store *s, bool is_simulated, uint64_t *out, struct err *err)
{
    sqlite3_stmt *statement = s->statements[POSITION];

    (void)sqlite3_bind_int(statement, 1, is_simulated);
    int status = sqlite3_step(statement);
    *out = status == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    bool ok = status == SQLITE_ROW || status == SQLITE_DONE || fail(s, err);
    (void)sqlite3_reset(statement);
    return ok;
}

static bool write_position(struct store *s, bool is_simulated, uint64_t at, struct err *err)
{
    sqlite3_stmt *statement = s->statements[SET_POSITION];

    (void)sqlite3_bind_int(statement, 1, is_simulated);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)at);
    bool ok = step(s, statement, err);
    (void)sqlite3_reset(statement);
    return ok;
}

bool store_catch_up(struct store *store, const char *audit, bool is_simulated, uint64_t *line,
                    struct err *err)
{
    struct catch_up c = {.store = store, .is_simulated = is_simulated, .err = err};
    struct audit_walk walk = {.each = take_line, .context = &c};
    struct audit_summary summary;
    struct err walk_err;
    struct stat status;

    *line = 0;
    CLEANUP(os_closep) int fd = open(audit, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0 || fstat(fd, &status) != 0)
        return err_set(err, ERR_IO, "cannot read the audit log", (uint64_t)errno);
    (void)pthread_mutex_lock(&store->lock);
    bool ok = execute(store, "BEGIN IMMEDIATE", err);
    if (ok) {
        ok = read_position(store, is_simulated, &walk.from, err);
        if ((uint64_t)status.st_size < walk.from)
            walk.from = 0; /* another log */
        c.end = walk.from;
        if (ok && !audit_verify(fd, &walk, &summary, line, &walk_err)) {
            ok = false;
            if (walk_err.code != ERR_POLICY) /* else err is take_line's */
                *err = walk_err;
        }
        ok = ok && write_position(store, is_simulated, c.end, err) && execute(store, "COMMIT", err);
        if (!ok)
            (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    (void)pthread_mutex_unlock(&store->lock);
    return ok;
}

/* ---- revocations ---- */

bool store_revoke(struct store *store, const struct revocation *revocation, struct err *err)
{
    sqlite3_stmt *statement = begin(store, REVOKE);

    (void)sqlite3_bind_int(statement, 1, (int)revocation->kind);
    bind_blob(statement, 2, revocation->value);
    bind_text(statement, 3, revocation->reason);
    (void)sqlite3_bind_int64(statement, 4, revocation->at);
    return finish(store, statement, err);
}

static bool read_revocation(sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct revocation *r = out;
    int kind = sqlite3_column_int(statement, 0);

    r->kind = kind >= 0 && kind < REVOCATION_KINDS ? (enum revocation_kind)kind : REVOCATION_SERIAL;
    r->at = sqlite3_column_int64(statement, 3);
    return column(statement, 1, arena, &r->value) && column(statement, 2, arena, &r->reason);
}

bool store_revocations(struct store *store, struct arena *arena, const struct revocation **out,
                       size_t *count, struct err *err)
{
    const struct rows rows = {sizeof **out, read_revocation};
    sqlite3_stmt *statement = begin(store, REVOCATIONS);
    const void *items;

    bool ok = collect(store, statement, &rows, arena, &items, count, err);
    *out = items;
    end(store, statement);
    return ok;
}

static bool read_revoked(sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct revoked_certificate *r = out;
    struct bytes serial = {.size = 0};

    r->at = sqlite3_column_int64(statement, 1);
    if (!column(statement, 0, arena, &serial) || serial.size != sizeof r->serial)
        return false;
    memcpy(r->serial, serial.data, sizeof r->serial);
    return true;
}

bool store_revoked(struct store *store, int64_t now, bool is_simulated, struct arena *arena,
                   const struct revoked_certificate **out, size_t *count, struct err *err)
{
    const struct rows rows = {sizeof **out, read_revoked};
    sqlite3_stmt *statement = begin(store, REVOKED);
    const void *items;

    (void)sqlite3_bind_int64(statement, 1, now);
    (void)sqlite3_bind_int(statement, 2, is_simulated);
    bool ok = collect(store, statement, &rows, arena, &items, count, err);
    *out = items;
    end(store, statement);
    return ok;
}

/* ---- endorsements ---- */

static bool add_endorsement(struct store *s, sqlite3_stmt *statement, const struct endorsement *e,
                            struct err *err)
{
    uint8_t hash[32];
    unsigned size = 0;

    if (EVP_Digest(e->content.data, e->content.size, hash, &size, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_MEMORY, "no memory for an endorsement", ERR_NO_AT);
    bind_blob(statement, 1, bytes_from(hash, size));
    bind_text(statement, 2, e->kind);
    bind_text(statement, 3, e->subject);
    bind_text(statement, 4, e->url);
    (void)sqlite3_bind_int64(statement, 5, e->expires);
    bind_blob(statement, 6, e->chip);
    bind_blob(statement, 7, e->content);
    return step(s, statement, err);
}

bool store_add_endorsement(struct store *store, const struct endorsement *e, struct err *err)
{
    sqlite3_stmt *forget = store->statements[FORGET_URL];
    sqlite3_stmt *statement = begin(store, ADD_ENDORSEMENT);
    bool ok = execute(store, "BEGIN IMMEDIATE", err);

    if (ok) {
        bind_text(forget, 1, e->url);
        ok = step(store, forget, err);
        (void)sqlite3_reset(forget);
        ok = ok && add_endorsement(store, statement, e, err);
        (void)sqlite3_reset(statement);
        ok = ok && execute(store, "COMMIT", err);
        if (!ok)
            (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    end(store, statement);
    return ok;
}

static bool read_endorsement(sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct endorsement *e = out;

    e->expires = sqlite3_column_int64(statement, 3);
    return column(statement, 0, arena, &e->kind) && column(statement, 1, arena, &e->subject) &&
           column(statement, 2, arena, &e->url) && column(statement, 4, arena, &e->chip) &&
           column(statement, 5, arena, &e->content);
}

bool store_endorsements(struct store *store, struct bytes chip, bool all, struct arena *arena,
                        const struct endorsement **out, size_t *count, struct err *err)
{
    const struct rows rows = {sizeof **out, read_endorsement};
    sqlite3_stmt *statement = begin(store, ENDORSEMENTS);
    const void *items;

    bind_blob(statement, 1, chip);
    (void)sqlite3_bind_int(statement, 2, all);
    bool ok = collect(store, statement, &rows, arena, &items, count, err);
    *out = items;
    end(store, statement);
    return ok;
}

bool store_has_endorsement(struct store *store, struct bytes url, int64_t now, bool *has,
                           struct err *err)
{
    sqlite3_stmt *statement = begin(store, HAS_ENDORSEMENT);

    bind_text(statement, 1, url);
    (void)sqlite3_bind_int64(statement, 2, now);
    int status = sqlite3_step(statement);
    *has = status == SQLITE_ROW;
    bool ok = status == SQLITE_ROW || status == SQLITE_DONE || fail(store, err);
    end(store, statement);
    return ok;
}
