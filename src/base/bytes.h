/* Slices: bytes that somebody else owns. Fit for shims: no heap, no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes; copy to keep. data may be NULL only when size is 0. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

/* The characters of a C string, without its final NUL. */
static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

static inline struct bytes bytes_from(const void *data, size_t size)
{
    return (struct bytes){.data = data, .size = size};
}

/* Not for secrets: see secret_equal. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool bytes_is(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of(text));
}

static inline bool bytes_starts_with(struct bytes a, struct bytes prefix)
{
    return a.size >= prefix.size && bytes_equal((struct bytes){a.data, prefix.size}, prefix);
}

/* What is left after the first `count` bytes; nothing when there are not so many. */
static inline struct bytes bytes_after(struct bytes a, size_t count)
{
    if (count >= a.size)
        return (struct bytes){.data = NULL, .size = 0};
    return (struct bytes){.data = a.data + count, .size = a.size - count};
}

/* What comes before byte `end`; the whole when there is less. */
static inline struct bytes bytes_before(struct bytes a, size_t end)
{
    return (struct bytes){.data = a.data, .size = end < a.size ? end : a.size};
}

/* Whether every byte is zero; of nothing, yes. */
static inline bool bytes_are_zero(struct bytes a)
{
    uint8_t all = 0;

    for (size_t i = 0; i < a.size; i++)
        all |= a.data[i];
    return all == 0;
}
