/* What the tests of simulated endorsements share: OpenSSL as the judge of what we write. */
#pragma once

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "support.h"

#include "evidence/simulated.h"
#include "os/os.h"

#define DAY INT64_C(86400)
#define NOW INT64_C(1800000000)

/* What lasts for one test. */
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static inline struct writer new_writer(void)
{
    return writer_growable(&arena, 1 << 20);
}

static inline struct bytes done(const struct writer *w)
{
    struct bytes out;
    struct err err;

    assert_true(writer_done(w, &out, &err));
    return out;
}

static inline struct bytes vector(const char *name)
{
    char path[512];
    struct bytes out;
    struct err err;

    (void)snprintf(path, sizeof path, "%s/%s", VECTORS, name);
    if (!os_read_file(path, 1 << 20, &arena, &out, &err))
        fail_msg("%s cannot be read", path);
    return out;
}

/* Exactly one certificate in DER, which OpenSSL must write back as it was. */
static inline X509 *certificate_of(struct bytes der)
{
    const uint8_t *at = der.data;
    uint8_t *back = NULL;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);

    assert_non_null(certificate);
    assert_ptr_equal(at, der.data + der.size);
    int size = i2d_X509(certificate, &back);
    assert_true(size > 0 && bytes_equal(bytes_from(back, (size_t)size), der));
    OPENSSL_free(back);
    return certificate;
}

/* The n-th certificate in PEM; NULL when there are fewer. */
static inline X509 *certificate_in(struct bytes pem, int n)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = NULL;

    for (int i = 0; i <= n; i++) {
        X509_free(certificate);
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }
    BIO_free(bio);
    return certificate;
}

static inline X509_CRL *crl_of(struct bytes der)
{
    const uint8_t *at = der.data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.size);

    assert_non_null(crl);
    assert_ptr_equal(at, der.data + der.size);
    return crl;
}

struct chain {
    X509 *root, *between, *leaf; /* between may be NULL */
    X509_CRL *crls[2];           /* NULL: none */
    unsigned long flags;
    int64_t at;
};

/* What OpenSSL's own verification says: X509_V_OK or why not. */
static inline int judge(const struct chain *chain)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *untrusted = sk_X509_new_null();

    assert_true(store != NULL && context != NULL && untrusted != NULL);
    assert_int_equal(X509_STORE_add_cert(store, chain->root), 1);
    for (size_t i = 0; i < 2; i++)
        assert_true(chain->crls[i] == NULL || X509_STORE_add_crl(store, chain->crls[i]) == 1);
    assert_true(chain->between == NULL || sk_X509_push(untrusted, chain->between) > 0);
    assert_int_equal(X509_STORE_CTX_init(context, store, chain->leaf, untrusted), 1);
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    assert_int_equal(
        X509_VERIFY_PARAM_set_flags(parameters, chain->flags | X509_V_FLAG_CHECK_SS_SIGNATURE), 1);
    X509_VERIFY_PARAM_set_time(parameters, chain->at);
    int ok = X509_verify_cert(context);
    int why = X509_STORE_CTX_get_error(context);
    assert_int_equal(ok == 1, why == X509_V_OK);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    sk_X509_free(untrusted);
    return why;
}

/* ---- against real certificates ---- */

static inline struct bytes extension_value(X509_EXTENSION *extension)
{
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);

    return bytes_from(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
}

/* All extensions, as they stand. */
static inline struct bytes extensions_of(const X509 *certificate)
{
    uint8_t *der = NULL;
    int size = i2d_X509_EXTENSIONS(X509_get0_extensions(certificate), &der);

    assert_true(size > 0);
    uint8_t *copy = arena_alloc(&arena, (size_t)size, 1);
    assert_non_null(copy);
    memcpy(copy, der, (size_t)size);
    OPENSSL_free(der);
    return bytes_from(copy, (size_t)size);
}

