/* Simulated Intel against OpenSSL's own verification and against real certificates and quotes. */
#include "evidence/simulated_test.h"

#include "evidence/crypto.h"

static const struct simulated_dates dates = {NOW - DAY, NOW + DAY};
static const struct simulated_platform platform = {
    .ppid = {0x51, 0x52},
    .fmspc = {0x00, 0x60, 0x6a, 0xab},
    .pce_id = {1, 2},
    .svns = {14, 14, 3, 3, 255, 255, 1},
    .pce_svn = 13,
};

static struct simulated_sgx *roots, *other_roots;
static struct simulated_quoting *quoting;

static int set_up_group(void **state)
{
    struct err err;

    (void)state;
    assert_true(simulated_sgx_new(dates, &roots, &err));
    assert_true(simulated_sgx_new(dates, &other_roots, &err));
    assert_true(simulated_quoting_new(roots, &platform, dates, &quoting, &err));
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    simulated_quoting_free(quoting);
    simulated_sgx_free(roots);
    simulated_sgx_free(other_roots);
    return 0;
}

static X509 *root_of(const struct simulated_sgx *from)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_sgx_root(from, &w, &err));
    return certificate_of(done(&w));
}

static struct bytes quote_of(const struct simulated_quoting *from, uint8_t fill)
{
    uint8_t report[SGX_REPORT_SIZE];
    struct writer w = new_writer();
    struct err err;

    memset(report, fill, sizeof report);
    assert_true(simulated_quote(from, report, &w, &err));
    return done(&w);
}

/* ---- quotes, real and simulated, by their offsets ---- */

#define QUOTE_SIGNATURE_AT 436u
#define QUOTE_KEY_AT 500u
#define QUOTE_QE_AT 564u
#define QUOTE_QE_SIGNATURE_AT 948u
#define QUOTE_AUTHENTICATION_AT 1014u
#define QUOTE_CHAIN_AT 1052u

static uint32_t u32_at(struct bytes b, size_t at)
{
    struct reader r = {.in = b, .at = at};
    uint32_t value = 0;

    assert_true(reader_u32le(&r, &value));
    return value;
}

/* The n-th of the chain: PCK, platform CA, root. */
static X509 *in_quote(struct bytes quote, int n)
{
    X509 *certificate = certificate_in(bytes_after(quote, QUOTE_CHAIN_AT), n);

    assert_non_null(certificate);
    return certificate;
}

static bool verifies(EVP_PKEY *key, struct bytes message, const uint8_t signature[64])
{
    struct err err;

    return crypto_verify(CRYPTO_P256, key, message, signature, signature + 32, &err);
}

static void the_quote_is_signed(void **state)
{
    struct bytes quote = quote_of(quoting, 0xab), real = vector("platform-automata/quote.bin");
    struct bytes rest = bytes_after(quote, 432);
    uint8_t report[SGX_REPORT_SIZE], digest[SHA256_SIZE], named[96];
    const uint8_t *q = quote.data;
    EVP_PKEY *key;
    struct err err;
    X509 *pck = in_quote(quote, 0);

    (void)state;
    assert_int_equal(u32_at(quote, 0), u32_at(real, 0)); /* version and kind of key */
    assert_int_equal(u32_at(quote, 4), 0);
    assert_int_equal(u32_at(quote, 8), 1 | 13 << 16); /* the SVNs of QE and PCE */
    assert_memory_equal(q + 12, real.data + 12, 16);  /* vendor */
    memset(report, 0xab, sizeof report);
    assert_memory_equal(q + 48, report, sizeof report);
    assert_int_equal(u32_at(rest, 0), rest.size - 4);
    assert_true(crypto_public(CRYPTO_P256, q + QUOTE_KEY_AT, q + QUOTE_KEY_AT + 32, &key, &err));
    assert_true(verifies(key, bytes_before(quote, 432), q + QUOTE_SIGNATURE_AT));
    assert_false(verifies(key, bytes_before(quote, 431), q + QUOTE_SIGNATURE_AT));
    assert_true(verifies(X509_get0_pubkey(pck), bytes_from(q + QUOTE_QE_AT, SGX_REPORT_SIZE),
                         q + QUOTE_QE_SIGNATURE_AT));
    /* the quoting enclave names the key and the data behind it */
    memcpy(named, q + QUOTE_KEY_AT, 64);
    memcpy(named + 64, q + QUOTE_AUTHENTICATION_AT, 32);
    assert_true(crypto_sha256(bytes_from(named, sizeof named), digest, &err));
    assert_memory_equal(q + QUOTE_QE_AT + 320, digest, sizeof digest);
    /* sizes and kinds are those of a real one, up to the chain's size */
    assert_memory_equal(q + 1012, real.data + 1012, 2 + 32 + 2);
    assert_int_equal(u32_at(quote, 1048), quote.size - QUOTE_CHAIN_AT);
    assert_null(certificate_in(bytes_after(quote, QUOTE_CHAIN_AT), 3));
    EVP_PKEY_free(key);
    X509_free(pck);
}

