/* Walks any input as DER, four levels deep. What is accepted is written again and must come out the
 * same: DER has one encoding for each value. */
#include <assert.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copies what can be read of r to w; false when something could not. */
static bool copy(struct reader *r, struct writer *w, unsigned depth)
{
    while (!reader_at_end(r)) {
        struct reader before = *r;
        uint64_t number;
        bool boolean;
        struct bytes content;
        uint8_t tag;

        if (der_uint64(r, DER_INTEGER, &number)) {
            der_write_uint64(w, DER_INTEGER, number);
        } else if (der_boolean(r, &boolean)) {
            der_write_boolean(w, boolean);
        } else if (der_any(r, &tag, &content)) {
            size_t mark = der_open(w, tag);
            struct reader inner = reader_of(content);
            if ((tag & 0x20) == 0 || depth == 0)
                writer_bytes(w, content);
            else if (!copy(&inner, w, depth - 1))
                return false;
            der_close(w, mark);
        } else {
            assert(r->at == before.at);
            return false;
        }
        assert(r->at > before.at);
        struct reader probe = before;
        if (!der_oid(&probe, &content) && !der_bit_string(&probe, &content) &&
            !der_positive(&probe, &content) && !der_null(&probe))
            assert(probe.at == before.at);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size), out;
    struct reader r = reader_of(in);
    struct arena a;
    struct err err;

    arena_init(&a, arena_heap, 1 << 26);
    struct writer w = writer_growable(&a, 1 << 24);
    if (copy(&r, &w, 4)) {
        bool ok = writer_done(&w, &out, &err);
        assert(ok && bytes_equal(in, out));
    }
    arena_done(&a);
    return 0;
}
