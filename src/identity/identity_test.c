/* Claims, names, requests and certificates, against OpenSSL. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "support.h"

#include "identity/identity.h"

#define NOW INT64_C(1800000000)
#define DIGEST                                                                                    \
    {                                                                                             \
        0x67, 0xda, 0x29, 0xef, 0xbd, 0xc2, 0x6c, 0x4f, 0x98, 0x6c, 0x56, 0x57, 0xbf, 0x4b, 0x00, \
            0x5d, 0x7b, 0x47, 0x73, 0x41, 0x9a, 0xca, 0x2d, 0x68, 0x6f, 0x25, 0x72, 0xfd, 0x5c,   \
            0xa6, 0x46, 0xd7                                                                      \
    }

static struct arena arena;
static EVP_PKEY *ca_key, *key;
static X509 *ca;

/* As it comes from a file: OpenSSL keeps what it once knew of a certificate that is changed. */
static X509 *read_again(X509 *x509)
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

static X509 *new_ca(void)
{
    X509 *x509 = X509_new();
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1), 1);
    assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName,
                                                MBSTRING_ASC, (const uint8_t *)"Steward", -1, -1,
                                                0),
                     1);
    assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(x509)), 1);
    assert_non_null(ASN1_TIME_adj(X509_getm_notBefore(x509), NOW - 1000, 0, 0));
    assert_non_null(ASN1_TIME_adj(X509_getm_notAfter(x509), NOW + 1000000, 0, 0));
    assert_int_equal(X509_set_pubkey(x509, ca_key), 1);
    static const struct {
        int nid;
        const char *text;
    } extensions[] = {{NID_basic_constraints, "critical,CA:TRUE"},
                      {NID_key_usage, "critical,keyCertSign,cRLSign"},
                      {NID_subject_key_identifier, "hash"}};
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        X509_EXTENSION *e =
            X509V3_EXT_conf_nid(NULL, &context, extensions[i].nid, extensions[i].text);
        assert_non_null(e);
        assert_int_equal(X509_add_ext(x509, e, -1), 1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(x509, ca_key, EVP_sha256()) > 0);
    return read_again(x509);
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, (size_t)16 << 20);
    ca_key = EVP_EC_gen("P-256");
    key = EVP_EC_gen("P-256");
    ca = new_ca();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    arena_done(&arena);
    return 0;
}

static struct bytes done(const struct writer *w)
{
    struct bytes out;
    struct err err;

    assert_true(writer_done(w, &out, &err));
    return out;
}

static struct bytes spki_of(EVP_PKEY *of)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(of, &der);
    struct writer w = writer_growable(&arena, 4096);

    assert_true(size > 0);
    writer_bytes(&w, bytes_from(der, (size_t)size));
    OPENSSL_free(der);
    return done(&w);
}

#define SLUG "registry.example:8443/alice/chat-server:0.1.0+x86"

static struct identity_claims claims_of(const char *slug, bool has_digest)
{
    struct identity_claims claims = {.slug = bytes_of(slug), .digest = DIGEST};

    claims.has_digest = has_digest;
    return claims;
}

static struct identity identity_of(const char *slug, bool has_digest)
{
    static const uint8_t measurement[48] = {1, 2, 3}, tcb[8] = {10, 0, 0, 0, 0, 0, 27, 88};

    return (struct identity){.claims = claims_of(slug, has_digest),
                             .technology = IDENTITY_SNP,
                             .measurement = bytes_from(measurement, sizeof measurement),
                             .tcb = bytes_from(tcb, sizeof tcb)};
}

/* ---- claims ---- */

static void claims_read_as_written(void **state)
{
    const struct {
        const char *slug;
        bool has_digest;
    } cases[] = {{"", false}, {"", true}, {SLUG, true}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct identity_claims in = claims_of(cases[i].slug, cases[i].has_digest), out;
        struct writer w = writer_growable(&arena, 4096);
        struct err err;
        identity_claims_write(&w, &in);
        assert_true(identity_claims_parse(done(&w), &out, &err));
        assert_true(bytes_equal(in.slug, out.slug));
        assert_int_equal(in.has_digest, out.has_digest);
    }
}

static void assert_claims_refused(struct bytes der)
{
    struct identity_claims out;
    struct err err;

    assert_false(identity_claims_parse(der, &out, &err));
    assert_int_equal(err.code, ERR_FORMAT);
}

