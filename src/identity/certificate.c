/* The one profile of certificates (RFC 5280; SPIFFE X.509-SVID): written by Stewards, read by
 * everybody. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "identity/internal.h"

#define SUBJECT "keep"
#define NAME_SIZE_MAX 2304u
#define CRL_URL_MAX 1024u
#define LIFETIME_MAX ((int64_t)90 * 86400) /* seconds: beyond it a typing error is likelier */
#define SPIFFE "spiffe://"

/* ---- writing ---- */

static bool add_der_extension(X509 *x509, const char *oid, struct bytes content)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;

    bool ok = object != NULL && value != NULL &&
              ASN1_OCTET_STRING_set(value, content.data, (int)content.size) == 1 &&
              (extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value)) != NULL &&
              X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    return ok;
}

/* A list of one URI; NULL when there is no memory. */
static GENERAL_NAMES *uri_names(struct bytes uri)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    if (names == NULL || name == NULL || text == NULL ||
        ASN1_STRING_set(text, uri.data, (int)uri.size) != 1) {
        ASN1_IA5STRING_free(text);
        GENERAL_NAME_free(name);
        sk_GENERAL_NAME_free(names);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    if (sk_GENERAL_NAME_push(names, name) > 0)
        return names;
    GENERAL_NAME_free(name);
    sk_GENERAL_NAME_free(names);
    return NULL;
}

static bool add_name(X509 *x509, struct bytes uri)
{
    GENERAL_NAMES *names = uri_names(uri);
    bool ok = names != NULL &&
              X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;

    GENERAL_NAMES_free(names);
    return ok;
}

static bool add_crl_point(X509 *x509, struct bytes url)
{
    CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
    DIST_POINT *point = DIST_POINT_new();
    GENERAL_NAMES *names = uri_names(url);
    bool ok = false;

    if (points != NULL && point != NULL && names != NULL &&
        (point->distpoint = DIST_POINT_NAME_new()) != NULL) {
        point->distpoint->type = 0; /* fullName; which has the names now */
        point->distpoint->name.fullname = names;
        names = NULL;
    }
    if (point != NULL && point->distpoint != NULL && sk_DIST_POINT_push(points, point) > 0) {
        point = NULL; /* the list has it now */
        ok = X509_add1_ext_i2d(x509, NID_crl_distribution_points, points, 0, X509V3_ADD_DEFAULT) ==
             1;
    }
    GENERAL_NAMES_free(names);
    DIST_POINT_free(point);
    CRL_DIST_POINTS_free(points);
    return ok;
}

/* An extension whose text is ours, as openssl.cnf has it. */
static bool add_text(X509 *x509, X509 *ca, int nid, const char *text)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, ca, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
    bool ok = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_time(ASN1_TIME *time, int64_t seconds)
{
    return ASN1_TIME_adj(time, (time_t)seconds, 0, 0) != NULL;
}

static bool set_serial(X509 *x509, const uint8_t serial[IDENTITY_SERIAL_SIZE])
{
    BIGNUM *number = BN_bin2bn(serial, IDENTITY_SERIAL_SIZE, NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;

    BN_free(number);
    return ok;
}

/* Puts the key in as it is: OpenSSL's way through a key object takes longer than the signature. */
static bool set_key(X509 *x509, struct bytes spki)
{
    struct identity_key key;
    struct err ignored;

    if (!identity_key_parse(spki, &key, &ignored))
        return false;
    uint8_t *point = OPENSSL_memdup(key.point.data, key.point.size);
    ASN1_OBJECT *curve = OBJ_nid2obj(key.is_p256 ? NID_X9_62_prime256v1 : NID_secp384r1);
    bool ok =
        point != NULL &&
        X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x509), OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
                               V_ASN1_OBJECT, curve, point, (int)key.point.size) == 1;
    if (!ok)
        OPENSSL_free(point);
    return ok;
}

static bool fill(X509 *x509, const struct identity_fields *f, X509 *ca, struct bytes name,
                 struct bytes identity)
{
    X509_NAME *subject = X509_get_subject_name(x509);

    return X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509, f->serial) &&
           X509_set_issuer_name(x509, X509_get_subject_name(ca)) == 1 &&
           X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)SUBJECT, -1, -1, 0) == 1 &&
           set_time(X509_getm_notBefore(x509), f->not_before) &&
           set_time(X509_getm_notAfter(x509), f->not_after) && set_key(x509, f->spki) &&
           add_text(x509, ca, NID_basic_constraints, "critical,CA:FALSE") &&
           add_text(x509, ca, NID_key_usage, "critical,digitalSignature") &&
           add_text(x509, ca, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_text(x509, ca, NID_subject_key_identifier, "hash") &&
           add_text(x509, ca, NID_authority_key_identifier, "keyid:always") &&
           add_name(x509, name) && add_crl_point(x509, f->crl_url) &&
           add_der_extension(x509, IDENTITY_OID_IDENTITY, identity);
}

