/* What follows from Intel's descriptions, on a simulated platform whose descriptions are changed
 * and signed anew: which status, by which level, of which enclave, signed by whom. */
#include "evidence/simulated_test.h"

#include "evidence/evidence.h"
#include "evidence/simulated_sgx.h"
#include "evidence/tcb_info.h"

static const struct simulated_dates dates = {NOW - DAY, NOW + DAY};
static const struct simulated_platform platform = {
    .ppid = {7}, .fmspc = {0, 0x60, 0x6a}, .svns = {14, 14, 3, 3}, .pce_svn = 13};

/* A change of a text: its n-th `from`, counted from 0. */
struct change {
    const char *from, *to;
    size_t nth;
};

/* What a test changes. */
static struct {
    struct change info[4], identity[2];
    EVP_PKEY *identity_key; /* that signs the identity, with its certificate and the serial in it */
    struct bytes identity_certificate, revoked;
    bool is_unsigned; /* the identity keeps the signature that it had */
    uint32_t statuses;
} test;

static struct simulated_sgx *roots;

static int set_up_group(void **state)
{
    struct err err;

    (void)state;
    assert_true(simulated_sgx_new(dates, &roots, &err));
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    simulated_sgx_free(roots);
    return 0;
}

static int set_up_test(void **state)
{
    memset(&test, 0, sizeof test);
    test.statuses = 1u << TCB_UP_TO_DATE;
    return set_up(state);
}

static int tear_down_test(void **state)
{
    EVP_PKEY_free(test.identity_key);
    return tear_down(state);
}

/* ---- descriptions that are changed ---- */

static struct bytes changed(struct bytes in, const struct change *change)
{
    struct writer w = new_writer();
    size_t size = strlen(change->from), nth = change->nth;

    for (size_t at = 0; at + size <= in.size; at++) {
        if (!bytes_equal(bytes_before(bytes_after(in, at), size), bytes_of(change->from)) ||
            nth-- != 0)
            continue;
        writer_bytes(&w, bytes_before(in, at));
        writer_text(&w, change->to);
        writer_bytes(&w, bytes_after(in, at + size));
        return done(&w);
    }
    fail_msg("there is no %s", change->from);
    return in;
}

/* {"name":BODY,"signature":"…"} with another body, and a signature over that. */
static struct bytes changed_and_signed(struct bytes document, const char *name,
                                       const struct change *changes, size_t count, EVP_PKEY *key)
{
    static const size_t end_size = sizeof ",\"signature\":\"\"}" - 1 + (size_t)4 * P256_SIZE;
    struct writer w = new_writer();
    size_t head_size = strlen(name) + 4;
    uint8_t signature[2 * P256_SIZE];
    struct err err;

    struct bytes body = bytes_after(bytes_before(document, document.size - end_size), head_size);
    for (size_t i = 0; i < count && changes[i].from != NULL; i++)
        body = changed(body, &changes[i]);
    assert_true(crypto_sign(CRYPTO_P256, key, body, signature, signature + P256_SIZE, &err));
    writer_bytes(&w, bytes_before(document, head_size));
    writer_bytes(&w, body);
    writer_text(&w, ",\"signature\":\"");
    if (test.is_unsigned && strcmp(name, "enclaveIdentity") == 0) {
        writer_bytes(&w, bytes_after(document, document.size - 2 - (size_t)4 * P256_SIZE));
        return done(&w);
    }
    for (size_t i = 0; i < sizeof signature; i++)
        writer_format(&w, "%02x", signature[i]);
    writer_text(&w, "\"}");
    return done(&w);
}

/* ---- the verdict ---- */

static void add(struct collateral *collateral, struct bytes file)
{
    struct err err;

    if (!collateral_add(collateral, file, &err))
        fail_msg("%s", err.msg);
}