static void odd_claims_are_refused(void **state)
{
    static const char *const slugs[] = {
        "registry.example/alice/chat",
        "Registry.example/alice/chat:0.1.0",
        "registry.example:443/a/chat:0.1.0",
        "registry.example/al ice/chat:0.1.0",
        "alice/chat:0.1.0",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(slugs); i++) {
        struct identity_claims in = claims_of(slugs[i], true);
        struct writer w = writer_growable(&arena, 4096);
        identity_claims_write(&w, &in);
        assert_claims_refused(done(&w));
    }
    struct identity_claims no_digest = claims_of(SLUG, false);
    struct writer w = writer_growable(&arena, 4096);
    identity_claims_write(&w, &no_digest);
    assert_claims_refused(done(&w));                              /* a name without a digest */
    assert_claims_refused(bytes_from("\x30\x03\x02\x01\x02", 5)); /* another version */
    assert_claims_refused(bytes_from("\x30\x03\x02\x01\x01\x00", 6));
    assert_claims_refused(bytes_from("\x30\x80\x02\x01\x01\x00\x00", 7));
}

/* The digest was computed with Python's hashlib. */
static void the_binding_is_that_of_the_design(void **state)
{
    static const uint8_t expected[8] = {0x78, 0x60, 0x75, 0x3c, 0x2a, 0xd5, 0xf9, 0x9e};
    uint8_t out[64], other[64];
    struct err err;

    (void)state;
    assert_true(identity_bind(bytes_of("key"), bytes_of("claims"), bytes_of("nonce"), out, &err));
    assert_memory_equal(out, expected, sizeof expected);
    /* what moves from one part to the next is something else */
    assert_true(identity_bind(bytes_of("keyc"), bytes_of("laims"), bytes_of("nonce"), other, &err));
    assert_memory_not_equal(out, other, sizeof out);
}

/* ---- names ---- */

static void assert_name(const struct identity *identity, enum identity_namespace space,
                        const char *expected)
{
    struct writer w = writer_growable(&arena, 4096);
    struct err err;

    assert_true(identity_name(&w, bytes_of("example.org"), identity, space, &err));
    struct bytes name = done(&w);
    if (!bytes_is(name, expected))
        fail_msg("%.*s, not %s", (int)name.size, (const char *)name.data, expected);
}

static void names(void **state)
{
    struct identity workload = identity_of(SLUG, true), local = identity_of("", true),
                    platform = identity_of("", false),
                    odd = identity_of("[::1]:80/a/b:0.1.0", true);
    struct writer w = writer_growable(&arena, 4096);
    struct err err;

    (void)state;
    assert_name(&workload, IDENTITY_OF_BROCH,
                "spiffe://example.org/keep/registry.example..8443/alice/chat-server/0.1.0_.x86");
    assert_name(&local, IDENTITY_OF_BROCH,
                "spiffe://example.org/keep/local/sha-256/"
                "67da29efbdc26c4f986c5657bf4b005d7b4773419aca2d686f2572fd5ca646d7");
    assert_name(&platform, IDENTITY_OF_BROCH, "spiffe://example.org/keep/platform");
    assert_name(&platform, IDENTITY_OF_ENARX, "spiffe://example.org/keep/enarx");
    platform.is_simulated = true;
    assert_name(&platform, IDENTITY_OF_BROCH, "spiffe://example.org/simulated/keep/platform");
    assert_false(identity_name(&w, bytes_of("example.org"), &odd, IDENTITY_OF_BROCH, &err));
    assert_string_equal(err.msg, "slug-not-nameable: a certificate cannot name it");
    assert_false(identity_name(&w, bytes_of("example.org"), &local, IDENTITY_OF_ENARX, &err));
    assert_false(identity_name(&w, bytes_of("Example.org"), &local, IDENTITY_OF_BROCH, &err));
    assert_false(identity_name(&w, bytes_of("a/b"), &local, IDENTITY_OF_BROCH, &err));
}

/* ---- requests ---- */

static void requests_read_as_written(void **state)
{
    struct identity_claims claims = claims_of(SLUG, true);
    struct writer w = writer_growable(&arena, 65536);
    struct identity_request request;
    struct err err;

    (void)state;
    assert_true(identity_request_write(&w, key, &claims, bytes_of("a nonce"), IDENTITY_SGX,
                                       bytes_of("evidence"), &err));
    struct bytes der = done(&w);
    assert_true(identity_request_parse(der, &arena, &request, &err));
    assert_true(request.has_claims && request.is_p256);
    assert_true(bytes_is(request.claims.slug, SLUG));
    assert_true(bytes_is(request.nonce, "a nonce"));
    assert_true(bytes_equal(request.spki, spki_of(key)));
    for (size_t at = 0; at < der.size; at++) {
        struct bytes copy = exact_copy(der);
        ((uint8_t *)(uintptr_t)copy.data)[at] ^= 1;
        assert_false(
            identity_request_parse(copy, &arena, &request, &err)); /* all of it is signed */
        exact_free(copy);
    }
    assert_false(identity_request_parse(bytes_before(der, der.size - 1), &arena, &request, &err));
}

