/* A refusal has a reason. What is accepted is written in canonical form, which is accepted too and
 * is its own canonical form. The same for digests. */
#include <assert.h>

#include "package/digest.h"
#include "package/slug.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_slug(struct bytes text, enum slug_part last, struct arena *arena)
{
    struct slug slug, again;
    struct err err = {.msg = NULL};
    uint8_t first[SLUG_SIZE_MAX + 16], second[SLUG_SIZE_MAX + 16];

    if (!slug_parse(text, last, arena, &slug, &err)) {
        assert(err.msg != NULL && err.code != ERR_NONE);
        return;
    }
    struct writer w = writer_fixed(first, sizeof first), v = writer_fixed(second, sizeof second);
    slug_write(&w, &slug);
    assert(w.failed == ERR_NONE);
    if (w.size > SLUG_SIZE_MAX) /* an address may be longer in its canonical form */
        return;
    bool ok = slug_parse(bytes_from(first, w.size), last, arena, &again, &err);
    assert(ok);
    slug_write(&v, &again);
    assert(bytes_equal(bytes_from(first, w.size), bytes_from(second, v.size)));
}

static void check_digest(struct bytes text)
{
    struct digest digest, again;
    struct err err = {.msg = NULL};
    uint8_t out[128];

    if (!digest_parse(text, &digest, &err)) {
        assert(err.msg != NULL && err.code != ERR_NONE);
        return;
    }
    struct writer w = writer_fixed(out, sizeof out);
    digest_write(&w, &digest);
    bool ok = digest_parse(bytes_from(out, w.size), &again, &err);
    assert(ok && digest_equal(&digest, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_from(data, size);
    struct arena arena;

    arena_init(&arena, arena_heap, 1 << 20);
    for (int last = SLUG_USER; last <= SLUG_TAG; last++)
        check_slug(text, (enum slug_part)last, &arena);
    check_digest(text);
    arena_done(&arena);
    return 0;
}
