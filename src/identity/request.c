/* Writing certificate requests: PKCS#10 (RFC 2986) with extensions (RFC 2985 §5.4.2). */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "identity/internal.h"

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

/* ---- requests ---- */

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
    const char *oid = technology == IDENTITY_SNP ? IDENTITY_OID_ENARX_SNP : IDENTITY_OID_ENARX_SGX;
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    X509_REQ *request = X509_REQ_new();

    bool ok = list != NULL && request != NULL &&
              (evidence.size == 0 || add_extension(list, oid, evidence));
    if (!ok)
        (void)identity_crypto_fail(err, "cannot make a certificate request");
    ok = ok && add_claims(list, claims, nonce, err) && write_request(w, request, key, list, err);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
    return ok;
}
