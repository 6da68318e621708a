/* What a file of evidence is: the report or quote itself, or something around it. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "evidence/collateral_parts.h"
#include "evidence/crypto.h"
#include "evidence/evidence.h"
#include "evidence/quote.h"
#include "evidence/snp_report.h"

/* Azure's report of its firmware: a header, the SNP report, then data of the guest's. */
#define HCL_MAGIC "HCLA"
#define HCL_REPORT_AT 32u

#define OID_ENARX_SGX "1.3.6.1.4.1.58270.1.2"
#define OID_ENARX_SNP "1.3.6.1.4.1.58270.1.3"

/* ---- Enarx's extension ---- */

/* CrlList ::= SEQUENCE { SEQUENCE OF SEQUENCE { url UTF8String, crl CertificateList } }: the
 * collateral may be NULL. */
static bool take_crls(struct reader *r, struct collateral *collateral, struct err *err)
{
    struct reader list, crls, entry;
    struct bytes url;

    if (!der_enter(r, DER_SEQUENCE, &list) || !der_enter(&list, DER_SEQUENCE, &crls) ||
        !reader_at_end(&list))
        return err_set(err, ERR_FORMAT, "the evidence's revocation lists are malformed", r->at);
    while (!reader_at_end(&crls)) {
        if (!der_enter(&crls, DER_SEQUENCE, &entry) || !der_element(&entry, DER_UTF8_STRING, &url))
            return err_set(err, ERR_FORMAT, "the evidence's revocation lists are malformed", r->at);
        if (collateral != NULL && !collateral_add_crl(collateral, reader_rest(&entry), err))
            return false;
    }
    return true;
}

/* The whole of the next element. */
static bool take_whole(struct reader *r, struct bytes *out)
{
    size_t start = r->at;
    struct bytes content;
    uint8_t tag;

    if (!der_any(r, &tag, &content))
        return false;
    *out = bytes_after(bytes_before(r->in, r->at), start);
    return true;
}

/* SnpEvidence ::= SEQUENCE { SEQUENCE { vcek Certificate, crl CrlList }, report OCTET STRING } */
static bool open_snp(struct bytes content, struct collateral *collateral, struct bytes *out,
                     struct err *err)
{
    struct reader r = reader_of(content), evidence, endorsements;
    struct bytes vcek;

    if (!der_enter(&r, DER_SEQUENCE, &evidence) || !reader_at_end(&r) ||
        !der_enter(&evidence, DER_SEQUENCE, &endorsements) || !take_whole(&endorsements, &vcek))
        return err_set(err, ERR_FORMAT, "Enarx's SNP evidence is malformed, at offset", r.at);
    if (collateral != NULL && !collateral_add_certificate(collateral, vcek, err))
        return false;
    if (!take_crls(&endorsements, collateral, err))
        return false;
    return (reader_at_end(&endorsements) && der_element(&evidence, DER_OCTET_STRING, out) &&
            reader_at_end(&evidence)) ||
           err_set(err, ERR_FORMAT, "Enarx's SNP evidence has no report at its end", evidence.at);
}

/* SgxEvidence ::= SEQUENCE { quote OCTET STRING, crl CrlList,
 *     tcb SEQUENCE { SEQUENCE OF Certificate, report OCTET STRING } } */
static bool open_sgx(struct bytes content, struct collateral *collateral, struct bytes *out,
                     struct err *err)
{
    struct reader r = reader_of(content), evidence, tcb, certificates;
    struct bytes whole, report;

