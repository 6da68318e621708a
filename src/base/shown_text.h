/* Text of any origin, written so that a terminal shows it and a program reads it. */
#pragma once

#include "base/writer.h"

/* So that a terminal shows and does not obey it: control characters, those that turn the direction
 * of writing, and bytes that are not UTF-8, as \xNN or \uNNNN. '\n' too. */
void writer_shown(struct writer *w, struct bytes text);

/* In hexadecimal, lower case. */
void writer_hex(struct writer *w, struct bytes in);

/* As a string of JSON (RFC 8259 §7); bytes that are not UTF-8 become U+FFFD. */
void writer_json(struct writer *w, struct bytes text);
