/* The bounded writer, over memory of a fixed size or over an arena in which it grows.
 *
 * A write that does not fit, or that finds no memory, fails the writer for good; later writes do
 * nothing. So a row of writes needs one check at its end: writer_done is the only way to the bytes.
 * A fixed writer takes no memory and is fit for shims. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"

struct writer {
    uint8_t *data;
    size_t size;          /* bytes written */
    size_t capacity;      /* bytes at data */
    size_t limit;         /* capacity may grow to this */
    struct arena *arena;  /* NULL: fixed */
    enum err_code failed; /* ERR_NONE, ERR_LIMIT or ERR_MEMORY */
};

/* Writes to the caller's memory. */
struct writer writer_fixed(void *memory, size_t size);

/* Writes to memory of the arena, at most `limit` bytes. The bytes live as long as the arena. */
struct writer writer_growable(struct arena *arena, size_t limit);

/* What was written; borrowed, valid until the next write or the end of the memory. Fails with
 * ERR_LIMIT or ERR_MEMORY if any write failed. */
MUST_CHECK bool writer_done(const struct writer *w, struct bytes *out, struct err *err);

/* The place for the next `size` bytes, which the caller must fill; NULL when the writer failed. */
MUST_CHECK uint8_t *writer_reserve(struct writer *w, size_t size);

/* Takes back the last bytes, so that `size` are left; no more than were written. */
void writer_truncate(struct writer *w, size_t size);

void writer_bytes(struct writer *w, struct bytes b);
void writer_text(struct writer *w, const char *text);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16le(struct writer *w, uint16_t value);
void writer_u32le(struct writer *w, uint32_t value);
void writer_u64le(struct writer *w, uint64_t value);
void writer_u16be(struct writer *w, uint16_t value);
void writer_u32be(struct writer *w, uint32_t value);
void writer_u64be(struct writer *w, uint64_t value);

/* The shortest LEB128 form: WebAssembly Core Specification 2.0, §5.2.2. */
void writer_leb128_u64(struct writer *w, uint64_t value);
void writer_leb128_s64(struct writer *w, int64_t value);

/* Text as by printf. */
void writer_format(struct writer *w, const char *format, ...) PRINTF_LIKE(2, 3);
