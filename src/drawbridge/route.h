/* What a request's path names: the API of Enarx's Drawbridge, versions 0.1.0 to 0.4.x, and what
 * this one adds to it (docs/drawbridge-api.md). No I/O. Private to the room.
 *
 *   /health                                        is it there
 *   /api/vVERSION/USER                             a user's record
 *                /USER/REPO                        a repository's configuration
 *                /USER/REPO/_tag                   its tags' names
 *                /USER/REPO/_tag/TAG               a tag: the entry of its tree's root
 *                /USER/REPO/_tag/TAG/tree[/PATH]   a node of the tree
 *  ours:         /_users /_repositories            lists
 *                /USER/REPO/_tag/TAG/_yank         marks a tag
 *                /USER/REPO/_tag/TAG/_missing      what was not uploaded yet
 *                /USER/REPO/_steward[/NAME]        Stewards whose platforms may read */
#pragma once

#include "base/base.h"

enum endpoint {
    ENDPOINT_HEALTH,
    ENDPOINT_USERS,
    ENDPOINT_REPOS,
    ENDPOINT_USER,
    ENDPOINT_REPO,
    ENDPOINT_TAGS,
    ENDPOINT_TAG,
    ENDPOINT_NODE,
    ENDPOINT_YANK,
    ENDPOINT_MISSING,
    ENDPOINT_STEWARDS,
    ENDPOINT_STEWARD
};

#define ROUTE_NAME_MAX 255 /* bytes of a user's, repository's, tag's or Steward's name */

/* Borrowed from the path; what the endpoint does not have is empty. */
struct route {
    enum endpoint endpoint;
    struct bytes user, repo, tag;
    struct bytes path; /* of a node; empty: the root. Of a Steward, its name */
};

struct route_fault {
    unsigned status;     /* 400, 404 or 501 */
    const char *message; /* a literal */
};

/* False: *fault says what to answer. */
MUST_CHECK bool route_parse(struct bytes path, struct route *out, struct route_fault *fault);

/* A Range header (RFC 9110 §14.2) over content of `size` bytes. RANGE_NONE: there is none that we
 * take, all is to be sent; RANGE_UNSATISFIABLE: 416. The header may be NULL. */
enum range_kind { RANGE_NONE, RANGE_PART, RANGE_UNSATISFIABLE };
enum range_kind range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *count);

/* Whether an If-None-Match header (RFC 9110 §13.1.2) lists the entity tag, or is "*". */
bool etag_is_listed(const char *header, const char *etag);
