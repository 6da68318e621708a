/* Simulated AMD against OpenSSL's own verification and against real certificates. */
#include "evidence/simulated_test.h"

#include "evidence/crypto.h"

static const struct simulated_dates dates = {NOW - DAY, NOW + DAY};
static const struct snp_tcb tcb = {.bootloader = 4, .snp = 24, .microcode = 219};
static const uint8_t chip_id[SNP_CHIP_ID_SIZE] = {0xc4, 0x1d};

/* RSA keys are slow to make: once for all tests. */
static struct simulated_snp *products[SNP_TURIN + 1], *other_milan;

static int set_up_group(void **state)
{
    struct err err;

    (void)state;
    for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++)
        assert_true(simulated_snp_new(p, dates, &products[p], &err));
    assert_true(simulated_snp_new(SNP_MILAN, dates, &other_milan, &err));
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++)
        simulated_snp_free(products[p]);
    simulated_snp_free(other_milan);
    return 0;
}

static X509 *root_of(const struct simulated_snp *roots)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_snp_root(roots, &w, &err));
    return certificate_of(done(&w));
}

/* 0: the ASK, 1: the ARK. */
static X509 *in_chain_of(const struct simulated_snp *roots, int n)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_snp_chain(roots, &w, &err));
    assert_null(certificate_in(done(&w), 2));
    return certificate_in(done(&w), n);
}

static X509 *vcek_of(const struct simulated_snp *roots, const struct snp_tcb *versions,
                     const uint8_t chip[SNP_CHIP_ID_SIZE], EVP_PKEY **key)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_snp_vcek(roots, versions, chip, dates, key, &w, &err));
    X509 *certificate = certificate_of(done(&w));
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(certificate), *key), 1);
    return certificate;
}

static void openssl_accepts_the_chain(void **state)
{
    (void)state;
    for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++) {
        EVP_PKEY *key;
        struct chain chain = {.root = root_of(products[p]),
                              .between = in_chain_of(products[p], 0),
                              .leaf = vcek_of(products[p], &tcb, chip_id, &key),
                              .at = NOW};
        assert_int_equal(judge(&chain), X509_V_OK);
        chain.at = dates.not_before - 1;
        assert_int_equal(judge(&chain), X509_V_ERR_CERT_NOT_YET_VALID);
        chain.at = dates.not_after + 1;
        assert_int_equal(judge(&chain), X509_V_ERR_CERT_HAS_EXPIRED);
        X509 *ark = in_chain_of(products[p], 1);
        assert_int_equal(X509_cmp(ark, chain.root), 0);
        X509_free(ark);
        X509_free(chain.root);
        X509_free(chain.between);
        X509_free(chain.leaf);
        EVP_PKEY_free(key);
    }
}

static void openssl_refuses_another_root(void **state)
{
    EVP_PKEY *key;
    struct chain chain = {.root = root_of(other_milan),
                          .between = in_chain_of(products[SNP_MILAN], 0),
                          .leaf = vcek_of(products[SNP_MILAN], &tcb, chip_id, &key),
                          .at = NOW};

    (void)state;
    /* the names are the same; the key identifiers say that it is another */
    assert_int_equal(judge(&chain), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    assert_int_equal(X509_verify(chain.between, X509_get0_pubkey(chain.root)), 0);
    X509_free(chain.between);
    chain.between = in_chain_of(other_milan, 0);
    assert_int_equal(judge(&chain), X509_V_ERR_CERT_SIGNATURE_FAILURE);
    X509_free(chain.root);
    X509_free(chain.between);
    X509_free(chain.leaf);
    EVP_PKEY_free(key);
}

/* ---- shapes ---- */

static void assert_same_serial(const X509 *a, const X509 *b)
{
    assert_int_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)), 0);
}

static void assert_same_authorities(enum snp_product p, const char *path)
{
    struct bytes pem = vector(path);

    for (int i = 0; i < 2; i++) {
        X509 *ours = in_chain_of(products[p], i), *theirs = certificate_in(pem, i);
        assert_non_null(theirs);
        assert_same_shape(ours, theirs);
        assert_same_serial(ours, theirs);
        X509_free(ours);
        X509_free(theirs);
    }
}