    if (!der_enter(&r, DER_SEQUENCE, &evidence) || !reader_at_end(&r) ||
        !der_element(&evidence, DER_OCTET_STRING, out))
        return err_set(err, ERR_FORMAT, "Enarx's SGX evidence is malformed, at offset", r.at);
    if (!take_crls(&evidence, collateral, err))
        return false;
    if (!der_enter(&evidence, DER_SEQUENCE, &tcb) || !reader_at_end(&evidence) ||
        !der_enter(&tcb, DER_SEQUENCE, &certificates))
        return err_set(err, ERR_FORMAT, "Enarx's SGX evidence is malformed, at offset",
                       evidence.at);
    while (!reader_at_end(&certificates)) {
        if (!take_whole(&certificates, &whole))
            return err_set(err, ERR_FORMAT, "a chain in Enarx's SGX evidence is malformed",
                           ERR_NO_AT);
        if (collateral != NULL && !collateral_add_certificate(collateral, whole, err))
            return false;
    }
    if (!der_element(&tcb, DER_OCTET_STRING, &report) || !reader_at_end(&tcb))
        return err_set(err, ERR_FORMAT, "Enarx's SGX evidence has no TCB info at its end", tcb.at);
    /* a keep whose host has none of it sends none: the verifier may */
    return collateral == NULL || report.size == 0 || collateral_add_json(collateral, report, err);
}

bool evidence_open_extension(enum evidence_kind kind, struct bytes content,
                             struct collateral *collateral, struct bytes *out, struct err *err)
{
    return kind == EVIDENCE_SNP ? open_snp(content, collateral, out, err)
                                : open_sgx(content, collateral, out, err);
}

/* ---- requests and certificates ---- */

static bool keep(struct arena *arena, const ASN1_OCTET_STRING *in, struct bytes *out)
{
    size_t size = (size_t)ASN1_STRING_length(in);
    uint8_t *copy = arena_alloc(arena, size, 1);

    if (copy == NULL)
        return false;
    if (size != 0)
        memcpy(copy, ASN1_STRING_get0_data(in), size);
    *out = bytes_from(copy, size);
    return true;
}

/* The one extension of Enarx's among them. */
static bool find_extension(const STACK_OF(X509_EXTENSION) * extensions, struct arena *arena,
                           struct evidence_file *out, struct bytes *content, struct err *err)
{
    char oid[64];
    int found = 0;

    for (int i = 0; i < X509v3_get_ext_count(extensions); i++) {
        X509_EXTENSION *e = X509v3_get_ext(extensions, i);
        (void)OBJ_obj2txt(oid, sizeof oid, X509_EXTENSION_get_object(e), 1);
        bool is_snp = strcmp(oid, OID_ENARX_SNP) == 0;
        if (!is_snp && strcmp(oid, OID_ENARX_SGX) != 0)
            continue;
        found++;
        out->kind = is_snp ? EVIDENCE_SNP : EVIDENCE_QUOTE;
        if (!keep(arena, X509_EXTENSION_get_data(e), content))
            return err_set(err, ERR_MEMORY, "no memory for evidence", ERR_NO_AT);
    }
    return found == 1 ||
           err_set(err, ERR_FORMAT,
                   "the request or certificate has not one extension with evidence", ERR_NO_AT);
}

/* SHA-384 of the key on SNP, SHA-256 on SGX, then zeroes. */
bool evidence_bind_key(enum evidence_kind kind, struct bytes spki, uint8_t out[64], struct err *err)
{
    memset(out, 0, 64);
    return kind == EVIDENCE_SNP ? crypto_sha384(spki, out, err) : crypto_sha256(spki, out, err);
}

static bool bind_key(X509_PUBKEY *key, struct evidence_file *out, struct err *err)
{
    uint8_t *der = NULL;
    int size = i2d_X509_PUBKEY(key, &der);
    struct bytes spki = bytes_from(der, size > 0 ? (size_t)size : 0);

    bool ok = size > 0 && evidence_bind_key(out->kind, spki, out->report_data, err);
    OPENSSL_free(der);
    out->has_key = ok;
    return ok || err_set(err, ERR_CRYPTO, "the request has no usable key", ERR_NO_AT);
}

static bool open_request(X509_REQ *request, struct arena *arena, struct evidence_file *out,
                         struct bytes *content, struct err *err)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);

    bool ok = find_extension(extensions, arena, out, content, err);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    if (!ok)
        return false;
    if (key == NULL || X509_REQ_verify(request, key) != 1)
        return err_set(err, ERR_FORMAT, "the request is not signed by its own key", ERR_NO_AT);
    return bind_key(X509_REQ_get_X509_PUBKEY(request), out, err);
}

