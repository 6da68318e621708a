/* Garbage, and whether all is what it says it is. */
#include <stdlib.h>
#include <unistd.h>

#include "drawbridge/registry_internal.h"
#include "os/os.h"
#include "base/banned.h"

#define BLOCK_SIZE ((size_t)1 << 20)
#define ARENA_MAX ((size_t)1 << 30) /* a million nodes, as clients take */

/* ---- garbage ---- */

static bool read_blob(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct bytes hash;

    if (!db_column(statement, 0, arena, &hash) || hash.size != BLOB_HASH_SIZE)
        return false;
    memcpy(out, hash.data, hash.size);
    return true;
}

/* Whether a statement that takes a hash has a row for it. */
static bool has_row(struct db *db, enum statement which, const struct blob_hash *hash, bool *has,
                    struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(db, which);

    db_bind_blob(statement, 1, bytes_from(hash->bytes, sizeof hash->bytes));
    bool ok = db_row(db, statement, has, err);
    db_reset(statement);
    return ok;
}

/* Forgets content, and takes its file away. In a transaction: if it fails, the file is gone and the
 * row stays; then the next upload brings the file back, and nobody asked for it meanwhile. */
static bool drop_blob(struct registry *r, const struct blob_hash *hash, struct err *err)
{
    struct sqlite3_stmt *statement = db_statement(r->write, DELETE_BLOB);

    db_bind_blob(statement, 1, bytes_from(hash->bytes, sizeof hash->bytes));
    bool ok = db_run(r->write, statement, err);
    db_reset(statement);
    return ok && blob_take_away(r->blobs, hash, err);
}

/* Some of what no tree has; *count 0: no more. */
static bool collect_part(struct registry *r, int64_t before, struct arena *arena,
                         const struct blob_hash **out, size_t *count,
                         struct registry_garbage *garbage, struct err *err)
{
    const struct db_rows rows = {sizeof **out, read_blob};
    struct sqlite3_stmt *statement = db_statement(r->write, LIST_UNUSED);
    const void *items;
    uint64_t size = 0;

    db_bind_int(statement, 1, before);
    bool ok = db_collect(r->write, statement, &rows, arena, &items, count, err);
    db_reset(statement);
    *out = items;
    for (size_t i = 0; ok && i < *count; i++) {
        int fd;
        uint64_t one = 0;
        if (blob_open(r->blobs, &(*out)[i], &fd, &one, err))
            os_closep(&fd);
        size += one;
        ok = drop_blob(r, &(*out)[i], err);
    }
    if (ok) {
        garbage->count += *count;
        garbage->size += size;
    }
    return ok;
}

/* Files of which the registry knows nothing: their process ended before it could say so. */
struct stray_walk {
    struct registry *registry;
    int64_t before;
    struct registry_garbage *garbage;
    struct err *err;
    bool failed;
};

static bool collect_stray(void *context, const struct blob_hash *hash, const char *name,
                          int64_t written, uint64_t size)
{
    struct stray_walk *walk = context;
    struct db *db = walk->registry->write;
    bool is_known = true;

    (void)name;
    if (hash == NULL || written >= walk->before)
        return true;
    db_lock(db); /* uploads are renamed and recorded in one transaction, under this lock */
    bool ok = db_execute(db, "BEGIN IMMEDIATE", walk->err);
    if (ok) {
        ok = has_row(db, HAS_BLOB, hash, &is_known, walk->err) &&
             (is_known || blob_take_away(walk->registry->blobs, hash, walk->err));
        ok = db_commit(db, ok, walk->err);
    }
    db_unlock(db);
    if (ok && !is_known) {
        blob_forget(walk->registry->blobs, hash);
        walk->garbage->count++;
        walk->garbage->size += size;
    }
    walk->failed = !ok;
    return ok;
}

bool registry_collect(struct registry *registry, int64_t before, struct registry_garbage *out,
                      struct err *err)
{
    struct registry_garbage garbage = {.count = 0};
    struct db *db = registry->write;
    const struct blob_hash *hashes;
    struct arena arena;
    size_t count;
    bool ok;

