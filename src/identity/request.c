/* Certificate requests: PKCS#10 (RFC 2986) with extensions (RFC 2985 §5.4.2). */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "identity/internal.h"

#define OID_ENARX_SGX "1.3.6.1.4.1.58270.1.2"
#define OID_ENARX_SNP "1.3.6.1.4.1.58270.1.3"

/* ---- evidence in Enarx's forms ---- */

static void write_crls(struct writer *w, const struct identity_crl *crls, size_t count)
{
    size_t list = der_open(w, DER_SEQUENCE), items = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < count; i++) {
        size_t item = der_open(w, DER_SEQUENCE);
        der_write(w, DER_UTF8_STRING, crls[i].url);
        writer_bytes(w, crls[i].der);
        der_close(w, item);
    }
    der_close(w, items);
    der_close(w, list);
}

void identity_snp_evidence_write(struct writer *w, struct bytes vek,
                                 const struct identity_crl *crls, size_t crl_count,
                                 struct bytes report)
{
    size_t evidence = der_open(w, DER_SEQUENCE), endorsements = der_open(w, DER_SEQUENCE);

    writer_bytes(w, vek);
    write_crls(w, crls, crl_count);
    der_close(w, endorsements);
    der_write(w, DER_OCTET_STRING, report);
    der_close(w, evidence);
}

void identity_sgx_evidence_write(struct writer *w, struct bytes quote,
                                 const struct identity_crl *crls, size_t crl_count,
                                 const struct bytes *tcb_chain, size_t tcb_chain_count,
                                 struct bytes tcb_info)
{
    size_t evidence = der_open(w, DER_SEQUENCE);

    der_write(w, DER_OCTET_STRING, quote);
    write_crls(w, crls, crl_count);
    size_t tcb = der_open(w, DER_SEQUENCE), chain = der_open(w, DER_SEQUENCE);
    for (size_t i = 0; i < tcb_chain_count; i++)
        writer_bytes(w, tcb_chain[i]);
    der_close(w, chain);
    der_write(w, DER_OCTET_STRING, tcb_info);
    der_close(w, tcb);
    der_close(w, evidence);
}

/* ---- writing ---- */

/* Adds an extension that is not critical; content is what the extension's OCTET STRING holds. */
static bool add_extension(STACK_OF(X509_EXTENSION) * list, const char *oid, struct bytes content)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;

    bool ok = object != NULL && value != NULL && content.size <= INT32_MAX &&
              ASN1_OCTET_STRING_set(value, content.data, (int)content.size) == 1 &&
              (extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value)) != NULL &&
              sk_X509_EXTENSION_push(list, extension) > 0;
    if (!ok)
        X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return ok;
}

static bool add_claims(STACK_OF(X509_EXTENSION) * list, const struct identity_claims *claims,
                       struct bytes nonce, struct err *err)
{
    uint8_t memory[IDENTITY_CLAIMS_MAX], nonce_memory[IDENTITY_NONCE_MAX + 8];
    struct writer w = writer_fixed(memory, sizeof memory);
    struct writer n = writer_fixed(nonce_memory, sizeof nonce_memory);
    struct bytes claims_der, nonce_der;

    if (nonce.size == 0 || nonce.size > IDENTITY_NONCE_MAX)
        return err_set(err, ERR_INVALID, "a nonce has 1 to 128 bytes, not", nonce.size);
    identity_claims_write(&w, claims);
    der_write(&n, DER_OCTET_STRING, nonce);
    if (!writer_done(&w, &claims_der, err) || !writer_done(&n, &nonce_der, err))
        return false;
    return (add_extension(list, IDENTITY_OID_CLAIMS, claims_der) &&
            add_extension(list, IDENTITY_OID_NONCE, nonce_der)) ||
           identity_crypto_fail(err, "cannot make a certificate request");
}

static bool write_request(struct writer *w, X509_REQ *request, EVP_PKEY *key,
                          STACK_OF(X509_EXTENSION) * list, struct err *err)
{
    uint8_t *der = NULL;
    int size = -1;

    if (X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_add_extensions(request, list) == 1 &&
        X509_REQ_sign(request, key, EVP_sha256()) > 0)
        size = i2d_X509_REQ(request, &der);
    if (size > 0)
        writer_bytes(w, bytes_from(der, (size_t)size));
    OPENSSL_free(der);
    return size > 0 || identity_crypto_fail(err, "cannot make a certificate request");
}

bool identity_request_write(struct writer *w, EVP_PKEY *key, const struct identity_claims *claims,
                            struct bytes nonce, enum identity_technology technology,
                            struct bytes evidence, struct err *err)
{
    const char *oid = technology == IDENTITY_SNP ? OID_ENARX_SNP : OID_ENARX_SGX;
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509_REQ *request = X509_REQ_new();

    bool ok = list != NULL && request != NULL && add_extension(list, oid, evidence);
    if (!ok)
        (void)identity_crypto_fail(err, "cannot make a certificate request");
    ok = ok && add_claims(list, claims, nonce, err) && write_request(w, request, key, list, err);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
    return ok;
}

/* ---- reading ---- */

