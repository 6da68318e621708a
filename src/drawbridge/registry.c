#include "drawbridge/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "drawbridge/registry_internal.h"
#include "os/os.h"
#include "package/slug.h"
#include "base/banned.h"

/* FULL: a 201 that was sent is on the disk. */
static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, subject TEXT NOT NULL,"
    " content BLOB NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS repos (id INTEGER PRIMARY KEY, user TEXT NOT NULL,"
    " name TEXT NOT NULL, public INTEGER NOT NULL, created INTEGER NOT NULL,"
    " UNIQUE (user, name));"
    "CREATE TABLE IF NOT EXISTS tags (id INTEGER PRIMARY KEY AUTOINCREMENT, repo INTEGER NOT NULL,"
    " name TEXT NOT NULL, type TEXT NOT NULL, content BLOB NOT NULL, digests TEXT NOT NULL,"
    " missing INTEGER NOT NULL, yanked INTEGER NOT NULL, reason TEXT NOT NULL,"
    " created INTEGER NOT NULL, UNIQUE (repo, name));"
    "CREATE TABLE IF NOT EXISTS nodes (tag INTEGER NOT NULL, path TEXT NOT NULL,"
    " digests TEXT NOT NULL, length INTEGER NOT NULL, type TEXT NOT NULL, blob BLOB,"
    " PRIMARY KEY (tag, path)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS nodes_by_blob ON nodes (blob);"
    "CREATE TABLE IF NOT EXISTS blobs (hash BLOB PRIMARY KEY, size INTEGER NOT NULL,"
    " created INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, hash BLOB NOT NULL,"
    " user TEXT NOT NULL, scopes TEXT NOT NULL, created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, revoked INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS stewards (repo INTEGER NOT NULL, name TEXT NOT NULL,"
    " ca BLOB NOT NULL, simulated INTEGER NOT NULL, technologies INTEGER NOT NULL,"
    " PRIMARY KEY (repo, name)) WITHOUT ROWID;";

#define TAG_COLUMNS "id, name, type, content, digests, missing, yanked, reason, created"

