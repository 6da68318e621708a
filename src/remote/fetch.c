#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jose/jose.h"
#include "os/os.h"
#include "remote/transfer.h"
#include "base/banned.h"

/* ---- tags ---- */

bool remote_check_tag(struct remote *r, const struct slug *slug, const struct remote_tag *tag,
                      const struct trust *trust)
{
    const struct digest *root = &tag->tag.root.digests.of[trust->pin.algorithm % DIGEST_ALGORITHMS];
    char what[300];
    struct err err;

    (void)snprintf(what, sizeof what, "%.*s:%.*s", (int)slug->repo.size,
                   (const char *)slug->repo.data, (int)slug->tag.size,
                   (const char *)slug->tag.data);
    if (trust->pin.size != 0 && root->size == 0)
        return remote_fail(r->fault, what, "the tag has no digest of the pin's algorithm");
    if (trust->pin.size != 0 && !digest_equal(root, &trust->pin))
        return remote_fail(r->fault, what, "the registry's tag names another digest than the pin");
    if (trust->publisher.size != 0 && !tag->tag.is_signed)
        return remote_fail(r->fault, what, "the tag is not signed");
    if (trust->publisher.size != 0 && !jose_verify(tag->bytes, trust->publisher, &err))
        return remote_fail_err(r->fault, what, &err);
    if (tag->is_yanked && trust->pin.size == 0 && !trust->takes_yanked)
        return remote_fail(r->fault, what,
                           "the tag was yanked: its owner advises against it; with its digest "
                           "(@sha-256:…) it is still fetched");
    return true;
}

/* ---- directories ---- */

static const char *node_url(struct remote *r, const struct slug *slug, const char *path)
{
    const char *tag = remote_path(r, slug);

    return tag != NULL ? remote_url(r, "%s/tree%s%s", tag, path[0] != '\0' ? "/" : "", path) : NULL;
}

static bool read_directory(struct remote *r, const struct slug *slug, struct tree_node *node)
{
    struct http_transfer t = {.method = "GET",
                              .url = node_url(r, slug, node->path),
                              .body_max = ENTRY_JSON_MAX,
                              .arena = r->arena};
    const char *name = node->path[0] != '\0' ? node->path : "the tree's root";
    struct digest_set digests;
    struct err err;

    if (t.url == NULL)
        return false;
    if (!http_pool_do(r->pool, &t) || t.reply.status != 200)
        return remote_refused(r, &t);
    node->json = t.reply.body;
    return (digest_compute(node->json, digest_set_algorithms(&node->entry.digests), &digests,
                           &err) &&
            entry_check(&node->entry, node->json.size, &digests, &err)) ||
           remote_fail_err(r->fault, name, &err);
}

static const char *join(struct arena *arena, const char *path, struct bytes name)
{
    size_t size = strlen(path) + 1 + name.size + 1;
    char *out = size <= ENTRY_PATH_MAX ? arena_alloc(arena, size, 1) : NULL;

    if (out != NULL)
        (void)snprintf(out, size, "%s%s%.*s", path, path[0] != '\0' ? "/" : "", (int)name.size,
                       (const char *)name.data);
    return out;
}

static size_t depth_of(const char *path)
{
    size_t depth = path[0] != '\0';

    for (; *path != '\0'; path++)
        depth += *path == '/';
    return depth;
}

/* Adds what a directory names behind what is there. */
static bool add_items(struct remote *r, struct tree *tree, size_t *capacity, const char *path,
                      const struct directory *directory)
{
    if (directory->count > TREE_NODES_MAX - tree->count ||
        (directory->count != 0 && depth_of(path) >= ENTRY_DEPTH_MAX))
        return remote_fail(r->fault, path, "the tree is larger or deeper than can be taken");
    if (tree->count + directory->count > *capacity) {
        *capacity = 2 * (tree->count + directory->count);
        struct tree_node *nodes = ARENA_ARRAY(r->arena, struct tree_node, *capacity);
        if (nodes == NULL)
            return remote_fail(r->fault, path, "no memory");
        memcpy(nodes, tree->nodes, tree->count * sizeof *nodes);
        tree->nodes = nodes;
    }
    for (size_t i = 0; i < directory->count; i++) {
        struct tree_node *node = &tree->nodes[tree->count++];
        *node = (struct tree_node){.path = join(r->arena, path, directory->items[i].name),
                                   .entry = directory->items[i].entry};
        if (node->path == NULL)
            return remote_fail(r->fault, path, "a path in it is longer than 4096 bytes");
        tree->bytes += node->entry.length;
    }
    return true;
}

