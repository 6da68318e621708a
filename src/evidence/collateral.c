/* Endorsements that come as certificates and lists; what kind a file is. */
#include "evidence/collateral_parts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "evidence/snp_certificates.h"

/* All that can be added, and the texts of JSON documents. */
#define ARENA_LIMIT ((size_t)8 << 20)

bool collateral_new(struct collateral **out, struct err *err)
{
    struct collateral *c = calloc(1, sizeof *c);

    if (c == NULL)
        return err_set(err, ERR_MEMORY, "no memory for collateral", ERR_NO_AT);
    arena_init(&c->arena, arena_heap, ARENA_LIMIT);
    *out = c;
    return true;
}

void collateral_free(struct collateral *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->certificate_count; i++)
        certificate_done(&c->certificates[i]);
    for (size_t i = 0; i < c->crl_count; i++)
        crl_done(&c->crls[i]);
    arena_done(&c->arena);
    free(c);
}

bool collateral_keep(struct collateral *c, struct bytes in, struct bytes *out, struct err *err)
{
    uint8_t *copy = arena_alloc(&c->arena, in.size, 1);

    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "no memory for collateral", ERR_NO_AT);
    if (in.size != 0)
        memcpy(copy, in.data, in.size);
    *out = bytes_from(copy, in.size);
    return true;
}

void collateral_share(struct collateral *collateral, const struct collateral *known)
{
    collateral->known = known;
}

/* Takes a certificate that is parsed already; the copy is the caller's. */
static bool share_certificate(struct collateral *c, const struct certificate *from,
                              struct bytes copy)
{
    struct certificate *to = &c->certificates[c->certificate_count];

    if (X509_up_ref(from->x509) != 1)
        return false;
    *to = *from;
    to->der = copy;
    return true;
}

static bool share_crl(struct collateral *c, const struct crl *from, struct bytes copy)
{
    struct crl *to = &c->crls[c->crl_count];

    if (X509_CRL_up_ref(from->crl) != 1)
        return false;
    *to = *from;
    to->der = copy;
    return true;
}

static bool take_known_certificate(struct collateral *c, struct bytes der)
{
    const struct collateral *k = c->known;

    for (size_t i = 0; k != NULL && i < k->certificate_count; i++) {
        if (bytes_equal(k->certificates[i].der, der))
            return share_certificate(c, &k->certificates[i], der);
    }
    return false;
}

static bool take_known_crl(struct collateral *c, struct bytes der)
{
    const struct collateral *k = c->known;

    for (size_t i = 0; k != NULL && i < k->crl_count; i++) {
        if (bytes_equal(k->crls[i].der, der))
            return share_crl(c, &k->crls[i], der);
    }
    return false;
}

static bool has_crl(const struct collateral *c, struct bytes der)
{
    for (size_t i = 0; i < c->crl_count; i++) {
        if (bytes_equal(c->crls[i].der, der))
            return true;
    }
    return false;
}

void collateral_remember(struct collateral *c, const struct collateral *from)
{
    const struct collateral *known = c->known;
    struct err ignored;

    c->known = from;
    for (size_t i = 0; i < from->certificate_count; i++)
        (void)!collateral_add_certificate(c, from->certificates[i].der, &ignored);
    for (size_t i = 0; i < from->crl_count; i++)
        (void)(has_crl(c, from->crls[i].der) || collateral_add_crl(c, from->crls[i].der, &ignored));
    c->known = known;
}

bool collateral_has_room(const struct collateral *c)
{
    return c->certificate_count + 8 <= COLLATERAL_CERTIFICATES_MAX &&
           c->crl_count + 8 <= COLLATERAL_CRLS_MAX;
}

bool collateral_is_full(const struct collateral *c)
{
    return c->certificate_count == COLLATERAL_CERTIFICATES_MAX ||
           c->crl_count == COLLATERAL_CRLS_MAX || c->tcb_info_count == COLLATERAL_DOCUMENTS_MAX ||
           c->identity_count == COLLATERAL_DOCUMENTS_MAX;
}

