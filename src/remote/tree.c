#include "remote/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"
#include "package/config.h"
#include "package/ignore.h"
#include "base/banned.h"

#define BUFFER_SIZE ((size_t)1 << 20)
#define NAMES_SIZE_MAX ((size_t)256 << 20) /* of one folder */

struct walk {
    struct arena *arena;
    struct tree *tree;
    struct ignore ignore;
    tree_progress *progress;
    void *context;
    struct remote_fault *fault;
    size_t capacity;
    unsigned depth;
};

/* ---- files ---- */

static int open_beneath(int folder, const char *path)
{
    const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

bool file_digest(int fd, unsigned algorithms, tree_progress *progress, void *context,
                 uint64_t *size, struct digest_set *out, struct err *err)
{
    struct hasher hasher = {.size = 0};
    uint8_t *buffer = malloc(BUFFER_SIZE);
    bool ok = buffer != NULL ? hasher_init(&hasher, algorithms, err)
                             : err_set(err, ERR_MEMORY, "no memory for a file", ERR_NO_AT);
    uint64_t at = 0;

    while (ok) {
        ssize_t got = pread(fd, buffer, BUFFER_SIZE, (off_t)at);
        if (got == 0)
            break;
        ok = got > 0 ? hasher_add(&hasher, bytes_from(buffer, (size_t)got), err)
                     : err_set(err, ERR_IO, "cannot read", (uint64_t)errno);
        at += got > 0 ? (uint64_t)got : 0;
        if (ok && progress != NULL)
            progress(context, (uint64_t)got);
    }
    *size = at;
    ok = ok && hasher_done(&hasher, out, err);
    hasher_free(&hasher);
    free(buffer);
    return ok;
}

int tree_open(const struct tree *tree, const struct tree_node *node, struct err *err)
{
    int fd = open_beneath(tree->folder, tree->file != NULL ? tree->file : node->path);

    if (fd < 0)
        (void)err_set(err, ERR_IO, "cannot open a file", (uint64_t)errno);
    return fd;
}

/* ---- nodes ---- */

static bool fail(struct walk *w, const char *path, const char *why)
{
    return remote_fail(w->fault, path[0] != '\0' ? path : ".", why);
}

static bool fail_err(struct walk *w, const char *path, const struct err *err)
{
    return remote_fail_err(w->fault, path[0] != '\0' ? path : ".", err);
}

static bool add(struct walk *w, const struct tree_node *node)
{
    struct tree *tree = w->tree;

    if (tree->count == w->capacity) {
        size_t more = w->capacity != 0 ? 2 * w->capacity : 64;
        struct tree_node *nodes =
            more / 2 <= TREE_NODES_MAX ? ARENA_ARRAY(w->arena, struct tree_node, more) : NULL;
        if (nodes == NULL)
            return fail(w, node->path, "there are more files than can be taken");
        if (tree->count != 0)
            memcpy(nodes, tree->nodes, tree->count * sizeof *nodes);
        tree->nodes = nodes;
        w->capacity = more;
    }
    tree->nodes[tree->count++] = *node;
    tree->bytes += node->entry.length;
    return true;
}

static bool add_file(struct walk *w, const char *path, int fd, struct entry *out)
{
    struct tree_node node = {.path = path};
    struct err err;

    node.entry.type = bytes_of(entry_type_of_name(bytes_of(path)));
    if (!file_digest(fd, ENTRY_ALGORITHMS, w->progress, w->context, &node.entry.length,
                     &node.entry.digests, &err))
        return fail_err(w, path, &err);
    *out = node.entry;
    return add(w, &node);
}

static bool add_directory(struct walk *w, const char *path, struct directory *directory,
                          struct entry *out)
{
    struct writer writer = writer_growable(w->arena, ENTRY_JSON_MAX);
    struct tree_node node = {.path = path};
    struct err err;

    directory_write(&writer, directory);
    if (!writer_done(&writer, &node.json, &err) ||
        !entry_of(node.json, MEDIA_DIRECTORY, &node.entry, &err))
        return fail_err(w, path, &err);
    *out = node.entry;
    return add(w, &node);
}

/* ---- folders ---- */

static const char *join(struct walk *w, const char *path, const char *name)
{
    size_t size = strlen(path) + strlen(name) + 2;
    char *out = size <= ENTRY_PATH_MAX ? arena_alloc(w->arena, size, 1) : NULL;

    if (out != NULL)
        (void)snprintf(out, size, "%s%s%s", path, path[0] != '\0' ? "/" : "", name);
    return out;
}

static bool is_link(const struct walk *w, const char *path)
{
    struct stat status;

    return fstatat(w->tree->folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISLNK(status.st_mode);
}

static bool read_folder(struct walk *w, const char *path, int fd, struct entry *out);

/* One name of a folder; *is_in: it belongs to the package. */
static bool read_name(struct walk *w, const char *path, struct entry *out, bool *is_in)
{
    struct stat status;
    bool ok;

    CLEANUP(os_closep) int fd = open_beneath(w->tree->folder, path);
    if (fd < 0 || fstat(fd, &status) != 0) {
        *is_in = !ignore_has(&w->ignore, path, false);
        return !*is_in ||
               fail(w, path,
                    errno == EXDEV ? "a link that leads out of the folder" : os_strerror(errno));
    }
    bool is_folder = S_ISDIR(status.st_mode);
    *is_in = !ignore_has(&w->ignore, path, is_folder);
    if (!*is_in)
        return true;
    if (!is_folder && !S_ISREG(status.st_mode))
        return fail(w, path, "neither a file nor a folder; " IGNORE_NAME " can leave it out");
    if (!is_folder)
        return add_file(w, path, fd, out);
    if (is_link(w, path))
        return fail(w, path, "a link to a folder; " IGNORE_NAME " can leave it out");
    if (w->depth == ENTRY_DEPTH_MAX)
        return fail(w, path, "folders in each other deeper than 64");
    w->depth++;
    ok = read_folder(w, path, fd, out);
    w->depth--;
    return ok;
}

/* The names of a folder, in the arena. */
static bool list(struct walk *w, const char *path, int fd, const char ***out, size_t *count)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    size_t capacity = 0;
    bool ok = dir != NULL;

    *count = 0;
    *out = NULL;
    if (!ok)
        os_closep(&copy);
    for (const struct dirent *e; ok && (errno = 0, e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (*count == capacity) {
            size_t more = capacity != 0 ? 2 * capacity : 32;
            const char **names = ARENA_ARRAY(w->arena, const char *, more);
            ok = names != NULL;
            if (ok && *count != 0)
                memcpy(names, *out, *count * sizeof *names);
            *out = ok ? names : *out;
            capacity = more;
        }
        const char *name = ok ? join(w, "", e->d_name) : NULL;
        ok = name != NULL;
        if (ok)
            (*out)[(*count)++] = name;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return ok || fail(w, path, errno != 0 ? os_strerror(errno) : "no memory");
}

static bool read_folder(struct walk *w, const char *path, int fd, struct entry *out)
{
    const char **names;
    size_t count;

    if (!list(w, path, fd, &names, &count))
        return false;
    struct directory directory = {.items = ARENA_ARRAY(w->arena, struct directory_item, count)};
    if (directory.items == NULL)
        return fail(w, path, "no memory");
    for (size_t i = 0; i < count; i++) {
        struct directory_item *item = &directory.items[directory.count];
        const char *inner = join(w, path, names[i]);
        bool is_in;
        if (inner == NULL)
            return fail(w, path, "a path in it is longer than 4096 bytes");
        if (!read_name(w, inner, &item->entry, &is_in))
            return false;
        if (!is_in)
            continue;
        item->name = bytes_of(names[i]);
        if (!entry_name_is_valid(item->name))
            return fail(w, inner,
                        "a name in a package has letters, digits and _.:- only; " IGNORE_NAME
                        " can leave it out");
        directory.count++;
    }
    return add_directory(w, path, &directory, out);
}

/* ---- the whole ---- */

static bool read_ignore(struct walk *w)
{
    struct bytes text;
    struct err err;

    CLEANUP(os_closep) int fd = open_beneath(w->tree->folder, IGNORE_NAME);
    if (fd < 0)
        return errno == ENOENT || fail(w, IGNORE_NAME, os_strerror(errno));
    return (os_read_fd(fd, IGNORE_SIZE_MAX, w->arena, &text, &err) &&
            ignore_parse(text, w->arena, &w->ignore, &err)) ||
           fail_err(w, IGNORE_NAME, &err);
}

/* A package that is one file: a folder with nothing else in it. */
static bool read_single(struct walk *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct directory_item item = {.name = bytes_of("main.wasm")};
    struct directory directory = {.items = &item, .count = 1};
    struct entry root;

    w->tree->file = slash != NULL ? slash + 1 : path;
    char *folder = arena_alloc(w->arena, strlen(path) + 2, 1);
    if (folder == NULL)
        return fail(w, path, "no memory");
    (void)snprintf(folder, strlen(path) + 2, "%.*s",
                   slash == NULL   ? 1
                   : slash == path ? 1
                                   : (int)(slash - path),
                   slash == NULL ? "." : path);
    w->tree->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(os_closep)
    int fd = w->tree->folder >= 0 ? open_beneath(w->tree->folder, w->tree->file) : -1;
    if (fd < 0)
        return fail(w, path, errno == EXDEV ? "a link that leads elsewhere" : os_strerror(errno));
    return add_file(w, "main.wasm", fd, &item.entry) && add_directory(w, "", &directory, &root);
}

static void reverse(struct tree *tree)
{
    for (size_t i = 0; i < tree->count / 2; i++) {
        struct tree_node node = tree->nodes[i];
        tree->nodes[i] = tree->nodes[tree->count - 1 - i];
        tree->nodes[tree->count - 1 - i] = node;
    }
}

bool tree_read(const char *path, tree_progress *progress, void *context, struct arena *arena,
               struct tree *out, struct remote_fault *fault)
{
    struct walk w = {
        .arena = arena, .tree = out, .progress = progress, .context = context, .fault = fault};
    struct stat status;
    struct entry root;
    bool ok;

    *out = (struct tree){.folder = -1};
    if (stat(path, &status) != 0)
        return fail(&w, path, os_strerror(errno));
    if (!S_ISDIR(status.st_mode)) {
        ok = (S_ISREG(status.st_mode) || fail(&w, path, "neither a file nor a folder")) &&
             read_single(&w, path);
    } else {
        out->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ok = (out->folder >= 0 || fail(&w, path, os_strerror(errno))) && read_ignore(&w) &&
             read_folder(&w, "", out->folder, &root);
    }
    if (ok)
        reverse(out);
    else
        tree_close(out);
    return ok;
}

const struct tree_node *tree_find(const struct tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->count; i++) {
        if (strcmp(tree->nodes[i].path, path) == 0)
            return &tree->nodes[i];
    }
    return NULL;
}

static bool check_module(const struct tree *tree, struct remote_fault *fault)
{
    static const uint8_t magic[4] = {0, 'a', 's', 'm'};
    const struct tree_node *node = tree_find(tree, "main.wasm");
    uint8_t head[sizeof magic];
    struct err err;

    if (node == NULL || entry_is_directory(&node->entry))
        return remote_fail(fault, "main.wasm", "is missing: a package begins there");
    CLEANUP(os_closep) int fd = tree_open(tree, node, &err);
    if (fd < 0)
        return remote_fail_err(fault, "main.wasm", &err);
    return (pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
            memcmp(head, magic, sizeof magic) == 0) ||
           remote_fail(fault, "main.wasm", "is no WebAssembly module");
}

static bool check_config(const struct tree *tree, const char *name, enum config_form form,
                         struct arena *arena, struct remote_fault *fault)
{
    const struct tree_node *node = tree_find(tree, name);
    struct text_error error;
    struct config config;
    struct bytes text;
    struct err err;

    if (node == NULL)
        return true;
    CLEANUP(os_closep) int fd = tree_open(tree, node, &err);
    if (fd < 0 || !os_read_fd(fd, CONFIG_SIZE_MAX, arena, &text, &err))
        return remote_fail_err(fault, name, &err);
    if (config_parse(text, form, arena, &config, &error))
        return true;
    (void)snprintf(fault->text, sizeof fault->text, "%s:%u:%u: %s", name, error.line, error.column,
                   error.text);
    return false;
}

bool tree_check_package(const struct tree *tree, struct arena *arena, struct remote_fault *fault)
{
    if (tree_find(tree, "Keep.toml") != NULL && tree_find(tree, "Enarx.toml") != NULL)
        return remote_fail(fault, "Keep.toml", "is there beside Enarx.toml; one is to go");
    return check_module(tree, fault) &&
           check_config(tree, "Keep.toml", CONFIG_KEEP, arena, fault) &&
           check_config(tree, "Enarx.toml", CONFIG_ENARX, arena, fault);
}

void tree_close(struct tree *tree)
{
    os_closep(&tree->folder);
    tree->folder = -1;
}

/* ---- listings ---- */

static bool list_folder(struct walk *w, const char *path, int fd, size_t *capacity,
                        struct tree_listing *out)
{
    const char **names;
    size_t count;
    bool ok = list(w, path, fd, &names, &count);

    for (size_t i = 0; ok && i < count; i++) {
        const char *inner = join(w, path, names[i]);
        if (inner == NULL || w->depth > ENTRY_DEPTH_MAX)
            return fail(w, path, "it is too deep");
        if (out->count == *capacity) {
            const char **paths = ARENA_ARRAY(w->arena, const char *, 2 * *capacity + 64);
            if (paths == NULL)
                return fail(w, path, "no memory");
            if (out->count != 0)
                memcpy(paths, out->paths, out->count * sizeof *paths);
            out->paths = paths;
            *capacity = 2 * *capacity + 64;
        }
        out->paths[out->count++] = inner;
        CLEANUP(os_closep)
        int folder = openat(fd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        w->depth++;
        ok = folder < 0 || list_folder(w, inner, folder, capacity, out);
        w->depth--;
    }
    return ok;
}

bool tree_list(int folder, struct arena *arena, struct tree_listing *out,
               struct remote_fault *fault)
{
    struct walk w = {.arena = arena, .fault = fault};
    size_t capacity = 0;

    *out = (struct tree_listing){.count = 0};
    return list_folder(&w, "", folder, &capacity, out);
}