bool remote_read_tree(struct remote *r, const struct slug *slug, const struct entry *root,
                      struct tree *out)
{
    struct tree_node *first = ARENA_NEW(r->arena, struct tree_node);
    size_t capacity = 1;

    if (first == NULL)
        return remote_fail(r->fault, "tree", "no memory");
    *first = (struct tree_node){.path = "", .entry = *root};
    *out = (struct tree){.nodes = first, .count = 1, .bytes = root->length, .folder = -1};
    for (size_t i = 0; i < out->count; i++) {
        struct directory directory;
        struct tree_node *node = &out->nodes[i];
        const char *path = node->path;
        struct err err;
        if (!entry_is_directory(&node->entry))
            continue;
        if (!read_directory(r, slug, node))
            return false;
        if (!directory_parse(node->json, r->arena, &directory, &err))
            return remote_fail_err(r->fault, path[0] != '\0' ? path : "the tree's root", &err);
        if (!add_items(r, out, &capacity, path, &directory))
            return false;
    }
    return true;
}

/* ---- files ---- */

struct download {
    struct http_transfer transfer;
    struct http_sink sink;
    const struct tree_node *node;
    struct hasher hasher;
    uint64_t size;    /* hashed, and in the file */
    uint64_t resumed; /* bytes that an earlier fetch left */
    int fd;           /* -1: nowhere */
    bool has_begun;
};

static bool begin_hash(struct download *d, struct err *err)
{
    hasher_free(&d->hasher);
    d->hasher = (struct hasher){.size = 0};
    d->size = 0;
    return hasher_init(&d->hasher, digest_set_algorithms(&d->node->entry.digests), err);
}

static bool begin_anew(struct download *d, struct err *err)
{
    d->resumed = 0;
    return begin_hash(d, err) && (d->fd < 0 || ftruncate(d->fd, 0) == 0 ||
                                  err_set(err, ERR_IO, "cannot write", (uint64_t)errno));
}

static bool write_part(void *context, unsigned status, struct bytes part, struct err *err)
{
    struct download *d = context;

    if (status == 200 && d->resumed != 0 && !d->has_begun && !begin_anew(d, err))
        return false; /* the range was not understood */
    d->has_begun = true;
    if (part.size > d->node->entry.length - d->size)
        return err_set(err, ERR_LIMIT, "the registry sends more than its entry says, in bytes",
                       d->node->entry.length);
    for (size_t at = 0; d->fd >= 0 && at < part.size;) {
        ssize_t done = pwrite(d->fd, part.data + at, part.size - at, (off_t)(d->size + at));
        if (done <= 0)
            return err_set(err, ERR_IO, "cannot write", (uint64_t)errno);
        at += (size_t)done;
    }
    d->size += part.size;
    return hasher_add(&d->hasher, part, err);
}

static bool is_whole(struct download *d, struct err *err)
{
    struct digest_set digests;

    return hasher_done(&d->hasher, &digests, err) &&
           entry_check(&d->node->entry, d->size, &digests, err);
}

/* ---- many files ---- */

struct fetch {
    struct remote *remote;
    const struct slug *slug;
    const struct tree *tree;
    const struct transfer_progress *progress;
    int folder; /* -1: nothing is written */
    size_t next;
    bool has_failed;
};

static void moved(void *context, uint64_t bytes)
{
    const struct fetch *f = context;

    if (f->progress != NULL)
        f->progress->moved(f->progress->context, bytes);
}

