/* Digests as text. Input is untrusted. */
#include "package/digest.h"

#include <assert.h>

#include "base/banned.h"

static const struct {
    const char *name;
    uint8_t size;
} algorithms[DIGEST_ALGORITHMS] = {
    [DIGEST_SHA224] = {"sha-224", 28},
    [DIGEST_SHA256] = {"sha-256", 32},
    [DIGEST_SHA384] = {"sha-384", 48},
    [DIGEST_SHA512] = {"sha-512", 64},
};

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
    assert(algorithm < DIGEST_ALGORITHMS);
    return algorithms[algorithm].name;
}

uint8_t digest_algorithm_size(enum digest_algorithm algorithm)
{
    assert(algorithm < DIGEST_ALGORITHMS);
    return algorithms[algorithm].size;
}

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
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        struct bytes name = bytes_of(algorithms[i].name);
        struct digest d = {.algorithm = (enum digest_algorithm)i, .size = algorithms[i].size};
        if (!bytes_starts_with(text, name) || text.size == name.size || text.data[name.size] != ':')
            continue;
        if (!decode(bytes_after(text, name.size + 1), &d, err)) {
            if (err->code == ERR_FORMAT && err->at < text.size)
                err->at += name.size + 1;
            return false;
        }
        *out = d;
        return true;
    }
    return err_set(err, ERR_FORMAT, "digest does not begin with sha-256: or the like", ERR_NO_AT);
}

static struct bytes digest_bytes(const struct digest *digest)
{
    return bytes_from(digest->bytes, digest->size);
}

static void write_base64(struct writer *w, const struct digest *digest)
{
    uint8_t *place = writer_reserve(w, base64_encoded_size(digest->size, BASE64_STANDARD));

    if (place != NULL)
        base64_encode(digest_bytes(digest), BASE64_STANDARD, (char *)place);
}

static void write_name(struct writer *w, const struct digest *digest)
{
    writer_text(w, digest_algorithm_name(digest->algorithm));
}

void digest_write(struct writer *w, const struct digest *digest)
{
    write_name(w, digest);
    writer_u8(w, ':');
    write_base64(w, digest);
}

void digest_write_hex(struct writer *w, const struct digest *digest)
{
    write_name(w, digest);
    writer_u8(w, ':');
    uint8_t *place = writer_reserve(w, hex_size(digest->size));
    if (place != NULL)
        hex_encode(digest_bytes(digest), (char *)place);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->algorithm == b->algorithm && bytes_equal(digest_bytes(a), digest_bytes(b));
}

/* ---- sets ---- */

unsigned digest_set_algorithms(const struct digest_set *set)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++)
        bits |= (unsigned)(set->of[i].size != 0) << i;
    return bits;
}

/* Of the algorithms that both have, whether they say the same. */
static bool agree(const struct digest_set *a, const struct digest_set *b, unsigned shared)
{
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        if ((shared & 1u << i) != 0 &&
            !bytes_equal(digest_bytes(&a->of[i]), digest_bytes(&b->of[i])))
            return false;
    }
    return true;
}

bool digest_set_equal(const struct digest_set *a, const struct digest_set *b)
{
    return digest_set_algorithms(a) == digest_set_algorithms(b) &&
           agree(a, b, digest_set_algorithms(a));
}

bool digest_set_agrees(const struct digest_set *a, const struct digest_set *b)
{
    unsigned shared = digest_set_algorithms(a) & digest_set_algorithms(b);

    return (shared & ~(1u << DIGEST_SHA224)) != 0 && agree(a, b, shared);
}

/* ---- Content-Digest ---- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* Which algorithm `text` begins with the name of, and '='; DIGEST_NONE: none. */
static enum digest_algorithm find_algorithm(struct bytes text)
{
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        const char *name = algorithms[i].name;
        size_t size = strlen(name), same = 0;
        while (same < size && same < text.size && lower(text.data[same]) == (uint8_t)name[same])
            same++;
        if (same == size && text.size > size && text.data[size] == '=')
            return (enum digest_algorithm)i;
    }
    return DIGEST_NONE;
}

static struct bytes skip_blanks(struct bytes text)
{
    while (text.size != 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_after(text, 1);
    return text;
}

/* One member, `alg=:BASE64:`, off the front of *rest. */
static bool parse_member(struct bytes *rest, struct digest_set *set, struct err *err)
{
    enum digest_algorithm algorithm = find_algorithm(*rest);
    size_t size;

    if (algorithm == DIGEST_NONE)
        return err_set(err, ERR_FORMAT, "a content digest is none of sha-224 to sha-512",
                       ERR_NO_AT);
    struct digest *d = &set->of[algorithm];
    size_t text_size = base64_encoded_size(algorithms[algorithm].size, BASE64_STANDARD);
    struct bytes text = bytes_after(*rest, strlen(algorithms[algorithm].name) + 1);
    if (d->size != 0)
        return err_set(err, ERR_FORMAT, "a content digest is given twice", ERR_NO_AT);
    if (text.data == NULL || text.size < text_size + 2 || text.data[0] != ':' ||
        text.data[text_size + 1] != ':')
        return err_set(err, ERR_FORMAT,
                       "a content digest is not of the form sha-256=:BASE64:", ERR_NO_AT);
    d->algorithm = algorithm;
    if (!base64_decode(bytes_from(text.data + 1, text_size), BASE64_STANDARD, d->bytes,
                       sizeof d->bytes, &size, err))
        return err_set(err, ERR_FORMAT, "a content digest is no base64", ERR_NO_AT);
    if (size != algorithms[algorithm].size)
        return err_set(err, ERR_FORMAT, "a content digest has not the size of its algorithm",
                       ERR_NO_AT);
    d->size = (uint8_t)size;
    *rest = skip_blanks(bytes_after(text, text_size + 2));
    return true;
}

bool content_digest_parse(struct bytes value, struct digest_set *set, struct err *err)
{
    struct digest_set found = *set;
    struct bytes rest = skip_blanks(value);

    while (parse_member(&rest, &found, err)) {
        if (rest.size == 0) {
            *set = found;
            return true;
        }
        if (rest.data[0] != ',')
            return err_set(err, ERR_FORMAT, "a comma is missing between content digests",
                           ERR_NO_AT);
        rest = skip_blanks(bytes_after(rest, 1));
    }
    return false;
}

void content_digest_write(struct writer *w, const struct digest_set *set)
{
    const char *separator = "";

    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        if (set->of[i].size == 0)
            continue;
        writer_text(w, separator);
        write_name(w, &set->of[i]);
        writer_text(w, "=:");
        write_base64(w, &set->of[i]);
        writer_u8(w, ':');
        separator = ",";
    }
}
