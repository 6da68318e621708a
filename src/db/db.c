#include "db/db.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define BUSY_TIMEOUT_MS 5000
#define LIST_MAX 1000000u

struct prepared {
    sqlite3_stmt *handle;
};

struct db {
    sqlite3 *handle;
    pthread_mutex_t lock; /* of all of it */
    size_t statement_count;
    struct prepared statements[];
};

static bool fail(const struct db *db, struct err *err)
{
    int code = db->handle != NULL ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;

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

/* ---- opening ---- */

static bool prepare(struct db *db, const char *path, const struct db_options *o, struct err *err)
{
    if (sqlite3_open_v2(path, &db->handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS) != SQLITE_OK ||
        sqlite3_exec(db->handle, o->schema, NULL, NULL, NULL) != SQLITE_OK)
        return fail(db, err);
    for (size_t i = 0; i < o->statement_count; i++) {
        if (sqlite3_prepare_v3(db->handle, o->statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[i].handle, NULL) != SQLITE_OK)
            return fail(db, err);
    }
    return true;
}

static bool open_file(struct db *db, const struct db_options *o, struct err *err)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/%s", o->folder, o->name);

    if (size < 0 || size >= (int)sizeof path)
        return err_set(err, ERR_LIMIT, "the store's folder has too long a name", ERR_NO_AT);
    mode_t mask = umask(0077);
    bool ok = prepare(db, path, o, err);
    (void)umask(mask);
    return ok;
}

bool db_open(const struct db_options *options, struct db **out, struct err *err)
{
    uid_t user = geteuid();
    struct stat status;

    if (stat(options->folder, &status) != 0)
        return err_set(err, ERR_IO, "cannot open the store's folder", (uint64_t)errno);
    struct db *db = calloc(1, sizeof *db + options->statement_count * sizeof db->statements[0]);
    if (db == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the store", ERR_NO_AT);
    (void)pthread_mutex_init(&db->lock, NULL);
    db->statement_count = options->statement_count;
    bool ok = user != 0 || status.st_uid == 0 || seteuid(status.st_uid) == 0 ||
              err_set(err, ERR_IO, "cannot act as the store's owner", (uint64_t)errno);
    ok = ok && open_file(db, options, err);
    if (geteuid() != user && seteuid(user) != 0)
        ok = err_set(err, ERR_IO, "cannot act as oneself again", (uint64_t)errno);
    if (!ok) {
        db_close(db);
        return false;
    }
    *out = db;
    return true;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->statement_count; i++)
        (void)sqlite3_finalize(db->statements[i].handle);
    (void)sqlite3_close(db->handle);
    (void)pthread_mutex_destroy(&db->lock);
    free(db);
}

/* ---- statements ---- */

void db_lock(struct db *db)
{
    (void)pthread_mutex_lock(&db->lock);
}

void db_unlock(struct db *db)
{
    (void)pthread_mutex_unlock(&db->lock);
}

sqlite3_stmt *db_statement(struct db *db, unsigned which)
{
    return db->statements[which].handle;
}

void db_reset(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

sqlite3_stmt *db_begin(struct db *db, unsigned which)
{
    db_lock(db);
    return db_statement(db, which);
}

void db_end(struct db *db, sqlite3_stmt *statement)
{
    db_reset(statement);
    db_unlock(db);
}

void db_bind_blob(sqlite3_stmt *statement, int at, struct bytes value)
{
    /* NULL would be SQL's NULL */
    (void)sqlite3_bind_blob64(statement, at, value.data != NULL ? (const void *)value.data : "",
                              value.size, SQLITE_STATIC);
}

void db_bind_text(sqlite3_stmt *statement, int at, struct bytes value)
{
    (void)sqlite3_bind_text64(statement, at, value.data != NULL ? (const char *)value.data : "",
                              value.size, SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_int(sqlite3_stmt *statement, int at, int64_t value)
{
    (void)sqlite3_bind_int64(statement, at, value);
}

bool db_run(struct db *db, sqlite3_stmt *statement, struct err *err)
{
    return sqlite3_step(statement) == SQLITE_DONE || fail(db, err);
}

bool db_row(struct db *db, sqlite3_stmt *statement, bool *has, struct err *err)
{
    int status = sqlite3_step(statement);

    *has = status == SQLITE_ROW;
    return status == SQLITE_ROW || status == SQLITE_DONE || fail(db, err);
}

int db_changes(struct db *db)
{
    return sqlite3_changes(db->handle);
}

bool db_execute(struct db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, err);
}

bool db_commit(struct db *db, bool ok, struct err *err)
{
    ok = ok && db_execute(db, "COMMIT", err);
    if (!ok)
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

/* ---- rows ---- */

bool db_column(sqlite3_stmt *statement, int at, struct arena *arena, struct bytes *out)
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

int64_t db_column_int(sqlite3_stmt *statement, int at)
{
    return sqlite3_column_int64(statement, at);
}

bool db_collect(struct db *db, sqlite3_stmt *statement, const struct db_rows *rows,
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
    return status == SQLITE_DONE || fail(db, err);
}