static const char *const statements[STATEMENTS] = {
    [GET_USER] = "SELECT subject, content FROM users WHERE name = ?1",
    [ADD_USER] = "INSERT OR IGNORE INTO users VALUES (?1, ?2, ?3, ?4)",
    [LIST_USERS] = "SELECT DISTINCT user FROM repos WHERE public AND user > ?1"
                   " AND instr(user, ?2) ORDER BY user LIMIT ?3",
    [GET_REPO] = "SELECT id, public FROM repos WHERE user = ?1 AND name = ?2",
    [ADD_REPO] = "INSERT OR IGNORE INTO repos (user, name, public, created)"
                 " SELECT ?1, ?2, ?3, ?4 FROM users WHERE users.name = ?1",
    [SET_PUBLIC] = "UPDATE repos SET public = ?2 WHERE id = ?1",
    [LIST_REPOS] = "SELECT user || '/' || name AS slug FROM repos WHERE (public OR user = ?4)"
                   " AND slug > ?1 AND instr(slug, ?2) ORDER BY slug LIMIT ?3",
    [GET_TAG] = "SELECT " TAG_COLUMNS " FROM tags WHERE repo = ?1 AND name = ?2",
    [ADD_TAG] = "INSERT OR IGNORE INTO tags"
                " (repo, name, type, content, digests, missing, yanked, reason, created)"
                " VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, '', ?6) RETURNING id",
    [DELETE_TAG] = "DELETE FROM tags WHERE id = ?1 AND missing > 0",
    [DELETE_NODES] = "DELETE FROM nodes WHERE tag = ?1",
    [YANK_TAG] = "UPDATE tags SET yanked = ?2, reason = ?3 WHERE id = ?1",
    [LIST_TAGS] = "SELECT id, name, '', '', '', missing, yanked, reason, created"
                  " FROM tags WHERE repo = ?1",
    [GET_NODE] = "SELECT digests, length, type, blob FROM nodes WHERE tag = ?1 AND path = ?2",
    [ADD_NODE] = "INSERT INTO nodes VALUES (?1, ?2, ?3, ?4, ?5, NULL)",
    [SET_BLOB] = "UPDATE nodes SET blob = ?3 WHERE tag = ?1 AND path = ?2 AND blob IS NULL",
    [COUNT_MISSING] = "UPDATE tags SET missing = missing + ?2 WHERE id = ?1",
    [GET_MISSING] = "SELECT missing FROM tags WHERE id = ?1",
    [LIST_MISSING] = "SELECT path FROM nodes WHERE tag = ?1 AND blob IS NULL ORDER BY path"
                     " LIMIT 10000",
    [ADD_BLOB] = "INSERT OR IGNORE INTO blobs VALUES (?1, ?2, ?3)",
    [ADD_TOKEN] = "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
    [GET_TOKEN] =
        "SELECT id, hash, user, scopes, created, expires, revoked FROM tokens WHERE id = ?1",
    [REVOKE_TOKEN] = "UPDATE tokens SET revoked = 1 WHERE id = ?1",
    [LIST_TOKENS] = "SELECT id, hash, user, scopes, created, expires, revoked FROM tokens"
                    " ORDER BY created, id",
    [PUT_STEWARD] = "INSERT OR REPLACE INTO stewards VALUES (?1, ?2, ?3, ?4, ?5)",
    [DELETE_STEWARD] = "DELETE FROM stewards WHERE repo = ?1 AND name = ?2",
    [LIST_STEWARDS] =
        "SELECT name, ca, simulated, technologies FROM stewards WHERE repo = ?1 ORDER BY name",
    [GET_USE] = "SELECT 1 FROM nodes WHERE blob = ?1 LIMIT 1",
    [LIST_UNUSED] = "SELECT hash, size FROM blobs WHERE created < ?1 AND NOT EXISTS"
                    " (SELECT 1 FROM nodes WHERE nodes.blob = blobs.hash) LIMIT 100",
    [DELETE_BLOB] = "DELETE FROM blobs WHERE hash = ?1",
    [HAS_BLOB] = "SELECT size FROM blobs WHERE hash = ?1",
    [LIST_BLOBS] = "SELECT hash, size FROM blobs WHERE hash > ?1 ORDER BY hash LIMIT 1000",
    [ALL_TAGS] = "SELECT t.id, r.user || '/' || r.name || ':' || t.name, t.content"
                 " FROM tags t JOIN repos r ON r.id = t.repo WHERE t.id > ?1 ORDER BY t.id"
                 " LIMIT 100",
    [ALL_NODES] = "SELECT digests, length, type, blob, path FROM nodes WHERE tag = ?1"
                  " ORDER BY path",
};

/* ---- opening ---- */

bool registry_open(const char *folder, struct registry **out, struct err *err)
{
    const struct db_options options = {.folder = folder,
                                       .name = "drawbridge.db",
                                       .schema = schema,
                                       .statements = statements,
                                       .statement_count = STATEMENTS};
    struct registry *r = calloc(1, sizeof *r);

    if (r == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the store", ERR_NO_AT);
    r->lock = -1;
    int size = snprintf(r->folder, sizeof r->folder, "%s", folder);
    bool ok = (size >= 0 && size < (int)sizeof r->folder) ||
              err_set(err, ERR_LIMIT, "the store's folder has too long a name", ERR_NO_AT);
    ok = ok && blobs_open(folder, &r->blobs, err) && db_open(&options, &r->write, err) &&
         db_open(&options, &r->read, err);
    if (!ok) {
        registry_close(r);
        return false;
    }
    *out = r;
    return true;
}

void registry_close(struct registry *registry)
{
    if (registry == NULL)
        return;
    db_close(registry->read);
    db_close(registry->write);
    blobs_close(registry->blobs);
    os_closep(&registry->lock);
    free(registry);
}

struct blobs *registry_blobs(struct registry *registry)
{
    return registry->blobs;
}

bool registry_serve_alone(struct registry *registry, struct err *err)
{
    char path[sizeof registry->folder + 8];

    (void)snprintf(path, sizeof path, "%s/lock", registry->folder);
    registry->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (registry->lock < 0)
        return err_set(err, ERR_IO, "cannot make the store's lock", (uint64_t)errno);
    if (flock(registry->lock, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_POLICY, "another process serves this store", ERR_NO_AT);
    return blobs_clear(registry->blobs, err);
}

/* ---- what statements share ---- */

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "no memory for what the store has", ERR_NO_AT);
}