bool collateral_add_certificate(struct collateral *c, struct bytes der, struct err *err)
{
    struct bytes copy;

    for (size_t i = 0; i < c->certificate_count; i++) {
        if (bytes_equal(c->certificates[i].der, der))
            return true; /* chains repeat their roots */
    }
    if (c->certificate_count == COLLATERAL_CERTIFICATES_MAX)
        return err_set(err, ERR_LIMIT, "more certificates than", COLLATERAL_CERTIFICATES_MAX);
    if (!collateral_keep(c, der, &copy, err) ||
        !(take_known_certificate(c, copy) ||
          certificate_parse(copy, &c->certificates[c->certificate_count], err)))
        return false;
    c->certificate_count++;
    return true;
}

bool collateral_add_crl(struct collateral *c, struct bytes der, struct err *err)
{
    struct bytes copy;

    if (c->crl_count == COLLATERAL_CRLS_MAX)
        return err_set(err, ERR_LIMIT, "more revocation lists than", COLLATERAL_CRLS_MAX);
    if (!collateral_keep(c, der, &copy, err) ||
        !(take_known_crl(c, copy) || crl_parse(copy, &c->crls[c->crl_count], err)))
        return false;
    c->crl_count++;
    return true;
}

/* One block. *is_end: there was none left. */
static bool add_pem_block(struct collateral *c, BIO *bio, bool *is_end, struct err *err)
{
    char *label = NULL, *header = NULL;
    uint8_t *der = NULL;
    long size = 0;
    bool ok;

    *is_end = PEM_read_bio(bio, &label, &header, &der, &size) != 1;
    if (*is_end) {
        ok = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ||
             err_set(err, ERR_FORMAT, "a PEM block is damaged", ERR_NO_AT);
        ERR_clear_error();
    } else if (header[0] != 0) {
        ok = err_set(err, ERR_FORMAT, "a PEM block has headers", ERR_NO_AT);
    } else if (strcmp(label, PEM_STRING_X509) == 0) {
        ok = collateral_add_certificate(c, bytes_from(der, (size_t)size), err);
    } else if (strcmp(label, PEM_STRING_X509_CRL) == 0) {
        ok = collateral_add_crl(c, bytes_from(der, (size_t)size), err);
    } else {
        ok = err_set(err, ERR_FORMAT, "PEM of a kind that is no endorsement", ERR_NO_AT);
    }
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return ok;
}

bool collateral_add_pem(struct collateral *c, struct bytes text, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    bool ok = bio != NULL || err_set(err, ERR_MEMORY, "no memory for PEM", ERR_NO_AT);
    bool is_end = false;

    for (size_t blocks = 0; ok && !is_end; blocks++) {
        ok = add_pem_block(c, bio, &is_end, err);
        if (ok && is_end && blocks == 0)
            ok = err_set(err, ERR_FORMAT, "there is no PEM block", ERR_NO_AT);
    }
    BIO_free(bio);
    return ok;
}

/* DER: a certificate, a list, or a PkiPath. They begin alike: what tells them apart is the first
 * element inside, and the first of that. */
static bool add_der(struct collateral *c, struct bytes file, struct err *err)
{
    struct reader r = reader_of(file), outer, inner;
    struct bytes element;
    uint8_t tag;

    if (!der_enter(&r, DER_SEQUENCE, &outer) || !reader_at_end(&r) ||
        !der_next_is(&outer, DER_SEQUENCE))
        return err_set(err, ERR_FORMAT, "this is no certificate or revocation list", ERR_NO_AT);
    struct reader look = outer;
    if (!der_enter(&look, DER_SEQUENCE, &inner))
        return err_set(err, ERR_FORMAT, "this is no certificate or revocation list", ERR_NO_AT);
    if (der_next_is(&inner, DER_SEQUENCE)) { /* a certificate within: a path of them */
        while (!reader_at_end(&outer)) {
            size_t start = outer.at;
            if (!der_any(&outer, &tag, &element))
                return err_set(err, ERR_FORMAT, "a PkiPath ends early, at offset", outer.at);
            struct bytes whole = bytes_from(outer.in.data + start, outer.at - start);
            if (!collateral_add_certificate(c, whole, err))
                return false;
        }
        return true;
    }
    /* version [0] of a certificate; INTEGER of a list */
    return der_next_is(&inner, DER_INTEGER) ? collateral_add_crl(c, file, err)
                                            : collateral_add_certificate(c, file, err);
}

