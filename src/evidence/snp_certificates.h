/* The table of certificates that a host gives beside a report of SEV-SNP. AMD 56421 (GHCB),
 * §4.1.8.1, "SNP Extended Guest Request". */
#pragma once

#include "base/base.h"

enum snp_certificate_kind {
    SNP_CERTIFICATE_ARK,
    SNP_CERTIFICATE_ASK,
    SNP_CERTIFICATE_VCEK,
    SNP_CERTIFICATE_VLEK,
    SNP_CERTIFICATE_CRL,
    SNP_CERTIFICATE_OTHER /* a cloud's own */
};

struct snp_certificate {
    enum snp_certificate_kind kind;
    struct bytes content; /* DER, or PEM */
};

#define SNP_CERTIFICATES_MAX 16u

/* Whether bytes begin as a table does, with a kind that is known. */
bool snp_certificates_is_table(struct bytes in);
/* Reads a table, with anything behind it. *out borrows. ERR_FORMAT: no end, an entry that lies
 * outside or is there twice; ERR_LIMIT: too many. */
MUST_CHECK bool snp_certificates_read(struct bytes table,
                                      struct snp_certificate out[SNP_CERTIFICATES_MAX],
                                      size_t *count, struct err *err);
/* Writes one of known kinds into `size` bytes. ERR_LIMIT: it does not fit. */
MUST_CHECK bool snp_certificates_write(const struct snp_certificate *certificates, size_t count,
                                       uint8_t *out, size_t size, struct err *err);