static enum registry_answer failed(bool ok, bool has)
{
    return !ok ? REGISTRY_FAILED : has ? REGISTRY_DONE : REGISTRY_ABSENT;
}

/* Ends a statement that changes at most one row. */
static enum registry_answer end_change(struct registry *r, struct sqlite3_stmt *statement,
                                       enum registry_answer unchanged, struct err *err)
{
    bool ok = db_run(r->write, statement, err);
    bool has = ok && db_changes(r->write) != 0;

    db_end(r->write, statement);
    return !ok ? REGISTRY_FAILED : has ? REGISTRY_DONE : unchanged;
}

static bool read_name(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    return db_column(statement, 0, arena, out);
}

/* Ends a statement whose rows are names. */
static bool end_names(struct registry *r, struct sqlite3_stmt *statement, struct arena *arena,
                      struct registry_names *out, struct err *err)
{
    const struct db_rows rows = {sizeof(struct bytes), read_name};
    const void *items;

    bool ok = db_collect(r->read, statement, &rows, arena, &items, &out->count, err);
    out->items = items;
    db_end(r->read, statement);
    return ok;
}

static void bind_page(struct sqlite3_stmt *statement, const struct registry_page *page)
{
    db_bind_text(statement, 1, page->after);
    db_bind_text(statement, 2, page->search);
    db_bind_int(statement, 3, page->limit);
}

/* ---- users ---- */

enum registry_answer registry_user(struct registry *registry, struct bytes name,
                                   struct arena *arena, struct registry_user *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, GET_USER);
    bool has = false;

    db_bind_text(statement, 1, name);
    bool ok = db_row(registry->read, statement, &has, err);
    if (ok && has)
        ok = (db_column(statement, 0, arena, &out->subject) &&
              db_column(statement, 1, arena, &out->content)) ||
             no_memory(err);
    db_end(registry->read, statement);
    return failed(ok, has);
}

enum registry_answer registry_add_user(struct registry *registry, struct bytes name,
                                       const struct registry_user *user, int64_t now,
                                       struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, ADD_USER);

    db_bind_text(statement, 1, name);
    db_bind_text(statement, 2, user->subject);
    db_bind_blob(statement, 3, user->content);
    db_bind_int(statement, 4, now);
    return end_change(registry, statement, REGISTRY_EXISTS, err);
}

bool registry_users(struct registry *registry, const struct registry_page *page,
                    struct arena *arena, struct registry_names *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, LIST_USERS);

    bind_page(statement, page);
    return end_names(registry, statement, arena, out, err);
}

/* ---- repositories ---- */

enum registry_answer registry_repo(struct registry *registry, struct bytes user, struct bytes name,
                                   struct registry_repo *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, GET_REPO);
    bool has = false;

    db_bind_text(statement, 1, user);
    db_bind_text(statement, 2, name);
    bool ok = db_row(registry->read, statement, &has, err);
    if (ok && has)
        *out = (struct registry_repo){.id = db_column_int(statement, 0),
                                      .is_public = db_column_int(statement, 1) != 0};
    db_end(registry->read, statement);
    return failed(ok, has);
}

