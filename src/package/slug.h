/* How people name a package, and how machines do (DESIGN.md §1, §3; Enarx's names). */
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

/* The canonical text of what is there. */
void slug_write(struct writer *w, const struct slug *slug);

enum digest_algorithm { DIGEST_NONE, DIGEST_SHA224, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512 };

#define DIGEST_SIZE_MAX 64

struct digest {
    enum digest_algorithm algorithm;
    uint8_t size; /* bytes; 0: none */
    uint8_t bytes[DIGEST_SIZE_MAX];
};

/* "sha-256:" (or another algorithm's name) and base64 (standard, padded as in RFC 3230 or unpadded
 * as a keep's identity shows it) or hexadecimal digits. ERR_FORMAT. */
MUST_CHECK bool digest_parse(struct bytes text, struct digest *out, struct err *err);
/* "sha-256:" and base64. */
void digest_write(struct writer *w, const struct digest *digest);
bool digest_equal(const struct digest *a, const struct digest *b);
