#include "steward/store.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"
#include "os/os.h"
#include "steward/audit.h"
#include "base/banned.h"

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
    struct db *db;
};

/* ---- opening ---- */

bool store_open(const char *folder, struct store **out, struct err *err)
{
    const struct db_options options = {.folder = folder,
                                       .name = "steward.db",
                                       .schema = schema,
                                       .statements = statements,
                                       .statement_count = STATEMENTS};
    struct store *s = calloc(1, sizeof *s);

    if (s == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the store", ERR_NO_AT);
    if (!db_open(&options, &s->db, err)) {
        free(s);
        return false;
    }
    *out = s;
    return true;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    db_close(store->db);
    free(store);
}

bool store_version(struct store *store, uint64_t *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(store->db, VERSION);
    bool has = false, ok = db_row(store->db, statement, &has, err);

    if (ok && has)
        *out = (uint64_t)db_column_int(statement, 0);
    db_end(store->db, statement);
    return ok;
}

/* ---- certificates ---- */

static bool add_certificate(struct store *s, struct sqlite3_stmt *statement,
                            const struct store_certificate *c, struct err *err)
{
    db_bind_blob(statement, 1, bytes_from(c->serial, sizeof c->serial));
    db_bind_int(statement, 2, c->not_after);
    db_bind_blob(statement, 3, c->measurement);
    db_bind_blob(statement, 4, c->chip);
    db_bind_text(statement, 5, c->slug);
    db_bind_int(statement, 6, c->is_simulated);
    bool ok = db_run(s->db, statement, err);
    db_reset(statement);
    return ok;
}

bool store_add_certificate(struct store *store, const struct store_certificate *c, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(store->db, ADD_CERTIFICATE);
    bool ok = add_certificate(store, statement, c, err);

    db_end(store->db, statement);
    return ok;
}

bool store_prune(struct store *store, int64_t now, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(store->db, PRUNE);

    db_bind_int(statement, 1, now);
    bool ok = db_run(store->db, statement, err);
    db_end(store->db, statement);
    return ok;
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
        ok = ok && add_certificate(c->store, db_statement(c->store->db, ADD_CERTIFICATE),
                                   &certificate, c->err);
    }
    json_decref(root);
    return ok;
}

/* The lock is held. */
static bool read_position(struct store *s, bool is_simulated, uint64_t *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(s->db, POSITION);

    db_bind_int(statement, 1, is_simulated);
    bool has = false, ok = db_row(s->db, statement, &has, err);
    *out = has ? (uint64_t)db_column_int(statement, 0) : 0;
    db_reset(statement);
    return ok;
}

static bool write_position(struct store *s, bool is_simulated, uint64_t at, struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(s->db, SET_POSITION);

    db_bind_int(statement, 1, is_simulated);
    db_bind_int(statement, 2, (int64_t)at);
    bool ok = db_run(s->db, statement, err);
    db_reset(statement);
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
    db_lock(store->db);
    bool ok = db_execute(store->db, "BEGIN IMMEDIATE", err);
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
        ok = ok && write_position(store, is_simulated, c.end, err);
        ok = db_commit(store->db, ok, err);
    }
    db_unlock(store->db);
    return ok;
}

/* ---- revocations ---- */

bool store_revoke(struct store *store, const struct revocation *revocation, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(store->db, REVOKE);

    db_bind_int(statement, 1, (int)revocation->kind);
    db_bind_blob(statement, 2, revocation->value);
    db_bind_text(statement, 3, revocation->reason);
    db_bind_int(statement, 4, revocation->at);
    bool ok = db_run(store->db, statement, err);
    db_end(store->db, statement);
    return ok;
}

static bool read_revocation(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct revocation *r = out;
    int64_t kind = db_column_int(statement, 0);

    r->kind = kind >= 0 && kind < REVOCATION_KINDS ? (enum revocation_kind)kind : REVOCATION_SERIAL;
    r->at = db_column_int(statement, 3);
    return db_column(statement, 1, arena, &r->value) && db_column(statement, 2, arena, &r->reason);
}

