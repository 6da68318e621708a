#include "evidence/x509.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "evidence/civil.h"

#define PSS_SALT_SIZE 48

/* The one common name of a name; "" when there is none, several, or one with odd characters. */
static void common_name(const X509_NAME *name, char out[COMMON_NAME_SIZE])
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    struct bytes text = {.size = 0};

    if (at >= 0 && X509_NAME_get_index_by_NID(name, NID_commonName, at) < 0) {
        const ASN1_STRING *string = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        text = bytes_from(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
    }
    if (text.size >= COMMON_NAME_SIZE)
        text.size = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~')
            text.size = 0;
    }
    if (text.size != 0)
        memcpy(out, text.data, text.size);
    out[text.size] = 0;
}

static bool fail(struct err *err, enum err_code code, const char *msg)
{
    ERR_clear_error();
    return err_set(err, code, msg, ERR_NO_AT);
}

/* Certificates and lists alike: what is signed, how, and the signature. OpenSSL would take BER. */
static bool is_der(struct bytes whole)
{
    struct reader r = reader_of(whole), content;
    struct bytes element;

    return der_enter(&r, DER_SEQUENCE, &content) && reader_at_end(&r) &&
           der_element(&content, DER_SEQUENCE, &element) &&
           der_element(&content, DER_SEQUENCE, &element) &&
           der_element(&content, DER_BIT_STRING, &element) && reader_at_end(&content);
}

/* Who must be obeyed is understood here, and not only by OpenSSL's own verifier. */
static bool is_understood(X509 *x509)
{
    for (int at = -1; (at = X509_get_ext_by_critical(x509, 1, at)) >= 0;) {
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(x509, at)));
        if (nid != NID_basic_constraints && nid != NID_key_usage)
            return false;
    }
    return (X509_get_extension_flags(x509) & (EXFLAG_INVALID | EXFLAG_CRITICAL)) == 0 &&
           X509_get_ext_by_NID(x509, NID_name_constraints, -1) < 0;
}

bool certificate_parse(struct bytes der, struct certificate *out, struct err *err)
{
    const uint8_t *at = der.data;

    if (der.size > CERTIFICATE_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "a certificate is too large, in bytes", der.size);
    X509 *x509 = is_der(der) ? d2i_X509(NULL, &at, (long)der.size) : NULL;
    if (x509 == NULL || at != der.data + der.size) {
        X509_free(x509);
        return fail(err, ERR_FORMAT, "this is no certificate in DER, or something follows it");
    }
    if (X509_get_version(x509) != X509_VERSION_3 || !is_understood(x509)) {
        X509_free(x509);
        return fail(err, ERR_FORMAT,
                    "a certificate is not of version 3, or has extensions that are not understood");
    }
    *out = (struct certificate){.x509 = x509, .der = der};
    if (!crypto_sha256(der, out->digest, err)) {
        certificate_done(out);
        return false;
    }
    common_name(X509_get_subject_name(x509), out->name);
    common_name(X509_get_issuer_name(x509), out->issuer);
    return true;
}

void certificate_done(struct certificate *certificate)
{
    X509_free(certificate->x509);
    *certificate = (struct certificate){.x509 = NULL};
}

/* Whether no entry has an extension that must be obeyed (RFC 5280 §5.3): one that says whose
 * certificate it is about, as in lists for several issuers, and what nobody here knows. */
static bool entries_are_understood(X509_CRL *crl)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);

    for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
        if (X509_REVOKED_get_ext_by_critical(sk_X509_REVOKED_value(entries, i), 1, -1) >= 0)
            return false;
    }
    return true;
}

bool crl_parse(struct bytes der, struct crl *out, struct err *err)
{
    const uint8_t *at = der.data;

    if (der.size > CRL_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "a revocation list is too large, in bytes", der.size);
    X509_CRL *crl = is_der(der) ? d2i_X509_CRL(NULL, &at, (long)der.size) : NULL;
    if (crl == NULL || at != der.data + der.size) {
        X509_CRL_free(crl);
        return fail(err, ERR_FORMAT, "this is no revocation list in DER, or something follows it");
    }
    /* delta lists and lists for others' certificates would need rules of their own */
    if (X509_CRL_get_version(crl) != X509_CRL_VERSION_2 ||
        X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0 ||
        X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1) >= 0 ||
        X509_CRL_get_ext_by_critical(crl, 1, -1) >= 0 || !entries_are_understood(crl)) {
        X509_CRL_free(crl);
        return fail(err, ERR_FORMAT, "a revocation list has extensions that are not understood");
    }
    *out = (struct crl){.crl = crl, .der = der};
    if (!crypto_sha256(der, out->digest, err)) {
        crl_done(out);
        return false;
    }
    common_name(X509_CRL_get_issuer(crl), out->issuer);
    return true;
}