/* One key signs all quotes of a platform, each with a signature of its own. */
static void quotes_share_what_is_the_platforms(void **state)
{
    struct bytes a = quote_of(quoting, 1), b = quote_of(quoting, 2);

    (void)state;
    assert_true(bytes_equal(bytes_after(a, QUOTE_KEY_AT), bytes_after(b, QUOTE_KEY_AT)));
    assert_false(
        bytes_equal(bytes_after(a, QUOTE_SIGNATURE_AT), bytes_after(b, QUOTE_SIGNATURE_AT)));
}

/* ---- certificates ---- */

static void openssl_accepts_the_chain(void **state)
{
    struct bytes quote = quote_of(quoting, 0);
    struct chain chain = {.root = root_of(roots),
                          .between = in_quote(quote, 1),
                          .leaf = in_quote(quote, 0),
                          .flags = X509_V_FLAG_X509_STRICT,
                          .at = NOW};
    X509 *root = in_quote(quote, 2), *other = root_of(other_roots), *good = chain.root;

    (void)state;
    assert_int_equal(X509_cmp(root, chain.root), 0);
    assert_int_equal(judge(&chain), X509_V_OK);
    chain.at = dates.not_before - 1;
    assert_int_equal(judge(&chain), X509_V_ERR_CERT_NOT_YET_VALID);
    chain.at = dates.not_after + 1;
    assert_int_equal(judge(&chain), X509_V_ERR_CERT_HAS_EXPIRED);
    chain.at = NOW;
    chain.root = other;
    assert_int_not_equal(judge(&chain), X509_V_OK);
    X509_free(good);
    X509_free(root);
    X509_free(other);
    X509_free(chain.between);
    X509_free(chain.leaf);
}

static X509 *in_tcb_chain(int n)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_sgx_tcb_chain(roots, &w, &err));
    assert_null(certificate_in(done(&w), 2));
    return certificate_in(done(&w), n);
}

static void openssl_accepts_the_tcb_chain(void **state)
{
    struct chain chain = {.root = in_tcb_chain(1),
                          .leaf = in_tcb_chain(0),
                          .flags = X509_V_FLAG_X509_STRICT,
                          .at = NOW};
    X509 *root = root_of(roots);

    (void)state;
    assert_int_equal(X509_cmp(root, chain.root), 0);
    assert_int_equal(judge(&chain), X509_V_OK);
    X509_free(root);
    X509_free(chain.root);
    X509_free(chain.leaf);
}

/* Intel's authorities have their key identifier for a serial; platforms do not. */
static bool serial_is_key_id(X509 *certificate)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(certificate);
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    uint8_t bytes[20];

    assert_int_equal(ASN1_STRING_length(id), sizeof bytes);
    assert_false(BN_is_negative(number));
    bool same = BN_bn2binpad(number, bytes, sizeof bytes) == sizeof bytes &&
                memcmp(bytes, ASN1_STRING_get0_data(id), sizeof bytes) == 0;
    BN_free(number);
    return same;
}

static void assert_like_real(X509 *ours, X509 *theirs)
{
    assert_non_null(ours);
    assert_non_null(theirs);
    assert_same_shape(ours, theirs);
    assert_int_equal(X509_ALGOR_cmp(X509_get0_tbs_sigalg(ours), X509_get0_tbs_sigalg(theirs)), 0);
    assert_int_equal(serial_is_key_id(ours), serial_is_key_id(theirs));
    X509_free(ours);
    X509_free(theirs);
}

static void certificates_look_like_real_ones(void **state)
{
    struct bytes quote = quote_of(quoting, 0), real = vector("platform-automata/quote.bin");
    struct bytes tcb_chain = vector("trust/tcb_signing_chain_2025.pem");

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_like_real(in_quote(quote, i), in_quote(real, i));
    for (int i = 0; i < 2; i++)
        assert_like_real(in_tcb_chain(i), certificate_in(tcb_chain, i));
}

/* ---- the PCK's extension ---- */