static void authorities_look_like_real_ones(void **state)
{
    (void)state;
    assert_same_authorities(SNP_MILAN, "trust/milan_vcek_cert_chain.pem");
    assert_same_authorities(SNP_GENOA, "trust/genoa_vcek_cert_chain.pem");
    assert_same_authorities(SNP_TURIN, "trust/turin_vcek_cert_chain.pem");
}

/* The content of a real VCEK's extension 1.3.6.1.4.1.3704.1.…; empty when it is not there. */
static struct bytes amd_extension(const X509 *certificate, const char *arcs)
{
    char oid[64];

    (void)snprintf(oid, sizeof oid, "1.3.6.1.4.1.3704.1.%s", arcs);
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(certificate, object, -1);
    ASN1_OBJECT_free(object);
    return at < 0 ? bytes_of("") : extension_value(X509_get_ext(certificate, at));
}

static uint8_t amd_number(const X509 *certificate, const char *arcs)
{
    struct reader r = {.in = amd_extension(certificate, arcs)};
    uint64_t number = 0;

    assert_true(r.in.size == 0 || der_uint64(&r, DER_INTEGER, &number));
    return (uint8_t)number;
}

/* A simulated VCEK for a real one's TCB and chip has the same extensions, to the byte. */
static void assert_same_vcek(enum snp_product p, X509 *real)
{
    struct snp_tcb versions = {.fmc = amd_number(real, "3.9"),
                               .bootloader = amd_number(real, "3.1"),
                               .tee = amd_number(real, "3.2"),
                               .snp = amd_number(real, "3.3"),
                               .microcode = amd_number(real, "3.8")};
    struct bytes id = amd_extension(real, "4");
    uint8_t chip[SNP_CHIP_ID_SIZE] = {0};
    EVP_PKEY *key;

    assert_int_equal(id.size, p == SNP_TURIN ? 8 : 64);
    memcpy(chip, id.data, id.size);
    X509 *ours = vcek_of(products[p], &versions, chip, &key);
    assert_same_shape(ours, real);
    assert_same_serial(ours, real);
    assert_true(bytes_equal(extensions_of(ours), extensions_of(real)));
    if (p != SNP_MILAN) { /* older ones write a default of RSASSA-PSS */
        assert_int_equal(X509_ALGOR_cmp(X509_get0_tbs_sigalg(ours), X509_get0_tbs_sigalg(real)), 0);
    }
    X509_free(ours);
    EVP_PKEY_free(key);
    X509_free(real);
}

static void veks_look_like_real_ones(void **state)
{
    (void)state;
    assert_same_vcek(SNP_MILAN, certificate_of(vector("milan-v2/vcek.der")));
    assert_same_vcek(SNP_MILAN, certificate_in(vector("milan-v3-azure-a/vcek.pem"), 0));
    assert_same_vcek(SNP_GENOA, certificate_in(vector("genoa-v3/vcek_chain.pem"), 0));
    assert_same_vcek(SNP_TURIN, certificate_in(vector("turin-v5/vcek_chain.pem"), 0));
    assert_same_vcek(SNP_TURIN, certificate_of(vector("turin-vcek-only/vcek.der")));
}

static X509_CRL *list_of(const struct simulated_snp *roots, bool revokes_ask)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_snp_crl(roots, dates, revokes_ask, &w, &err));
    return crl_of(done(&w));
}

