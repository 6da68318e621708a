/* Claims and identities as DER, and their binding. */
#include <openssl/err.h>
#include <openssl/evp.h>

#include "identity/internal.h"
#include "package/slug.h"

#define VERSION 1u
#define TAG_SLUG 0x80u
#define TAG_DIGEST 0x81u
#define TAG_SIGNER 0x80u
#define TAG_TCB 0x81u
#define TAG_TCB_STATUS 0x82u

#define SIGNER_MAX 48u
#define TCB_MAX 64u
#define TCB_STATUS_MAX 64u

bool identity_crypto_fail(struct err *err, const char *msg)
{
    ERR_clear_error();
    return err_set(err, ERR_CRYPTO, msg, ERR_NO_AT);
}

void identity_claims_write(struct writer *w, const struct identity_claims *claims)
{
    size_t mark = der_open(w, DER_SEQUENCE);

    der_write_uint64(w, DER_INTEGER, VERSION);
    if (claims->slug.size != 0)
        der_write(w, TAG_SLUG, claims->slug);
    if (claims->has_digest)
        der_write(w, TAG_DIGEST, bytes_from(claims->digest, sizeof claims->digest));
    der_close(w, mark);
}

/* A name that reads in one way only. */
static bool is_canonical(struct bytes text)
{
    uint8_t memory[8 * SLUG_SIZE_MAX], written[SLUG_SIZE_MAX];
    struct writer w = writer_fixed(written, sizeof written);
    struct arena arena;
    struct slug slug;
    struct bytes canonical;
    struct err err;

    arena_init_fixed(&arena, memory, sizeof memory);
    if (!slug_parse(text, SLUG_TAG, &arena, &slug, &err))
        return false;
    slug_write(&w, &slug);
    return writer_done(&w, &canonical, &err) && bytes_equal(canonical, text);
}

/* The fields of claims, in a reader that they must fill. */
static bool read_claims(struct reader *r, struct identity_claims *out)
{
    struct bytes digest;
    uint64_t version;

    *out = (struct identity_claims){.has_digest = false};
    if (!der_uint64(r, DER_INTEGER, &version) || version != VERSION)
        return false;
    if (der_next_is(r, TAG_SLUG) &&
        (!der_element(r, TAG_SLUG, &out->slug) || !is_canonical(out->slug)))
        return false;
    out->has_digest = der_next_is(r, TAG_DIGEST);
    if (out->has_digest) {
        if (!der_element(r, TAG_DIGEST, &digest) || digest.size != sizeof out->digest)
            return false;
        memcpy(out->digest, digest.data, digest.size);
    }
    return reader_at_end(r) && (out->slug.size == 0 || out->has_digest);
}

bool identity_claims_parse(struct bytes der, struct identity_claims *out, struct err *err)
{
    struct reader r = reader_of(der), content;
    struct identity_claims claims;

    if (der.size > IDENTITY_CLAIMS_MAX || !der_enter(&r, DER_SEQUENCE, &content) ||
        !reader_at_end(&r) || !read_claims(&content, &claims))
        return err_set(err, ERR_FORMAT, "the claims are malformed", ERR_NO_AT);
    *out = claims;
    return true;
}

bool identity_bind(struct bytes spki, struct bytes claims, struct bytes nonce, uint8_t out[64],
                   struct err *err)
{
    static const char text[] = "broch keep claims v1"; /* its NUL is part of it */
    const struct bytes parts[] = {spki, claims, nonce};
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1 &&
              EVP_DigestUpdate(context, text, sizeof text) == 1;
    for (size_t i = 0; ok && i < COUNT_OF(parts); i++) {
        uint8_t memory[4];
        struct writer size = writer_fixed(memory, sizeof memory);
        ok = parts[i].size <= UINT32_MAX;
        writer_u32be(&size, (uint32_t)parts[i].size);
        ok = ok && EVP_DigestUpdate(context, memory, sizeof memory) == 1 &&
             EVP_DigestUpdate(context, parts[i].data, parts[i].size) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok || identity_crypto_fail(err, "cannot compute the binding");
}

void identity_write(struct writer *w, const struct identity *identity)
{
    size_t mark = der_open(w, DER_SEQUENCE);

    der_write_uint64(w, DER_INTEGER, VERSION);
    identity_claims_write(w, &identity->claims);
    der_write_uint64(w, DER_ENUMERATED, identity->technology);
    der_write(w, DER_OCTET_STRING, identity->measurement);
    if (identity->signer.size != 0)
        der_write(w, TAG_SIGNER, identity->signer);
    der_write(w, TAG_TCB, identity->tcb);
    if (identity->tcb_status.size != 0)
        der_write(w, TAG_TCB_STATUS, identity->tcb_status);
    der_write_boolean(w, identity->is_simulated);
    der_close(w, mark);
}

static bool is_word(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return text.size >= 1 && text.size <= TCB_STATUS_MAX;
}

static bool read_identity(struct reader *r, struct identity *out)
{
    struct reader claims;
    uint64_t version, technology;

    *out = (struct identity){.is_simulated = true};
    if (!der_uint64(r, DER_INTEGER, &version) || version != VERSION ||
        !der_enter(r, DER_SEQUENCE, &claims) || !read_claims(&claims, &out->claims) ||
        !der_uint64(r, DER_ENUMERATED, &technology) || technology < IDENTITY_SNP ||
        technology > IDENTITY_TDX || !der_element(r, DER_OCTET_STRING, &out->measurement) ||
        (out->measurement.size != 32 && out->measurement.size != 48))
        return false;
    out->technology = (enum identity_technology)technology;
    if (der_next_is(r, TAG_SIGNER) && (!der_element(r, TAG_SIGNER, &out->signer) ||
                                       out->signer.size == 0 || out->signer.size > SIGNER_MAX))
        return false;
    if (!der_element(r, TAG_TCB, &out->tcb) || out->tcb.size > TCB_MAX)
        return false;
    if (der_next_is(r, TAG_TCB_STATUS) &&
        (!der_element(r, TAG_TCB_STATUS, &out->tcb_status) || !is_word(out->tcb_status)))
        return false;
    return der_boolean(r, &out->is_simulated) && reader_at_end(r);
}

bool identity_parse(struct bytes der, struct identity *out, struct err *err)
{
    struct reader r = reader_of(der), content;
    struct identity identity;

    if (!der_enter(&r, DER_SEQUENCE, &content) || !reader_at_end(&r) ||
        !read_identity(&content, &identity))
        return err_set(err, ERR_FORMAT, "the identity is malformed", ERR_NO_AT);
    *out = identity;
    return true;
}