static struct bytes sgx_extension(X509 *certificate)
{
    ASN1_OBJECT *object = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    int at = X509_get_ext_by_OBJ(certificate, object, -1);

    ASN1_OBJECT_free(object);
    assert_true(at >= 0);
    return extension_value(X509_get_ext(certificate, at));
}

/* What stands behind an OID that ends in these arcs: the content of the element there. */
static struct bytes behind(struct bytes extension, uint8_t arc, uint8_t second_arc)
{
    const uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, arc, second_arc};
    size_t size = sizeof oid - (second_arc == 0);
    const uint8_t *at = memmem(extension.data, extension.size, oid, size);
    struct bytes content;
    uint8_t tag;

    assert_non_null(at);
    struct reader r = {.in = extension, .at = (size_t)(at - extension.data) + size};
    assert_true(der_any(&r, &tag, &content));
    return content;
}

static void copy_behind(struct bytes extension, uint8_t arc, uint8_t second_arc, uint8_t *out,
                        size_t size)
{
    struct bytes content = behind(extension, arc, second_arc);

    assert_int_equal(content.size, size);
    memcpy(out, content.data, size);
}

/* A simulated PCK for a real platform's values has the same extension, to the byte, but for the
 * platform's instance, which Intel numbers and we derive. */
static void the_pck_is_like_a_real_one(void **state)
{
    struct simulated_platform values;
    struct simulated_quoting *there;
    struct err err;
    X509 *theirs = in_quote(vector("platform-automata/quote.bin"), 0);
    struct bytes real = sgx_extension(theirs);
    struct bytes pce_svn = behind(real, 2, 17);

    (void)state;
    copy_behind(real, 1, 0, values.ppid, sizeof values.ppid);
    copy_behind(real, 2, 18, values.svns, sizeof values.svns);
    copy_behind(real, 3, 0, values.pce_id, sizeof values.pce_id);
    copy_behind(real, 4, 0, values.fmspc, sizeof values.fmspc);
    assert_int_equal(pce_svn.size, 1);
    values.pce_svn = pce_svn.data[0];
    assert_true(simulated_quoting_new(roots, &values, dates, &there, &err));
    X509 *pck = in_quote(quote_of(there, 0), 0);
    struct bytes ours = sgx_extension(pck);
    struct bytes our_instance = behind(ours, 6, 0), instance = behind(real, 6, 0);
    assert_int_equal(our_instance.size, instance.size);
    uint8_t *masked = arena_alloc(&arena, ours.size, 1);
    assert_non_null(masked);
    memcpy(masked, ours.data, ours.size);
    memcpy(masked + (our_instance.data - ours.data), instance.data, instance.size);
    assert_true(bytes_equal(bytes_from(masked, ours.size), real));
    X509_free(pck);
    X509_free(theirs);
    simulated_quoting_free(there);
}

/* ---- revocation ---- */

static X509_CRL *root_list(const struct simulated_sgx *from, bool revokes_ca)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_sgx_root_crl(from, dates, revokes_ca, &w, &err));
    return crl_of(done(&w));
}

static X509_CRL *pck_list(const struct simulated_sgx *from, const struct bytes *serial)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_sgx_pck_crl(from, dates, serial, &w, &err));
    return crl_of(done(&w));
}

static struct bytes serial_of(const X509 *certificate, uint8_t out[20])
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);

    assert_int_equal(BN_bn2binpad(number, out, 20), 20);
    BN_free(number);
    return bytes_from(out, 20);
}

static int judge_with(struct chain *chain, X509_CRL *of_root, X509_CRL *of_ca)
{
    chain->crls[0] = of_root;
    chain->crls[1] = of_ca;
    int why = judge(chain);
    X509_CRL_free(of_root);
    X509_CRL_free(of_ca);
    return why;
}

static void lists_revoke(void **state)
{
    struct bytes quote = quote_of(quoting, 0);
    uint8_t memory[20];
    struct chain chain = {.root = root_of(roots),
                          .between = in_quote(quote, 1),
                          .leaf = in_quote(quote, 0),
                          .flags = X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL,
                          .at = NOW};
    struct bytes serial = serial_of(chain.leaf, memory), none = bytes_of("");

    (void)state;
    assert_int_equal(judge_with(&chain, root_list(roots, false), pck_list(roots, NULL)), X509_V_OK);
    assert_int_equal(judge_with(&chain, root_list(roots, false), pck_list(roots, &none)),
                     X509_V_OK);
    assert_int_equal(judge_with(&chain, root_list(roots, true), pck_list(roots, NULL)),
                     X509_V_ERR_CERT_REVOKED);
    assert_int_equal(judge_with(&chain, root_list(roots, false), pck_list(roots, &serial)),
                     X509_V_ERR_CERT_REVOKED);
    assert_int_not_equal(
        judge_with(&chain, root_list(other_roots, false), pck_list(other_roots, NULL)), X509_V_OK);
    X509_free(chain.root);
    X509_free(chain.between);
    X509_free(chain.leaf);
}

