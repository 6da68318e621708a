/* A refusal has a reason. What is accepted is written in canonical form, which is read as the same,
 * and is its own canonical form. Entries, directories, tags, and headers. */
#include <assert.h>

#include "package/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WRITTEN_MAX (ENTRY_JSON_MAX * 4)

static struct bytes done(const struct writer *w)
{
    struct bytes out;
    struct err err;
    bool ok = writer_done(w, &out, &err);

    assert(ok);
    return out;
}

static void check_directory(struct bytes text, struct arena *arena)
{
    struct directory directory, again;
    struct err err = {.msg = NULL};

    if (!directory_parse(text, arena, &directory, &err)) {
        assert(err.msg != NULL && err.code != ERR_NONE);
        return;
    }
    struct writer w = writer_growable(arena, WRITTEN_MAX), v = writer_growable(arena, WRITTEN_MAX);
    directory_write(&w, &directory);
    if (w.size > ENTRY_JSON_MAX)
        return;
    bool ok = directory_parse(done(&w), arena, &again, &err);
    assert(ok && again.count == directory.count);
    directory_write(&v, &again);
    assert(bytes_equal(done(&w), done(&v)));
    for (size_t i = 0; i < again.count; i++) {
        const struct directory_item *item = directory_find(&directory, again.items[i].name);
        assert(item != NULL && entry_equal(&item->entry, &again.items[i].entry));
    }
}

static void check_tag(struct bytes text, struct arena *arena)
{
    struct tag tag;
    struct entry again;
    struct err err = {.msg = NULL};

    if (!tag_parse(text, arena, &tag, &err)) {
        assert(err.msg != NULL && err.code != ERR_NONE);
        return;
    }
    struct writer w = writer_growable(arena, WRITTEN_MAX);
    entry_write(&w, &tag.root);
    bool ok = entry_parse(done(&w), arena, &again, &err);
    assert(ok && entry_equal(&tag.root, &again));
}

static void check_header(struct bytes text, struct arena *arena)
{
    struct digest_set set = {.of = {{.size = 0}}}, again = set;
    struct err err = {.msg = NULL};

    if (!content_digest_parse(text, &set, &err)) {
        assert(err.msg != NULL && digest_set_algorithms(&set) == 0);
        return;
    }
    struct writer w = writer_growable(arena, 1000);
    content_digest_write(&w, &set);
    bool ok = content_digest_parse(done(&w), &again, &err);
    assert(ok && digest_set_equal(&set, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;

    arena_init(&arena, arena_heap, (size_t)64 << 20);
    check_directory(bytes_from(data, size), &arena);
    check_tag(bytes_from(data, size), &arena);
    check_header(bytes_from(data, size), &arena);
    arena_done(&arena);
    return 0;
}
