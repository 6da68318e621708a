/* Building a chain from a leaf to a pinned root, of two or three certificates. Private to the room.
 */
#pragma once

#include "evidence/x509.h"

#define CHAIN_ROOTS_MAX 16

/* The roots that a chain may end in; the first `real_count` are real, the rest simulated. */
struct chain_roots {
    const struct certificate *items[CHAIN_ROOTS_MAX];
    size_t count, real_count;
};

/* Where certificates of issuers may be found: what came with the evidence, and what is built in. */
struct chain_pool {
    const struct certificate *given, *built_in;
    size_t given_count, built_in_count;
};

/* A chain that was not built is broken. */
enum chain_fault {
    CHAIN_BROKEN,   /* a link is missing, or is no link */
    CHAIN_UNPINNED, /* it ends in a root that nobody vouches for */
    CHAIN_GOOD
};

struct chain {
    const struct certificate *leaf;
    const struct certificate *intermediate; /* NULL: the root issued the leaf, or none was found */
    const struct certificate *root;         /* the pinned one; NULL: none was found */
    bool is_simulated;
    enum chain_fault fault;
    const char *why; /* of a fault, a literal */
};

/* Builds the chain of a leaf: root, intermediate, leaf, or root, leaf. Dates and revocation are not
 * looked at, nor is the leaf's role. */
void chain_build(const struct certificate *leaf, bool has_intermediate,
                 const struct chain_pool *pool, const struct chain_roots *roots,
                 enum x509_form form, struct signature_cache *cache, struct chain *out);

/* Whether somebody gave a root of a pinned one's name that is not it: what is wrong, or NULL. It
 * would not be believed, but who sends it means to be. */
const char *chain_impostor(const struct chain_pool *pool, const struct chain_roots *roots,
                           enum x509_form form, struct signature_cache *cache);

/* The certificates of a chain that were found, from the leaf up. Returns how many. */
size_t chain_links(const struct chain *chain, const struct certificate *links[3]);
