/* The certificates that are built in: AMD's ARKs, which are trusted, its intermediate ones, which
 * save a look-up, and Intel's root. docs/evidence.md has their fingerprints. Private to the room.
 */
#pragma once

#include "evidence/snp_report.h"
#include "evidence/x509.h"

enum root_id {
    ROOT_MILAN_ARK,
    ROOT_MILAN_ASK,
    ROOT_MILAN_ASVK,
    ROOT_GENOA_ARK,
    ROOT_GENOA_ASK,
    ROOT_GENOA_ASVK,
    ROOT_TURIN_ARK,
    ROOT_TURIN_ASK,
    ROOT_TURIN_ASVK,
    ROOT_INTEL,
    ROOT_COUNT
};

struct roots {
    struct certificate certificates[ROOT_COUNT];
};

/* Parses them all. ERR_MEMORY. */
MUST_CHECK bool roots_init(struct roots *roots, struct err *err);
void roots_done(struct roots *roots);

/* The ARK of a product. */
enum root_id root_of_product(enum snp_product product);
