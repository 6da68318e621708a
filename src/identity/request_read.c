/* Reading certificate requests: PKCS#10 (RFC 2986) with extensions (RFC 2985 §5.4.2). The bounded
 * reader reads them; OpenSSL checks the signature. Its own way of reading a public key takes longer
 * than to check a signature with it. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509.h>

#include "identity/internal.h"

/* The content octets of object identifiers. */
static const uint8_t oid_ec_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_p256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const uint8_t oid_p384[] = {0x2b, 0x81, 0x04, 0x00, 0x22};
static const uint8_t oid_ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t oid_ecdsa_sha384[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
static const uint8_t oid_extension_request[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                                                0x0d, 0x01, 0x09, 0x0e};

#define P256_POINT_SIZE 65u
#define P384_POINT_SIZE 97u
#define EXTENSIONS_MAX 16u

#define IS(oid, constant) bytes_equal((oid), bytes_from((constant), sizeof(constant)))

/* ---- keys ---- */

bool identity_key_parse(struct bytes spki, struct identity_key *out, struct err *err)
{
    struct reader r = reader_of(spki), key, algorithm;
    struct bytes kind, curve, point;

    if (!der_enter(&r, DER_SEQUENCE, &key) || !reader_at_end(&r) ||
        !der_enter(&key, DER_SEQUENCE, &algorithm) || !der_oid(&algorithm, &kind))
        return err_set(err, ERR_FORMAT, "a public key is malformed", ERR_NO_AT);
    if (!IS(kind, oid_ec_key) || !der_oid(&algorithm, &curve) || !reader_at_end(&algorithm) ||
        !(IS(curve, oid_p256) || IS(curve, oid_p384)))
        return err_set(err, ERR_UNSUPPORTED, "the request's key is not on P-256 or P-384",
                       ERR_NO_AT);
    bool is_p256 = IS(curve, oid_p256);
    if (!der_bit_string(&key, &point) || !reader_at_end(&key) ||
        point.size != (is_p256 ? P256_POINT_SIZE : P384_POINT_SIZE) ||
        point.data[0] != POINT_CONVERSION_UNCOMPRESSED)
        return err_set(err, ERR_FORMAT, "a public key is malformed", ERR_NO_AT);
    *out = (struct identity_key){.is_p256 = is_p256, .point = point};
    return true;
}

/* For OpenSSL, which looks whether the point is on the curve. NULL: it is not. */
static EVP_PKEY *make_key(const struct identity_key *key)
{
    char group[] = "prime256v1", other[] = "secp384r1";
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *out = NULL;
    uint8_t point[P384_POINT_SIZE];

    memcpy(point, key->point.data, key->point.size);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, key->is_p256 ? group : other,
                                         0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, key->point.size),
        OSSL_PARAM_construct_end(),
    };
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &out, EVP_PKEY_PUBLIC_KEY, params) != 1)
        out = NULL;
    EVP_PKEY_CTX_free(context);
    return out;
}

/* ---- the request's parts ---- */

struct parts {
    struct bytes info; /* what is signed */
    struct bytes spki, attributes, algorithm, signature;
};

static bool take_whole(struct reader *r, uint8_t tag, struct bytes *out)
{
    size_t at = r->at;
    struct bytes content;

    if (!der_element(r, tag, &content))
        return false;
    *out = bytes_after(bytes_before(r->in, r->at), at);
    return true;
}

/* CertificationRequest ::= SEQUENCE { certificationRequestInfo SEQUENCE { version INTEGER (0),
 *     subject Name, subjectPKInfo SEQUENCE, attributes [0] }, signatureAlgorithm SEQUENCE { OID },
 *     signature BIT STRING } */
static bool take_parts(struct bytes der, struct parts *out, struct err *err)
{
    struct reader r = reader_of(der), request, info, algorithm;
    struct bytes subject;
    uint64_t version;

    if (!der_enter(&r, DER_SEQUENCE, &request) || !reader_at_end(&r) ||
        !take_whole(&request, DER_SEQUENCE, &out->info) ||
        !der_enter(&request, DER_SEQUENCE, &algorithm) || !der_oid(&algorithm, &out->algorithm) ||
        !reader_at_end(&algorithm) || !der_bit_string(&request, &out->signature) ||
        !reader_at_end(&request))
        return err_set(err, ERR_FORMAT, "this is no certificate request in DER", ERR_NO_AT);
    r = reader_of(out->info);
    if (!der_enter(&r, DER_SEQUENCE, &info) || !der_uint64(&info, DER_INTEGER, &version) ||
        version != 0 || !der_element(&info, DER_SEQUENCE, &subject) ||
        !take_whole(&info, DER_SEQUENCE, &out->spki) ||
        !der_element(&info, DER_CONTEXT_CONSTRUCTED(0), &out->attributes) || !reader_at_end(&info))
        return err_set(err, ERR_FORMAT, "this is no certificate request in DER", ERR_NO_AT);
    return true;
}

