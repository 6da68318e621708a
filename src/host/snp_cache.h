/* What a host keeps of AMD's endorsements of its processor: the certificate of the key that signs
 * reports, and the revocation list of its issuers. `broch platform snp update` fetches them. */
#pragma once

#include "base/base.h"

#define SNP_ENDORSEMENTS_MAX ((size_t)4 << 20)
#define SNP_CACHE_VEK "vcek.der"
#define SNP_CACHE_CRL "crl.der"
#define SNP_CACHE_CRL_URL "crl.url" /* from where that came: one line */

/* BROCH_SNP_CACHE, or /var/cache/broch/snp. */
const char *snp_cache_folder(void);

struct snp_endorsements {
    struct bytes vek;      /* DER; empty: there is none */
    struct bytes sections; /* all of them as `attest` gives them (sallyport.h) */
};

/* Reads what is there; what is not is warned of. In the arena. ERR_IO; ERR_LIMIT. */
MUST_CHECK bool snp_endorsements_read(const char *folder, struct arena *arena,
                                      struct snp_endorsements *out, struct err *err);