enum registry_answer registry_add_repo(struct registry *registry, struct bytes user,
                                       struct bytes name, bool is_public, int64_t now,
                                       struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, ADD_REPO);
    struct registry_repo existing;

    db_bind_text(statement, 1, user);
    db_bind_text(statement, 2, name);
    db_bind_int(statement, 3, is_public);
    db_bind_int(statement, 4, now);
    enum registry_answer answer = end_change(registry, statement, REGISTRY_ABSENT, err);
    if (answer == REGISTRY_ABSENT &&
        registry_repo(registry, user, name, &existing, err) == REGISTRY_DONE)
        return REGISTRY_EXISTS;
    return answer;
}

bool registry_set_public(struct registry *registry, int64_t repo, bool is_public, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, SET_PUBLIC);

    db_bind_int(statement, 1, repo);
    db_bind_int(statement, 2, is_public);
    return end_change(registry, statement, REGISTRY_DONE, err) == REGISTRY_DONE;
}

bool registry_repos(struct registry *registry, const struct registry_page *page, struct bytes owner,
                    struct arena *arena, struct registry_names *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, LIST_REPOS);

    bind_page(statement, page);
    db_bind_text(statement, 4, owner);
    return end_names(registry, statement, arena, out, err);
}

/* ---- tags ---- */

static bool read_tag(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct registry_tag *t = out;

    t->id = db_column_int(statement, 0);
    t->missing = (uint64_t)db_column_int(statement, 5);
    t->is_yanked = db_column_int(statement, 6) != 0;
    t->created = db_column_int(statement, 8);
    return db_column(statement, 1, arena, &t->name) && db_column(statement, 2, arena, &t->type) &&
           db_column(statement, 3, arena, &t->content) &&
           db_column(statement, 4, arena, &t->digests) &&
           db_column(statement, 7, arena, &t->reason);
}

enum registry_answer registry_tag(struct registry *registry, int64_t repo, struct bytes name,
                                  struct arena *arena, struct registry_tag *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, GET_TAG);
    bool has = false;

    db_bind_int(statement, 1, repo);
    db_bind_text(statement, 2, name);
    bool ok = db_row(registry->read, statement, &has, err);
    if (ok && has)
        ok = read_tag(statement, arena, out) || no_memory(err);
    db_end(registry->read, statement);
    return failed(ok, has);
}

/* Expects a node; in a transaction. */
static bool expect_node(struct db *db, int64_t tag, struct bytes path, const struct entry *entry,
                        struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(db, ADD_NODE);
    uint8_t text[512];
    struct writer w = writer_fixed(text, sizeof text);
    struct bytes digests;

    content_digest_write(&w, &entry->digests);
    if (!writer_done(&w, &digests, err))
        return false;
    db_bind_int(statement, 1, tag);
    db_bind_text(statement, 2, path);
    db_bind_text(statement, 3, digests);
    db_bind_int(statement, 4, (int64_t)entry->length);
    db_bind_text(statement, 5, entry->type);
    bool ok = db_run(db, statement, err);
    db_reset(statement);
    return ok;
}

static enum registry_answer add_tag(struct db *db, int64_t repo, const struct registry_tag *tag,
                                    const struct entry *root, struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(db, ADD_TAG);
    bool has = false;

    db_bind_int(statement, 1, repo);
    db_bind_text(statement, 2, tag->name);
    db_bind_text(statement, 3, tag->type);
    db_bind_blob(statement, 4, tag->content);
    db_bind_text(statement, 5, tag->digests);
    db_bind_int(statement, 6, tag->created);
    bool ok = db_row(db, statement, &has, err);
    int64_t id = has ? db_column_int(statement, 0) : 0;
    db_reset(statement);
    if (ok && !has)
        return REGISTRY_EXISTS;
    return ok && expect_node(db, id, (struct bytes){.size = 0}, root, err) ? REGISTRY_DONE
                                                                           : REGISTRY_FAILED;
}

enum registry_answer registry_add_tag(struct registry *registry, int64_t repo,
                                      const struct registry_tag *tag, const struct entry *root,
                                      struct err *err)
{
    struct db *db = registry->write;
    enum registry_answer answer = REGISTRY_FAILED;

