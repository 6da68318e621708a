/* Digests of packages as text. Input is untrusted. */
#include "package/slug.h"

#include <assert.h>

#include "base/banned.h"

static const struct {
    const char *prefix;
    uint8_t size;
} algorithms[] = {
    [DIGEST_SHA224] = {"sha-224:", 28},
    [DIGEST_SHA256] = {"sha-256:", 32},
    [DIGEST_SHA384] = {"sha-384:", 48},
    [DIGEST_SHA512] = {"sha-512:", 64},
};

/* The sizes tell the forms apart: for no algorithm do two of them agree. */
static bool decode(struct bytes text, struct digest *d, struct err *err)
{
    size_t size;

    if (text.size == hex_size(d->size))
        return hex_decode(text, d->bytes, d->size, &size, err);
    if (text.size == base64_encoded_size(d->size, BASE64_STANDARD))
        return base64_decode(text, BASE64_STANDARD, d->bytes, d->size, &size, err) &&
               (size == d->size || err_set(err, ERR_FORMAT, "digest is cut short, in bytes", size));
    if (text.size == base64_encoded_size(d->size, BASE64_STANDARD_UNPADDED))
        return base64_decode(text, BASE64_STANDARD_UNPADDED, d->bytes, d->size, &size, err);
    return err_set(err, ERR_FORMAT, "digest has not the size of its algorithm, in characters",
                   text.size);
}

bool digest_parse(struct bytes text, struct digest *out, struct err *err)
{
    for (unsigned i = DIGEST_SHA224; i < COUNT_OF(algorithms); i++) {
        struct bytes prefix = bytes_of(algorithms[i].prefix);
        struct digest d = {.algorithm = (enum digest_algorithm)i, .size = algorithms[i].size};
        if (!bytes_starts_with(text, prefix))
            continue;
        if (!decode(bytes_after(text, prefix.size), &d, err)) {
            if (err->code == ERR_FORMAT && err->at < text.size)
                err->at += prefix.size;
            return false;
        }
        *out = d;
        return true;
    }
    return err_set(err, ERR_FORMAT, "digest does not begin with sha-256: or the like", ERR_NO_AT);
}

void digest_write(struct writer *w, const struct digest *digest)
{
    struct bytes bytes = bytes_from(digest->bytes, digest->size);

    assert(digest->algorithm != DIGEST_NONE);
    writer_text(w, algorithms[digest->algorithm].prefix);
    uint8_t *place = writer_reserve(w, base64_encoded_size(bytes.size, BASE64_STANDARD));
    if (place != NULL)
        base64_encode(bytes, BASE64_STANDARD, (char *)place);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->algorithm == b->algorithm &&
           bytes_equal(bytes_from(a->bytes, a->size), bytes_from(b->bytes, b->size));
}