static void lists_look_like_real_ones(void **state)
{
    uint8_t serial[20] = {0, 0x8f};
    struct bytes revoked = bytes_from(serial, sizeof serial);
    X509_CRL *ours = pck_list(roots, &revoked);
    X509_CRL *theirs = crl_of(vector("platform-automata/platform_crl.der"));
    X509_CRL *our_root = root_list(roots, false);
    X509_CRL *their_root = crl_of(vector("steward-icelake-xeon-csr/crl_intel_sgx_root_ca.der"));

    (void)state;
    assert_same_list_shape(ours, theirs);
    assert_same_list_shape(our_root, their_root);
    X509_REVOKED *a = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(ours), 0);
    X509_REVOKED *b = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(theirs), 0);
    assert_int_equal(X509_REVOKED_get_ext_count(a), X509_REVOKED_get_ext_count(b));
    assert_true(bytes_equal(extension_value(X509_REVOKED_get_ext(a, 0)),
                            extension_value(X509_REVOKED_get_ext(b, 0))));
    assert_int_equal(ASN1_STRING_length(X509_REVOKED_get0_serialNumber(a)), 19); /* no zero ahead */
    X509_CRL_free(ours);
    X509_CRL_free(theirs);
    X509_CRL_free(our_root);
    X509_CRL_free(their_root);
}

/* ---- dates ---- */

static int64_t seconds_of(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_adj(NULL, 0, 0, 0);
    int days, seconds;

    assert_int_equal(ASN1_TIME_diff(&days, &seconds, epoch, time), 1);
    ASN1_TIME_free(epoch);
    return days * DAY + seconds;
}

/* RFC 5280 §4.1.2.5: two digits for a year up to 2049, four from 2050 on. */
static void dates_have_the_form_of_their_year(void **state)
{
    const int64_t last_of_2049 = INT64_C(2524607999);
    const struct simulated_dates edge = {last_of_2049, last_of_2049 + 1};
    struct simulated_sgx *late;
    struct writer w = new_writer();
    struct err err;

    (void)state;
    assert_true(simulated_sgx_new(edge, &late, &err));
    assert_true(simulated_sgx_root(late, &w, &err));
    X509 *root = certificate_of(done(&w));
    assert_int_equal(ASN1_STRING_type(X509_get0_notBefore(root)), V_ASN1_UTCTIME);
    assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(root)), V_ASN1_GENERALIZEDTIME);
    assert_int_equal(seconds_of(X509_get0_notBefore(root)), edge.not_before);
    assert_int_equal(seconds_of(X509_get0_notAfter(root)), edge.not_after);
    X509_free(root);
    simulated_sgx_free(late);
    /* times that no calendar has are the nearest that it has */
    assert_true(simulated_sgx_new((struct simulated_dates){0, INT64_MAX}, &late, &err));
    w = new_writer();
    assert_true(simulated_sgx_root(late, &w, &err));
    root = certificate_of(done(&w));
    const ASN1_TIME *never = X509_get0_notAfter(root);
    assert_true(
        bytes_is(bytes_from(ASN1_STRING_get0_data(never), (size_t)ASN1_STRING_length(never)),
                 "99991231235959Z"));
    X509_free(root);
    simulated_sgx_free(late);
}

/* ---- storage ---- */

static struct bytes stored(const struct simulated_sgx *from)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_sgx_write(from, &w, &err));
    return done(&w);
}

static void what_is_written_is_read(void **state)
{
    struct bytes pem = stored(roots);
    struct simulated_sgx *back;
    struct simulated_quoting *there;
    struct err err;

    (void)state;
    assert_true(simulated_sgx_parse(pem, &back, &err));
    assert_true(bytes_equal(stored(back), pem));
    /* it signs under the same root */
    assert_true(simulated_quoting_new(back, &platform, dates, &there, &err));
    struct bytes quote = quote_of(there, 0);
    struct chain chain = {.root = root_of(roots),
                          .between = in_quote(quote, 1),
                          .leaf = in_quote(quote, 0),
                          .at = NOW};
    assert_int_equal(judge(&chain), X509_V_OK);
    X509_free(chain.root);
    X509_free(chain.between);
    X509_free(chain.leaf);
    simulated_quoting_free(there);
    simulated_sgx_free(back);
}

