/* The bounded reader: the only way to touch bytes that came from somebody else. Fit for shims.
 *
 * A read that does not fit returns false and moves nothing, so `at` still names the bad field.
 * All functions are re-entrant; none allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"

struct reader {
    struct bytes in;
    size_t at; /* invariant: at <= in.size */
};

static inline struct reader reader_of(struct bytes in)
{
    return (struct reader){.in = in, .at = 0};
}

static inline size_t reader_left(const struct reader *r)
{
    return r->in.size - r->at;
}

static inline bool reader_at_end(const struct reader *r)
{
    return r->at == r->in.size;
}

/* The bytes not yet read, without reading them. */
static inline struct bytes reader_rest(const struct reader *r)
{
    return bytes_after(r->in, r->at);
}

/* The next `size` bytes, borrowed. */
MUST_CHECK static inline bool reader_bytes(struct reader *r, size_t size, struct bytes *out)
{
    if (size > r->in.size - r->at) /* subtract, never add: nothing here can wrap */
        return false;
    *out = (struct bytes){.data = size != 0 ? r->in.data + r->at : r->in.data, .size = size};
    r->at += size;
    return true;
}

MUST_CHECK static inline bool reader_skip(struct reader *r, size_t size)
{
    struct bytes skipped;
    return reader_bytes(r, size, &skipped);
}

/* The next `size` bytes, copied to out. */
MUST_CHECK static inline bool reader_copy(struct reader *r, void *out, size_t size)
{
    struct bytes b;
    if (!reader_bytes(r, size, &b))
        return false;
    if (size != 0)
        memcpy(out, b.data, size);
    return true;
}

/* Sets r->at to `at`, when there is such a place. */
MUST_CHECK static inline bool reader_seek(struct reader *r, size_t at)
{
    if (at > r->in.size)
        return false;
    r->at = at;
    return true;
}

MUST_CHECK static inline bool reader_u8(struct reader *r, uint8_t *out)
{
    if (r->at == r->in.size)
        return false;
    *out = r->in.data[r->at++];
    return true;
}

/* Looks at the next byte and stays. */
MUST_CHECK static inline bool reader_peek(const struct reader *r, uint8_t *out)
{
    if (r->at == r->in.size)
        return false;
    *out = r->in.data[r->at];
    return true;
}

#define READER_INTEGER(name, type, swap)                            \
    MUST_CHECK static inline bool name(struct reader *r, type *out) \
    {                                                               \
        type value;                                                 \
        if (!reader_copy(r, &value, sizeof value))                  \
            return false;                                           \
        *out = swap(value);                                         \
        return true;                                                \
    }

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the readers are written for little-endian machines"
#endif
READER_INTEGER(reader_u16le, uint16_t, )
READER_INTEGER(reader_u32le, uint32_t, )
READER_INTEGER(reader_u64le, uint64_t, )
READER_INTEGER(reader_u16be, uint16_t, __builtin_bswap16)
READER_INTEGER(reader_u32be, uint32_t, __builtin_bswap32)
READER_INTEGER(reader_u64be, uint64_t, __builtin_bswap64)
#undef READER_INTEGER
