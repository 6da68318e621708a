/* Links of chains: which certificates may be one at all, and how they come in PEM (RFC 5280,
 * RFC 7468). Their bytes are hostile. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "evidence/civil.h"
#include "identity/peer_internal.h"

#define PEM_SIZE_MAX ((size_t)256 << 10)
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define TAG_UTC_TIME 0x17
#define TAG_GENERALIZED_TIME 0x18

/* ---- what may be a link ---- */

/* The curve by its name: one that is spelled out (RFC 5480 §2.1.1 forbids it) may be any. */
static bool curve_is_strong(X509 *x509)
{
    X509_ALGOR *algorithm = NULL;
    const void *curve = NULL;
    int type = V_ASN1_UNDEF;

    if (X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, X509_get_X509_PUBKEY(x509)) != 1)
        return false;
    X509_ALGOR_get0(NULL, &type, &curve, algorithm);
    if (type != V_ASN1_OBJECT)
        return false;
    int nid = OBJ_obj2nid(curve);
    return nid == NID_X9_62_prime256v1 || nid == NID_secp384r1;
}

static bool key_is_strong(X509 *x509)
{
    const EVP_PKEY *key = X509_get0_pubkey(x509); /* NULL: also a point that is not on its curve */

    switch (key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE) {
    case EVP_PKEY_EC:
        return curve_is_strong(x509);
    case EVP_PKEY_RSA:
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
    default:
        return false;
    }
}

static bool signature_is_strong(const X509 *x509)
{
    switch (X509_get_signature_nid(x509)) {
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_sha256WithRSAEncryption:
    case NID_sha384WithRSAEncryption:
    case NID_sha512WithRSAEncryption:
        return true;
    default:
        return false;
    }
}

/* OpenSSL accepts critical policies without following them, and compares every name of a chain with
 * every constraint before it has checked one signature. */
static bool extensions_are_understood(X509 *x509)
{
    for (int at = -1; (at = X509_get_ext_by_critical(x509, 1, at)) >= 0;) {
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(x509, at)));
        if (nid != NID_basic_constraints && nid != NID_key_usage && nid != NID_ext_key_usage)
            return false;
    }
    return (X509_get_extension_flags(x509) & (EXFLAG_INVALID | EXFLAG_CRITICAL)) == 0 &&
           X509_get_ext_by_NID(x509, NID_name_constraints, -1) < 0;
}

bool identity_link_is_sound(X509 *certificate)
{
    return X509_get_version(certificate) == X509_VERSION_3 && signature_is_strong(certificate) &&
           key_is_strong(certificate) && extensions_are_understood(certificate);
}

/* ---- PEM ---- */

/* The next block. *is_end: there was none left. PEM_read_bio_X509 would ask a terminal for the
 * password of an encrypted one. */
static bool read_block(BIO *bio, X509 **out, bool *is_end, struct err *err)
{
    char *label = NULL, *header = NULL;
    uint8_t *der = NULL;
    long size = 0;

    *is_end = PEM_read_bio(bio, &label, &header, &der, &size) != 1;
    if (*is_end)
        return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ||
               err_set(err, ERR_FORMAT, "a PEM block is damaged", ERR_NO_AT);
    const uint8_t *at = der;
    bool is_certificate = header[0] == 0 && strcmp(label, PEM_STRING_X509) == 0;
    X509 *x509 = is_certificate ? d2i_X509(NULL, &at, size) : NULL;
    bool ok = x509 != NULL && at == der + size;
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    if (!ok) {
        X509_free(x509);
        return err_set(err, ERR_FORMAT, "a PEM block is no certificate", ERR_NO_AT);
    }
    *out = x509;
    return true;
}

static bool read_blocks(BIO *bio, int max, STACK_OF(X509) * into, struct err *err)
{
    for (;;) {
        X509 *x509 = NULL;
        bool is_end;
        if (!read_block(bio, &x509, &is_end, err))
            return false;
        if (is_end)
            return sk_X509_num(into) != 0 ||
                   err_set(err, ERR_FORMAT, "there is no certificate in PEM", ERR_NO_AT);
        bool is_full = sk_X509_num(into) >= max;
        if (is_full || sk_X509_push(into, x509) <= 0) {
            X509_free(x509);
            return is_full ? err_set(err, ERR_LIMIT, "more certificates than", (uint64_t)max)
                           : err_set(err, ERR_MEMORY, "no memory for certificates", ERR_NO_AT);
        }
    }
}

bool identity_pem_read(struct bytes pem, int max, STACK_OF(X509) * *out, struct err *err)
{
    if (pem.size > PEM_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "certificates in PEM are too large, in bytes", pem.size);
    STACK_OF(X509) *found = sk_X509_new_null();
    BIO *bio = BIO_new_mem_buf(pem.size != 0 ? (const void *)pem.data : "", (int)pem.size);
    bool ok = found != NULL && bio != NULL
                  ? read_blocks(bio, max, found, err)
                  : err_set(err, ERR_MEMORY, "no memory for certificates", ERR_NO_AT);
    BIO_free(bio);
    ERR_clear_error(); /* the end is an error of OpenSSL's too */
    if (!ok) {
        sk_X509_pop_free(found, X509_free);
        return false;
    }
    *out = found;
    return true;
}

/* ---- times ---- */

/* YYMMDDHHMMSSZ until 2049, YYYYMMDDHHMMSSZ beyond; no other form is DER. */
bool identity_time_parse(uint8_t tag, struct bytes content, int64_t *out)
{
    size_t year_size = tag == TAG_UTC_TIME ? 2 : tag == TAG_GENERALIZED_TIME ? 4 : 0;
    unsigned fields[6] = {0}; /* year to second */

    if (year_size == 0 || content.size != year_size + 11 || content.data[content.size - 1] != 'Z')
        return false;
    for (size_t i = 0; i < content.size - 1; i++) {
        unsigned digit = (unsigned)content.data[i] - '0';
        size_t field = i < year_size ? 0 : 1 + (i - year_size) / 2;
        if (digit > 9)
            return false;
        fields[field] = fields[field] * 10 + digit;
    }
    if (year_size == 2)
        fields[0] += fields[0] < 50 ? 2000 : 1900;
    return civil_seconds(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], out);
}
