/* Keys that a keep makes for itself, and the certificate that proves nothing. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tls/internal.h"

#define BACKDATED 300
#define LIFETIME (INT64_C(10) * 365 * 86400)
#define SERIAL_SIZE 16

bool tls_key_new(EVP_PKEY **out, struct err *err)
{
    *out = EVP_EC_gen("P-256");
    return *out != NULL || tls_crypto_fail(err, "cannot make a key");
}

static bool take(uint8_t *data, int size, struct arena *arena, struct bytes *out, struct err *err)
{
    uint8_t *copy = size > 0 ? arena_alloc(arena, (size_t)size, 1) : NULL;

    if (copy != NULL) {
        memcpy(copy, data, (size_t)size);
        *out = bytes_from(copy, (size_t)size);
    }
    ERR_clear_error();
    return copy != NULL || err_set(err, ERR_MEMORY, "no memory for a certificate", ERR_NO_AT);
}

bool tls_key_spki(EVP_PKEY *key, struct arena *arena, struct bytes *out, struct err *err)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    bool ok = take(der, size, arena, out, err);

    OPENSSL_free(der);
    return ok;
}

static bool add_extension(X509 *x509, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *x509)
{
    uint8_t serial[SERIAL_SIZE];

    if (RAND_bytes(serial, sizeof serial) != 1)
        return false;
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and of full length */
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
    BN_free(number);
    return ok;
}

static bool fill(X509 *x509, EVP_PKEY *key, int64_t at)
{
    X509_NAME *name = X509_get_subject_name(x509);

    return X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) &&
           X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)"keep", -1, -1, 0) == 1 &&
           X509_set_issuer_name(x509, name) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(x509), at - BACKDATED) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x509), at + LIFETIME) != NULL &&
           X509_set_pubkey(x509, key) == 1 &&
           add_extension(x509, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(x509, NID_key_usage, "critical,digitalSignature") &&
           add_extension(x509, NID_ext_key_usage, "serverAuth,clientAuth") &&
           X509_sign(x509, key, EVP_sha256()) > 0;
}

bool tls_self_signed(EVP_PKEY *key, int64_t at, struct arena *arena, struct bytes *out,
                     struct err *err)
{
    X509 *x509 = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    bool ok =
        x509 != NULL && bio != NULL && fill(x509, key, at) && PEM_write_bio_X509(bio, x509) == 1;
    if (ok) {
        long size = BIO_get_mem_data(bio, &text);
        ok = take((uint8_t *)text, (int)size, arena, out, err);
    } else {
        (void)tls_crypto_fail(err, "cannot make a certificate");
    }
    BIO_free(bio);
    X509_free(x509);
    return ok;
}