bool store_revocations(struct store *store, struct arena *arena, const struct revocation **out,
                       size_t *count, struct err *err)
{
    const struct db_rows rows = {sizeof **out, read_revocation};
    struct sqlite3_stmt *statement = db_begin(store->db, REVOCATIONS);
    const void *items;

    bool ok = db_collect(store->db, statement, &rows, arena, &items, count, err);
    *out = items;
    db_end(store->db, statement);
    return ok;
}

static bool read_revoked(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct revoked_certificate *r = out;
    struct bytes serial = {.size = 0};

    r->at = db_column_int(statement, 1);
    if (!db_column(statement, 0, arena, &serial) || serial.size != sizeof r->serial)
        return false;
    memcpy(r->serial, serial.data, sizeof r->serial);
    return true;
}

bool store_revoked(struct store *store, int64_t now, bool is_simulated, struct arena *arena,
                   const struct revoked_certificate **out, size_t *count, struct err *err)
{
    const struct db_rows rows = {sizeof **out, read_revoked};
    struct sqlite3_stmt *statement = db_begin(store->db, REVOKED);
    const void *items;

    db_bind_int(statement, 1, now);
    db_bind_int(statement, 2, is_simulated);
    bool ok = db_collect(store->db, statement, &rows, arena, &items, count, err);
    *out = items;
    db_end(store->db, statement);
    return ok;
}

/* ---- endorsements ---- */

static bool add_endorsement(struct store *s, struct sqlite3_stmt *statement,
                            const struct endorsement *e, struct err *err)
{
    uint8_t hash[32];
    unsigned size = 0;

    if (EVP_Digest(e->content.data, e->content.size, hash, &size, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_MEMORY, "no memory for an endorsement", ERR_NO_AT);
    db_bind_blob(statement, 1, bytes_from(hash, size));
    db_bind_text(statement, 2, e->kind);
    db_bind_text(statement, 3, e->subject);
    db_bind_text(statement, 4, e->url);
    db_bind_int(statement, 5, e->expires);
    db_bind_blob(statement, 6, e->chip);
    db_bind_blob(statement, 7, e->content);
    return db_run(s->db, statement, err);
}

bool store_add_endorsement(struct store *store, const struct endorsement *e, struct err *err)
{
    struct sqlite3_stmt *forget = db_statement(store->db, FORGET_URL);
    struct sqlite3_stmt *statement = db_begin(store->db, ADD_ENDORSEMENT);
    bool ok = db_execute(store->db, "BEGIN IMMEDIATE", err);

    if (ok) {
        db_bind_text(forget, 1, e->url);
        ok = db_run(store->db, forget, err);
        db_reset(forget);
        ok = ok && add_endorsement(store, statement, e, err);
        db_reset(statement);
        ok = db_commit(store->db, ok, err);
    }
    db_end(store->db, statement);
    return ok;
}

static bool read_endorsement(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct endorsement *e = out;

    e->expires = db_column_int(statement, 3);
    return db_column(statement, 0, arena, &e->kind) &&
           db_column(statement, 1, arena, &e->subject) && db_column(statement, 2, arena, &e->url) &&
           db_column(statement, 4, arena, &e->chip) && db_column(statement, 5, arena, &e->content);
}

bool store_endorsements(struct store *store, struct bytes chip, bool all, struct arena *arena,
                        const struct endorsement **out, size_t *count, struct err *err)
{
    const struct db_rows rows = {sizeof **out, read_endorsement};
    struct sqlite3_stmt *statement = db_begin(store->db, ENDORSEMENTS);
    const void *items;

    db_bind_blob(statement, 1, chip);
    db_bind_int(statement, 2, all);
    bool ok = db_collect(store->db, statement, &rows, arena, &items, count, err);
    *out = items;
    db_end(store->db, statement);
    return ok;
}

bool store_has_endorsement(struct store *store, struct bytes url, int64_t now, bool *has,
                           struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(store->db, HAS_ENDORSEMENT);

    db_bind_text(statement, 1, url);
    db_bind_int(statement, 2, now);
    bool ok = db_row(store->db, statement, has, err);
    db_end(store->db, statement);
    return ok;
}
