/* Stewards, keeps' certificates and revocation lists for the tests of peers, made with OpenSSL.
 * What has a name here is good; a test changes one thing of it. */
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "support.h"

#include "identity/peer.h"

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)
#define SLUG "registry.example:8443/alice/chat-server:0.1.0+x86"
#define CRL_URL "https://steward.example/v1/crl"
#define STEWARD "steward.pem"
#define CA_USAGE "critical,keyCertSign,cRLSign"

struct authority {
    EVP_PKEY *key;
    X509 *x509;
};

/* What tests share; made anew for each. */
static struct arena arena;
static struct authority root, ca; /* P-384; P-256, pathlen:0 */
static EVP_PKEY *key;             /* the keep's */
static struct identity_trust *trust;

/* As it comes from a file: OpenSSL keeps what it once knew of a certificate that is changed. */
static inline X509 *read_again(X509 *x509)
{
    uint8_t *der = NULL;
    int size = i2d_X509(x509, &der);
    const uint8_t *at = der;
    X509 *read = d2i_X509(NULL, &at, size);

    assert_non_null(read);
    OPENSSL_free(der);
    X509_free(x509);
    return read;
}

static inline struct bytes keep_bytes(const void *data, size_t size)
{
    uint8_t *copy = arena_alloc(&arena, size, 1);

    assert_non_null(copy);
    if (size != 0)
        memcpy(copy, data, size);
    return bytes_from(copy, size);
}

static inline struct bytes der_of(X509 *x509)
{
    uint8_t *der = NULL;
    int size = i2d_X509(x509, &der);

    assert_true(size > 0);
    struct bytes out = keep_bytes(der, (size_t)size);
    OPENSSL_free(der);
    return out;
}

static inline struct bytes spki_of(EVP_PKEY *of)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(of, &der);

    assert_true(size > 0);
    struct bytes out = keep_bytes(der, (size_t)size);
    OPENSSL_free(der);
    return out;
}

/* Certificates until NULL, as PEM. */
static inline struct bytes pem_of(X509 *const *items)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    for (; *items != NULL; items++)
        assert_int_equal(PEM_write_bio_X509(bio, *items), 1);
    long size = BIO_get_mem_data(bio, &text);
    struct bytes out = keep_bytes(text, (size_t)size);
    BIO_free(bio);
    return out;
}
#define PEM(...) pem_of((X509 *const[]){__VA_ARGS__, NULL})

/* ---- authorities ---- */

struct profile {
    const char *name;
    EVP_PKEY *key;                              /* NULL: a new one on P-256 */
    const char *constraints, *usage, *purposes; /* as openssl.cnf has them; NULL: none */
    const char *more_oid, *more;                /* another extension */
    int64_t from, to;
    const EVP_MD *digest;
};

static inline void add_extension(X509 *x509, X509 *issuer, const char *oid, const char *text)
{
    X509V3_CTX context;

    if (text == NULL)
        return;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf(NULL, &context, oid, text);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x509, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* A CA; by itself when there is no issuer. */
static inline struct authority make(struct profile p, const struct authority *issuer)
{
    static long serial = 100;
    X509 *x509 = X509_new();
    struct authority out = {.key = p.key, .x509 = x509};

    if (out.key == NULL)
        out.key = EVP_EC_gen("P-256");
    const struct authority *by = issuer != NULL ? issuer : &out;
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++), 1);
    assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName,
                                                MBSTRING_ASC, (const uint8_t *)p.name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(by->x509)), 1);
    assert_non_null(ASN1_TIME_adj(X509_getm_notBefore(x509), (time_t)p.from, 0, 0));
    assert_non_null(ASN1_TIME_adj(X509_getm_notAfter(x509), (time_t)p.to, 0, 0));
    assert_int_equal(X509_set_pubkey(x509, out.key), 1);
    add_extension(x509, by->x509, "basicConstraints", p.constraints);
    add_extension(x509, by->x509, "keyUsage", p.usage);
    add_extension(x509, by->x509, "extendedKeyUsage", p.purposes);
    add_extension(x509, by->x509, "subjectKeyIdentifier", "hash");
    add_extension(x509, by->x509, "authorityKeyIdentifier", "keyid:always");
    add_extension(x509, by->x509, p.more_oid, p.more);
    assert_true(X509_sign(x509, by->key, p.digest) > 0);
    out.x509 = read_again(x509);
    return out;
}

static inline void authority_done(struct authority *a)
{
    X509_free(a->x509);
    EVP_PKEY_free(a->key);
}

static inline struct profile root_profile(void)
{
    return (struct profile){.name = "Steward Root",
                            .constraints = "critical,CA:TRUE",
                            .usage = CA_USAGE,
                            .from = NOW - 100 * DAY,
                            .to = NOW + 1000 * DAY,
                            .digest = EVP_sha384()};
}

static inline struct profile ca_profile(void)
{
    return (struct profile){.name = "Steward CA",
                            .constraints = "critical,CA:TRUE,pathlen:0",
                            .usage = CA_USAGE,
                            .from = NOW - 50 * DAY,
                            .to = NOW + 500 * DAY,
                            .digest = EVP_sha256()};
}

/* ---- keeps ---- */

static inline struct identity_claims claims_of(const char *slug, bool has_digest)
{
    struct identity_claims claims = {.slug = bytes_of(slug), .has_digest = has_digest};

    memset(claims.digest, 0x67, has_digest ? sizeof claims.digest : 0);
    return claims;
}

