/* The tree that a package's files make: package/entry.h has its form. */
#include <stdlib.h>
#include <string.h>

#include "keep/self_internal.h"
#include "package/entry.h"

/* Files sorted by their paths; what begins with the same folder lies together. */
struct files {
    const struct boot_file **items;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    struct bytes x = (*(const struct boot_file *const *)a)->path;
    struct bytes y = (*(const struct boot_file *const *)b)->path;
    size_t least = x.size < y.size ? x.size : y.size;
    int order = least == 0 ? 0 : memcmp(x.data, y.data, least);

    return order != 0 ? order : (x.size > y.size) - (x.size < y.size);
}

static bool bad_path(struct err *err)
{
    return err_set(err, ERR_INVALID, "the package has a path that no registry takes, or one twice",
                   ERR_NO_AT);
}

/* The part of a path behind `skip` bytes, up to the next '/'. */
static struct bytes part_of(struct bytes path, size_t skip, bool *is_last)
{
    struct bytes rest = bytes_after(path, skip);
    const uint8_t *slash = rest.size != 0 ? memchr(rest.data, '/', rest.size) : NULL;

    *is_last = slash == NULL;
    return slash != NULL ? bytes_before(rest, (size_t)(slash - rest.data)) : rest;
}

static bool folder_json(struct files files, size_t skip, unsigned depth, struct arena *arena,
                        struct bytes *out, struct err *err);

/* The item that the first of the files belongs to, and how many belong to it. */
static bool make_item(struct files files, size_t skip, unsigned depth, struct arena *arena,
                      struct directory_item *out, size_t *used, struct err *err)
{
    bool is_last, other_is_last;
    struct bytes json;

    out->name = part_of(files.items[0]->path, skip, &is_last);
    *used = 1;
    if (!entry_name_is_valid(out->name) || out->name.size > ENTRY_NAME_MAX)
        return bad_path(err);
    if (is_last)
        return entry_of(files.items[0]->content, entry_type_of_name(out->name), &out->entry, err);
    while (*used < files.count &&
           bytes_equal(part_of(files.items[*used]->path, skip, &other_is_last), out->name) &&
           !other_is_last)
        ++*used;
    return folder_json((struct files){files.items, *used}, skip + out->name.size + 1, depth + 1,
                       arena, &json, err) &&
           entry_of(json, MEDIA_DIRECTORY, &out->entry, err);
}

static bool has_twice(const struct directory *d)
{
    for (size_t i = 1; i < d->count; i++) {
        if (bytes_equal(d->items[i - 1].name, d->items[i].name))
            return true;
    }
    return false;
}

static bool folder_json(struct files files, size_t skip, unsigned depth, struct arena *arena,
                        struct bytes *out, struct err *err)
{
    struct directory d = {.items = ARENA_ARRAY(arena, struct directory_item, files.count)};
    struct writer w = writer_growable(arena, ENTRY_JSON_MAX);
    size_t used;

    if (d.items == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the package's tree", ERR_NO_AT);
    if (depth > ENTRY_DEPTH_MAX)
        return err_set(err, ERR_LIMIT, "more folders in each other than", ENTRY_DEPTH_MAX);
    for (size_t at = 0; at < files.count; at += used) {
        if (!make_item((struct files){files.items + at, files.count - at}, skip, depth, arena,
                       &d.items[d.count++], &used, err))
            return false;
    }
    directory_write(&w, &d); /* which sorts it */
    return has_twice(&d) ? bad_path(err) : writer_done(&w, out, err);
}

bool tree_digest(const struct package *package, uint8_t out[32], struct err *err)
{
    struct files files = {.count = package->file_count};
    struct digest_set digests;
    struct arena arena;
    struct bytes json;

    arena_init(&arena, arena_heap, SIZE_MAX);
    files.items = ARENA_ARRAY(&arena, const struct boot_file *, files.count);
    bool ok = files.items != NULL ||
              err_set(err, ERR_MEMORY, "no memory for the package's tree", ERR_NO_AT);
    for (size_t i = 0; ok && i < files.count; i++)
        files.items[i] = &package->files[i];
    if (ok)
        qsort(files.items, files.count, sizeof(struct boot_file *), compare);
    ok = ok && folder_json(files, 0, 0, &arena, &json, err) &&
         digest_compute(json, 1u << DIGEST_SHA256, &digests, err);
    if (ok)
        memcpy(out, digests.of[DIGEST_SHA256].bytes, 32);
    arena_done(&arena);
    return ok;
}