static bool check_fields(const struct identity_fields *f, struct err *err)
{
    uint8_t any = 0;

    for (size_t i = 0; i < sizeof f->serial; i++)
        any |= f->serial[i];
    if (any == 0 || (f->serial[0] & 0x80) != 0)
        return err_set(err, ERR_INVALID, "the serial number is zero or negative", ERR_NO_AT);
    if (f->not_before < 0 || f->not_after <= f->not_before ||
        f->not_after - f->not_before > LIFETIME_MAX)
        return err_set(err, ERR_INVALID, "the certificate's dates are no lifetime", ERR_NO_AT);
    if (f->crl_url.size == 0 || f->crl_url.size > CRL_URL_MAX)
        return err_set(err, ERR_INVALID, "the revocation list's address is missing or too long",
                       ERR_NO_AT);
    return true;
}

bool identity_certificate_write(struct writer *w, const struct identity_fields *fields, X509 *ca,
                                EVP_PKEY *ca_key, struct err *err)
{
    uint8_t name_memory[NAME_SIZE_MAX], identity_memory[2 * IDENTITY_CLAIMS_MAX];
    struct writer n = writer_fixed(name_memory, sizeof name_memory);
    struct writer i = writer_fixed(identity_memory, sizeof identity_memory);
    struct bytes name, identity;
    struct identity check;
    uint8_t *der = NULL;
    int size = -1;

    identity_write(&i, &fields->identity);
    /* what is written is what will be read: a field that breaks the form shows here */
    if (!check_fields(fields, err) || !writer_done(&i, &identity, err) ||
        !identity_parse(identity, &check, err) ||
        !identity_name(&n, fields->trust_domain, &fields->identity, fields->space, err) ||
        !writer_done(&n, &name, err))
        return false;
    X509 *x509 = X509_new();
    if (x509 != NULL && fill(x509, fields, ca, name, identity) &&
        X509_sign(x509, ca_key, EVP_sha256()) > 0)
        size = i2d_X509(x509, &der);
    if (size > 0)
        writer_bytes(w, bytes_from(der, (size_t)size));
    OPENSSL_free(der);
    X509_free(x509);
    return size > 0 || identity_crypto_fail(err, "cannot make a certificate");
}

/* ---- reading ---- */

static bool keep(struct arena *arena, const void *data, int size, struct bytes *out)
{
    uint8_t *copy = size >= 0 ? arena_alloc(arena, (size_t)size, 1) : NULL;

    if (copy == NULL)
        return false;
    if (size != 0)
        memcpy(copy, data, (size_t)size);
    *out = bytes_from(copy, (size_t)size);
    return true;
}

static bool find_identity(X509 *x509, struct arena *arena, struct bytes *out, struct err *err)
{
    ASN1_OBJECT *object = OBJ_txt2obj(IDENTITY_OID_IDENTITY, 1);
    int at = object != NULL ? X509_get_ext_by_OBJ(x509, object, -1) : -1;
    bool is_one = at >= 0 && X509_get_ext_by_OBJ(x509, object, at) < 0;

    ASN1_OBJECT_free(object);
    if (at < 0)
        return err_set(err, ERR_NOT_FOUND, "this is no keep's certificate", ERR_NO_AT);
    if (!is_one)
        return err_set(err, ERR_INVALID, "the certificate has several identities", ERR_NO_AT);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(x509, at));
    return keep(arena, ASN1_STRING_get0_data(value), ASN1_STRING_length(value), out) ||
           err_set(err, ERR_MEMORY, "no memory for a certificate's identity", ERR_NO_AT);
}

/* The one name, which must be a URI. */
static bool find_name(X509 *x509, struct arena *arena, struct bytes *out, struct err *err)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    const ASN1_STRING *uri = NULL;
    int type;

    if (names != NULL && sk_GENERAL_NAME_num(names) == 1) {
        const void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, 0), &type);
        uri = type == GEN_URI ? value : NULL;
    }
    bool ok = uri != NULL
                  ? keep(arena, ASN1_STRING_get0_data(uri), ASN1_STRING_length(uri), out) ||
                        err_set(err, ERR_MEMORY, "no memory for a certificate's name", ERR_NO_AT)
                  : err_set(err, ERR_INVALID,
                            "the certificate's name and its identity do not agree", ERR_NO_AT);
    GENERAL_NAMES_free(names);
    return ok;
}

