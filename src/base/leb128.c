/* LEB128: WebAssembly Core Specification 2.0, §5.2.2. Input is untrusted. */
#include "base/leb128.h"

#include <assert.h>

/* Reads up to ceil(bits/7) bytes. On success *value holds the low 7·count bits, not extended. */
static enum leb128_result gather(const struct reader *r, unsigned bits, uint64_t *value,
                                 unsigned *count, uint8_t *last)
{
    unsigned most = (bits + 6) / 7;
    uint64_t sum = 0;

    assert(bits >= 1 && bits <= 64);
    for (unsigned i = 0; i < most; i++) {
        if (i >= reader_left(r))
            return LEB128_SHORT;
        uint8_t byte = r->in.data[r->at + i];
        sum |= (uint64_t)(byte & 0x7f) << (7 * i); /* i <= 9: the shift is at most 63 */
        if (byte < 0x80) {
            *value = sum;
            *count = i + 1;
            *last = byte;
            return LEB128_OK;
        }
    }
    return LEB128_TOO_LONG;
}

/* Bits that the last of `most` bytes has beyond `bits`: they carry no value of their own. */
static enum leb128_result check_unused(unsigned bits, bool is_signed, unsigned count, uint8_t last)
{
    unsigned used = bits - 7 * (count - 1); /* of the last byte, when all bytes are there */

    if (count != (bits + 6) / 7 || used == 7)
        return LEB128_OK;
    uint8_t unused = (uint8_t)(0x7f & ~((1u << used) - 1));
    bool negative = is_signed && ((last >> (used - 1)) & 1) != 0;
    return (last & unused) == (negative ? unused : 0) ? LEB128_OK : LEB128_TOO_LARGE;
}

static enum leb128_result decode(const struct reader *r, unsigned bits, bool is_signed,
                                 uint64_t *value, unsigned *count)
{
    uint8_t last;
    enum leb128_result result = gather(r, bits, value, count, &last);

    if (result == LEB128_OK)
        result = check_unused(bits, is_signed, *count, last);
    return result;
}

enum leb128_result leb128_diagnose(const struct reader *r, unsigned bits, bool is_signed)
{
    uint64_t value;
    unsigned count;
    return decode(r, bits, is_signed, &value, &count);
}

bool leb128_unsigned(struct reader *r, unsigned bits, uint64_t *out)
{
    uint64_t value;
    unsigned count;

    if (decode(r, bits, false, &value, &count) != LEB128_OK)
        return false;
    r->at += count;
    *out = value;
    return true;
}

bool leb128_signed(struct reader *r, unsigned bits, int64_t *out)
{
    uint64_t value;
    unsigned count;

    if (decode(r, bits, true, &value, &count) != LEB128_OK)
        return false;
    r->at += count;
    if (7 * count < 64) {
        unsigned shift = 64 - 7 * count;
        *out = (int64_t)(value << shift) >> shift;
    } else {
        *out = (int64_t)value;
    }
    return true;
}