    do {
        arena_init(&arena, arena_heap, ARENA_MAX);
        count = 0;
        db_lock(db);
        ok = db_execute(db, "BEGIN IMMEDIATE", err);
        if (ok) {
            ok = collect_part(registry, before, &arena, &hashes, &count, &garbage, err);
            ok = db_commit(db, ok, err);
        }
        db_unlock(db);
        for (size_t i = 0; ok && i < count; i++)
            blob_forget(registry->blobs, &hashes[i]);
        arena_done(&arena);
    } while (ok && count != 0);
    struct stray_walk walk = {
        .registry = registry, .before = before, .garbage = &garbage, .err = err};
    const struct blob_walk each = {.each = collect_stray, .context = &walk};
    ok = ok && blobs_walk(registry->blobs, &each, err) && !walk.failed;
    *out = garbage;
    return ok;
}

/* ---- fsck ---- */

struct fsck {
    struct registry *registry;
    const struct registry_check *check;
    struct registry_summary *summary;
    struct err *err;
    uint8_t *block;
};

static void fault(struct fsck *f, const char *what, struct bytes where)
{
    f->summary->faults++;
    f->check->fault(f->check->context, what, where);
}

static void fault_of_blob(struct fsck *f, const char *what, const struct blob_hash *hash)
{
    char text[2 * BLOB_HASH_SIZE];

    hex_encode(bytes_from(hash->bytes, sizeof hash->bytes), text);
    fault(f, what, bytes_from(text, sizeof text));
}

static bool hash_file(struct fsck *f, int fd, struct digest_set *out, uint64_t *size)
{
    struct hasher hasher;
    size_t got = 1;

    *size = 0;
    bool ok = hasher_init(&hasher, (1u << DIGEST_ALGORITHMS) - 1, f->err);
    while (ok && got != 0) {
        ok = os_read_exactly(fd, f->block, BLOCK_SIZE, &got, f->err) &&
             hasher_add(&hasher, bytes_from(f->block, got), f->err);
        *size += got;
    }
    ok = ok && hasher_done(&hasher, out, f->err);
    hasher_free(&hasher);
    return ok;
}

/* Content that the registry knows of. */
static bool check_blob(struct fsck *f, const struct blob_hash *hash)
{
    struct digest_set digests;
    uint64_t size;
    bool is_used = false;
    int fd;

    db_lock(f->registry->read);
    bool ok = has_row(f->registry->read, GET_USE, hash, &is_used, f->err);
    db_unlock(f->registry->read);
    if (!ok)
        return false;
    f->summary->blobs++;
    f->summary->unreferenced += !is_used;
    if (!blob_open(f->registry->blobs, hash, &fd, &size, f->err)) {
        if (f->err->code != ERR_NOT_FOUND)
            return false;
        if (is_used)
            fault_of_blob(f, "content is lost", hash);
        return true;
    }
    ok = hash_file(f, fd, &digests, &size);
    os_closep(&fd);
    if (!ok)
        return false;
    f->summary->bytes += size;
    if (!bytes_equal(bytes_from(digests.of[DIGEST_SHA256].bytes, BLOB_HASH_SIZE),
                     bytes_from(hash->bytes, sizeof hash->bytes)))
        fault_of_blob(f, "content has another digest than its name", hash);
    if (f->check->progress != NULL)
        f->check->progress(f->check->context, f->summary->blobs, f->summary->bytes);
    return true;
}

static bool check_blobs(struct fsck *f)
{
    const struct db_rows rows = {sizeof(struct blob_hash), read_blob};
    struct blob_hash last = {.bytes = {0}};
    bool is_first = true, ok = true;
    size_t count = 1;

    while (ok && count != 0) {
        struct sqlite3_stmt *statement = db_begin(f->registry->read, LIST_BLOBS);
        const void *items;
        struct arena arena;
        arena_init(&arena, arena_heap, ARENA_MAX);
        db_bind_blob(statement, 1, bytes_from(last.bytes, is_first ? 0 : sizeof last.bytes));
        ok = db_collect(f->registry->read, statement, &rows, &arena, &items, &count, f->err);
        db_end(f->registry->read, statement);
        const struct blob_hash *hashes = items;
        for (size_t i = 0; ok && i < count; i++)
            ok = check_blob(f, &hashes[i]);
        if (ok && count != 0)
            last = hashes[count - 1];
        is_first = false;
        arena_done(&arena);
    }
    return ok;
}

