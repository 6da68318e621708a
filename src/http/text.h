/* The texts in requests and replies, which strangers wrote. Private to the room; no I/O. */
#pragma once

#include "base/base.h"

/* How well the ranges of Accept headers suit a media type (RFC 9110 §12.5.1). Begins as zeros; each
 * header's value is added; quality is then the answer, 0 to 1000. */
struct accept {
    unsigned quality;
    unsigned closeness; /* of the range that says so: 0 none, 1 any, 2 type/any, 3 the very type */
};
void accept_add(struct accept *accept, struct bytes value, const char *media_type);

/* Whether a Content-Type is this one, whatever its parameters. */
bool media_type_is(struct bytes value, const char *media_type);

/* The one value of a name in "a=1&b=2", percent-decoded, with a NUL, in the arena. NULL: there is
 * none, there are several, or it is malformed or has a NUL; or there is no memory. A '+' stays. */
const char *query_value(struct bytes query, const char *name, struct arena *arena);

/* The first header of a name in lines that end with CR LF or LF; without white space around it. */
MUST_CHECK bool header_find(struct bytes lines, const char *name, struct bytes *out);

/* A JSON string, with its quotes; what is no UTF-8 becomes U+FFFD. */
void json_string(struct writer *w, struct bytes text);