static void a_keep_has_a_key_on_p_256(void **state)
{
    struct identity_claims claims = claims_of("", true);
    struct writer w = writer_growable(&arena, 65536);
    EVP_PKEY *other = EVP_EC_gen("P-384");
    struct identity_request request;
    struct err err;

    (void)state;
    assert_true(identity_request_write(&w, other, &claims, bytes_of("n"), IDENTITY_SNP,
                                       bytes_of("evidence"), &err));
    EVP_PKEY_free(other);
    assert_false(identity_request_parse(done(&w), &arena, &request, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

/* ---- certificates ---- */

static struct identity_fields fields_of(const char *slug, bool has_digest)
{
    return (struct identity_fields){.spki = spki_of(key),
                                    .trust_domain = bytes_of("example.org"),
                                    .identity = identity_of(slug, has_digest),
                                    .serial = {1, 2, 3},
                                    .not_before = NOW - 300,
                                    .not_after = NOW + 86100,
                                    .crl_url = bytes_of("https://steward.example/v1/crl")};
}

static X509 *issue(const struct identity_fields *fields)
{
    struct writer w = writer_growable(&arena, 65536);
    struct err err;

    if (!identity_certificate_write(&w, fields, ca, ca_key, &err))
        fail_msg("%s", err.msg);
    struct bytes der = done(&w);
    const uint8_t *at = der.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.size);
    assert_non_null(x509);
    assert_ptr_equal(at, der.data + der.size);
    return x509;
}

static void openssl_believes_it(X509 *x509, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;

    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, x509, NULL), 1);
    param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, NOW);
    assert_int_equal(X509_VERIFY_PARAM_set_purpose(param, purpose), 1);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    if (X509_verify_cert(context) != 1)
        fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
}

static void names_its_list(X509 *x509, const char *expected)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(x509, NID_crl_distribution_points, NULL, NULL);
    int type;

    assert_int_equal(sk_DIST_POINT_num(points), 1);
    const ASN1_STRING *url = GENERAL_NAME_get0_value(
        sk_GENERAL_NAME_value(sk_DIST_POINT_value(points, 0)->distpoint->name.fullname, 0), &type);
    assert_int_equal(type, GEN_URI);
    assert_true(bytes_is(bytes_from(ASN1_STRING_get0_data(url), (size_t)ASN1_STRING_length(url)),
                         expected));
    CRL_DIST_POINTS_free(points);
}

static void certificates_read_as_written(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);
    struct identity_certificate c;
    struct err err;

    (void)state;
    X509 *x509 = issue(&fields);
    openssl_believes_it(x509, X509_PURPOSE_SSL_CLIENT);
    openssl_believes_it(x509, X509_PURPOSE_SSL_SERVER);
    names_its_list(x509, "https://steward.example/v1/crl");
    assert_true(identity_certificate_parse(x509, &arena, &c, &err));
    assert_true(bytes_is(c.trust_domain, "example.org"));
    assert_true(bytes_is(c.identity.claims.slug, SLUG));
    assert_true(bytes_equal(c.identity.measurement, fields.identity.measurement));
    assert_true(bytes_equal(c.spki, fields.spki));
    assert_false(c.identity.is_simulated);
    X509_free(x509);
    fields.identity = identity_of("", false);
    fields.space = IDENTITY_OF_ENARX;
    x509 = issue(&fields);
    assert_true(identity_certificate_parse(x509, &arena, &c, &err));
    assert_int_equal(c.space, IDENTITY_OF_ENARX);
    X509_free(x509);
}

static void odd_fields_get_no_certificate(void **state)
{
    struct identity_fields fields = fields_of("", true);
    struct writer w = writer_growable(&arena, 65536);
    struct err err;

    (void)state;
    fields.serial[0] = 0x80;
    assert_false(identity_certificate_write(&w, &fields, ca, ca_key, &err));
    fields = fields_of("", true);
    memset(fields.serial, 0, sizeof fields.serial);
    assert_false(identity_certificate_write(&w, &fields, ca, ca_key, &err));
    fields = fields_of("", true);
    fields.not_after = fields.not_before;
    assert_false(identity_certificate_write(&w, &fields, ca, ca_key, &err));
    fields = fields_of("", true);
    fields.not_after = fields.not_before + INT64_C(91) * 86400;
    assert_false(identity_certificate_write(&w, &fields, ca, ca_key, &err));
    fields = fields_of("", true);
    fields.identity.measurement = bytes_of("short");
    assert_false(identity_certificate_write(&w, &fields, ca, ca_key, &err));
    fields = fields_of("", true);
    fields.trust_domain = bytes_of("");
    assert_false(identity_certificate_write(&w, &fields, ca, ca_key, &err));
    fields = fields_of("", true);
    fields.spki = bytes_of("no key");
    assert_false(identity_certificate_write(&w, &fields, ca, ca_key, &err));
    assert_int_equal(err.code, ERR_CRYPTO);
}

