/* Endorsements: what makers of processors publish, and what travels with evidence. Certificates,
 * revocation lists, Intel's TCB info and enclave identities, in whatever form they come. Nothing in
 * it is trusted before a verifier has judged it. */
#pragma once

#include "base/base.h"

/* Of one file; and how many things a collateral takes. */
#define COLLATERAL_FILE_MAX ((size_t)512 << 10)
#define COLLATERAL_CERTIFICATES_MAX 64
#define COLLATERAL_CRLS_MAX 32
#define COLLATERAL_DOCUMENTS_MAX 16

struct collateral;

/* Empty. ERR_MEMORY. */
MUST_CHECK bool collateral_new(struct collateral **out, struct err *err);
void collateral_free(struct collateral *collateral);

/* What `known` has already read need not be read again when the same bytes are added here: it is
 * shared. `known` must live, and stay as it is, as long as things are added. NULL: nobody. */
void collateral_share(struct collateral *collateral, const struct collateral *known);
/* Adds certificates and lists of another; what there is no room for is left out. */
void collateral_remember(struct collateral *collateral, const struct collateral *from);
/* Whether there is room for as many certificates and lists as any request has. */
bool collateral_has_room(const struct collateral *collateral);

/* Whether something of one kind has no more room. */
bool collateral_is_full(const struct collateral *collateral);

/* Adds what a file has, whatever it is: certificates and lists in DER or PEM, several in PEM, a
 * PkiPath, the certificate table of AMD's extended report, the hexadecimal DER of a list, a
 * percent-encoded PEM chain (as in headers of Intel's service), the bodies of Intel's service, and
 * the JSON in which dcap-qvl, rust-sgx and teepot keep several of these. Copies. ERR_FORMAT (also:
 * nothing was recognised), ERR_LIMIT, ERR_MEMORY; what was added before the fault stays. */
MUST_CHECK bool collateral_add(struct collateral *collateral, struct bytes file, struct err *err);