static bool keep(struct arena *arena, const void *data, size_t size, struct bytes *out,
                 struct err *err)
{
    uint8_t *copy = arena_alloc(arena, size, 1);

    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a certificate request", ERR_NO_AT);
    if (size != 0)
        memcpy(copy, data, size);
    *out = bytes_from(copy, size);
    return true;
}

/* The content of the one extension of a number; empty when there is none. */
static bool find_extension(const STACK_OF(X509_EXTENSION) * list, const char *oid,
                           struct arena *arena, struct bytes *out, struct err *err)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = object != NULL ? X509v3_get_ext_by_OBJ(list, object, -1) : -1;
    bool is_one = at < 0 || X509v3_get_ext_by_OBJ(list, object, at) < 0;

    *out = (struct bytes){.size = 0};
    ASN1_OBJECT_free(object);
    if (!is_one)
        return err_set(err, ERR_FORMAT, "the request has an extension twice", ERR_NO_AT);
    if (at < 0)
        return true;
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509v3_get_ext(list, at));
    return keep(arena, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value), out, err);
}

static bool find_evidence(const STACK_OF(X509_EXTENSION) * list, struct arena *arena,
                          struct identity_request *out, struct err *err)
{
    struct bytes sgx;

    if (!find_extension(list, OID_ENARX_SNP, arena, &out->evidence, err) ||
        !find_extension(list, OID_ENARX_SGX, arena, &sgx, err))
        return false;
    if (out->evidence.size != 0 && sgx.size != 0)
        return err_set(err, ERR_FORMAT, "the request has evidence of two kinds", ERR_NO_AT);
    out->technology = sgx.size != 0 ? IDENTITY_SGX : IDENTITY_SNP;
    if (sgx.size != 0)
        out->evidence = sgx;
    return true;
}

static bool read_extensions(const STACK_OF(X509_EXTENSION) * list, struct arena *arena,
                            struct identity_request *out, struct err *err)
{
    struct bytes nonce;

    if (X509v3_get_ext_by_critical(list, 1, -1) >= 0)
        return err_set(err, ERR_FORMAT, "the request has a critical extension", ERR_NO_AT);
    if (!find_extension(list, IDENTITY_OID_CLAIMS, arena, &out->claims_der, err) ||
        !find_extension(list, IDENTITY_OID_NONCE, arena, &nonce, err) ||
        !find_evidence(list, arena, out, err))
        return false;
    out->has_claims = out->claims_der.size != 0;
    if (out->has_claims != (nonce.size != 0))
        return err_set(err, ERR_FORMAT, "the request has claims or a nonce, but not both",
                       ERR_NO_AT);
    if (!out->has_claims)
        return true;
    struct reader r = reader_of(nonce);
    if (!der_element(&r, DER_OCTET_STRING, &out->nonce) || !reader_at_end(&r) ||
        out->nonce.size == 0 || out->nonce.size > IDENTITY_NONCE_MAX)
        return err_set(err, ERR_FORMAT, "the request's nonce is malformed", ERR_NO_AT);
    return identity_claims_parse(out->claims_der, &out->claims, err);
}

static bool read_key(X509_REQ *request, struct arena *arena, struct identity_request *out,
                     struct err *err)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    char group[32] = "";
    size_t group_size;
    uint8_t *der = NULL;

    if (key == NULL || EVP_PKEY_get_group_name(key, group, sizeof group, &group_size) != 1 ||
        (strcmp(group, "prime256v1") != 0 && strcmp(group, "secp384r1") != 0)) {
        ERR_clear_error();
        return err_set(err, ERR_UNSUPPORTED, "the request's key is not on P-256 or P-384",
                       ERR_NO_AT);
    }
    out->is_p256 = strcmp(group, "prime256v1") == 0;
    if (X509_REQ_verify(request, key) != 1)
        return identity_crypto_fail(err, "the request is not signed by its own key");
    int size = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &der);
    bool ok = size > 0 ? keep(arena, der, (size_t)size, &out->spki, err)
                       : identity_crypto_fail(err, "the request's key cannot be written");
    OPENSSL_free(der);
    return ok;
}

bool identity_request_parse(struct bytes der, struct arena *arena, struct identity_request *out,
                            struct err *err)
{
    struct identity_request request = {.has_claims = false};
    const uint8_t *at = der.data;

    if (der.size > IDENTITY_REQUEST_MAX)
        return err_set(err, ERR_LIMIT, "a request is too large, in bytes", der.size);
    X509_REQ *parsed = d2i_X509_REQ(NULL, &at, (long)der.size);
    if (parsed == NULL || at != der.data + der.size) {
        X509_REQ_free(parsed);
        ERR_clear_error();
        return err_set(err, ERR_FORMAT, "this is no certificate request in DER", ERR_NO_AT);
    }
    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(parsed);
    bool ok = read_key(parsed, arena, &request, err) && read_extensions(list, arena, &request, err);
    /* Enarx's keeps alone have other keys, and no claims */
    if (ok && request.has_claims && !request.is_p256)
        ok = err_set(err, ERR_UNSUPPORTED, "a keep's key must be on P-256", ERR_NO_AT);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(parsed);
    ERR_clear_error();
    if (ok)
        *out = request;
    return ok;
}
