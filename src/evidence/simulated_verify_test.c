/* Simulated platforms from end to end: our verifier believes them when its policy names their root,
 * says that they are simulated, and refuses them else. */
#include "evidence/simulated_test.h"

#include "evidence/evidence.h"

static const struct simulated_dates dates = {NOW - DAY, NOW + DAY};
static const struct snp_tcb tcb = {.bootloader = 10, .snp = 27, .microcode = 88};
static const struct simulated_platform platform = {
    .ppid = {7}, .fmspc = {0, 0x60, 0x6a}, .svns = {14, 14, 3, 3, 255, 255, 1}, .pce_svn = 13};

static struct simulated_snp *snp, *other_snp;
static struct simulated_sgx *sgx, *other_sgx;

static int set_up_group(void **state)
{
    struct err err;

    (void)state;
    assert_true(simulated_snp_new(SNP_GENOA, dates, &snp, &err));
    assert_true(simulated_snp_new(SNP_GENOA, dates, &other_snp, &err));
    assert_true(simulated_sgx_new(dates, &sgx, &err));
    assert_true(simulated_sgx_new(dates, &other_sgx, &err));
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    simulated_snp_free(snp);
    simulated_snp_free(other_snp);
    simulated_sgx_free(sgx);
    simulated_sgx_free(other_sgx);
    return 0;
}

static void add(struct collateral *collateral, const struct writer *w)
{
    struct err err;

    if (!collateral_add(collateral, done(w), &err))
        fail_msg("%s", err.msg);
}

static struct bytes root_of_snp(const struct simulated_snp *roots)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_snp_root(roots, &w, &err));
    return done(&w);
}

static struct bytes root_of_sgx(const struct simulated_sgx *roots)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_sgx_root(roots, &w, &err));
    return done(&w);
}

/* The name of the check that refuses; "" when the evidence is good, and simulated. */
static const char *refusal_by(struct verifier *verifier, const struct evidence_input *input,
                              struct bytes root)
{
    struct evidence_policy policy;
    struct verdict *verdict = ARENA_NEW(&arena, struct verdict);
    struct evidence_input with_policy = *input;

    assert_non_null(verdict);
    evidence_policy_default(&policy);
    policy.any_workload = true;
    policy.simulated_roots = (struct bytes_list){.items = &root, .count = root.size != 0};
    with_policy.policy = &policy;
    evidence_verify(verifier, &with_policy, &arena, verdict);
    if (!verdict_is_good(verdict))
        return check_name(verdict_refusal(verdict));
    assert_true(verdict->is_simulated);
    return "";
}

static const char *refusal(const struct evidence_input *input, struct bytes root)
{
    struct verifier *verifier;
    struct err err;

    assert_true(verifier_new(&verifier, &err));
    const char *why = refusal_by(verifier, input, root);
    verifier_free(verifier);
    return why;
}

/* ---- SNP ---- */

/* A real report, of which the platform's part is made to be the simulated one's. */
static struct bytes snp_report(const uint8_t chip_id[SNP_CHIP_ID_SIZE], EVP_PKEY *vcek)
{
    static const uint8_t tcb_bytes[8] = {10, 0, 0, 0, 0, 0, 27, 88};
    static const size_t tcbs_at[] = {0x38, 0x180, 0x1e0, 0x1f0};
    struct bytes real = vector("snp/genoa-v3/report.bin");
    uint8_t *report = arena_alloc(&arena, SNP_REPORT_SIZE, 1);
    struct err err;

    assert_true(report != NULL && real.size == SNP_REPORT_SIZE);
    memcpy(report, real.data, SNP_REPORT_SIZE);
    for (size_t i = 0; i < sizeof tcbs_at / sizeof *tcbs_at; i++)
        memcpy(report + tcbs_at[i], tcb_bytes, sizeof tcb_bytes);
    memcpy(report + 0x1a0, chip_id, SNP_CHIP_ID_SIZE);
    assert_true(simulated_snp_sign(report, vcek, &err));
    return bytes_from(report, SNP_REPORT_SIZE);
}

static const char *judge_snp(bool revokes_ask, int64_t at, struct bytes root)
{
    static const uint8_t chip_id[SNP_CHIP_ID_SIZE] = {0xc4};
    struct writer vcek = new_writer(), chain = new_writer(), list = new_writer();
    struct collateral *collateral;
    EVP_PKEY *key;
    struct err err;

    assert_true(collateral_new(&collateral, &err));
    assert_true(simulated_snp_vcek(snp, &tcb, chip_id, dates, &key, &vcek, &err));
    assert_true(simulated_snp_chain(snp, &chain, &err));
    assert_true(simulated_snp_crl(snp, dates, revokes_ask, &list, &err));
    add(collateral, &vcek);
    add(collateral, &chain);
    add(collateral, &list);
    struct evidence_input input = {.kind = EVIDENCE_SNP,
                                   .evidence = snp_report(chip_id, key),
                                   .collateral = collateral,
                                   .at = at};
    const char *why = refusal(&input, root);
    collateral_free(collateral);
    EVP_PKEY_free(key);
    return why;
}