/* The same attributes in the same order and types; the organization differs. */
static inline void assert_same_name(const X509_NAME *simulated, const X509_NAME *real)
{
    assert_int_equal(X509_NAME_entry_count(simulated), X509_NAME_entry_count(real));
    for (int i = 0; i < X509_NAME_entry_count(real); i++) {
        const X509_NAME_ENTRY *a = X509_NAME_get_entry(simulated, i);
        const X509_NAME_ENTRY *b = X509_NAME_get_entry(real, i);
        const ASN1_STRING *x = X509_NAME_ENTRY_get_data(a), *y = X509_NAME_ENTRY_get_data(b);
        int kind = OBJ_obj2nid(X509_NAME_ENTRY_get_object(a));
        assert_int_equal(kind, OBJ_obj2nid(X509_NAME_ENTRY_get_object(b)));
        assert_int_equal(ASN1_STRING_type(x), ASN1_STRING_type(y));
        if (kind == NID_organizationName) {
            assert_int_not_equal(ASN1_STRING_cmp(x, y), 0);
            assert_int_equal(ASN1_STRING_length(x), strlen("Simulated"));
            assert_memory_equal(ASN1_STRING_get0_data(x), "Simulated", strlen("Simulated"));
        } else {
            assert_int_equal(ASN1_STRING_cmp(x, y), 0);
        }
    }
}

/* The same extensions in the same order; those that say what a key is for have the same bytes. */
static inline void assert_same_extensions(const X509 *simulated, const X509 *real)
{
    assert_int_equal(X509_get_ext_count(simulated), X509_get_ext_count(real));
    for (int i = 0; i < X509_get_ext_count(real); i++) {
        X509_EXTENSION *a = X509_get_ext(simulated, i), *b = X509_get_ext(real, i);
        int kind = OBJ_obj2nid(X509_EXTENSION_get_object(a));
        assert_int_equal(OBJ_cmp(X509_EXTENSION_get_object(a), X509_EXTENSION_get_object(b)), 0);
        assert_int_equal(X509_EXTENSION_get_critical(a), X509_EXTENSION_get_critical(b));
        if (kind == NID_key_usage || kind == NID_basic_constraints)
            assert_true(bytes_equal(extension_value(a), extension_value(b)));
    }
}

static inline void assert_same_shape(const X509 *simulated, const X509 *real)
{
    const X509_ALGOR *a = X509_get0_tbs_sigalg(simulated), *b = X509_get0_tbs_sigalg(real);
    const ASN1_OBJECT *a_oid, *b_oid;

    assert_int_equal(X509_get_version(simulated), X509_get_version(real));
    X509_ALGOR_get0(&a_oid, NULL, NULL, a);
    X509_ALGOR_get0(&b_oid, NULL, NULL, b);
    assert_int_equal(OBJ_cmp(a_oid, b_oid), 0);
    assert_same_name(X509_get_subject_name(simulated), X509_get_subject_name(real));
    assert_same_name(X509_get_issuer_name(simulated), X509_get_issuer_name(real));
    EVP_PKEY *x = X509_get0_pubkey(simulated), *y = X509_get0_pubkey(real);
    assert_int_equal(EVP_PKEY_get_base_id(x), EVP_PKEY_get_base_id(y));
    assert_int_equal(EVP_PKEY_get_bits(x), EVP_PKEY_get_bits(y));
    assert_same_extensions(simulated, real);
}

/* The same extensions in the same order. */
static inline void assert_same_list_shape(const X509_CRL *simulated, const X509_CRL *real)
{
    assert_int_equal(X509_CRL_get_version(simulated), X509_CRL_get_version(real));
    assert_same_name(X509_CRL_get_issuer(simulated), X509_CRL_get_issuer(real));
    assert_int_equal(X509_CRL_get_ext_count(simulated), X509_CRL_get_ext_count(real));
    for (int i = 0; i < X509_CRL_get_ext_count(real); i++) {
        X509_EXTENSION *a = X509_CRL_get_ext(simulated, i), *b = X509_CRL_get_ext(real, i);
        assert_int_equal(OBJ_cmp(X509_EXTENSION_get_object(a), X509_EXTENSION_get_object(b)), 0);
        assert_int_equal(X509_EXTENSION_get_critical(a), X509_EXTENSION_get_critical(b));
    }
}

/* ---- writers and parsers ---- */

typedef bool produce_fn(struct writer *w, struct err *err);

/* Whether a function says that its writer is full, for writers that are far too small and for one
 * that lacks a little. */
static inline void assert_needs_room(produce_fn *produce)
{
    struct writer whole = new_writer();
    struct err err;

    assert_true(produce(&whole, &err));
    size_t size = done(&whole).size;
    const size_t sizes[] = {0, 1, size / 2, size - 16}; /* signatures vary by a few bytes */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *memory = malloc(sizes[i]);
        struct writer w = writer_fixed(memory, sizes[i]);
        err = (struct err){.code = ERR_NONE};
        assert_false(produce(&w, &err));
        assert_int_equal(err.code, ERR_LIMIT);
        free(memory);
    }
}
