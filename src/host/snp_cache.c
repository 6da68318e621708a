#include "host/snp_cache.h"

#include "host/cache.h"
#include "sallyport/sallyport.h"
#include "base/banned.h"

#define FOLDER "/var/cache/broch/snp"

const char *snp_cache_folder(void)
{
    return cache_folder("BROCH_SNP_CACHE", FOLDER);
}

static bool read_cached(const char *folder, const char *name, struct arena *arena,
                        struct bytes *out, struct err *err)
{
    return cache_read(
        folder, name,
        "an endorsement of this processor is missing; 'broch platform snp update' fetches it",
        arena, out, err);
}

bool snp_endorsements_read(const char *folder, struct arena *arena, struct snp_endorsements *out,
                           struct err *err)
{
    struct keep_evidence e = {.technology = KEEP_SNP};
    struct writer w = writer_growable(arena, SNP_ENDORSEMENTS_MAX);
    struct bytes url;

    if (!read_cached(folder, SNP_CACHE_VEK, arena, &e.vek, err) ||
        !read_cached(folder, SNP_CACHE_CRL, arena, &e.crls[0].der, err))
        return false;
    if (e.crls[0].der.size != 0) {
        if (!read_cached(folder, SNP_CACHE_CRL_URL, arena, &url, err))
            return false;
        while (url.size != 0 && url.data[url.size - 1] == '\n')
            url.size--;
        if (url.size > KEEP_EVIDENCE_URL_MAX)
            return err_set(err, ERR_LIMIT, "the address of the revocation list is too long",
                           ERR_NO_AT);
        e.crls[0].url = url;
        e.crl_count = 1;
    }
    keep_evidence_write(&w, &e);
    out->vek = e.vek;
    return writer_done(&w, &out->sections, err);
}
