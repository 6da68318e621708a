/* Keys and certificates as PEM: RFC 7468. What is read back is what was written, to the letter. */
#include "evidence/simulated_x509.h"

#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <stdio.h>

#define LINE_SIZE ((size_t)64) /* RFC 7468 §2 */
#define LINE_BYTES (LINE_SIZE / 4 * 3)
#define KEY_LABEL "PRIVATE KEY"

void simulated_pem(struct writer *w, const char *label, struct bytes der)
{
    writer_format(w, "-----BEGIN %s-----\n", label);
    while (der.size > 0) {
        struct bytes line = bytes_before(der, LINE_BYTES);
        size_t size = base64_encoded_size(line.size, BASE64_STANDARD);
        uint8_t *place = writer_reserve(w, size); /* no copy: it may be a key */
        if (place != NULL)
            base64_encode(line, BASE64_STANDARD, (char *)place);
        writer_u8(w, '\n');
        der = bytes_after(der, line.size);
    }
    writer_format(w, "-----END %s-----\n", label);
}

/* The key in PKCS #8. */
static bool write_key(EVP_PKEY *key, struct writer *w, struct err *err)
{
    OSSL_ENCODER_CTX *context =
        OSSL_ENCODER_CTX_new_for_pkey(key, EVP_PKEY_KEYPAIR, "DER", "PrivateKeyInfo", NULL);
    uint8_t *der = NULL;
    size_t size = 0;

    bool ok = context != NULL && OSSL_ENCODER_to_data(context, &der, &size) == 1;
    OSSL_ENCODER_CTX_free(context);
    if (ok)
        simulated_pem(w, KEY_LABEL, bytes_from(der, size));
    OPENSSL_clear_free(der, size);
    return ok || simulated_fail(err, "cannot encode a private key");
}

bool simulated_parties_write(const struct simulated_party *parties, size_t count, struct writer *w,
                             struct err *err)
{
    struct bytes whole;

    for (size_t i = 0; i < count; i++) {
        simulated_pem(w, SIMULATED_CERTIFICATE, parties[i].certificate);
        if (!write_key(parties[i].key, w, err))
            return false;
    }
    return writer_done(w, &whole, err);
}

/* Takes a text that must come next. */
static bool take_text(struct reader *r, const char *text)
{
    struct bytes found;
    struct reader before = *r;

    if (reader_bytes(r, strlen(text), &found) && bytes_is(found, text))
        return true;
    *r = before;
    return false;
}

/* Takes one line of base64 and its end. Only the last line may be short, which its reader sees: a
 * full line of the text is 48 bytes, and padding is allowed nowhere but at the end. */
static bool take_line(struct reader *r, struct bytes *line)
{
    struct bytes rest = bytes_after(r->in, r->at);
    const uint8_t *end = rest.size == 0 ? NULL : memchr(rest.data, '\n', rest.size);

    if (end == NULL || end == rest.data || (size_t)(end - rest.data) > LINE_SIZE)
        return false;
    return reader_bytes(r, (size_t)(end - rest.data), line) && take_text(r, "\n");
}

/* One block with this label; its content goes to the arena. */
static bool take_block(struct reader *r, const char *label, struct arena *arena, struct bytes *out)
{
    char begin[40], end[40];
    struct writer der = writer_growable(arena, SIMULATED_SIZE_MAX);
    struct err err;
    struct bytes line;
    size_t size = LINE_BYTES;

    (void)snprintf(begin, sizeof begin, "-----BEGIN %s-----\n", label);
    (void)snprintf(end, sizeof end, "-----END %s-----\n", label);
    if (!take_text(r, begin))
        return false;
    while (!take_text(r, end)) {
        uint8_t *place = size == LINE_BYTES ? writer_reserve(&der, LINE_BYTES) : NULL;
        if (place == NULL || !take_line(r, &line) ||
            !base64_decode(line, BASE64_STANDARD, place, LINE_BYTES, &size, &err))
            return false;
        writer_truncate(&der, der.size - LINE_BYTES + size);
    }
    return writer_done(&der, out, &err);
}

static bool parse_key(struct bytes der, EVP_PKEY **out)
{
    OSSL_DECODER_CTX *context = OSSL_DECODER_CTX_new_for_pkey(out, "DER", "PrivateKeyInfo", NULL,
                                                              EVP_PKEY_KEYPAIR, NULL, NULL);
    const uint8_t *data = der.data;
    size_t size = der.size;

    bool ok = context != NULL && OSSL_DECODER_from_data(context, &data, &size) == 1 && size == 0;
    OSSL_DECODER_CTX_free(context);
    return ok;
}

/* Whether the parties are written as they were read. OpenSSL's decoder of keys is lenient: it takes
 * other versions and encodings than it writes. */
static bool is_canonical(struct bytes pem, struct arena *secrets,
                         const struct simulated_party *parties, size_t count)
{
    struct writer w = writer_growable(secrets, SIMULATED_SIZE_MAX);
    struct bytes again;
    struct err err;

    return simulated_parties_write(parties, count, &w, &err) && writer_done(&w, &again, &err) &&
           again.size == pem.size && secret_equal(again.data, pem.data, pem.size);
}

bool simulated_parties_parse(struct bytes pem, struct arena *arena, struct simulated_party *parties,
                             size_t count, struct err *err)
{
    struct reader r = {.in = pem};
    struct arena secrets;
    struct bytes key;
    bool ok = pem.size <= SIMULATED_SIZE_MAX;

    arena_init(&secrets, arena_heap, 4 * SIMULATED_SIZE_MAX);
    arena_set_wipe(&secrets);
    for (size_t i = 0; ok && i < count; i++)
        ok = take_block(&r, SIMULATED_CERTIFICATE, arena, &parties[i].certificate) &&
             take_block(&r, KEY_LABEL, &secrets, &key) && parse_key(key, &parties[i].key);
    ok = ok && r.at == pem.size && is_canonical(pem, &secrets, parties, count);
    arena_done(&secrets);
    ERR_clear_error();
    return ok ||
           err_set(err, ERR_FORMAT, "these are no keys of a simulated platform, at offset", r.at);
}