/* Hashes what an earlier fetch left of a file. */
static bool take_prefix(struct fetch *f, struct download *d, struct err *err)
{
    uint8_t buffer[65536];

    for (;;) {
        ssize_t got = pread(d->fd, buffer, sizeof buffer, (off_t)d->size);
        if (got <= 0)
            return got == 0 || err_set(err, ERR_IO, "cannot read", (uint64_t)errno);
        if (d->size + (uint64_t)got > d->node->entry.length)
            return begin_anew(d, err); /* it is not that file's */
        if (!hasher_add(&d->hasher, bytes_from(buffer, (size_t)got), err))
            return false;
        d->size += (uint64_t)got;
        moved(f, (uint64_t)got);
    }
}

/* By no link: somebody may have put one where an earlier fetch was interrupted. */
static int open_beneath(int folder, const char *path)
{
    const struct open_how how = {.flags = O_RDWR | O_CREAT | O_CLOEXEC,
                                 .mode = 0644,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

static bool open_file(struct fetch *f, struct download *d, struct err *err)
{
    d->fd = open_beneath(f->folder, d->node->path);
    return (d->fd >= 0 || err_set(err, ERR_IO, "cannot open", (uint64_t)errno)) &&
           take_prefix(f, d, err);
}

static bool ask(struct fetch *f, struct download *d)
{
    struct remote *r = f->remote;

    d->sink = (struct http_sink){.write = write_part, .context = d};
    d->transfer = (struct http_transfer){.method = "GET",
                                         .url = node_url(r, f->slug, d->node->path),
                                         .sink = &d->sink,
                                         .arena = r->arena,
                                         .context = d};
    d->resumed = d->size;
    if (d->size != 0) {
        char *range = arena_alloc(r->arena, 48, 1);
        if (range == NULL)
            return remote_fail(r->fault, d->node->path, "no memory");
        (void)snprintf(range, 48, "Range: bytes=%llu-", (unsigned long long)d->size);
        d->transfer.headers[0] = range;
    }
    return d->transfer.url != NULL;
}

static void close_download(struct download *d)
{
    hasher_free(&d->hasher);
    d->hasher = (struct hasher){.size = 0};
    os_closep(&d->fd);
    d->fd = -1;
}

/* Prepares the next file; *is_there: nothing is left to fetch of it. */
static bool begin_file(struct fetch *f, struct download *d, bool *is_there)
{
    struct err err;

    *is_there = false;
    if (!begin_hash(d, &err) || (f->folder >= 0 && !open_file(f, d, &err)))
        return remote_fail_err(f->remote->fault, d->node->path, &err);
    if (d->fd >= 0 && d->size == d->node->entry.length) {
        *is_there = is_whole(d, &err);
        if (!*is_there && !begin_anew(d, &err))
            return remote_fail_err(f->remote->fault, d->node->path, &err);
        if (*is_there)
            return true;
    }
    return ask(f, d);
}

static bool next_file(void *context, struct http_transfer **out)
{
    struct fetch *f = context;

    *out = NULL;
    for (; f->next < f->tree->count; f->next++) {
        const struct tree_node *node = &f->tree->nodes[f->next];
        bool is_there;
        if (entry_is_directory(&node->entry))
            continue;
        struct download *d = ARENA_NEW(f->remote->arena, struct download);
        if (d == NULL)
            return remote_fail(f->remote->fault, node->path, "no memory");
        *d = (struct download){.node = node, .fd = -1};
        if (!begin_file(f, d, &is_there)) {
            close_download(d);
            return false;
        }
        if (is_there) {
            close_download(d);
            continue;
        }
        f->next++;
        *out = &d->transfer;
        return true;
    }
    return true;
}

/* What came is compared with the entry. What is wrong does not stay. */
static bool check(struct fetch *f, struct download *d)
{
    const struct http_transfer *t = &d->transfer;
    bool is_answer = t->ok && (t->reply.status == 200 || t->reply.status == 206);
    struct err err;

    if (t->ok && !is_answer)
        return remote_refused(f->remote, t);
    if (is_answer && is_whole(d, &err))
        return true;
    if (is_answer && d->fd >= 0)
        (void)!ftruncate(d->fd, 0);
    if (is_answer && d->resumed != 0)
        return remote_fail(f->remote->fault, d->node->path,
                           "what an earlier fetch left of it was wrong, and is gone; run it again");
    return remote_fail_err(f->remote->fault, d->node->path, is_answer ? &err : &t->err);
}

static bool file_done(void *context, struct http_transfer *transfer)
{
    struct fetch *f = context;
    struct download *d = transfer->context;

    f->has_failed = f->has_failed || !check(f, d); /* the first fault is the one to tell */
    close_download(d);
    return !f->has_failed;
}

static bool run(struct fetch *f)
{
    const struct http_work work = {
        .next = next_file, .done = file_done, .moved = moved, .context = f};

    return http_pool_run(f->remote->pool, &work);
}

bool remote_fetch_node(struct remote *r, const struct slug *slug, const struct tree_node *node,
                       int fd, const struct transfer_progress *progress)
{
    struct download d = {.node = node, .fd = fd};
    struct fetch f = {.remote = r, .slug = slug, .progress = progress, .folder = -1};
    struct err err;

    if (!begin_hash(&d, &err))
        return remote_fail_err(r->fault, node->path, &err);
    bool ok = ask(&f, &d);
    if (ok) {
        (void)!http_pool_do(r->pool, &d.transfer);
        ok = check(&f, &d);
    }
    hasher_free(&d.hasher);
    return ok;
}

/* ---- folders ---- */

static int by_path(const void *a, const void *b)
{
    const struct tree_node *const *one = a, *const *other = b;

    return strcmp((*one)->path, (*other)->path);
}

/* The nodes sorted by path, on the heap. */
static const struct tree_node **sort(const struct tree *tree)
{
    const struct tree_node **out = calloc(tree->count, sizeof(struct tree_node *));

    for (size_t i = 0; out != NULL && i < tree->count; i++)
        out[i] = &tree->nodes[i];
    if (out != NULL)
        qsort(out, tree->count, sizeof(struct tree_node *), by_path);
    return out;
}

/* Refuses what the folder of a fetch has and the tree has not. */
static bool check_surplus(struct fetch *f)
{
    const struct tree_node **nodes = sort(f->tree);
    struct remote_fault *fault = f->remote->fault;
    struct tree_listing listing = {.count = 0};
    bool ok = nodes != NULL || remote_fail(fault, "tree", "no memory");

    ok = ok && tree_list(f->folder, f->remote->arena, &listing, fault);
    for (size_t i = 0; ok && i < listing.count; i++) {
        const struct tree_node wanted = {.path = listing.paths[i]}, *key = &wanted;
        if (bsearch(&key, nodes, f->tree->count, sizeof(struct tree_node *), by_path) == NULL)
            ok = remote_fail(fault, listing.paths[i],
                             "is no part of the package, and lies among what was fetched of it; "
                             "remove it");
    }
    free((void *)nodes);
    return ok;
}

static bool make_folders(struct fetch *f)
{
    for (size_t i = 1; i < f->tree->count; i++) {
        const struct tree_node *node = &f->tree->nodes[i];
        if (entry_is_directory(&node->entry) && mkdirat(f->folder, node->path, 0755) != 0 &&
            errno != EEXIST)
            return remote_fail(f->remote->fault, node->path, os_strerror(errno));
    }
    return true;
}

/* The folder of an unfinished fetch, named after its content, beside where it will be. */
static const char *part_path(struct remote *r, const struct tree *tree, const char *folder)
{
    const struct digest *digest = entry_digest(&tree->nodes[0].entry);
    struct writer w = writer_growable(r->arena, ENTRY_PATH_MAX);
    char hex[16];
    struct bytes path;
    struct err err;
    size_t size = strlen(folder);

    hex_encode(bytes_from(digest->bytes, sizeof hex / 2), hex);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    writer_bytes(&w, bytes_from(folder, size));
    writer_format(&w, ".%.*s.part", (int)sizeof hex, hex);
    writer_u8(&w, '\0');
    if (writer_done(&w, &path, &err))
        return (const char *)path.data;
    (void)remote_fail_err(r->fault, folder, &err);
    return NULL;
}

static bool open_part(struct fetch *f, const char *part)
{
    struct remote_fault *fault = f->remote->fault;
    struct stat status;

    if (mkdir(part, 0755) != 0 && errno != EEXIST)
        return remote_fail(fault, part, os_strerror(errno));
    f->folder = open(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (f->folder < 0 || fstat(f->folder, &status) != 0)
        return remote_fail(fault, part, os_strerror(errno));
    if (status.st_uid != geteuid()) /* who could change what was checked */
        return remote_fail(fault, part, "is somebody else's; remove it, or fetch elsewhere");
    return flock(f->folder, LOCK_EX | LOCK_NB) == 0 ||
           remote_fail(fault, part,
                       errno == EWOULDBLOCK ? "another fetch is at work there"
                                            : os_strerror(errno));
}

/* Nothing, or an empty folder, may be where the package will be. */
static bool is_free(struct remote *r, const char *folder)
{
    CLEANUP(os_closep) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct tree_listing listing;

    if (fd < 0)
        return errno == ENOENT || remote_fail(r->fault, folder, os_strerror(errno));
    return tree_list(fd, r->arena, &listing, r->fault) &&
           (listing.count == 0 || remote_fail(r->fault, folder, "it is there, and not empty"));
}

static bool fetch_into(struct fetch *f, const char *folder)
{
    struct remote_fault *fault = f->remote->fault;
    const char *part = part_path(f->remote, f->tree, folder);

    if (part == NULL)
        return false;
    if (!is_free(f->remote, folder))
        return false;
    return open_part(f, part) && make_folders(f) && run(f) && check_surplus(f) &&
           (rename(part, folder) == 0 || remote_fail(fault, folder, os_strerror(errno)));
}

bool remote_fetch(struct remote *remote, const struct slug *slug, const struct tree *tree,
                  const char *folder, const struct transfer_progress *progress)
{
    struct fetch f = {
        .remote = remote, .slug = slug, .tree = tree, .progress = progress, .folder = -1};

    if (folder == NULL)
        return run(&f);
    bool ok = entry_is_directory(&tree->nodes[0].entry)
                  ? fetch_into(&f, folder)
                  : remote_fail(remote->fault, "the tree's root",
                                "is one file, not a folder; 'broch tree fetch' gives it");
    os_closep(&f.folder);
    return ok;
}

bool remote_compare(const struct tree *ours, const struct tree *theirs, struct remote_fault *fault)
{
    const struct tree_node **a = sort(ours), **b = sort(theirs);
    bool ok = (a != NULL && b != NULL) || remote_fail(fault, "tree", "no memory");

    for (size_t i = 0, k = 0; ok && (i < ours->count || k < theirs->count); i++, k++) {
        int order = i == ours->count ? 1 : k == theirs->count ? -1 : strcmp(a[i]->path, b[k]->path);
        if (order < 0) {
            ok = remote_fail(fault, a[i]->path, "is here, and not in the registry's tree");
        } else if (order > 0) {
            ok = remote_fail(fault, b[k]->path, "is in the registry's tree, and not here");
        } else if (entry_is_directory(&a[i]->entry) != entry_is_directory(&b[k]->entry)) {
            ok = remote_fail(fault, a[i]->path, "is a folder on one side and a file on the other");
        } else if (!entry_is_directory(&a[i]->entry) &&
                   (a[i]->entry.length != b[k]->entry.length ||
                    !digest_set_agrees(&a[i]->entry.digests, &b[k]->entry.digests))) {
            ok = remote_fail(fault, a[i]->path, "differs from the registry's");
        }
    }
    free((void *)a);
    free((void *)b);
    return ok;
}