static bool check_signature(const struct parts *p, const struct identity_key *key, struct err *err)
{
    bool is_sha256 = IS(p->algorithm, oid_ecdsa_sha256);
    bool is_right = is_sha256 || IS(p->algorithm, oid_ecdsa_sha384);
    const EVP_MD *digest = is_sha256 ? EVP_sha256() : EVP_sha384();
    EVP_PKEY *public = is_right ? make_key(key) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    bool ok = public != NULL && context != NULL &&
              EVP_DigestVerifyInit(context, NULL, digest, NULL, public) == 1 &&
              EVP_DigestVerify(context, p->signature.data, p->signature.size, p->info.data,
                               p->info.size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return ok || identity_crypto_fail(err, "the request is not signed by its own key");
}

/* ---- extensions ---- */

/* The content of the one attribute: SEQUENCE { OID, SET { Extensions } }. */
static bool enter_extensions(struct bytes attributes, struct reader *out, struct err *err)
{
    struct reader r = reader_of(attributes), attribute, values;
    struct bytes oid;

    if (!der_enter(&r, DER_SEQUENCE, &attribute) || !reader_at_end(&r) ||
        !der_oid(&attribute, &oid) || !IS(oid, oid_extension_request) ||
        !der_enter(&attribute, DER_SET, &values) || !reader_at_end(&attribute) ||
        !der_enter(&values, DER_SEQUENCE, out) || !reader_at_end(&values))
        return err_set(err, ERR_FORMAT, "the request has not one attribute with extensions",
                       ERR_NO_AT);
    return true;
}

struct extension {
    struct bytes oid, content;
};

/* Extension ::= SEQUENCE { extnID OID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
static bool take_extension(struct reader *r, struct extension *out, struct err *err)
{
    struct reader extension;
    bool is_critical = false;

    if (!der_enter(r, DER_SEQUENCE, &extension) || !der_oid(&extension, &out->oid) ||
        (der_next_is(&extension, DER_BOOLEAN) && !der_boolean(&extension, &is_critical)) ||
        !der_element(&extension, DER_OCTET_STRING, &out->content) || !reader_at_end(&extension))
        return err_set(err, ERR_FORMAT, "an extension of the request is malformed", ERR_NO_AT);
    return !is_critical ||
           err_set(err, ERR_FORMAT, "the request has a critical extension", ERR_NO_AT);
}

struct extensions {
    struct extension items[EXTENSIONS_MAX];
    size_t count;
};

static bool take_extensions(struct bytes attributes, struct extensions *out, struct err *err)
{
    struct reader r;

    out->count = 0;
    if (!enter_extensions(attributes, &r, err))
        return false;
    while (!reader_at_end(&r)) {
        if (out->count == EXTENSIONS_MAX)
            return err_set(err, ERR_LIMIT, "the request has more extensions than", EXTENSIONS_MAX);
        struct extension *e = &out->items[out->count++];
        if (!take_extension(&r, e, err))
            return false;
        for (size_t i = 0; i + 1 < out->count; i++) {
            if (bytes_equal(out->items[i].oid, e->oid))
                return err_set(err, ERR_FORMAT, "the request has an extension twice", ERR_NO_AT);
        }
    }
    return true;
}

/* The content of an extension, by its number as text. False: there is none. */
static bool find(const struct extensions *list, const char *oid, struct bytes *content)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    bool has = false;

    *content = (struct bytes){.size = 0};
    for (size_t i = 0; object != NULL && i < list->count; i++) {
        if (bytes_equal(list->items[i].oid,
                        bytes_from(OBJ_get0_data(object), OBJ_length(object)))) {
            *content = list->items[i].content;
            has = true;
        }
    }
    ASN1_OBJECT_free(object);
    return has;
}

static bool read_evidence(const struct extensions *list, struct identity_request *out,
                          struct err *err)
{
    struct bytes sgx;
    bool has_snp = find(list, IDENTITY_OID_ENARX_SNP, &out->evidence);
    bool has_sgx = find(list, IDENTITY_OID_ENARX_SGX, &sgx);

    if (has_snp && has_sgx)
        return err_set(err, ERR_FORMAT, "the request has evidence of two kinds", ERR_NO_AT);
    out->technology = has_sgx ? IDENTITY_SGX : IDENTITY_SNP;
    if (has_sgx)
        out->evidence = sgx;
    return true;
}

static bool read_claims(const struct extensions *list, struct identity_request *out,
                        struct err *err)
{
    struct bytes nonce;
    bool has_nonce = find(list, IDENTITY_OID_NONCE, &nonce);

    out->has_claims = find(list, IDENTITY_OID_CLAIMS, &out->claims_der);
    if (out->has_claims != has_nonce)
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

/* What is read borrows from its input: a copy that lives as long as the arena. */
static bool keep(struct bytes in, struct arena *arena, struct bytes *out, struct err *err)
{
    uint8_t *copy = arena_alloc(arena, in.size, 1);

    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a certificate request", ERR_NO_AT);
    if (in.size != 0)
        memcpy(copy, in.data, in.size);
    *out = bytes_from(copy, in.size);
    return true;
}

bool identity_is_request(struct bytes der)
{
    struct reader r = reader_of(der), request, info;

    /* a certificate's inner sequence begins with [0] */
    return der_enter(&r, DER_SEQUENCE, &request) && der_enter(&request, DER_SEQUENCE, &info) &&
           der_next_is(&info, DER_INTEGER);
}

bool identity_request_parse(struct bytes der, struct arena *arena, struct identity_request *out,
                            struct err *err)
{
    struct identity_request request = {.has_claims = false};
    struct extensions extensions;
    struct identity_key key;
    struct parts parts;
    struct bytes copy;

    if (der.size > IDENTITY_REQUEST_MAX)
        return err_set(err, ERR_LIMIT, "a request is too large, in bytes", der.size);
    if (!keep(der, arena, &copy, err) || !take_parts(copy, &parts, err) ||
        !identity_key_parse(parts.spki, &key, err) || !check_signature(&parts, &key, err) ||
        !take_extensions(parts.attributes, &extensions, err) ||
        !read_claims(&extensions, &request, err) || !read_evidence(&extensions, &request, err))
        return false;
    request.spki = parts.spki;
    request.is_p256 = key.is_p256;
    /* Enarx's keeps alone have other keys, and no claims */
    if (request.has_claims && !request.is_p256)
        return err_set(err, ERR_UNSUPPORTED, "a keep's key must be on P-256", ERR_NO_AT);
    *out = request;
    return true;
}
