/* Gives any bytes to the reader of answers: whole, and in pieces. Both must come to the same end,
 * within the limits, and a failure has a message. The first three bytes say how much body is
 * allowed, how large the pieces are, and whether the connection ends after them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "https/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
    bool is_done, has_failed, is_kept;
    size_t used;
    struct err err;
    struct https_answer answer;
};

static void read_answer(struct bytes in, size_t step, bool ends, size_t max, struct arena *arena,
                        struct end *out)
{
    struct answer *a = malloc(sizeof *a);

    assert(a != NULL);
    *out = (struct end){.is_done = false};
    answer_init(a, max, arena);
    while (!out->is_done && !out->has_failed && out->used < in.size) {
        struct bytes part = bytes_before(bytes_after(in, out->used), step);
        size_t used = 0;
        out->has_failed = !answer_take(a, part, &used, &out->err);
        assert(used <= part.size);
        out->is_done = !out->has_failed && answer_is_done(a);
        assert(out->has_failed || out->is_done || used == part.size);
        out->used += used;
    }
    if (!out->is_done && !out->has_failed && ends) {
        out->is_done = answer_end(a, &out->err);
        out->has_failed = !out->is_done;
    }
    if (out->is_done) {
        out->is_kept = answer_is_kept(a);
        bool ok = answer_result(a, &out->answer, &out->err);
        assert(ok);
        assert(out->answer.status >= 200 && out->answer.status <= 599);
        assert(out->answer.body.size <= max);
    }
    assert(!out->has_failed || (out->err.code != ERR_NONE && out->err.msg != NULL));
    assert(answer_detail(a) != NULL);
    free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct end whole, parts;

    if (size < 3)
        return 0;
    size_t max = (size_t)data[0] * 4, step = (size_t)data[1] + 1;
    bool ends = (data[2] & 1) != 0;
    struct bytes in = bytes_from(data + 3, size - 3);
    arena_init(&arena, arena_heap, (size_t)1 << 20);
    read_answer(in, SIZE_MAX, ends, max, &arena, &whole);
    read_answer(in, step, ends, max, &arena, &parts);
    assert(whole.is_done == parts.is_done && whole.has_failed == parts.has_failed);
    assert(!whole.has_failed || whole.err.code == parts.err.code);
    if (whole.is_done) {
        assert(whole.used == parts.used && whole.is_kept == parts.is_kept);
        assert(whole.answer.status == parts.answer.status);
        assert(bytes_equal(whole.answer.body, parts.answer.body));
        assert(bytes_equal(whole.answer.content_type, parts.answer.content_type));
        assert(bytes_equal(whole.answer.content_digest, parts.answer.content_digest));
        assert(bytes_equal(whole.answer.state, parts.answer.state));
    }
    arena_done(&arena);
    return 0;
}
