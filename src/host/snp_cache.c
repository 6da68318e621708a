#include "host/snp_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "sallyport/sallyport.h"
#include "base/banned.h"

#define FOLDER "/var/cache/broch/snp"
#define FILE_MAX ((size_t)1 << 20)

const char *snp_cache_folder(void)
{
    const char *named = getenv("BROCH_SNP_CACHE");

    return named != NULL && named[0] != '\0' ? named : FOLDER;
}

/* Empty where there is none. */
static bool read_cached(const char *folder, const char *name, struct arena *arena,
                        struct bytes *out, struct err *err)
{
    char path[4096];

    *out = bytes_of("");
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return err_set(err, ERR_LIMIT, "the name of the cache's folder is too long", ERR_NO_AT);
    if (os_read_file(path, FILE_MAX, arena, out, err))
        return true;
    if (err->code != ERR_IO || err->at != ENOENT)
        return false;
    log_warn("an endorsement of this processor is missing; 'broch platform snp update' fetches it",
             log_str("file", path));
    return true;
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
