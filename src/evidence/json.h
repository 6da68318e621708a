/* Reading JSON that others wrote: jansson does it, within limits. Private to the room. */
#pragma once

#include <jansson.h>

#include "base/base.h"

#define JSON_DEPTH_LIMIT 16

/* Parses one value with nothing but white space behind it. Duplicate keys, nesting deeper than
 * JSON_DEPTH_LIMIT and NULs are refused. ERR_FORMAT; at = the offset. The caller frees *out with
 * json_decref. */
MUST_CHECK bool json_parse(struct bytes text, json_t **out, struct err *err);

/* The members of an object, as they stand in the text: the bytes of the value of a key. False when
 * the text, which json_parse took, is no object or has no such key. */
MUST_CHECK bool json_raw_member(struct bytes text, const char *key, struct bytes *out);

/* Members by type; false when the key is missing or of another type. Strings are borrowed from the
 * object. */
MUST_CHECK bool json_text(const json_t *object, const char *key, struct bytes *out);
/* Not negative, at most `max`. */
MUST_CHECK bool json_number(const json_t *object, const char *key, uint64_t max, uint64_t *out);
/* A string of hexadecimal of exactly `size` bytes. */
MUST_CHECK bool json_hex(const json_t *object, const char *key, uint8_t *out, size_t size);