static void the_list_revokes_the_ask(void **state)
{
    struct chain chain = {.root = root_of(products[SNP_MILAN]),
                          .leaf = in_chain_of(products[SNP_MILAN], 0),
                          .flags = X509_V_FLAG_CRL_CHECK,
                          .at = NOW};
    X509_CRL *good = list_of(products[SNP_MILAN], false);
    X509_CRL *bad = list_of(products[SNP_MILAN], true);
    X509_CRL *other = list_of(other_milan, false);
    X509_CRL *real = crl_of(vector("steward-milan-csr/crl_ark-milan.der"));
    EVP_PKEY *key = X509_get0_pubkey(chain.root);

    (void)state;
    assert_same_list_shape(good, real);
    assert_int_equal(X509_CRL_verify(good, key), 1);
    assert_int_equal(X509_CRL_verify(bad, key), 1);
    assert_int_not_equal(X509_CRL_verify(other, key), 1);
    assert_int_equal(judge(&chain), X509_V_ERR_UNABLE_TO_GET_CRL);
    chain.crls[0] = good;
    assert_int_equal(judge(&chain), X509_V_OK);
    chain.crls[0] = bad;
    assert_int_equal(judge(&chain), X509_V_ERR_CERT_REVOKED);
    X509_CRL_free(good);
    X509_CRL_free(bad);
    X509_CRL_free(other);
    X509_CRL_free(real);
    X509_free(chain.root);
    X509_free(chain.leaf);
}

/* ---- reports ---- */

static void reports_are_signed(void **state)
{
    struct bytes real = vector("milan-v2/report.bin");
    uint8_t bytes[SNP_REPORT_SIZE];
    struct snp_report report;
    struct err err;
    EVP_PKEY *key, *other;
    X509 *vcek = vcek_of(products[SNP_MILAN], &tcb, chip_id, &key);
    X509 *other_vcek = vcek_of(products[SNP_MILAN], &tcb, chip_id, &other);

    (void)state;
    assert_int_equal(real.size, SNP_REPORT_SIZE);
    memcpy(bytes, real.data, sizeof bytes);
    memset(bytes + SNP_REPORT_SIGNED_SIZE, 0xff, sizeof bytes - SNP_REPORT_SIGNED_SIZE);
    assert_true(simulated_snp_sign(bytes, key, &err));
    assert_memory_equal(bytes, real.data, SNP_REPORT_SIGNED_SIZE);
    assert_true(snp_report_parse(bytes_from(bytes, sizeof bytes), &report, &err));
    assert_true(snp_report_verify_signature(&report, X509_get0_pubkey(vcek), &err));
    assert_false(snp_report_verify_signature(&report, X509_get0_pubkey(other_vcek), &err));
    bytes[SNP_REPORT_SIGNED_SIZE - 1] ^= 1;
    assert_false(snp_report_verify_signature(&report, X509_get0_pubkey(vcek), &err));

    EVP_PKEY *small = EVP_EC_gen("P-256");
    assert_false(simulated_snp_sign(bytes, small, &err));
    assert_int_equal(err.code, ERR_CRYPTO);
    EVP_PKEY_free(small);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    X509_free(vcek);
    X509_free(other_vcek);
}

/* ---- storage ---- */

static struct bytes stored(const struct simulated_snp *roots)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_snp_write(roots, &w, &err));
    return done(&w);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++) {
        struct bytes pem = stored(products[p]);
        struct simulated_snp *back;
        struct err err;
        EVP_PKEY *key;
        assert_true(simulated_snp_parse(pem, &back, &err));
        assert_true(bytes_equal(stored(back), pem));
        /* it signs for the product */
        struct chain chain = {.root = root_of(products[p]),
                              .between = in_chain_of(products[p], 0),
                              .leaf = vcek_of(back, &tcb, chip_id, &key),
                              .at = NOW};
        assert_int_equal(judge(&chain), X509_V_OK);
        X509_free(chain.root);
        X509_free(chain.between);
        X509_free(chain.leaf);
        EVP_PKEY_free(key);
        simulated_snp_free(back);
    }
}