static void add_descriptions(struct collateral *collateral)
{
    EVP_PKEY *key = roots->parties[SIMULATED_TCB_SIGNING].key;
    struct writer info = new_writer(), identity = new_writer(), chain = new_writer();
    struct err err;

    assert_true(simulated_sgx_tcb_chain(roots, &chain, &err));
    assert_true(simulated_sgx_tcb_info(roots, &platform, dates, &info, &err));
    assert_true(simulated_sgx_qe_identity(roots, dates, &identity, &err));
    add(collateral, done(&chain));
    add(collateral,
        changed_and_signed(done(&info), "tcbInfo", test.info, COUNT_OF(test.info), key));
    add(collateral, changed_and_signed(done(&identity), "enclaveIdentity", test.identity,
                                       COUNT_OF(test.identity),
                                       test.identity_key != NULL ? test.identity_key : key));
    if (test.identity_certificate.size != 0)
        add(collateral, test.identity_certificate);
}

/* The root's list, with the serial that the test revokes. */
static struct bytes root_list(void)
{
    EVP_PKEY *key = roots->parties[SIMULATED_ROOT].key;
    uint8_t id[SIMULATED_KEY_ID_SIZE];
    struct writer extensions = new_writer(), w = new_writer();
    struct crl_form form = {.maker = SIMULATED_INTEL,
                            .issuer = "Intel SGX Root CA",
                            .dates = dates,
                            .revoked = test.revoked.size != 0 ? &test.revoked : NULL};
    struct err err;

    assert_true(simulated_key_id(key, id, &err));
    simulated_crl_number(&extensions, 1);
    simulated_authority_key(&extensions, id);
    form.extensions = done(&extensions);
    assert_true(simulated_crl(&form, key, &w, &err));
    return done(&w);
}

static struct bytes quote(void)
{
    uint8_t report[SGX_REPORT_SIZE] = {[48] = 5, [56] = 3}; /* INIT, MODE64BIT; XFRM */
    struct simulated_quoting *quoting;
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_quoting_new(roots, &platform, dates, &quoting, &err));
    assert_true(simulated_quote(quoting, report, &w, &err));
    simulated_quoting_free(quoting);
    return done(&w);
}

/* The name of the check that refuses, or "". */
static const char *verdict_of(const char **status)
{
    struct bytes root = roots->parties[SIMULATED_ROOT].certificate;
    struct writer pck_list = new_writer();
    struct evidence_policy policy;
    struct collateral *collateral;
    struct verifier *verifier;
    struct verdict verdict;
    struct err err;

    evidence_policy_default(&policy);
    policy.any_workload = true;
    policy.simulated_roots = (struct bytes_list){.items = &root, .count = 1};
    policy.intel.tcb_statuses = test.statuses;
    assert_true(collateral_new(&collateral, &err));
    assert_true(verifier_new(&verifier, &err));
    add_descriptions(collateral);
    assert_true(simulated_sgx_pck_crl(roots, dates, NULL, &pck_list, &err));
    add(collateral, done(&pck_list));
    add(collateral, root_list());
    struct evidence_input input = {.kind = EVIDENCE_QUOTE,
                                   .evidence = quote(),
                                   .collateral = collateral,
                                   .policy = &policy,
                                   .at = NOW};
    evidence_verify(verifier, &input, &arena, &verdict);
    *status = verdict.tcb_status;
    collateral_free(collateral);
    verifier_free(verifier);
    return verdict_is_good(&verdict) ? "" : check_name(verdict_refusal(&verdict));
}

static const char *refusal(void)
{
    const char *status;

    return verdict_of(&status);
}

/* ---- statuses ---- */

