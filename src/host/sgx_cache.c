#include "host/sgx_cache.h"

#include "host/cache.h"
#include "sallyport/sallyport.h"
#include "base/banned.h"

#define FOLDER "/var/cache/broch/sgx"
_Static_assert(SGX_CHAIN_MAX <= KEEP_EVIDENCE_CHAIN_MAX, "evidence has room for a chain");

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

const char *sgx_cache_folder(void)
{
    return cache_folder("BROCH_SGX_CACHE", FOLDER);
}

static bool read_cached(const char *folder, const char *name, struct arena *arena,
                        struct bytes *out, struct err *err)
{
    return cache_read(
        folder, name,
        "an endorsement of this platform is missing; 'broch platform sgx update' fetches it", arena,
        out, err);
}

/* ---- the chain ---- */

static bool bad_chain(struct err *err)
{
    return err_set(err, ERR_FORMAT,
                   "the cached chain of the TCB info's signer is no PEM of up to 4 certificates; "
                   "'broch platform sgx update' fetches it anew",
                   ERR_NO_AT);
}

static size_t skip_space(struct bytes text, size_t at)
{
    while (at < text.size && strchr(" \t\r\n", text.data[at]) != NULL && text.data[at] != '\0')
        at++;
    return at;
}

/* The certificate between two lines of PEM, whatever its own lines are. */
static bool decode(struct bytes body, struct arena *arena, struct bytes *out, struct err *err)
{
    char *text = arena_alloc(arena, body.size, 1);
    size_t capacity = base64_decoded_size_max(body.size), used = 0, size = 0;
    uint8_t *der = arena_alloc(arena, capacity, 1);

    if (text == NULL || der == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a chain", ERR_NO_AT);
    for (size_t i = 0; i < body.size; i++) {
        if (skip_space(body, i) == i)
            text[used++] = (char)body.data[i];
    }
    if (!base64_decode(bytes_from(text, used), BASE64_STANDARD, der, capacity, &size, err) ||
        size == 0)
        return bad_chain(err);
    *out = bytes_from(der, size);
    return true;
}

bool sgx_chain_parse(struct bytes pem, struct arena *arena, struct bytes out[SGX_CHAIN_MAX],
                     size_t *count, struct err *err)
{
    const struct bytes begin = bytes_of(PEM_BEGIN), end = bytes_of(PEM_END);

    *count = 0;
    for (size_t at = skip_space(pem, 0); at < pem.size; at = skip_space(pem, at)) {
        struct bytes rest = bytes_after(pem, at);
        const uint8_t *stop = memmem(rest.data, rest.size, end.data, end.size);
        if (!bytes_starts_with(rest, begin) || stop == NULL || *count == SGX_CHAIN_MAX)
            return bad_chain(err);
        size_t size = (size_t)(stop - rest.data);
        if (size < begin.size)
            return bad_chain(err);
        if (!decode(bytes_after(bytes_before(rest, size), begin.size), arena, &out[*count], err))
            return false;
        (*count)++;
        at += size + end.size;
    }
    return true;
}

/* ---- all of it ---- */

static bool read_crl(const char *folder, const char *name, const char *url_name,
                     struct arena *arena, struct keep_evidence *e, struct err *err)
{
    struct keep_crl crl;

    if (!read_cached(folder, name, arena, &crl.der, err))
        return false;
    if (crl.der.size == 0)
        return true;
    if (!read_cached(folder, url_name, arena, &crl.url, err))
        return false;
    while (crl.url.size != 0 && crl.url.data[crl.url.size - 1] == '\n')
        crl.url.size--;
    if (crl.url.size > KEEP_EVIDENCE_URL_MAX)
        return err_set(err, ERR_LIMIT, "the address of a revocation list is too long", ERR_NO_AT);
    e->crls[e->crl_count++] = crl;
    return true;
}

bool sgx_endorsements_read(const char *folder, struct arena *arena, struct bytes *out,
                           struct err *err)
{
    struct keep_evidence e = {.technology = KEEP_SGX};
    struct writer w = writer_growable(arena, SGX_ENDORSEMENTS_MAX);
    struct bytes chain;

    if (!read_cached(folder, SGX_CACHE_TCB_INFO, arena, &e.tcb_info, err) ||
        !read_cached(folder, SGX_CACHE_TCB_CHAIN, arena, &chain, err) ||
        !sgx_chain_parse(chain, arena, e.tcb_chain, &e.tcb_chain_count, err) ||
        !read_crl(folder, SGX_CACHE_PCK_CRL, SGX_CACHE_PCK_CRL_URL, arena, &e, err) ||
        !read_crl(folder, SGX_CACHE_ROOT_CRL, SGX_CACHE_ROOT_CRL_URL, arena, &e, err))
        return false;
    keep_evidence_write(&w, &e);
    return writer_done(&w, out, err);
}
