/* Bytes as text: hexadecimal, base64, base64url (RFC 4648), and RFC 3339 time. Fit for shims.
 *
 * Encoders write to memory that the caller sized with the functions given; they end nothing with a
 * NUL. Decoders are strict: no white space, no characters beyond the alphabet, padding exactly as
 * asked for, no stray bits in the last character (RFC 4648 §3.5); so each text has one decoding and
 * each value one text (hexadecimal: letters of either case are read). Table look-ups make their
 * time depend on the data: a secret in base64 is only ever decoded where no other party measures.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"

/* Bytes of text that hex_encode writes for `size` bytes. size is at most SIZE_MAX/2. */
static inline size_t hex_size(size_t size)
{
    return size * 2;
}

/* Lower case. out has hex_size(in.size) bytes. */
void hex_encode(struct bytes in, char *out);

/* out has capacity bytes and gets exactly in.size/2; ERR_LIMIT when that is more than capacity.
 * err->at is the offset of the first bad character. */
MUST_CHECK bool hex_decode(struct bytes in, uint8_t *out, size_t capacity, size_t *size,
                           struct err *err);

enum base64_form {
    BASE64_STANDARD,          /* RFC 4648 §4, with padding */
    BASE64_STANDARD_UNPADDED, /* the same alphabet without '=' */
    BASE64_URL,               /* RFC 4648 §5, without padding, as JOSE has it */
};

/* Bytes of text that base64_encode writes for `size` bytes. size is at most SIZE_MAX/2. */
size_t base64_encoded_size(size_t size, enum base64_form form);

/* Room that base64_decode may need for text of `size` bytes (exact but for padding). */
size_t base64_decoded_size_max(size_t size);

/* out has base64_encoded_size(in.size, form) bytes. */
void base64_encode(struct bytes in, enum base64_form form, char *out);

/* As hex_decode. */
MUST_CHECK bool base64_decode(struct bytes in, enum base64_form form, uint8_t *out, size_t capacity,
                              size_t *size, struct err *err);

/* "2026-11-23T08:28:43.123Z" and a NUL. */
#define RFC3339_SIZE 25

/* UTC, from milliseconds since 1970-01-01; from 0000-03-01 to 9999-12-31; other times are clamped
 * to these. */
void rfc3339_format(int64_t unix_ms, char out[RFC3339_SIZE]);