/* The same certificate but for one thing, signed again. */
static void assert_broken(void (*damage)(X509 *x509), enum err_code code)
{
    struct identity_fields fields = fields_of(SLUG, true);
    struct identity_certificate c;
    struct err err;
    X509 *x509 = issue(&fields);

    damage(x509);
    assert_true(X509_sign(x509, ca_key, EVP_sha256()) > 0);
    x509 = read_again(x509);
    assert_false(identity_certificate_parse(x509, &arena, &c, &err));
    assert_int_equal(err.code, code);
    X509_free(x509);
}

static void without(X509 *x509, int nid)
{
    X509_EXTENSION_free(X509_delete_ext(x509, X509_get_ext_by_NID(x509, nid, -1)));
}

static void replace(X509 *x509, int nid, const char *text)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

    without(x509, nid);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x509, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void no_identity(X509 *x509)
{
    X509_EXTENSION_free(X509_delete_ext(x509, X509_get_ext_count(x509) - 1));
}

static void two_identities(X509 *x509)
{
    assert_int_equal(X509_add_ext(x509, X509_get_ext(x509, X509_get_ext_count(x509) - 1), -1), 1);
}

static void other_name(X509 *x509)
{
    replace(x509, NID_subject_alt_name, "URI:spiffe://example.org/keep/platform");
}

static void two_names(X509 *x509)
{
    replace(x509, NID_subject_alt_name,
            "URI:spiffe://example.org/keep/registry.example..8443/alice/chat-server/0.1.0_.x86,"
            "DNS:bank.example");
}

static void no_name(X509 *x509)
{
    without(x509, NID_subject_alt_name);
}

static void is_a_ca(X509 *x509)
{
    replace(x509, NID_basic_constraints, "critical,CA:TRUE");
}

static void signs_certificates(X509 *x509)
{
    replace(x509, NID_key_usage, "critical,digitalSignature,keyCertSign");
}

static void is_for_mail(X509 *x509)
{
    replace(x509, NID_ext_key_usage, "serverAuth,clientAuth,emailProtection");
}

static void no_list(X509 *x509)
{
    without(x509, NID_crl_distribution_points);
}

static void no_constraints(X509 *x509)
{
    without(x509, NID_basic_constraints);
}

static void usage_is_not_critical(X509 *x509)
{
    replace(x509, NID_key_usage, "digitalSignature");
}

static void has_an_unknown_purpose(X509 *x509)
{
    replace(x509, NID_ext_key_usage, "serverAuth,clientAuth,1.2.3.4");
}

static void says_more(X509 *x509)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, "more");

    assert_int_equal(X509_add_ext(x509, e, 0), 1);
    X509_EXTENSION_free(e);
}

static void lasts_a_year(X509 *x509)
{
    assert_non_null(X509_time_adj_ex(X509_getm_notAfter(x509), 365, 0, NULL));
}

static void what_breaks_the_profile_is_no_identity(void **state)
{
    (void)state;
    assert_broken(no_list, ERR_INVALID);
    assert_broken(no_constraints, ERR_INVALID);
    assert_broken(usage_is_not_critical, ERR_INVALID);
    assert_broken(has_an_unknown_purpose, ERR_INVALID);
    assert_broken(says_more, ERR_INVALID);
    assert_broken(lasts_a_year, ERR_INVALID);
    assert_broken(no_identity, ERR_NOT_FOUND);
    assert_broken(two_identities, ERR_INVALID);
    assert_broken(other_name, ERR_INVALID);
    assert_broken(two_names, ERR_INVALID);
    assert_broken(no_name, ERR_INVALID);
    assert_broken(is_a_ca, ERR_INVALID);
    assert_broken(signs_certificates, ERR_INVALID);
    assert_broken(is_for_mail, ERR_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claims_read_as_written),
        TEST(odd_claims_are_refused),
        TEST(the_binding_is_that_of_the_design),
        TEST(names),
        TEST(requests_read_as_written),
        TEST(a_keep_has_a_key_on_p_256),
        TEST(certificates_read_as_written),
        TEST(odd_fields_get_no_certificate),
        TEST(what_breaks_the_profile_is_no_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