    db_lock(db);
    if (db_execute(db, "BEGIN IMMEDIATE", err)) {
        answer = add_tag(db, repo, tag, root, err);
        if (!db_commit(db, answer == REGISTRY_DONE, err) && answer == REGISTRY_DONE)
            answer = REGISTRY_FAILED;
    }
    db_unlock(db);
    return answer;
}

/* A statement about one tag, in a transaction. */
static bool run_for_tag(struct db *db, enum statement which, int64_t tag, struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(db, which);

    db_bind_int(statement, 1, tag);
    bool ok = db_run(db, statement, err);
    db_reset(statement);
    return ok;
}

enum registry_answer registry_delete_tag(struct registry *registry, int64_t tag, struct err *err)
{
    struct db *db = registry->write;
    bool has = false;

    db_lock(db);
    bool ok = db_execute(db, "BEGIN IMMEDIATE", err);
    if (ok) {
        ok = run_for_tag(db, DELETE_TAG, tag, err);
        has = ok && db_changes(db) != 0;
        ok = ok && (!has || run_for_tag(db, DELETE_NODES, tag, err));
        ok = db_commit(db, ok, err);
    }
    db_unlock(db);
    return !ok ? REGISTRY_FAILED : has ? REGISTRY_DONE : REGISTRY_EXISTS;
}

bool registry_yank(struct registry *registry, int64_t tag, bool is_yanked, struct bytes reason,
                   struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, YANK_TAG);

    db_bind_int(statement, 1, tag);
    db_bind_int(statement, 2, is_yanked);
    db_bind_text(statement, 3, reason);
    return end_change(registry, statement, REGISTRY_DONE, err) == REGISTRY_DONE;
}

static int compare_tags(const void *a, const void *b)
{
    return slug_tag_compare(((const struct registry_tag *)a)->name,
                            ((const struct registry_tag *)b)->name);
}

bool registry_tags(struct registry *registry, int64_t repo, struct arena *arena,
                   const struct registry_tag **out, size_t *count, struct err *err)
{
    const struct db_rows rows = {sizeof **out, read_tag};
    struct sqlite3_stmt *statement = db_begin(registry->read, LIST_TAGS);
    const void *items;

    db_bind_int(statement, 1, repo);
    bool ok = db_collect(registry->read, statement, &rows, arena, &items, count, err);
    db_end(registry->read, statement);
    if (ok && *count > 1)
        qsort((void *)(uintptr_t)items, *count, sizeof **out, compare_tags);
    *out = items;
    return ok;
}

/* ---- trees ---- */

bool registry_read_entry(struct sqlite3_stmt *statement, int at, struct arena *arena,
                         struct registry_node *out, struct err *err)
{
    struct bytes hash;

    *out = (struct registry_node){.entry.length = (uint64_t)db_column_int(statement, at + 1)};
    if (!db_column(statement, at, arena, &out->digests) ||
        !db_column(statement, at + 2, arena, &out->entry.type) ||
        !db_column(statement, at + 3, arena, &hash))
        return no_memory(err);
    out->is_there = hash.size == sizeof out->hash.bytes;
    if (out->is_there)
        memcpy(out->hash.bytes, hash.data, sizeof out->hash.bytes);
    return content_digest_parse(out->digests, &out->entry.digests, err);
}

enum registry_answer registry_node(struct registry *registry, int64_t tag, struct bytes path,
                                   struct arena *arena, struct registry_node *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, GET_NODE);
    bool has = false;

    db_bind_int(statement, 1, tag);
    db_bind_text(statement, 2, path);
    bool ok = db_row(registry->read, statement, &has, err) &&
              (!has || registry_read_entry(statement, 0, arena, out, err));
    db_end(registry->read, statement);
    return failed(ok, has);
}

