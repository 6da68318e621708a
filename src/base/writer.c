/* The bounded writer. */
#include "base/writer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/banned.h"

enum { WRITER_FIRST_CAPACITY = 64 };

struct writer writer_fixed(void *memory, size_t size)
{
    return (struct writer){.data = memory, .capacity = size, .limit = size};
}

struct writer writer_growable(struct arena *arena, size_t limit)
{
    return (struct writer){.arena = arena, .limit = limit};
}

bool writer_done(const struct writer *w, struct bytes *out, struct err *err)
{
    if (w->failed == ERR_MEMORY)
        return err_set(err, ERR_MEMORY, "no memory to write beyond, in bytes", w->size);
    if (w->failed != ERR_NONE)
        return err_set(err, w->failed, "more to write than may be, in bytes", w->limit);
    *out = (struct bytes){.data = w->data, .size = w->size};
    return true;
}

static bool grow(struct writer *w, size_t need)
{
    size_t capacity = w->capacity < WRITER_FIRST_CAPACITY ? WRITER_FIRST_CAPACITY : w->capacity;

    if (need > w->limit || w->arena == NULL) {
        w->failed = ERR_LIMIT;
        return false;
    }
    while (capacity < need && capacity <= w->limit / 2)
        capacity *= 2;
    if (capacity < need || capacity > w->limit)
        capacity = w->limit;
    uint8_t *data = arena_resize(w->arena, w->data, w->capacity, capacity, 1);
    if (data == NULL) {
        w->failed = ERR_MEMORY;
        return false;
    }
    w->data = data;
    w->capacity = capacity;
    return true;
}

uint8_t *writer_reserve(struct writer *w, size_t size)
{
    size_t need;

    if (w->failed != ERR_NONE)
        return NULL;
    if (!checked_add(w->size, size, &need)) {
        w->failed = ERR_LIMIT;
        return NULL;
    }
    if (need > w->capacity && !grow(w, need))
        return NULL;
    uint8_t *place = w->data + w->size;
    w->size = need;
    return place;
}

void writer_truncate(struct writer *w, size_t size)
{
    assert(size <= w->size);
    w->size = size;
}

void writer_bytes(struct writer *w, struct bytes b)
{
    if (b.size == 0)
        return;
    uint8_t *place = writer_reserve(w, b.size);
    if (place != NULL)
        memcpy(place, b.data, b.size);
}

void writer_text(struct writer *w, const char *text)
{
    writer_bytes(w, bytes_of(text));
}

void writer_u8(struct writer *w, uint8_t value)
{
    writer_bytes(w, bytes_from(&value, sizeof value));
}

#define WRITER_INTEGER(name, type, swap)                       \
    void name(struct writer *w, type value)                    \
    {                                                          \
        type swapped = swap(value);                            \
        writer_bytes(w, bytes_from(&swapped, sizeof swapped)); \
    }

WRITER_INTEGER(writer_u16le, uint16_t, )
WRITER_INTEGER(writer_u32le, uint32_t, )
WRITER_INTEGER(writer_u64le, uint64_t, )
WRITER_INTEGER(writer_u16be, uint16_t, __builtin_bswap16)
WRITER_INTEGER(writer_u32be, uint32_t, __builtin_bswap32)
WRITER_INTEGER(writer_u64be, uint64_t, __builtin_bswap64)

void writer_leb128_u64(struct writer *w, uint64_t value)
{
    while (value >= 0x80) {
        writer_u8(w, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    writer_u8(w, (uint8_t)value);
}

void writer_leb128_s64(struct writer *w, int64_t value)
{
    while (value < -64 || value > 63) {
        writer_u8(w, (uint8_t)((uint64_t)value | 0x80));
        value >>= 7;
    }
    writer_u8(w, (uint8_t)((uint64_t)value & 0x7f));
}

void writer_format(struct writer *w, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0)
        return;
    if ((size_t)size < sizeof line) {
        writer_bytes(w, bytes_from(line, (size_t)size));
        return;
    }
    uint8_t *place = writer_reserve(w, (size_t)size + 1); /* vsnprintf ends with a NUL */
    if (place == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf((char *)place, (size_t)size + 1, format, args);
    va_end(args);
    writer_truncate(w, w->size - 1);
}
