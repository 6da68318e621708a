/* DER (ITU-T X.690, 02/2021): a strict reader, and a writer.
 *
 * Strict: definite lengths in the fewest bytes (§8.1.3, §10.1), low tag numbers only (below 31: all
 * that X.509 and the attestation formats use), integers in the fewest bytes (§8.3.2), booleans 0x00
 * or 0xff (§11.1). A read that fails moves nothing, so r->at names the element. The reader takes no
 * memory and does not recurse. */
#pragma once

#include "base/reader.h"
#include "base/writer.h"

enum der_tag {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTF8_STRING = 0x0c,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

/* Context-specific tags [n], n < 31. */
#define DER_CONTEXT(n) ((uint8_t)(0x80 | (n)))             /* primitive: IMPLICIT of a primitive */
#define DER_CONTEXT_CONSTRUCTED(n) ((uint8_t)(0xa0 | (n))) /* EXPLICIT, or IMPLICIT SEQUENCE */

/* Any element: its tag and content. */
MUST_CHECK bool der_any(struct reader *r, uint8_t *tag, struct bytes *content);

/* An element of the given tag. */
MUST_CHECK bool der_element(struct reader *r, uint8_t tag, struct bytes *content);

/* As der_element for a constructed tag; *content reads what is in it. */
MUST_CHECK bool der_enter(struct reader *r, uint8_t tag, struct reader *content);

/* Whether the next element has the given tag; for OPTIONAL fields. */
bool der_next_is(const struct reader *r, uint8_t tag);

MUST_CHECK bool der_boolean(struct reader *r, bool *out);
MUST_CHECK bool der_null(struct reader *r);

/* An INTEGER or ENUMERATED from 0 to 2^64-1. */
MUST_CHECK bool der_uint64(struct reader *r, uint8_t tag, uint64_t *out);

/* A positive INTEGER of any size: its magnitude, big-endian, without leading zeroes. */
MUST_CHECK bool der_positive(struct reader *r, struct bytes *magnitude);

/* The content octets of an OBJECT IDENTIFIER, checked for form; compare with bytes_equal. */
MUST_CHECK bool der_oid(struct reader *r, struct bytes *out);

/* A BIT STRING without unused bits: its bytes. */
MUST_CHECK bool der_bit_string(struct reader *r, struct bytes *out);

/* Writing. der_open begins an element whose length is not known yet and returns a mark for
 * der_close, which puts the length in its place. Elements nest. */
MUST_CHECK size_t der_open(struct writer *w, uint8_t tag);
void der_close(struct writer *w, size_t mark);
void der_write(struct writer *w, uint8_t tag, struct bytes content);
void der_write_uint64(struct writer *w, uint8_t tag, uint64_t value);
void der_write_boolean(struct writer *w, bool value);