/* ---- AMD's extended report ---- */

static bool add_table(struct collateral *c, struct bytes file, struct err *err)
{
    struct snp_certificate entries[SNP_CERTIFICATES_MAX];
    size_t count;

    if (!snp_certificates_read(file, entries, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        /* clouds put certificates of their own there, which say nothing to us */
        if (entries[i].kind == SNP_CERTIFICATE_OTHER)
            continue;
        struct bytes content = entries[i].content;
        bool is_pem = bytes_starts_with(content, bytes_of("-----BEGIN"));
        if (!(is_pem ? collateral_add_pem(c, content, err) : add_der(c, content, err)))
            return false;
    }
    return true;
}

/* ---- texts that stand for others ---- */

/* Percent-encoded, as a header of Intel's service. */
static bool add_percent(struct collateral *c, struct bytes text, struct err *err)
{
    uint8_t *decoded = arena_alloc(&c->arena, text.size, 1);
    size_t size = 0, got;

    if (decoded == NULL)
        return err_set(err, ERR_MEMORY, "no memory for collateral", ERR_NO_AT);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') {
            decoded[size++] = text.data[i];
            continue;
        }
        struct bytes digits = bytes_before(bytes_after(text, i + 1), 2);
        if (digits.size != 2 || !hex_decode(digits, &decoded[size], 1, &got, err))
            return err_set(err, ERR_FORMAT, "'%' without two digits, at offset", i);
        size++;
        i += 2;
    }
    return collateral_add_pem(c, bytes_from(decoded, size), err);
}

static bool add_hex(struct collateral *c, struct bytes text, struct err *err)
{
    uint8_t *decoded = arena_alloc(&c->arena, text.size / 2, 1);
    size_t size;

    if (decoded == NULL)
        return err_set(err, ERR_MEMORY, "no memory for collateral", ERR_NO_AT);
    return hex_decode(text, decoded, text.size / 2, &size, err) &&
           add_der(c, bytes_from(decoded, size), err);
}

static struct bytes without_spaces(struct bytes text)
{
    while (text.size != 0 && strchr(" \t\r\n", text.data[0]) != NULL && text.data[0] != 0)
        text = bytes_after(text, 1);
    while (text.size != 0 && text.data[text.size - 1] != 0 &&
           strchr(" \t\r\n", text.data[text.size - 1]) != NULL)
        text.size--;
    return text;
}

/* Whether PEM begins somewhere: certificates often have words before them. */
static bool has_pem(struct bytes file)
{
    return memmem(file.data, file.size, "-----BEGIN ", 11) != NULL;
}

bool collateral_add(struct collateral *c, struct bytes file, struct err *err)
{
    struct bytes text = without_spaces(file);

    if (file.size > COLLATERAL_FILE_MAX)
        return err_set(err, ERR_LIMIT, "collateral is too large, in bytes", file.size);
    if (text.size == 0)
        return err_set(err, ERR_FORMAT, "the file is empty", ERR_NO_AT);
    if (snp_certificates_is_table(file))
        return add_table(c, file, err);
    if (text.data[0] == '{')
        return collateral_add_json(c, text, err);
    if (bytes_starts_with(text, bytes_of("-----BEGIN%20")))
        return add_percent(c, text, err);
    if (bytes_starts_with(text, bytes_of("3081")) || bytes_starts_with(text, bytes_of("3082")))
        return add_hex(c, text, err);
    /* PEM that stands somewhere in a binary file belongs to a form that nobody here knows */
    if (has_pem(text) && memchr(text.data, 0, text.size) == NULL)
        return collateral_add_pem(c, text, err);
    return add_der(c, file, err);
}