static inline struct identity_fields fields_of(const char *slug, bool has_digest)
{
    static const uint8_t measurement[48] = {1, 2, 3}, tcb[8] = {10, 0, 0, 0, 0, 0, 27, 88};

    return (struct identity_fields){
        .spki = spki_of(key),
        .trust_domain = bytes_of("example.org"),
        .identity = {.claims = claims_of(slug, has_digest),
                     .technology = IDENTITY_SNP,
                     .measurement = bytes_from(measurement, sizeof measurement),
                     .tcb = bytes_from(tcb, sizeof tcb)},
        .serial = {1, 2, 3},
        .not_before = NOW - 300,
        .not_after = NOW + 86100,
        .crl_url = bytes_of(CRL_URL)};
}

static inline X509 *issue_by(const struct authority *by, const struct identity_fields *fields)
{
    struct writer w = writer_growable(&arena, 65536);
    struct bytes der = {.size = 0};
    struct err err;

    if (!identity_certificate_write(&w, fields, by->x509, by->key, &err) ||
        !writer_done(&w, &der, &err))
        fail_msg("%s", err.msg);
    const uint8_t *at = der.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.size);
    assert_non_null(x509);
    return x509;
}

static inline X509 *issue(const struct identity_fields *fields)
{
    return issue_by(&ca, fields);
}

static inline X509 *new_keep(void)
{
    struct identity_fields fields = fields_of(SLUG, true);

    return issue(&fields);
}

/* ---- lists ---- */

struct list {
    int64_t from, to;       /* to 0: none */
    long number;            /* negative: none */
    const uint8_t *serials; /* each of serial_size bytes */
    size_t count;
    int serial_size;
    long version;
    const char *more_oid, *more, *entry_oid,
        *entry;  /* other extensions, of the list and its entries */
    X509 *named; /* whose name it has; NULL: the signer's */
    const EVP_MD *digest;
};

static inline struct list list_of(int64_t from, long number)
{
    return (struct list){.from = from,
                         .to = from + IDENTITY_CRL_AGE_MAX,
                         .number = number,
                         .version = X509_CRL_VERSION_2,
                         .serial_size = 16,
                         .digest = EVP_sha256()};
}

static inline X509_REVOKED *make_revoked(const struct list *list, const uint8_t *serial)
{
    X509_REVOKED *item = X509_REVOKED_new();
    BIGNUM *number = BN_bin2bn(serial, list->serial_size, NULL);
    ASN1_INTEGER *integer = BN_to_ASN1_INTEGER(number, NULL);
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)list->from);

    assert_int_equal(X509_REVOKED_set_serialNumber(item, integer), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(item, at), 1);
    if (list->entry != NULL) {
        X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, list->entry_oid, list->entry);
        assert_non_null(e);
        assert_int_equal(X509_REVOKED_add_ext(item, e, -1), 1);
        X509_EXTENSION_free(e);
    }
    ASN1_TIME_free(at);
    ASN1_INTEGER_free(integer);
    BN_free(number);
    return item;
}

static inline void set_times(X509_CRL *crl, const struct list *list)
{
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)list->from);
    ASN1_TIME *to = ASN1_TIME_set(NULL, (time_t)list->to);

    assert_int_equal(X509_CRL_set1_lastUpdate(crl, from), 1);
    if (list->to != 0)
        assert_int_equal(X509_CRL_set1_nextUpdate(crl, to), 1);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

static inline struct bytes make_list(const struct authority *by, const struct list *list)
{
    X509_CRL *crl = X509_CRL_new();
    X509 *named = list->named != NULL ? list->named : by->x509;
    uint8_t *der = NULL;

    if (list->version != X509_CRL_VERSION_1)
        assert_int_equal(X509_CRL_set_version(crl, list->version), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(named)), 1);
    set_times(crl, list);
    for (size_t i = 0; i < list->count; i++)
        assert_int_equal(
            X509_CRL_add0_revoked(
                crl, make_revoked(list, list->serials + (size_t)list->serial_size * i)),
            1);
    if (list->number >= 0) {
        ASN1_INTEGER *number = ASN1_INTEGER_new();
        assert_int_equal(ASN1_INTEGER_set(number, list->number), 1);
        assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_DEFAULT),
                         1);
        ASN1_INTEGER_free(number);
    }
    if (list->more != NULL) {
        X509_EXTENSION *e = X509V3_EXT_conf(NULL, NULL, list->more_oid, list->more);
        assert_non_null(e);
        assert_int_equal(X509_CRL_add_ext(crl, e, -1), 1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_CRL_sign(crl, by->key, list->digest) > 0);
    int size = i2d_X509_CRL(crl, &der);
    assert_true(size > 0);
    struct bytes out = keep_bytes(der, (size_t)size);
    OPENSSL_free(der);
    X509_CRL_free(crl);
    return out;
}

/* A good list, put in. */
static inline void put_list(const struct authority *by, const struct list *list)
{
    struct err err;
    int64_t floor = 0;

    if (!identity_trust_put_crl(trust, der_of(by->x509), make_list(by, list), NOW, &floor, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(floor, list->from);
}

/* ---- everything ---- */

static inline void add_steward(const char *name, struct bytes pem)
{
    struct err err;

    if (!identity_trust_add(trust, bytes_of(name), pem, &err))
        fail_msg("%s", err.msg);
}

static inline int set_up(void **state)
{
    struct profile p = root_profile();
    struct err err;

    (void)state;
    arena_init(&arena, arena_heap, (size_t)64 << 20);
    key = EVP_EC_gen("P-256");
    p.key = EVP_EC_gen("P-384");
    root = make(p, NULL);
    ca = make(ca_profile(), &root);
    assert_true(identity_trust_new(&trust, &err));
    add_steward(STEWARD, PEM(root.x509));
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    identity_trust_free(trust);
    authority_done(&root);
    authority_done(&ca);
    EVP_PKEY_free(key);
    arena_done(&arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