static bool expect_children(struct db *db, int64_t tag, struct bytes path,
                            const struct directory *directory, struct err *err)
{
    uint8_t text[ENTRY_PATH_MAX + ENTRY_NAME_MAX + 1];

    for (size_t i = 0; i < directory->count; i++) {
        struct writer w = writer_fixed(text, sizeof text);
        struct bytes child;
        writer_bytes(&w, path);
        if (path.size != 0)
            writer_u8(&w, '/');
        writer_bytes(&w, directory->items[i].name);
        if (!writer_done(&w, &child, err) ||
            !expect_node(db, tag, child, &directory->items[i].entry, err))
            return false;
    }
    return true;
}

/* Changes how much a tag lacks, and says how much that is. */
static bool count_missing(struct db *db, int64_t tag, int64_t change, uint64_t *out,
                          struct err *err)
{
    struct sqlite3_stmt *count = db_statement(db, COUNT_MISSING);
    struct sqlite3_stmt *get = db_statement(db, GET_MISSING);
    bool has = false;

    db_bind_int(count, 1, tag);
    db_bind_int(count, 2, change);
    bool ok = db_run(db, count, err);
    db_reset(count);
    db_bind_int(get, 1, tag);
    ok = ok && db_row(db, get, &has, err);
    *out = has ? (uint64_t)db_column_int(get, 0) : 0;
    db_reset(get);
    return ok;
}

static bool add_blob(struct db *db, const struct blob_hash *hash, uint64_t size, int64_t now,
                     struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(db, ADD_BLOB);

    db_bind_blob(statement, 1, bytes_from(hash->bytes, sizeof hash->bytes));
    db_bind_int(statement, 2, (int64_t)size);
    db_bind_int(statement, 3, now);
    bool ok = db_run(db, statement, err);
    db_reset(statement);
    return ok;
}

/* Fills the place of a node that is expected. EXISTS: it was filled; ABSENT: the tag is gone. */
static enum registry_answer set_blob(struct db *db, int64_t tag, struct bytes path,
                                     const struct blob_hash *hash, struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(db, SET_BLOB);
    struct sqlite3_stmt *get = db_statement(db, GET_NODE);
    bool has = false;

    db_bind_int(statement, 1, tag);
    db_bind_text(statement, 2, path);
    db_bind_blob(statement, 3, bytes_from(hash->bytes, sizeof hash->bytes));
    bool ok = db_run(db, statement, err);
    db_reset(statement);
    if (ok && db_changes(db) != 0)
        return REGISTRY_DONE;
    db_bind_int(get, 1, tag);
    db_bind_text(get, 2, path);
    ok = ok && db_row(db, get, &has, err);
    db_reset(get);
    return !ok ? REGISTRY_FAILED : has ? REGISTRY_EXISTS : REGISTRY_ABSENT;
}

enum registry_answer registry_put_node(struct registry *registry, int64_t tag, struct bytes path,
                                       struct blob_upload *upload, const struct blob_hash *hash,
                                       const struct directory *directory, int64_t now,
                                       uint64_t *missing, struct err *err)
{
    const struct directory none = {.count = 0};
    const struct directory *children = directory != NULL ? directory : &none;
    struct db *db = registry->write;
    enum registry_answer answer = REGISTRY_FAILED;

    db_lock(db);
    if (db_execute(db, "BEGIN IMMEDIATE", err)) {
        answer = set_blob(db, tag, path, hash, err);
        bool ok = answer == REGISTRY_DONE && expect_children(db, tag, path, children, err) &&
                  count_missing(db, tag, (int64_t)children->count - 1, missing, err) &&
                  add_blob(db, hash, upload->hasher.size, now, err) &&
                  blob_upload_keep(upload, hash, err);
        ok = db_commit(db, ok, err);
        if (answer == REGISTRY_DONE && !ok)
            answer = REGISTRY_FAILED;
    }
    db_unlock(db);
    return answer;
}

bool registry_missing(struct registry *registry, int64_t tag, struct arena *arena,
                      struct registry_names *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, LIST_MISSING);

    db_bind_int(statement, 1, tag);
    return end_names(registry, statement, arena, out, err);
}

/* ---- tokens ---- */