static void snp_is_believed_under_its_root_alone(void **state)
{
    (void)state;
    assert_string_equal(judge_snp(false, NOW, root_of_snp(snp)), "");
    assert_string_equal(judge_snp(false, NOW, bytes_of("")), "snp.root");
    assert_string_equal(judge_snp(false, NOW, root_of_sgx(sgx)), "snp.root");
    assert_string_equal(judge_snp(true, NOW, root_of_snp(snp)), "snp.revoked");
    assert_string_equal(judge_snp(false, dates.not_after + 1, root_of_snp(snp)), "snp.chain-dates");
    /* the same names under another key are no link */
    const char *why = judge_snp(false, NOW, root_of_snp(other_snp));
    assert_true(strcmp(why, "snp.root") == 0 || strcmp(why, "snp.chain") == 0);
}

/* ---- SGX ---- */

static struct bytes enclave_report(void)
{
    uint8_t *report = arena_alloc(&arena, SGX_REPORT_SIZE, 1);

    assert_non_null(report);
    memset(report, 0, SGX_REPORT_SIZE);
    memcpy(report, platform.svns, sizeof platform.svns);
    report[48] = 5; /* INIT, MODE64BIT */
    report[56] = 3; /* XFRM */
    return bytes_from(report, SGX_REPORT_SIZE);
}

/* Everything that Intel would say of a platform. To be freed. */
static struct collateral *descriptions(const struct simulated_platform *described, bool revokes_ca)
{
    struct writer chain = new_writer(), tcb_info = new_writer(), identity = new_writer(),
                  root_list = new_writer(), pck_list = new_writer();
    struct collateral *collateral;
    struct err err;

    assert_true(collateral_new(&collateral, &err));
    assert_true(simulated_sgx_tcb_chain(sgx, &chain, &err));
    assert_true(simulated_sgx_tcb_info(sgx, described, dates, &tcb_info, &err));
    assert_true(simulated_sgx_qe_identity(sgx, dates, &identity, &err));
    assert_true(simulated_sgx_root_crl(sgx, dates, revokes_ca, &root_list, &err));
    assert_true(simulated_sgx_pck_crl(sgx, dates, NULL, &pck_list, &err));
    add(collateral, &chain);
    add(collateral, &tcb_info);
    add(collateral, &identity);
    add(collateral, &root_list);
    add(collateral, &pck_list);
    return collateral;
}

static struct bytes quote_of(const struct simulated_platform *there)
{
    struct simulated_quoting *quoting;
    struct writer quote = new_writer();
    struct err err;

    assert_true(simulated_quoting_new(sgx, there, dates, &quoting, &err));
    assert_true(simulated_quote(quoting, enclave_report().data, &quote, &err));
    simulated_quoting_free(quoting);
    return done(&quote);
}

/* A quote of `there`, with the descriptions of `described`. */
static const char *judge_sgx(const struct simulated_platform *there,
                             const struct simulated_platform *described, bool revokes_ca,
                             struct bytes root)
{
    struct collateral *collateral = descriptions(described, revokes_ca);
    struct evidence_input input = {
        .kind = EVIDENCE_QUOTE, .evidence = quote_of(there), .collateral = collateral, .at = NOW};
    const char *why = refusal(&input, root);

    collateral_free(collateral);
    return why;
}

static void sgx_is_believed_under_its_root_alone(void **state)
{
    struct simulated_platform older = platform, other_kind = platform;

    (void)state;
    older.svns[0]--;
    other_kind.fmspc[0] = 1;
    assert_string_equal(judge_sgx(&platform, &platform, false, root_of_sgx(sgx)), "");
    assert_string_equal(judge_sgx(&platform, &older, false, root_of_sgx(sgx)), "");
    assert_string_equal(judge_sgx(&older, &platform, false, root_of_sgx(sgx)), "quote.tcb-status");
    assert_string_equal(judge_sgx(&platform, &other_kind, false, root_of_sgx(sgx)),
                        "quote.tcb-match");
    assert_string_equal(judge_sgx(&platform, &platform, true, root_of_sgx(sgx)), "quote.revoked");
    assert_string_equal(judge_sgx(&platform, &platform, false, bytes_of("")), "quote.root");
    const char *why = judge_sgx(&platform, &platform, false, root_of_sgx(other_sgx));
    assert_true(strcmp(why, "quote.root") == 0 || strcmp(why, "quote.chain") == 0);
}

/* A verifier that knows a platform refuses whatever is not quite its. */
static void what_is_remembered_vouches_for_nothing_else(void **state)
{
    struct bytes good = quote_of(&platform), root = root_of_sgx(sgx);
    struct collateral *collateral = descriptions(&platform, false);
    struct evidence_input input = {
        .kind = EVIDENCE_QUOTE, .evidence = good, .collateral = collateral, .at = NOW};
    struct verifier *verifier;
    struct err err;
    uint8_t *copy = arena_alloc(&arena, good.size, 1);

    (void)state;
    assert_non_null(copy);
    assert_true(verifier_new(&verifier, &err));
    assert_string_equal(refusal_by(verifier, &input, root), "");
    for (size_t at = 0; at < good.size; at += 5) {
        memcpy(copy, good.data, good.size);
        copy[at] ^= 1;
        input.evidence = bytes_from(copy, good.size);
        if (*refusal_by(verifier, &input, root) == '\0')
            fail_msg("byte %zu does not count", at);
    }
    memcpy(copy, good.data, good.size);
    copy[948] ^= 1; /* in the signature of the quoting enclave's report */
    assert_string_equal(refusal_by(verifier, &input, root), "quote.qe-signature");
    input.evidence = good;
    assert_string_equal(refusal_by(verifier, &input, root), "");
    verifier_free(verifier);
    collateral_free(collateral);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(snp_is_believed_under_its_root_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sgx_is_believed_under_its_root_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_remembered_vouches_for_nothing_else, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