static void assert_refused(struct bytes pem)
{
    struct bytes copy = exact_copy(pem);
    struct simulated_snp *roots = NULL;
    struct err err = {.code = ERR_NONE};

    assert_false(simulated_snp_parse(copy, &roots, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_non_null(err.msg);
    assert_null(roots);
    exact_free(copy);
}

/* Where the second party begins. */
static size_t middle_of(struct bytes pem)
{
    const char *key_end = "-----END PRIVATE KEY-----\n";
    const uint8_t *at = memmem(pem.data, pem.size, key_end, strlen(key_end));

    assert_non_null(at);
    return (size_t)(at - pem.data) + strlen(key_end);
}

static struct bytes joined(struct bytes a, struct bytes b)
{
    struct writer w = new_writer();

    writer_bytes(&w, a);
    writer_bytes(&w, b);
    return done(&w);
}

/* Whether the nearest block that begins before this place is a key. */
static bool is_in_key(struct bytes pem, size_t at)
{
    const char *begin = "-----BEGIN ";

    while (!bytes_starts_with(bytes_after(pem, at), bytes_of(begin)))
        at--;
    return bytes_starts_with(bytes_after(pem, at + strlen(begin)), bytes_of("PRIVATE KEY"));
}

static void damaged_storage_is_refused(void **state)
{
    struct bytes pem = stored(products[SNP_MILAN]), other = stored(other_milan);
    size_t middle = middle_of(pem), other_middle = middle_of(other);

    (void)state;
    for (size_t size = 0; size < pem.size; size += size + 100 < pem.size ? 61 : 1)
        assert_refused(bytes_before(pem, size));
    assert_refused(joined(pem, bytes_of("\n")));
    assert_refused(joined(pem, bytes_of("x")));
    assert_refused(joined(pem, pem));
    /* the parties in the other order, twice the same, or of two platforms */
    assert_refused(joined(bytes_after(pem, middle), bytes_before(pem, middle)));
    assert_refused(joined(bytes_before(pem, middle), bytes_before(pem, middle)));
    assert_refused(joined(bytes_before(pem, middle), bytes_after(other, other_middle)));
    assert_refused(joined(bytes_before(other, other_middle), bytes_after(pem, middle)));
    assert_refused(vector("trust/milan_vcek_cert_chain.pem"));
    /* a letter of the certificates and keys changed */
    for (size_t at = 40; at < pem.size; at += 211) {
        uint8_t *copy = arena_alloc(&arena, pem.size, 1);
        assert_non_null(copy);
        memcpy(copy, pem.data, pem.size);
        copy[at] = copy[at] == 'A' ? 'B' : 'A';
        struct simulated_snp *roots;
        struct err err;
        /* OpenSSL mends an RSA key of which one number is wrong; then it signs as before */
        if (simulated_snp_parse(bytes_from(copy, pem.size), &roots, &err)) {
            assert_true(is_in_key(pem, at));
            simulated_snp_free(roots);
        }
    }
}

static void an_unknown_product_is_refused(void **state)
{
    struct simulated_snp *roots = NULL;
    struct err err;

    (void)state;
    assert_false(simulated_snp_new(SNP_PRODUCT_UNKNOWN, dates, &roots, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_false(simulated_snp_new((enum snp_product)(SNP_TURIN + 1), dates, &roots, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    assert_null(roots);
}

static bool produce_storage(struct writer *w, struct err *err)
{
    return simulated_snp_write(products[SNP_MILAN], w, err);
}

static bool produce_root(struct writer *w, struct err *err)
{
    return simulated_snp_root(products[SNP_MILAN], w, err);
}

static bool produce_chain(struct writer *w, struct err *err)
{
    return simulated_snp_chain(products[SNP_MILAN], w, err);
}

static bool produce_list(struct writer *w, struct err *err)
{
    return simulated_snp_crl(products[SNP_MILAN], dates, true, w, err);
}

static bool produce_vcek(struct writer *w, struct err *err)
{
    EVP_PKEY *key = NULL;
    bool ok = simulated_snp_vcek(products[SNP_MILAN], &tcb, chip_id, dates, &key, w, err);

    assert_int_equal(key != NULL, ok);
    EVP_PKEY_free(key);
    return ok;
}

static void full_writers_are_told(void **state)
{
    (void)state;
    assert_needs_room(produce_storage);
    assert_needs_room(produce_root);
    assert_needs_room(produce_chain);
    assert_needs_room(produce_list);
    assert_needs_room(produce_vcek);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(openssl_accepts_the_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(openssl_refuses_another_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(authorities_look_like_real_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(veks_look_like_real_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_list_revokes_the_ask, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_are_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_storage_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_product_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_writers_are_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
