/* AMD's versioned endorsement keys: VCEK, of a chip, and VLEK, lent to a cloud. AMD 57230 §3.
 * Private to the room. */
#pragma once

#include "evidence/snp_report.h"
#include "evidence/x509.h"

#define SNP_VCEK_NAME "SEV-VCEK"
#define SNP_VLEK_NAME "SEV-VLEK"

struct snp_vek {
    bool is_vlek;
    uint64_t struct_version;
    struct bytes product_name; /* "Milan-B0", "Genoa", … */
    enum snp_product product;
    struct snp_tcb tcb;
    struct bytes chip_id; /* of a VCEK: 64 bytes, 8 on Turin */
    struct bytes csp;     /* of a VLEK */
};

/* Reads names, key and extensions: ERR_FORMAT with the first thing that is wrong. Decides nothing
 * about who signed it. *out borrows from the certificate. */
MUST_CHECK bool snp_vek_parse(const struct certificate *c, struct snp_vek *out, struct err *err);

/* Whether a certificate means to be one, by its name or its extensions. */
bool snp_vek_is_meant(const struct certificate *c);
