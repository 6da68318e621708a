#include "drawbridge/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "base/banned.h"

#define NAME_SIZE (2 * BLOB_HASH_SIZE + 1)

struct blobs {
    int fresh, kept, old; /* the folders new, blobs and old */
    atomic_uint_fast64_t next_id;
};

static bool fail_io(struct err *err, const char *msg)
{
    return err_set(err, ERR_IO, msg, (uint64_t)errno);
}

static void name_of(const struct blob_hash *hash, char out[NAME_SIZE])
{
    hex_encode(bytes_from(hash->bytes, sizeof hash->bytes), out);
    out[NAME_SIZE - 1] = '\0';
}

/* "ab/abcd…" */
static void path_of(const struct blob_hash *hash, char out[NAME_SIZE + 3])
{
    char name[NAME_SIZE];

    name_of(hash, name);
    (void)snprintf(out, NAME_SIZE + 3, "%.2s/%s", name, name);
}

/* ---- the folders ---- */

static int open_folder(int parent, const char *name)
{
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool blobs_open(const char *folder, struct blobs **out, struct err *err)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fail_io(err, "cannot make the store's folder");
    CLEANUP(os_closep) int parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return fail_io(err, "cannot open the store's folder");
    struct blobs *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the store", ERR_NO_AT);
    b->fresh = open_folder(parent, "new");
    b->kept = open_folder(parent, "blobs");
    b->old = open_folder(parent, "old");
    bool ok = b->fresh >= 0 && b->kept >= 0 && b->old >= 0;
    for (unsigned i = 0; ok && i < 256; i++) {
        char name[3];
        (void)snprintf(name, sizeof name, "%02x", i);
        ok = mkdirat(b->kept, name, 0700) == 0 || errno == EEXIST;
    }
    if (!ok) {
        (void)fail_io(err, "cannot make the store's folders");
        blobs_close(b);
        return false;
    }
    atomic_store(&b->next_id, (uint64_t)os_unix_ms() << 16);
    *out = b;
    return true;
}

void blobs_close(struct blobs *blobs)
{
    if (blobs == NULL)
        return;
    os_closep(&blobs->fresh);
    os_closep(&blobs->kept);
    os_closep(&blobs->old);
    free(blobs);
}

/* Calls each for every file of a folder. */
static bool walk_folder(int folder, bool (*each)(void *context, int folder, const char *name),
                        void *context, struct err *err)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool go_on = true;

    if (entries == NULL) {
        os_closep(&fd);
        return fail_io(err, "cannot read a folder of the store");
    }
    errno = 0;
    while (go_on && (entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            go_on = each(context, folder, entry->d_name);
        errno = 0;
    }
    bool ok = errno == 0 || fail_io(err, "cannot read a folder of the store");
    (void)closedir(entries);
    return ok;
}

static bool remove_one(void *context, int folder, const char *name)
{
    (void)context;
    (void)unlinkat(folder, name, 0);
    return true;
}

bool blobs_clear(struct blobs *blobs, struct err *err)
{
    return walk_folder(blobs->fresh, remove_one, NULL, err) &&
           walk_folder(blobs->old, remove_one, NULL, err);
}

/* ---- uploads ---- */

static void upload_name(const struct blob_upload *upload, char out[32])
{
    (void)snprintf(out, 32, "%016llx", (unsigned long long)upload->id);
}

bool blob_upload_begin(struct blobs *blobs, unsigned algorithms, struct blob_upload *out,
                       struct err *err)
{
    struct blob_upload u = {.blobs = blobs, .id = atomic_fetch_add(&blobs->next_id, 1)};
    char name[32];