static void assert_refused(struct bytes pem)
{
    struct simulated_sgx *from = NULL;
    struct err err = {.code = ERR_NONE};

    assert_false(simulated_sgx_parse(pem, &from, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_non_null(err.msg);
    assert_null(from);
}

static struct bytes joined(struct bytes a, struct bytes b)
{
    struct writer w = new_writer();

    writer_bytes(&w, a);
    writer_bytes(&w, b);
    return done(&w);
}

/* Whether this letter is of the version in RFC 5915's ECPrivateKey, of which OpenSSL keeps what it
 * finds: the 45th letter of a key. */
static bool is_key_version(struct bytes pem, size_t at)
{
    const char *begin = "-----BEGIN PRIVATE KEY-----\n";
    size_t before = strlen(begin) + 44;

    return at >= before && bytes_starts_with(bytes_after(pem, at - before), bytes_of(begin));
}

static void damaged_storage_is_refused(void **state)
{
    struct bytes pem = stored(roots);
    uint8_t *copy = arena_alloc(&arena, pem.size, 1);

    (void)state;
    assert_non_null(copy);
    for_each_damage(pem, assert_refused);
    /* letters changed for others, so that it stays base64; each run has other keys */
    for (size_t at = 0; at < pem.size; at += 7) {
        memcpy(copy, pem.data, pem.size);
        copy[at] = copy[at] == 'Q' ? 'R' : 'Q';
        if (!is_key_version(pem, at))
            assert_refused(bytes_from(copy, pem.size));
    }
    assert_refused(joined(pem, bytes_of("\n")));
    assert_refused(joined(bytes_of("\n"), pem));
    assert_refused(joined(pem, pem));
    assert_refused(vector("trust/tcb_signing_chain_2025.pem"));
    /* the first half of one platform's, the second of another's */
    const char *end = "-----END PRIVATE KEY-----\n";
    const uint8_t *first_end = memmem(pem.data, pem.size, end, strlen(end));
    assert_non_null(first_end);
    size_t middle = (size_t)(first_end - pem.data) + strlen(end);
    struct bytes other = stored(other_roots);
    first_end = memmem(other.data, other.size, end, strlen(end));
    assert_non_null(first_end);
    size_t other_middle = (size_t)(first_end - other.data) + strlen(end);
    assert_refused(joined(bytes_before(pem, middle), bytes_after(other, other_middle)));
}

/* ---- full writers ---- */

static bool produce_storage(struct writer *w, struct err *err)
{
    return simulated_sgx_write(roots, w, err);
}

static bool produce_root(struct writer *w, struct err *err)
{
    return simulated_sgx_root(roots, w, err);
}

static bool produce_tcb_chain(struct writer *w, struct err *err)
{
    return simulated_sgx_tcb_chain(roots, w, err);
}

static bool produce_tcb_info(struct writer *w, struct err *err)
{
    return simulated_sgx_tcb_info(roots, &platform, dates, w, err);
}

static bool produce_qe_identity(struct writer *w, struct err *err)
{
    return simulated_sgx_qe_identity(roots, dates, w, err);
}

static bool produce_root_list(struct writer *w, struct err *err)
{
    return simulated_sgx_root_crl(roots, dates, true, w, err);
}

static bool produce_pck_list(struct writer *w, struct err *err)
{
    return simulated_sgx_pck_crl(roots, dates, NULL, w, err);
}

static bool produce_quote(struct writer *w, struct err *err)
{
    static const uint8_t report[SGX_REPORT_SIZE];

    return simulated_quote(quoting, report, w, err);
}

static void full_writers_are_told(void **state)
{
    (void)state;
    assert_needs_room(produce_storage);
    assert_needs_room(produce_root);
    assert_needs_room(produce_tcb_chain);
    assert_needs_room(produce_tcb_info);
    assert_needs_room(produce_qe_identity);
    assert_needs_room(produce_root_list);
    assert_needs_room(produce_pck_list);
    assert_needs_room(produce_quote);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_quote_is_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(quotes_share_what_is_the_platforms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(openssl_accepts_the_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(openssl_accepts_the_tcb_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(certificates_look_like_real_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_pck_is_like_a_real_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_revoke, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_look_like_real_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dates_have_the_form_of_their_year, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_storage_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_writers_are_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
