/* SPIFFE IDs (https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md): how certificates
 * name keeps for programs that know nothing of the extension. */
#include "identity/internal.h"
#include "package/slug.h"

#define DOMAIN_MAX 255u
#define SPIFFE_ID_MAX 2048u /* of a SPIFFE ID */

bool identity_trust_domain_is_valid(struct bytes domain)
{
    for (size_t i = 0; i < domain.size; i++) {
        uint8_t c = domain.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
            return false;
    }
    return domain.size >= 1 && domain.size <= DOMAIN_MAX;
}

/* A path segment: letters, digits, '.', '-', '_'. The ':' of a port is written "..", '+' "_."; so
 * no two names are written alike, as neither has "..", or '_' before '.'. */
static bool write_segment(struct writer *w, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == ':')
            writer_text(w, "..");
        else if (c == '+')
            writer_text(w, "_.");
        else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '.')
            writer_u8(w, c);
        else
            return false;
    }
    return text.size != 0;
}

static bool write_slug(struct writer *w, struct bytes text, struct err *err)
{
    uint8_t memory[8 * SLUG_SIZE_MAX];
    struct arena arena;
    struct slug slug;

    arena_init_fixed(&arena, memory, sizeof memory);
    if (!slug_parse(text, SLUG_TAG, &arena, &slug, err))
        return false;
    const struct bytes parts[] = {slug.host, slug.user, slug.repo, slug.tag};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        writer_text(w, "/");
        if (!write_segment(w, parts[i]))
            return err_set(err, ERR_INVALID, "slug-not-nameable: a certificate cannot name it",
                           ERR_NO_AT);
    }
    return true;
}

static void write_digest(struct writer *w, const uint8_t digest[IDENTITY_DIGEST_SIZE])
{
    char text[2 * IDENTITY_DIGEST_SIZE];

    hex_encode(bytes_from(digest, IDENTITY_DIGEST_SIZE), text);
    writer_text(w, "/local/sha-256/");
    writer_bytes(w, bytes_from(text, sizeof text));
}

bool identity_name(struct writer *w, struct bytes trust_domain, const struct identity *identity,
                   enum identity_namespace space, struct err *err)
{
    const struct identity_claims *claims = &identity->claims;
    size_t start = w->size;

    if (!identity_trust_domain_is_valid(trust_domain))
        return err_set(err, ERR_INVALID, "this is no trust domain", ERR_NO_AT);
    if (space == IDENTITY_OF_ENARX && (claims->slug.size != 0 || claims->has_digest))
        return err_set(err, ERR_INVALID, "Enarx's keeps have no claims", ERR_NO_AT);
    writer_text(w, "spiffe://");
    writer_bytes(w, trust_domain);
    writer_text(w, identity->is_simulated ? "/simulated/keep" : "/keep");
    if (space == IDENTITY_OF_ENARX)
        writer_text(w, "/enarx");
    else if (claims->slug.size != 0) {
        if (!write_slug(w, claims->slug, err))
            return false;
    } else if (claims->has_digest) {
        write_digest(w, claims->digest);
    } else {
        writer_text(w, "/platform");
    }
    return w->size - start <= SPIFFE_ID_MAX ||
           err_set(err, ERR_INVALID, "slug-not-nameable: its name would be too long", ERR_NO_AT);
}