    upload_name(&u, name);
    u.fd = openat(blobs->fresh, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (u.fd < 0)
        return fail_io(err, "cannot make a file in the store");
    if (!hasher_init(&u.hasher, algorithms | 1u << DIGEST_SHA256, err)) {
        blob_upload_done(&u);
        return false;
    }
    *out = u;
    return true;
}

bool blob_upload_add(struct blob_upload *upload, struct bytes part, struct err *err)
{
    return hasher_add(&upload->hasher, part, err) && os_write_fd(upload->fd, part, err);
}

bool blob_upload_finish(struct blob_upload *upload, struct digest_set *digests, struct err *err)
{
    return hasher_done(&upload->hasher, digests, err) &&
           (fdatasync(upload->fd) == 0 || fail_io(err, "cannot write a file of the store"));
}

bool blob_upload_keep(struct blob_upload *upload, const struct blob_hash *hash, struct err *err)
{
    struct blobs *b = upload->blobs;
    char name[32], path[NAME_SIZE + 3], folder[3];
    struct stat status;

    upload_name(upload, name);
    path_of(hash, path);
    /* one that lost bytes is replaced; the folder is synced in any case, as whoever renamed a file
     * there may have been killed before that */
    bool is_there = fstatat(b->kept, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                    (uint64_t)status.st_size == upload->hasher.size;
    if (!is_there && renameat(b->fresh, name, b->kept, path) != 0)
        return fail_io(err, "cannot rename a file of the store");
    (void)snprintf(folder, sizeof folder, "%.2s", path);
    CLEANUP(os_closep)
    int fd = openat(b->kept, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return (fd >= 0 && fsync(fd) == 0) || fail_io(err, "cannot write a folder of the store");
}

void blob_upload_done(struct blob_upload *upload)
{
    char name[32];

    if (upload->blobs == NULL)
        return;
    hasher_free(&upload->hasher);
    os_closep(&upload->fd);
    upload_name(upload, name);
    (void)unlinkat(upload->blobs->fresh, name, 0); /* not there when it was kept */
    upload->blobs = NULL;
}

bool blob_upload_read(const struct blob_upload *upload, struct arena *arena, struct bytes *out,
                      struct err *err)
{
    if (lseek(upload->fd, 0, SEEK_SET) != 0)
        return fail_io(err, "cannot read a file of the store");
    return os_read_fd(upload->fd, ENTRY_JSON_MAX, arena, out, err);
}

/* ---- what is kept ---- */

bool blob_open(struct blobs *blobs, const struct blob_hash *hash, int *fd, uint64_t *size,
               struct err *err)
{
    char path[NAME_SIZE + 3];
    struct stat status;

    path_of(hash, path);
    *fd = openat(blobs->kept, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "the store has lost a file", ERR_NO_AT);
    if (*fd < 0 || fstat(*fd, &status) != 0) {
        (void)fail_io(err, "cannot read a file of the store");
        os_closep(fd);
        return false;
    }
    *size = (uint64_t)status.st_size;
    return true;
}

bool blob_take_away(struct blobs *blobs, const struct blob_hash *hash, struct err *err)
{
    char name[NAME_SIZE], path[NAME_SIZE + 3];

    name_of(hash, name);
    path_of(hash, path);
    return renameat(blobs->kept, path, blobs->old, name) == 0 || errno == ENOENT ||
           fail_io(err, "cannot rename a file of the store");
}

void blob_forget(struct blobs *blobs, const struct blob_hash *hash)
{
    char name[NAME_SIZE];

    name_of(hash, name);
    (void)unlinkat(blobs->old, name, 0);
}

struct walk_state {
    const struct blob_walk *walk;
    char folder[3];
    bool go_on;
    struct err *err;
    bool failed;
};

static bool walk_file(void *context, int folder, const char *name)
{
    struct walk_state *state = context;
    struct blob_hash hash;
    struct stat status;
    struct err ignored;
    size_t size = 0;

    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return true; /* gone meanwhile */
    bool is_one = S_ISREG(status.st_mode) && strncmp(name, state->folder, 2) == 0 &&
                  hex_decode(bytes_of(name), hash.bytes, sizeof hash.bytes, &size, &ignored) &&
                  size == sizeof hash.bytes;
    state->go_on = state->walk->each(state->walk->context, is_one ? &hash : NULL, name,
                                     status.st_mtime, (uint64_t)status.st_size);
    return state->go_on;
}

static bool walk_kept(void *context, int folder, const char *name)
{
    struct walk_state *state = context;

    (void)snprintf(state->folder, sizeof state->folder, "%.2s", name);
    CLEANUP(os_closep)
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return state->walk->each(state->walk->context, NULL, name, 0, 0);
    if (!walk_folder(fd, walk_file, state, state->err)) {
        state->failed = true;
        return false;
    }
    return state->go_on;
}

bool blobs_walk(struct blobs *blobs, const struct blob_walk *walk, struct err *err)
{
    struct walk_state state = {.walk = walk, .go_on = true, .err = err};

    return walk_folder(blobs->kept, walk_kept, &state, err) && !state.failed;
}