/* Files of the store that should not be there. */
static bool check_file(void *context, const struct blob_hash *hash, const char *name,
                       int64_t written, uint64_t size)
{
    struct fsck *f = context;

    (void)written;
    (void)size;
    if (hash == NULL)
        fault(f, "a file is none of the store's", bytes_of(name));
    return true;
}

/* ---- trees ---- */

struct tag_row {
    int64_t id;
    struct bytes slug, content;
};

static bool read_tag_row(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct tag_row *t = out;

    t->id = db_column_int(statement, 0);
    return db_column(statement, 1, arena, &t->slug) && db_column(statement, 2, arena, &t->content);
}

struct node_row {
    struct registry_node node;
    struct bytes path;
    bool is_whole; /* the row could be read */
};

static bool read_node_row(struct sqlite3_stmt *statement, struct arena *arena, void *out)
{
    struct node_row *n = out;
    struct err err;

    n->is_whole = registry_read_entry(statement, 0, arena, &n->node, &err);
    return db_column(statement, 4, arena, &n->path) && (n->is_whole || err.code != ERR_MEMORY);
}

/* The content of a directory; *directory.count 0 when it cannot be read, which check_blob says. */
static bool read_directory(struct fsck *f, const struct registry_node *node, struct arena *arena,
                           struct directory *directory)
{
    struct bytes json;
    uint64_t size;
    int fd;

    *directory = (struct directory){.count = 0};
    if (!blob_open(f->registry->blobs, &node->hash, &fd, &size, f->err))
        return f->err->code == ERR_NOT_FOUND;
    bool ok = os_read_fd(fd, ENTRY_JSON_MAX, arena, &json, f->err);
    os_closep(&fd);
    return ok && (directory_parse(json, arena, directory, f->err) || f->err->code == ERR_FORMAT ||
                  f->err->code == ERR_LIMIT);
}

static int compare_paths(const void *key, const void *row)
{
    const struct bytes *path = key;
    struct bytes other = ((const struct node_row *)row)->path;
    size_t shared = path->size < other.size ? path->size : other.size;
    int order = shared != 0 ? memcmp(path->data, other.data, shared) : 0;

    return order != 0 ? order : (path->size > other.size) - (path->size < other.size);
}

struct tree {
    const struct tag_row *tag;
    int64_t missing; /* as the tag counts */
    const struct node_row *nodes;
    size_t count;
    uint64_t named; /* nodes that the tag or a directory names */
};

/* The node at a path must be as the entry above it says. */
static void check_named(struct fsck *f, struct tree *tree, struct bytes path,
                        const struct entry *entry)
{
    const struct node_row *row =
        tree->count != 0 ? bsearch(&path, tree->nodes, tree->count, sizeof *row, compare_paths)
                         : NULL;

    tree->named++;
    if (row == NULL || !row->is_whole || !entry_equal(&row->node.entry, entry))
        fault(f, "a tree's node is not as the entry above it says", tree->tag->slug);
}

static bool check_children(struct fsck *f, struct tree *tree, const struct node_row *row)
{
    uint8_t text[ENTRY_PATH_MAX + ENTRY_NAME_MAX + 1];
    struct directory directory;
    struct arena arena; /* of this directory alone: a tree may have thousands */

    arena_init(&arena, arena_heap, ARENA_MAX);
    bool ok = read_directory(f, &row->node, &arena, &directory);
    for (size_t i = 0; ok && i < directory.count; i++) {
        struct writer w = writer_fixed(text, sizeof text);
        struct bytes path;
        writer_bytes(&w, row->path);
        if (row->path.size != 0)
            writer_u8(&w, '/');
        writer_bytes(&w, directory.items[i].name);
        ok = writer_done(&w, &path, f->err);
        if (ok)
            check_named(f, tree, path, &directory.items[i].entry);
    }
    arena_done(&arena);
    return ok;
}