static bool open_der(struct bytes der, struct arena *arena, struct collateral *collateral,
                     struct evidence_file *out, struct err *err)
{
    const uint8_t *request_at = der.data, *certificate_at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &request_at, (long)der.size);
    X509 *certificate = d2i_X509(NULL, &certificate_at, (long)der.size);
    struct bytes content = {.size = 0};
    bool ok = false;

    if (request != NULL && request_at == der.data + der.size)
        ok = open_request(request, arena, out, &content, err);
    else if (certificate != NULL && certificate_at == der.data + der.size)
        ok = find_extension(X509_get0_extensions(certificate), arena, out, &content, err) &&
             bind_key(X509_get_X509_PUBKEY(certificate), out, err);
    else
        (void)err_set(err, ERR_FORMAT, "this is no evidence that is known", ERR_NO_AT);
    X509_REQ_free(request);
    X509_free(certificate);
    ERR_clear_error();
    return ok && evidence_open_extension(out->kind, content, collateral, &out->evidence, err);
}

static bool open_pem(struct bytes text, struct arena *arena, struct collateral *collateral,
                     struct evidence_file *out, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    char *label = NULL, *header = NULL;
    uint8_t *der = NULL;
    long size = 0;

    bool ok = bio != NULL && PEM_read_bio(bio, &label, &header, &der, &size) == 1
                  ? open_der(bytes_from(der, (size_t)size), arena, collateral, out, err)
                  : err_set(err, ERR_FORMAT, "the PEM is damaged", ERR_NO_AT);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

/* ---- raw ---- */

/* A report begins with its version in four bytes, a quote with two of version and two of key type.
 * The size of a report is always one. */
static bool open_raw(struct bytes file, struct evidence_file *out, struct err *err)
{
    struct reader r = reader_of(file);
    uint16_t version, key_type;

    if (!reader_u16le(&r, &version) || !reader_u16le(&r, &key_type))
        return err_set(err, ERR_FORMAT, "the file is too short for evidence, in bytes", file.size);
    if (file.size != SNP_REPORT_SIZE && (version < 1 || version > 16 || key_type > 16))
        return err_set(err, ERR_FORMAT, "this is no evidence that is known", ERR_NO_AT);
    out->kind = file.size == SNP_REPORT_SIZE || key_type == 0 ? EVIDENCE_SNP : EVIDENCE_QUOTE;
    out->evidence = file;
    return true;
}

static bool is_hex(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return text.size >= hex_size(QUOTE_HEADER_SIZE);
}

static bool open_hex(struct bytes text, struct arena *arena, struct evidence_file *out,
                     struct err *err)
{
    uint8_t *decoded = arena_alloc(arena, text.size / 2, 1);
    size_t size;

    if (decoded == NULL)
        return err_set(err, ERR_MEMORY, "no memory for evidence", ERR_NO_AT);
    return hex_decode(text, decoded, text.size / 2, &size, err) &&
           open_raw(bytes_from(decoded, size), out, err);
}

bool evidence_open(struct bytes file, struct arena *arena, struct collateral *collateral,
                   struct evidence_file *out, struct err *err)
{
    struct evidence_file found = {.kind = EVIDENCE_SNP};
    struct bytes text = file;
    bool ok;

    if (file.size > EVIDENCE_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "evidence is too large, in bytes", file.size);
    while (text.size != 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    if (bytes_starts_with(file, bytes_of("-----BEGIN ")))
        ok = open_pem(file, arena, collateral, &found, err);
    else if (bytes_starts_with(file, bytes_of(HCL_MAGIC)))
        ok = open_raw(bytes_before(bytes_after(file, HCL_REPORT_AT), SNP_REPORT_SIZE), &found, err);
    else if (is_hex(text))
        ok = open_hex(text, arena, &found, err);
    else if (file.size != 0 && file.data[0] == DER_SEQUENCE)
        ok = open_der(file, arena, collateral, &found, err);
    else
        ok = open_raw(file, &found, err);
    if (ok)
        *out = found;
    return ok;
}