void crl_done(struct crl *crl)
{
    X509_CRL_free(crl->crl);
    *crl = (struct crl){.crl = NULL};
}

/* ---- who is who ---- */

bool certificate_is_signer(const struct certificate *c, enum crypto_curve curve)
{
    EVP_PKEY *key = X509_get0_pubkey(c->x509);

    return key != NULL && crypto_is_on(curve, key) && crypto_is_sound(key) &&
           (X509_get_extension_flags(c->x509) & (EXFLAG_CA | EXFLAG_XKUSAGE)) == 0 &&
           (X509_get_key_usage(c->x509) & KU_DIGITAL_SIGNATURE) != 0; /* all bits when absent */
}

bool certificate_is_ca(const struct certificate *c)
{
    return X509_check_ca(c->x509) == 1 && (X509_get_key_usage(c->x509) & KU_KEY_CERT_SIGN) != 0 &&
           (X509_get_extension_flags(c->x509) & EXFLAG_KUSAGE) != 0;
}

bool certificate_is_same(const struct certificate *a, const struct certificate *b)
{
    const EVP_PKEY *a_key = X509_get0_pubkey(a->x509), *b_key = X509_get0_pubkey(b->x509);

    return X509_NAME_cmp(X509_get_subject_name(a->x509), X509_get_subject_name(b->x509)) == 0 &&
           a_key != NULL && b_key != NULL && EVP_PKEY_eq(a_key, b_key) == 1;
}

bool certificate_is_issued_by(const struct certificate *c, const struct certificate *issuer)
{
    const ASN1_OCTET_STRING *wanted = X509_get0_authority_key_id(c->x509);
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(issuer->x509);

    return X509_NAME_cmp(X509_get_issuer_name(c->x509), X509_get_subject_name(issuer->x509)) == 0 &&
           (wanted == NULL || id == NULL || ASN1_OCTET_STRING_cmp(wanted, id) == 0);
}

bool crl_is_issued_by(const struct crl *crl, const struct certificate *issuer)
{
    AUTHORITY_KEYID *wanted =
        X509_CRL_get_ext_d2i(crl->crl, NID_authority_key_identifier, NULL, NULL);
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(issuer->x509);
    bool is_id = wanted == NULL || wanted->keyid == NULL || id == NULL ||
                 ASN1_OCTET_STRING_cmp(wanted->keyid, id) == 0;

    AUTHORITY_KEYID_free(wanted);
    return is_id &&
           X509_NAME_cmp(X509_CRL_get_issuer(crl->crl), X509_get_subject_name(issuer->x509)) == 0;
}

/* ---- signatures ---- */

static bool is_digest(const X509_ALGOR *algorithm, int nid)
{
    const ASN1_OBJECT *oid;

    if (algorithm == NULL)
        return false;
    X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
    return OBJ_obj2nid(oid) == nid;
}

