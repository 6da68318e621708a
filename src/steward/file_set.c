#include "steward/file_set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "os/os.h"
#include "base/banned.h"

#define FILES_MAX 1024u
#define LISTING_MAX ((size_t)1 << 20)
#define PATH_SIZE 4096

struct file {
    struct bytes path, content; /* of a folder: its path with a '/' behind, and names in lines */
};

struct file_set {
    struct arena arena;
    struct bytes folder;
    bool is_closed;
    struct file files[FILES_MAX];
    size_t count;
};

bool file_set_new(const char *folder, struct file_set **out, struct err *err)
{
    struct file_set *set = calloc(1, sizeof *set);

    if (set == NULL)
        return err_set(err, ERR_MEMORY, "no memory for files", ERR_NO_AT);
    arena_init(&set->arena, arena_heap, FILE_SET_MAX + 2 * sizeof set->files);
    arena_set_wipe(&set->arena);
    set->is_closed = folder == NULL;
    if (folder != NULL) {
        struct writer w = writer_growable(&set->arena, PATH_SIZE);
        writer_text(&w, folder);
        if (!writer_done(&w, &set->folder, err)) {
            file_set_free(set);
            return false;
        }
    }
    *out = set;
    return true;
}

void file_set_free(struct file_set *set)
{
    if (set == NULL)
        return;
    arena_done(&set->arena);
    free(set);
}

static const struct file *find(const struct file_set *set, struct bytes path)
{
    for (size_t i = 0; i < set->count; i++) {
        if (bytes_equal(set->files[i].path, path))
            return &set->files[i];
    }
    return NULL;
}

static bool add(struct file_set *set, struct bytes path, struct bytes content, struct err *err)
{
    struct writer w = writer_growable(&set->arena, PATH_SIZE);
    struct bytes copy;

    writer_bytes(&w, path);
    if (!writer_done(&w, &copy, err))
        return false;
    if (set->count == FILES_MAX)
        return err_set(err, ERR_LIMIT, "the configuration speaks of too many files", FILES_MAX);
    set->files[set->count++] = (struct file){.path = copy, .content = content};
    return true;
}

static bool not_there(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "the file is not among those that were read", ERR_NO_AT);
}

bool file_set_path(struct file_set *set, struct bytes path, struct arena *arena, const char **out,
                   struct err *err)
{
    struct writer w = writer_growable(arena, PATH_SIZE);
    struct bytes text;

    if (path.size != 0 && path.data[0] != '/' && set->folder.size != 0) {
        writer_bytes(&w, set->folder);
        writer_text(&w, "/");
    }
    writer_bytes(&w, path);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &text, err))
        return false;
    *out = (const char *)text.data;
    return true;
}

bool file_set_read(struct file_set *set, struct bytes path, size_t limit, struct bytes *out,
                   struct err *err)
{
    const struct file *known = find(set, path);
    const char *name;

    if (known != NULL) {
        *out = known->content;
        return known->content.size <= limit ||
               err_set(err, ERR_LIMIT, "file is larger than may be, in bytes", limit);
    }
    if (set->is_closed)
        return not_there(err);
    return file_set_path(set, path, &set->arena, &name, err) &&
           os_read_file(name, limit, &set->arena, out, err) && add(set, path, *out, err);
}

/* ---- folders ---- */

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strchr(entry->d_name, '\n') == NULL;
}

static void write_listing(struct writer *w, const char *path, struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++) {
        struct stat status;
        char *file = NULL;
        if (asprintf(&file, "%s/%s", path, entries[i]->d_name) > 0 && stat(file, &status) == 0 &&
            S_ISREG(status.st_mode))
            writer_format(w, "%s\n", entries[i]->d_name);
        free(file);
        free(entries[i]);
    }
    free(entries);
}

static bool read_listing(struct file_set *set, struct bytes folder, struct bytes key,
                         struct bytes *out, struct err *err)
{
    struct writer w = writer_growable(&set->arena, LISTING_MAX);
    struct dirent **entries;
    const char *path;

    if (set->is_closed)
        return not_there(err);
    if (!file_set_path(set, folder, &set->arena, &path, err))
        return false;
    int count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0)
        return err_set(err, ERR_IO, "cannot open", (uint64_t)errno);
    write_listing(&w, path, entries, count);
    return writer_done(&w, out, err) && add(set, key, *out, err);
}

static bool split_listing(struct bytes folder, struct bytes listing, struct arena *arena,
                          struct bytes *items, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *end = listing.size != 0 ? memchr(listing.data, '\n', listing.size) : NULL;
        size_t size = end != NULL ? (size_t)(end - listing.data) : listing.size;
        struct writer w = writer_growable(arena, PATH_SIZE);
        writer_bytes(&w, folder);
        writer_text(&w, "/");
        writer_bytes(&w, bytes_before(listing, size));
        if (!writer_done(&w, &items[i], err))
            return false;
        listing = bytes_after(listing, size + 1);
    }
    return true;
}

bool file_set_list(struct file_set *set, struct bytes folder, struct arena *arena,
                   const struct bytes **out, size_t *count, struct err *err)
{
    struct writer w = writer_growable(arena, PATH_SIZE);
    struct bytes key, listing;

    writer_bytes(&w, folder);
    writer_text(&w, "/");
    if (!writer_done(&w, &key, err))
        return false;
    const struct file *known = find(set, key);
    if (known != NULL)
        listing = known->content;
    else if (!read_listing(set, folder, key, &listing, err))
        return false;
    *count = 0;
    for (size_t i = 0; i < listing.size; i++)
        *count += listing.data[i] == '\n';
    struct bytes *items = ARENA_ARRAY(arena, struct bytes, *count);
    *out = items;
    if (items == NULL)
        return err_set(err, ERR_MEMORY, "no memory for files", ERR_NO_AT);
    return split_listing(folder, listing, arena, items, *count, err);
}

/* ---- as bytes ---- */

static void write_part(struct writer *w, struct bytes part)
{
    writer_u32le(w, (uint32_t)part.size);
    writer_bytes(w, part);
}

static bool read_part(struct reader *r, struct arena *arena, struct bytes *out)
{
    struct bytes part;
    uint32_t size;

    if (!reader_u32le(r, &size) || !reader_bytes(r, size, &part))
        return false;
    uint8_t *copy = arena_alloc(arena, size, 1);
    if (copy == NULL)
        return false;
    if (size != 0)
        memcpy(copy, part.data, size);
    *out = bytes_from(copy, size);
    return true;
}

void file_set_write(const struct file_set *set, struct writer *w)
{
    for (size_t i = 0; i < set->count; i++) {
        write_part(w, set->files[i].path);
        write_part(w, set->files[i].content);
    }
}

bool file_set_parse(struct bytes in, struct file_set **out, struct err *err)
{
    struct reader r = reader_of(in);
    struct file_set *set;

    if (!file_set_new(NULL, &set, err))
        return false;
    while (!reader_at_end(&r) && set->count < FILES_MAX) {
        struct file *file = &set->files[set->count];
        if (!read_part(&r, &set->arena, &file->path) || !read_part(&r, &set->arena, &file->content))
            break;
        set->count++;
    }
    if (!reader_at_end(&r)) {
        file_set_free(set);
        return err_set(err, ERR_FORMAT, "the files that were handed over are malformed", r.at);
    }
    *out = set;
    return true;
}