bool registry_add_token(struct registry *registry, const struct registry_token *token,
                        struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, ADD_TOKEN);

    db_bind_text(statement, 1, token->id);
    db_bind_blob(statement, 2, bytes_from(token->hash, sizeof token->hash));
    db_bind_text(statement, 3, token->user);
    db_bind_text(statement, 4, token->scopes);
    db_bind_int(statement, 5, token->created);
    db_bind_int(statement, 6, token->expires);
    return end_change(registry, statement, REGISTRY_DONE, err) == REGISTRY_DONE;
}

static bool read_token(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct registry_token *t = out;
    struct bytes hash;

    t->created = db_column_int(statement, 4);
    t->expires = db_column_int(statement, 5);
    t->is_revoked = db_column_int(statement, 6) != 0;
    if (!db_column(statement, 0, arena, &t->id) || !db_column(statement, 1, arena, &hash) ||
        !db_column(statement, 2, arena, &t->user) || !db_column(statement, 3, arena, &t->scopes) ||
        hash.size != sizeof t->hash)
        return false;
    memcpy(t->hash, hash.data, sizeof t->hash);
    return true;
}

enum registry_answer registry_token(struct registry *registry, struct bytes id, struct arena *arena,
                                    struct registry_token *out, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->read, GET_TOKEN);
    bool has = false;

    db_bind_text(statement, 1, id);
    bool ok = db_row(registry->read, statement, &has, err);
    if (ok && has)
        ok = read_token(statement, arena, out) || no_memory(err);
    db_end(registry->read, statement);
    return failed(ok, has);
}

enum registry_answer registry_revoke_token(struct registry *registry, struct bytes id,
                                           struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, REVOKE_TOKEN);

    db_bind_text(statement, 1, id);
    return end_change(registry, statement, REGISTRY_ABSENT, err);
}

bool registry_tokens(struct registry *registry, struct arena *arena,
                     const struct registry_token **out, size_t *count, struct err *err)
{
    const struct db_rows rows = {sizeof **out, read_token};
    struct sqlite3_stmt *statement = db_begin(registry->read, LIST_TOKENS);
    const void *items;

    bool ok = db_collect(registry->read, statement, &rows, arena, &items, count, err);
    *out = items;
    db_end(registry->read, statement);
    return ok;
}

/* ---- Stewards ---- */

bool registry_put_steward(struct registry *registry, int64_t repo,
                          const struct registry_steward *steward, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, PUT_STEWARD);

    db_bind_int(statement, 1, repo);
    db_bind_text(statement, 2, steward->name);
    db_bind_blob(statement, 3, steward->ca);
    db_bind_int(statement, 4, steward->is_simulated);
    db_bind_int(statement, 5, steward->technologies);
    return end_change(registry, statement, REGISTRY_DONE, err) == REGISTRY_DONE;
}

enum registry_answer registry_delete_steward(struct registry *registry, int64_t repo,
                                             struct bytes name, struct err *err)
{
    struct sqlite3_stmt *statement = db_begin(registry->write, DELETE_STEWARD);

    db_bind_int(statement, 1, repo);
    db_bind_text(statement, 2, name);
    return end_change(registry, statement, REGISTRY_ABSENT, err);
}

static bool read_steward(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct registry_steward *s = out;

    s->is_simulated = db_column_int(statement, 2) != 0;
    s->technologies = (uint32_t)db_column_int(statement, 3);
    return db_column(statement, 0, arena, &s->name) && db_column(statement, 1, arena, &s->ca);
}

bool registry_stewards(struct registry *registry, int64_t repo, struct arena *arena,
                       const struct registry_steward **out, size_t *count, struct err *err)
{
    const struct db_rows rows = {sizeof **out, read_steward};
    struct sqlite3_stmt *statement = db_begin(registry->read, LIST_STEWARDS);
    const void *items;

    db_bind_int(statement, 1, repo);
    bool ok = db_collect(registry->read, statement, &rows, arena, &items, count, err);
    *out = items;
    db_end(registry->read, statement);
    return ok;
}
