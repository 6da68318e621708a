/* Every width, signed and not: a value that is read is read again from its shortest form, and one
 * that is not leaves the reader where it was and has a reason. */
#include <assert.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes in, unsigned bits, bool is_signed)
{
    struct reader r = reader_of(in);
    uint8_t memory[10];
    struct writer w = writer_fixed(memory, sizeof memory);
    uint64_t u = 0;
    int64_t s = 0;
    bool ok = is_signed ? leb128_signed(&r, bits, &s) : leb128_unsigned(&r, bits, &u);

    if (!ok) {
        struct reader again = reader_of(in);
        assert(r.at == 0 && leb128_diagnose(&again, bits, is_signed) != LEB128_OK);
        return;
    }
    assert(r.at >= 1 && r.at <= (bits + 6) / 7);
    if (is_signed) {
        writer_leb128_s64(&w, s);
        int64_t again;
        struct reader back = reader_of(bytes_from(memory, w.size));
        assert(w.size <= r.at && leb128_signed(&back, bits, &again) && again == s);
    } else {
        writer_leb128_u64(&w, u);
        uint64_t again;
        struct reader back = reader_of(bytes_from(memory, w.size));
        assert(w.size <= r.at && leb128_unsigned(&back, bits, &again) && again == u);
        assert(bits == 64 || u >> bits == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned bits = 1; bits <= 64; bits++) {
        check(bytes_from(data, size), bits, false);
        check(bytes_from(data, size), bits, true);
    }
    return 0;
}
