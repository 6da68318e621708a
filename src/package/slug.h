/* How people name a package (DESIGN.md §1, §3; Enarx's names). */
#pragma once

#include "base/base.h"

/* [HOST[:PORT]/]USER[/REPO[:TAG]], the parts in canonical form: host lower case, port explicit
 * unless 443. A part that is absent is empty. Borrowed from the text or, where it had to change,
 * the arena. */
struct slug {
    struct bytes host; /* with its port */
    struct bytes user, repo, tag;
};

enum slug_part { SLUG_USER, SLUG_REPO, SLUG_TAG };

#define SLUG_SIZE_MAX 1024

/* Parses a slug that goes at least as far as `last` (SLUG_TAG: host/user/repo:tag). ERR_FORMAT,
 * ERR_LIMIT; err->at is the offset. There is no default host: ERR_FORMAT "the host is missing". */
MUST_CHECK bool slug_parse(struct bytes text, enum slug_part last, struct arena *arena,
                           struct slug *out, struct err *err);

/* Whether the text is a tag: a version as semver.org 2.0.0 has it. */
bool slug_tag_is_valid(struct bytes tag);
/* The order of valid tags: precedence as semver.org 2.0.0 §11 has it, and, since that leaves build
 * metadata out, then by bytes. Negative, 0, positive. */
int slug_tag_compare(struct bytes a, struct bytes b);

/* The canonical text of what is there. */
void slug_write(struct writer *w, const struct slug *slug);