static bool is_amd_pss(const void *parameter)
{
    RSA_PSS_PARAMS *pss = ASN1_item_unpack(parameter, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    X509_ALGOR *mask = NULL;
    const ASN1_OBJECT *oid = NULL;
    const void *mask_parameter = NULL;
    int type = V_ASN1_UNDEF;

    bool ok = pss != NULL && is_digest(pss->hashAlgorithm, NID_sha384) &&
              is_digest(pss->maskGenAlgorithm, NID_mgf1) && pss->saltLength != NULL &&
              ASN1_INTEGER_get(pss->saltLength) == PSS_SALT_SIZE &&
              (pss->trailerField == NULL || ASN1_INTEGER_get(pss->trailerField) == 1);
    if (ok) {
        X509_ALGOR_get0(&oid, &type, &mask_parameter, pss->maskGenAlgorithm);
        mask = type == V_ASN1_SEQUENCE
                   ? ASN1_item_unpack(mask_parameter, ASN1_ITEM_rptr(X509_ALGOR))
                   : NULL;
        ok = is_digest(mask, NID_sha384);
    }
    X509_ALGOR_free(mask);
    RSA_PSS_PARAMS_free(pss);
    return ok;
}

static bool has_form(const X509_ALGOR *algorithm, enum x509_form form)
{
    const ASN1_OBJECT *oid;
    const void *parameter;
    int type;

    X509_ALGOR_get0(&oid, &type, &parameter, algorithm);
    if (form == X509_FORM_INTEL)
        return OBJ_obj2nid(oid) == NID_ecdsa_with_SHA256 && type == V_ASN1_UNDEF;
    return OBJ_obj2nid(oid) == NID_rsassaPss && type == V_ASN1_SEQUENCE && is_amd_pss(parameter);
}

static bool key_has_form(EVP_PKEY *key, enum x509_form form)
{
    if (key == NULL)
        return false;
    if (form == X509_FORM_INTEL)
        return crypto_is_on(CRYPTO_P256, key);
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) == 4096;
}

bool certificate_is_signed_by(const struct certificate *c, const struct certificate *issuer,
                              enum x509_form form, struct signature_cache *cache)
{
    const X509_ALGOR *algorithm;
    EVP_PKEY *key = X509_get0_pubkey(issuer->x509);

    X509_get0_signature(NULL, &algorithm, c->x509);
    if (!has_form(algorithm, form) || !key_has_form(key, form))
        return false;
    if (signature_cache_has(cache, issuer->digest, c->digest))
        return true;
    bool ok = X509_verify(c->x509, key) == 1;
    ERR_clear_error();
    if (ok)
        signature_cache_add(cache, issuer->digest, c->digest);
    return ok;
}

bool crl_is_signed_by(const struct crl *crl, const struct certificate *issuer, enum x509_form form,
                      struct signature_cache *cache)
{
    const X509_ALGOR *algorithm;
    EVP_PKEY *key = X509_get0_pubkey(issuer->x509);

    X509_CRL_get0_signature(crl->crl, NULL, &algorithm);
    if (!has_form(algorithm, form) || !key_has_form(key, form) ||
        (X509_get_key_usage(issuer->x509) & KU_CRL_SIGN) == 0)
        return false;
    if (signature_cache_has(cache, issuer->digest, crl->digest))
        return true;
    bool ok = X509_CRL_verify(crl->crl, key) == 1;
    ERR_clear_error();
    if (ok)
        signature_cache_add(cache, issuer->digest, crl->digest);
    return ok;
}

/* ---- times, serial numbers, extensions ---- */

static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm;

    return time != NULL && ASN1_TIME_to_tm(time, &tm) == 1 && tm.tm_year >= 70 &&
           civil_seconds((unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday,
                         (unsigned)tm.tm_hour, (unsigned)tm.tm_min, (unsigned)tm.tm_sec, out);
}

static struct span span_of(const ASN1_TIME *from, const ASN1_TIME *to)
{
    struct span s;

    if (!seconds_of(from, &s.from) || !seconds_of(to, &s.to))
        return (struct span){.from = INT64_MAX, .to = INT64_MIN};
    return s;
}

struct span certificate_span(const struct certificate *c)
{
    return span_of(X509_get0_notBefore(c->x509), X509_get0_notAfter(c->x509));
}

struct span crl_span(const struct crl *crl)
{
    return span_of(X509_CRL_get0_lastUpdate(crl->crl), X509_CRL_get0_nextUpdate(crl->crl));
}

bool crl_lists(const struct crl *crl, const struct certificate *c)
{
    X509_REVOKED *entry = NULL;

    return X509_CRL_get0_by_serial(crl->crl, &entry, X509_get0_serialNumber(c->x509)) != 0;
}

bool certificate_extension(const struct certificate *c, const char *oid, struct bytes *out)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = object != NULL ? X509_get_ext_by_OBJ(c->x509, object, -1) : -1;
    bool is_one = at >= 0 && X509_get_ext_by_OBJ(c->x509, object, at) < 0;

    ASN1_OBJECT_free(object);
    if (!is_one)
        return false;
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(c->x509, at));
    *out = bytes_from(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    return true;
}
