/* LEB128 integers as WebAssembly has them: WebAssembly Core Specification 2.0, §5.2.2.
 *
 * An N-bit integer takes at most ceil(N/7) bytes, and the unused bits of the last byte must be zero
 * (unsigned) or copies of the sign bit (signed). A read that fails moves nothing. Fit for shims. */
#pragma once

#include "base/reader.h"

enum leb128_result {
    LEB128_OK,
    LEB128_SHORT,    /* the input ends inside the integer */
    LEB128_TOO_LONG, /* more bytes than the type has: "integer representation too long" */
    LEB128_TOO_LARGE /* unused bits are set: "integer too large" */
};

/* Why the integer at r->at cannot be read with `bits` bits (1 to 64). For messages, after a read
 * returned false. */
enum leb128_result leb128_diagnose(const struct reader *r, unsigned bits, bool is_signed);

/* The general case, for any number of bits from 1 to 64. */
MUST_CHECK bool leb128_unsigned(struct reader *r, unsigned bits, uint64_t *out);
MUST_CHECK bool leb128_signed(struct reader *r, unsigned bits, int64_t *out);

MUST_CHECK static inline bool leb128_u32(struct reader *r, uint32_t *out)
{
    uint64_t value;
    if (LIKELY(r->at < r->in.size && r->in.data[r->at] < 0x80)) {
        *out = r->in.data[r->at++];
        return true;
    }
    if (!leb128_unsigned(r, 32, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

MUST_CHECK static inline bool leb128_u64(struct reader *r, uint64_t *out)
{
    return leb128_unsigned(r, 64, out);
}

MUST_CHECK static inline bool leb128_s32(struct reader *r, int32_t *out)
{
    int64_t value;
    if (LIKELY(r->at < r->in.size && r->in.data[r->at] < 0x80)) {
        uint32_t byte = r->in.data[r->at++];
        *out = (int32_t)(byte << 25) >> 25;
        return true;
    }
    if (!leb128_signed(r, 32, &value))
        return false;
    *out = (int32_t)value;
    return true;
}

/* 33 bits: the block types of WebAssembly. */
MUST_CHECK static inline bool leb128_s33(struct reader *r, int64_t *out)
{
    return leb128_signed(r, 33, out);
}

MUST_CHECK static inline bool leb128_s64(struct reader *r, int64_t *out)
{
    return leb128_signed(r, 64, out);
}