/* The extensions that the profile has, beside the identity, and whether they are critical. */
static const struct {
    int nid;
    bool is_critical;
} extensions[] = {
    {NID_basic_constraints, true},
    {NID_key_usage, true},
    {NID_ext_key_usage, false},
    {NID_subject_key_identifier, false},
    {NID_authority_key_identifier, false},
    {NID_subject_alt_name, false},
    {NID_crl_distribution_points, false},
};

/* Each of them once, the identity once and not critical (find_identity found it), and no other. */
static bool has_extensions(X509 *x509)
{
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        int at = X509_get_ext_by_NID(x509, extensions[i].nid, -1);
        if (at < 0 || X509_get_ext_by_NID(x509, extensions[i].nid, at) >= 0 ||
            (X509_EXTENSION_get_critical(X509_get_ext(x509, at)) != 0) != extensions[i].is_critical)
            return false;
    }
    return X509_get_ext_count(x509) == (int)COUNT_OF(extensions) + 1;
}

static bool has_two_purposes(X509 *x509)
{
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(x509, NID_ext_key_usage, NULL, NULL);
    bool ok = usage != NULL && sk_ASN1_OBJECT_num(usage) == 2;

    sk_ASN1_OBJECT_pop_free(usage, ASN1_OBJECT_free);
    return ok && X509_get_extended_key_usage(x509) == (XKU_SSL_SERVER | XKU_SSL_CLIENT);
}

static bool has_usage(X509 *x509)
{
    return X509_get_version(x509) == X509_VERSION_3 && has_extensions(x509) &&
           (X509_get_extension_flags(x509) &
            (EXFLAG_CA | EXFLAG_INVALID | EXFLAG_CRITICAL | EXFLAG_KUSAGE | EXFLAG_XKUSAGE)) ==
               (EXFLAG_KUSAGE | EXFLAG_XKUSAGE) &&
           X509_get_key_usage(x509) == KU_DIGITAL_SIGNATURE && has_two_purposes(x509) &&
           X509_get_signature_nid(x509) == NID_ecdsa_with_SHA256;
}

static bool has_a_lifetime(X509 *x509)
{
    int days, seconds;

    return ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(x509), X509_get0_notAfter(x509)) ==
               1 &&
           days >= 0 && seconds >= 0 && (int64_t)days * 86400 + seconds <= LIFETIME_MAX;
}

/* Whether the URI is the name that the identity has in its trust domain. */
static bool name_agrees(struct identity_certificate *c)
{
    const struct bytes scheme = bytes_of(SPIFFE), enarx = bytes_of("/keep/enarx");
    uint8_t memory[NAME_SIZE_MAX];
    struct writer w = writer_fixed(memory, sizeof memory);
    struct bytes expected, rest = bytes_after(c->name, scheme.size);
    struct err err;

    if (!bytes_starts_with(c->name, scheme) || rest.size == 0)
        return false;
    const uint8_t *slash = memchr(rest.data, '/', rest.size);
    if (slash == NULL)
        return false;
    c->trust_domain = bytes_before(rest, (size_t)(slash - rest.data));
    c->space =
        rest.size >= enarx.size && bytes_equal(bytes_after(rest, rest.size - enarx.size), enarx)
            ? IDENTITY_OF_ENARX
            : IDENTITY_OF_BROCH;
    return identity_name(&w, c->trust_domain, &c->identity, c->space, &err) &&
           writer_done(&w, &expected, &err) && bytes_equal(expected, c->name);
}

bool identity_certificate_parse(X509 *certificate, struct arena *arena,
                                struct identity_certificate *out, struct err *err)
{
    struct identity_certificate c = {.space = IDENTITY_OF_BROCH};
    struct identity_key key;
    struct bytes der;
    uint8_t *spki = NULL;

    if (!find_identity(certificate, arena, &der, err))
        return false;
    if (!identity_parse(der, &c.identity, err))
        return err_set(err, ERR_INVALID, "the certificate's identity is malformed", ERR_NO_AT);
    if (!has_usage(certificate))
        return err_set(err, ERR_INVALID, "the certificate's usage is not a keep's", ERR_NO_AT);
    if (!has_a_lifetime(certificate))
        return err_set(err, ERR_INVALID, "the certificate lasts longer than 90 days", ERR_NO_AT);
    if (!find_name(certificate, arena, &c.name, err))
        return false;
    if (!name_agrees(&c))
        return err_set(err, ERR_INVALID, "the certificate's name and its identity do not agree",
                       ERR_NO_AT);
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
    bool ok = keep(arena, spki, size, &c.spki);
    OPENSSL_free(spki);
    if (!ok)
        return err_set(err, ERR_MEMORY, "no memory for a certificate's key", ERR_NO_AT);
    if (!identity_key_parse(c.spki, &key, err))
        return err_set(err, ERR_INVALID, "the certificate's key is not a keep's", ERR_NO_AT);
    *out = c;
    return true;
}
