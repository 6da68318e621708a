/* What is in a collateral. Private to the room. */
#pragma once

#include "evidence/collateral.h"
#include "evidence/tcb_info.h"
#include "evidence/x509.h"

struct collateral {
    struct arena arena;             /* of everything below */
    const struct collateral *known; /* shares what it has */
    struct certificate certificates[COLLATERAL_CERTIFICATES_MAX];
    size_t certificate_count;
    struct crl crls[COLLATERAL_CRLS_MAX];
    size_t crl_count;
    struct tcb_info tcb_infos[COLLATERAL_DOCUMENTS_MAX];
    size_t tcb_info_count;
    struct enclave_identity identities[COLLATERAL_DOCUMENTS_MAX];
    size_t identity_count;
};

/* What two collaterals have together, borrowed from them: their things stand side by side in the
 * arena. */
struct collateral_view {
    const struct certificate *certificates;
    size_t certificate_count;
    const struct crl *crls;
    size_t crl_count;
    const struct tcb_info *tcb_infos;
    size_t tcb_info_count;
    const struct enclave_identity *identities;
    size_t identity_count;
};

/* `a` before `b`; either may be NULL. False: no memory; the view is then empty. */
MUST_CHECK bool collateral_view_make(const struct collateral *a, const struct collateral *b,
                                     struct arena *arena, struct collateral_view *out);

/* Adds DER that is known to be a certificate or a list; copies. */
MUST_CHECK bool collateral_add_certificate(struct collateral *c, struct bytes der, struct err *err);
MUST_CHECK bool collateral_add_crl(struct collateral *c, struct bytes der, struct err *err);
/* PEM, one or more blocks of either kind. Text around them is skipped; NULs at the end too. */
MUST_CHECK bool collateral_add_pem(struct collateral *c, struct bytes text, struct err *err);
/* Adds what a JSON file has. */
MUST_CHECK bool collateral_add_json(struct collateral *c, struct bytes text, struct err *err);

/* A copy in the collateral's arena. */
MUST_CHECK bool collateral_keep(struct collateral *c, struct bytes in, struct bytes *out,
                                struct err *err);