/* What a tag counts as missing, and its nodes; in a transaction. */
static bool read_nodes(struct fsck *f, struct tree *tree, struct arena *arena, bool *is_there)
{
    const struct db_rows rows = {sizeof(struct node_row), read_node_row};
    struct db *db = f->registry->read;
    struct sqlite3_stmt *get = db_statement(db, GET_MISSING);
    struct sqlite3_stmt *all = db_statement(db, ALL_NODES);
    const void *items = NULL;

    db_bind_int(get, 1, tree->tag->id);
    bool ok = db_row(db, get, is_there, f->err);
    tree->missing = ok && *is_there ? db_column_int(get, 0) : 0;
    db_reset(get);
    db_bind_int(all, 1, tree->tag->id);
    ok = ok && db_collect(db, all, &rows, arena, &items, &tree->count, f->err);
    db_reset(all);
    tree->nodes = items;
    return ok;
}

/* Both at one time: a publisher may be at work. */
static bool take_nodes(struct fsck *f, struct tree *tree, struct arena *arena, bool *is_there)
{
    struct db *db = f->registry->read;

    db_lock(db);
    bool ok = db_execute(db, "BEGIN", f->err);
    if (ok) {
        ok = read_nodes(f, tree, arena, is_there);
        ok = db_commit(db, ok, f->err);
    }
    db_unlock(db);
    return ok;
}

static bool check_tree(struct fsck *f, const struct tag_row *tag, struct arena *arena)
{
    struct tree tree = {.tag = tag};
    struct tag parsed;
    int64_t missing = 0;
    bool is_there = false;

    if (!take_nodes(f, &tree, arena, &is_there))
        return false;
    if (!is_there)
        return true; /* its owner took it back meanwhile */
    f->summary->tags++;
    if (tag_parse(tag->content, arena, &parsed, f->err))
        check_named(f, &tree, (struct bytes){.size = 0}, &parsed.root);
    else if (f->err->code == ERR_MEMORY)
        return false;
    else
        fault(f, "a tag cannot be read", tag->slug);
    for (size_t i = 0; i < tree.count; i++) {
        const struct node_row *row = &tree.nodes[i];
        f->summary->nodes++;
        missing += !row->node.is_there;
        if (row->is_whole && row->node.is_there && entry_is_directory(&row->node.entry) &&
            !check_children(f, &tree, row))
            return false;
    }
    if (tree.named != tree.count)
        fault(f, "a tree has nodes that nothing names, or lacks some", tag->slug);
    if (missing != tree.missing)
        fault(f, "a tag counts what its tree lacks wrongly", tag->slug);
    return true;
}

static bool check_trees(struct fsck *f)
{
    const struct db_rows rows = {sizeof(struct tag_row), read_tag_row};
    int64_t last = 0;
    size_t count = 1;
    bool ok = true;

    while (ok && count != 0) {
        struct sqlite3_stmt *statement = db_begin(f->registry->read, ALL_TAGS);
        const void *items;
        struct arena arena;
        arena_init(&arena, arena_heap, ARENA_MAX);
        db_bind_int(statement, 1, last);
        ok = db_collect(f->registry->read, statement, &rows, &arena, &items, &count, f->err);
        db_end(f->registry->read, statement);
        const struct tag_row *tags = items;
        for (size_t i = 0; ok && i < count; i++) {
            struct arena own;
            arena_init(&own, arena_heap, ARENA_MAX);
            ok = check_tree(f, &tags[i], &own);
            last = tags[i].id;
            arena_done(&own);
        }
        arena_done(&arena);
    }
    return ok;
}

bool registry_fsck(struct registry *registry, const struct registry_check *check,
                   struct registry_summary *out, struct err *err)
{
    struct registry_summary summary = {.tags = 0};
    struct fsck f = {.registry = registry, .check = check, .summary = &summary, .err = err};
    const struct blob_walk files = {.each = check_file, .context = &f};

    f.block = malloc(BLOCK_SIZE);
    if (f.block == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a file", ERR_NO_AT);
    bool ok = check_trees(&f) && check_blobs(&f) && blobs_walk(registry->blobs, &files, err);
    free(f.block);
    *out = summary;
    return ok;
}
