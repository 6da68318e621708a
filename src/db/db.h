/* A file of SQLite's, its statements prepared, for the servers' stores. One connection, one thread
 * at a time: whoever uses a statement has the lock. Other processes may use the file meanwhile. */
#pragma once

#include "base/base.h"

struct sqlite3_stmt;
struct db;

struct db_options {
    const char *folder, *name;     /* of the file, which is made when it is not there (mode 0600) */
    const char *schema;            /* run at each opening: CREATE … IF NOT EXISTS */
    const char *const *statements; /* lives as long as the program */
    size_t statement_count;
};

/* Opens as the folder's owner, when the caller is root. ERR_IO, ERR_MEMORY, ERR_LIMIT. */
MUST_CHECK bool db_open(const struct db_options *options, struct db **out, struct err *err);
/* NULL is nothing. */
void db_close(struct db *db);

/* Takes the lock, and gives it back. */
void db_lock(struct db *db);
void db_unlock(struct db *db);
/* The statement, to be bound and stepped; the lock is held. */
struct sqlite3_stmt *db_statement(struct db *db, unsigned which);
/* Makes a statement ready for its next use. */
void db_reset(struct sqlite3_stmt *statement);
/* The same two with the lock: db_begin … db_end. */
struct sqlite3_stmt *db_begin(struct db *db, unsigned which);
void db_end(struct db *db, struct sqlite3_stmt *statement);

/* Values are borrowed until the statement is reset. */
void db_bind_blob(struct sqlite3_stmt *statement, int at, struct bytes value);
void db_bind_text(struct sqlite3_stmt *statement, int at, struct bytes value);
void db_bind_int(struct sqlite3_stmt *statement, int at, int64_t value);

/* Runs a statement that has no rows. */
MUST_CHECK bool db_run(struct db *db, struct sqlite3_stmt *statement, struct err *err);
/* Its next row, if there is one. */
MUST_CHECK bool db_row(struct db *db, struct sqlite3_stmt *statement, bool *has, struct err *err);
/* How many rows the last statement changed. */
int db_changes(struct db *db);
/* SQL without values, such as BEGIN IMMEDIATE. */
MUST_CHECK bool db_execute(struct db *db, const char *sql, struct err *err);
/* Ends a transaction: when all is well so far commits, else, or when that fails, rolls back. */
MUST_CHECK bool db_commit(struct db *db, bool ok, struct err *err);

/* A column of the row, copied into the arena; false: no memory. */
MUST_CHECK bool db_column(struct sqlite3_stmt *statement, int at, struct arena *arena,
                          struct bytes *out);
int64_t db_column_int(struct sqlite3_stmt *statement, int at);

/* All rows, as an array of things of `size` bytes. read returns false when there is no memory. */
struct db_rows {
    size_t size;
    bool (*read)(struct sqlite3_stmt *statement, struct arena *arena, void *out);
};
MUST_CHECK bool db_collect(struct db *db, struct sqlite3_stmt *statement,
                           const struct db_rows *rows, struct arena *arena, const void **out,
                           size_t *count, struct err *err);