/* By the platform's status and the enclave's: UpToDate, OutOfDate, Revoked. */
static const enum tcb_status joined[TCB_NOT_SUPPORTED][3] = {
    [TCB_UP_TO_DATE] = {TCB_UP_TO_DATE, TCB_OUT_OF_DATE, TCB_REVOKED},
    [TCB_SW_HARDENING_NEEDED] = {TCB_SW_HARDENING_NEEDED, TCB_OUT_OF_DATE, TCB_REVOKED},
    [TCB_CONFIGURATION_NEEDED] = {TCB_CONFIGURATION_NEEDED, TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
                                  TCB_REVOKED},
    [TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = {TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
                                                   TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
                                                   TCB_REVOKED},
    [TCB_OUT_OF_DATE] = {TCB_OUT_OF_DATE, TCB_OUT_OF_DATE, TCB_REVOKED},
    [TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = {TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
                                              TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, TCB_REVOKED},
    [TCB_REVOKED] = {TCB_REVOKED, TCB_REVOKED, TCB_REVOKED},
};

static void statuses_are_joined_by_intels_table(void **state)
{
    static const enum tcb_status of_enclave[] = {TCB_UP_TO_DATE, TCB_OUT_OF_DATE, TCB_REVOKED};
    const char *status;

    (void)state;
    for (enum tcb_status p = 0; p < TCB_NOT_SUPPORTED; p++) {
        for (size_t e = 0; e < COUNT_OF(of_enclave); e++) {
            enum tcb_status expected = joined[p][e];
            test.info[0] = (struct change){.from = "UpToDate", .to = tcb_status_name(p)};
            test.identity[0] =
                (struct change){.from = "UpToDate", .to = tcb_status_name(of_enclave[e])};
            test.statuses = 1u << expected;
            assert_string_equal(verdict_of(&status),
                                expected == TCB_REVOKED ? "quote.tcb-status" : "");
            assert_string_equal(status, tcb_status_name(expected));
            test.statuses = ~test.statuses;
            assert_string_equal(verdict_of(&status), "quote.tcb-status");
        }
    }
}

/* A platform that is older than every level. */
static void no_level_is_no_status(void **state)
{
    const char *status;

    (void)state;
    test.statuses = UINT32_MAX;
    test.info[0] = (struct change){.from = "\"svn\":14", .to = "\"svn\":15"};
    test.info[1] = (struct change){.from = "\"svn\":0", .to = "\"svn\":15", .nth = 12};
    assert_string_equal(verdict_of(&status), "quote.tcb-status");
    assert_string_equal(status, "NotSupported");
}

/* Both levels match; the first counts, whichever is newer or better. */
static void levels_are_walked_in_their_order(void **state)
{
    const char *status;

    (void)state;
    test.statuses = UINT32_MAX;
    for (size_t newer = 0; newer < 2; newer++) {
        /* 2027-01-14 in both, so far */
        test.info[0] = (struct change){
            .from = "\"tcbDate\":\"2027-", .to = "\"tcbDate\":\"2028-", .nth = newer};
        test.info[1] = (struct change){.from = NULL};
        assert_string_equal(verdict_of(&status), "");
        assert_string_equal(status, "UpToDate");
        /* the words change places */
        test.info[1] = (struct change){.from = "OutOfDate", .to = "UpToDate"};
        test.info[2] = (struct change){.from = "UpToDate", .to = "OutOfDate"};
        assert_string_equal(verdict_of(&status), "");
        assert_string_equal(status, "OutOfDate");
    }
}

/* ---- the quoting enclave ---- */

static void the_quoting_enclave_is_the_one_described(void **state)
{
    static const struct {
        struct change change;
        const char *refusal;
    } cases[] = {
        {{"\"isvprodid\":1", "\"isvprodid\":2", 0}, "quote.qe-match"},
        {{"\"isvsvn\":1", "\"isvsvn\":2", 0}, "quote.qe-match"},
        {{"\"miscselect\":\"00000000\"", "\"miscselect\":\"01000000\"", 0}, "quote.qe-match"},
        {{"\"attributes\":\"01", "\"attributes\":\"11", 0}, "quote.qe-match"},
        {{"\"id\":\"QE\"", "\"id\":\"TD_QE\"", 0}, "quote.qe-identity"},
        {{"\"id\":\"QE\"", "\"id\":\"QVE\"", 0}, "quote.qe-identity"},
        {{"\"version\":2", "\"version\":3", 0}, "quote.qe-identity"},
        {{"\"version\":2", "\"version\":1", 0}, "quote.qe-identity"},
    };
    uint8_t mrsigner[SHA256_SIZE];
    char from[2 * SHA256_SIZE + 1], to[sizeof from];
    struct err err;

    (void)state;
    assert_string_equal(refusal(), "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        test.identity[0] = cases[i].change;
        const char *why = refusal();
        if (strcmp(why, cases[i].refusal) != 0)
            fail_msg("%s: %s", cases[i].change.to, why);
    }
    assert_true(simulated_qe_mrsigner(mrsigner, &err));
    for (size_t i = 0; i < sizeof mrsigner; i++)
        (void)snprintf(from + 2 * i, 3, "%02X", mrsigner[i]);
    memcpy(to, from, sizeof to);
    to[sizeof to - 2] = to[sizeof to - 2] == '0' ? '1' : '0';
    test.identity[0] = (struct change){.from = from, .to = to};
    assert_string_equal(refusal(), "quote.qe-match");
    /* a change that matters to nobody, under the signature of what was */
    test.identity[0] = (struct change){.from = "\"tcbEvaluationDataNumber\":1",
                                       .to = "\"tcbEvaluationDataNumber\":2"};
    assert_string_equal(refusal(), "");
    test.is_unsigned = true;
    assert_string_equal(refusal(), "quote.qe-identity");
}

/* ---- who signed ---- */

/* A second key for descriptions, which signs the identity. */
static void sign_identity_by_another(const char *name)
{
    uint8_t *serial = arena_alloc(&arena, SIMULATED_KEY_ID_SIZE, 1);
    EVP_PKEY *root = roots->parties[SIMULATED_ROOT].key;
    struct writer extensions = new_writer(), w = new_writer();
    struct err err;

    test.identity_key = EVP_EC_gen("P-256");
    assert_true(serial != NULL && test.identity_key != NULL);
    assert_true(simulated_key_id(test.identity_key, serial, &err));
    assert_true(simulated_sgx_extensions(test.identity_key, root, SIMULATED_END_ENTITY,
                                         SIMULATED_URL, &extensions, &err));
    struct certificate_form form = {.maker = SIMULATED_INTEL,
                                    .serial = bytes_from(serial, SIMULATED_KEY_ID_SIZE),
                                    .issuer = "Intel SGX Root CA",
                                    .subject = name,
                                    .dates = dates,
                                    .key = test.identity_key,
                                    .extensions = done(&extensions)};
    assert_true(simulated_certificate(&form, root, &w, &err));
    test.identity_certificate = done(&w);
}

static void either_signer_may_be_revoked(void **state)
{
    uint8_t id[SIMULATED_KEY_ID_SIZE];
    struct err err;

    (void)state;
    sign_identity_by_another("Intel SGX TCB Signing");
    assert_string_equal(refusal(), "");
    assert_true(simulated_key_id(test.identity_key, id, &err));
    test.revoked = bytes_from(id, sizeof id);
    assert_string_equal(refusal(), "quote.revoked");
    assert_true(simulated_key_id(roots->parties[SIMULATED_TCB_SIGNING].key, id, &err));
    assert_string_equal(refusal(), "quote.revoked");
}

static void other_certificates_sign_nothing(void **state)
{
    (void)state;
    sign_identity_by_another("Intel SGX PCK Certificate");
    assert_string_equal(refusal(), "quote.qe-identity");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_test, tear_down_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(statuses_are_joined_by_intels_table), TEST(no_level_is_no_status),
        TEST(levels_are_walked_in_their_order),    TEST(the_quoting_enclave_is_the_one_described),
        TEST(either_signer_may_be_revoked),        TEST(other_certificates_sign_nothing),
    };

    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
