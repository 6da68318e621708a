/* What crosses between the signing process and who asks it. Private to the room.
 *
 * A message: its size behind these four bytes (little-endian), a number that its answer repeats (8
 * bytes), its kind (1 byte), and fields. A field of bytes has its length in four bytes before it.
 */
#pragma once

#include "steward/signer.h"

#define SIGNER_HEADER_SIZE 13u /* size, number, kind */

enum signer_kind {
    SIGNER_ISSUE = 1,
    SIGNER_REFUSE,
    SIGNER_CRL,
    SIGNER_EVENT,
    /* answers; the first, to number 0, says that the process is ready */
    SIGNER_DONE,
    SIGNER_FAILED, /* an err_code (1 byte) and its text */
};

void signer_write_bytes(struct writer *w, struct bytes b);
MUST_CHECK bool signer_read_bytes(struct reader *r, struct bytes *out);

/* An identity as its DER. */
void signer_write_identity(struct writer *w, const struct identity *identity);
MUST_CHECK bool signer_read_identity(struct reader *r, struct identity *out);

void signer_write_note(struct writer *w, const struct signer_note *note);
MUST_CHECK bool signer_read_note(struct reader *r, struct signer_note *out);

void signer_write_fields(struct writer *w, const struct identity_fields *fields);
/* The CRL's address is not among them. */
MUST_CHECK bool signer_read_fields(struct reader *r, struct identity_fields *out);
