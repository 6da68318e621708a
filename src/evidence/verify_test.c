/* Verdicts about real evidence, whole and with every byte changed. What each set of vectors gives
 * is tested through the command line; here it is what no single vector can show. */
#include <stdio.h>

#include "support.h"

#include "evidence/evidence.h"
#include "evidence/quote.h"
#include "os/os.h"

static struct arena arena;
static struct verifier *verifier;
static struct collateral *collateral;
static struct evidence_policy policy;

static struct bytes read_vector(const char *name)
{
    char path[512];
    struct bytes file;
    struct err err;

    assert_true(snprintf(path, sizeof path, VECTORS "/%s", name) < (int)sizeof path);
    if (!os_read_file(path, EVIDENCE_SIZE_MAX, &arena, &file, &err))
        fail_msg("%s: %s", path, err.msg);
    return file;
}

static void add(const char *name)
{
    struct err err;

    if (!collateral_add(collateral, read_vector(name), &err))
        fail_msg("%s: %s", name, err.msg);
}

static int set_up(void **state)
{
    struct err err;

    (void)state;
    arena_init(&arena, arena_heap, (size_t)64 << 20);
    assert_true(verifier_new(&verifier, &err));
    assert_true(collateral_new(&collateral, &err));
    evidence_policy_default(&policy);
    policy.any_workload = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    collateral_free(collateral);
    verifier_free(verifier);
    arena_done(&arena);
    return 0;
}

/* The first check that refuses; CHECK_COUNT: none. */
static enum check_id judge(enum evidence_kind kind, struct bytes evidence, int64_t at)
{
    const struct evidence_input input = {
        .kind = kind, .evidence = evidence, .collateral = collateral, .policy = &policy, .at = at};
    struct verdict verdict;
    struct arena texts;

    arena_init(&texts, arena_heap, (size_t)16 << 20);
    evidence_verify(verifier, &input, &texts, &verdict);
    enum check_id refusal = verdict_refusal(&verdict);
    assert_int_equal(verdict_is_good(&verdict), refusal == CHECK_COUNT);
    arena_done(&texts);
    return refusal;
}

static void every_byte_counts(enum evidence_kind kind, struct bytes evidence, int64_t at)
{
    uint8_t *copy = malloc(evidence.size);

    assert_non_null(copy);
    memcpy(copy, evidence.data, evidence.size);
    assert_int_equal(judge(kind, bytes_from(copy, evidence.size), at), CHECK_COUNT);
    for (size_t i = 0; i < evidence.size; i++) {
        copy[i] ^= 0x01;
        enum check_id refusal = judge(kind, bytes_from(copy, evidence.size), at);
        copy[i] ^= 0x01;
        if (refusal == CHECK_COUNT)
            fail_msg("byte %zu of %zu does not count", i, evidence.size);
    }
    free(copy);
}

#define GENOA_AT INT64_C(1780272000) /* 2026-06-01 */

static void each_byte_of_a_report_counts(void **state)
{
    (void)state;
    policy.require_crls = false;
    add("snp/genoa-v5/vcek_chain.pem");
    struct bytes report = read_vector("snp/genoa-v5/report.bin");
    every_byte_counts(EVIDENCE_SNP, report, GENOA_AT);
}

#define PHALA_AT INT64_C(1750330600)

static void set_up_phala(void)
{
    static const struct policy_advisory advisories[] = {
        {.id = {(const uint8_t *)"INTEL-SA-00289", 14}, .until = INT64_MAX},
        {.id = {(const uint8_t *)"INTEL-SA-00615", 14}, .until = INT64_MAX},
    };

    policy.intel.tcb_statuses = UINT32_MAX; /* whichever it is */
    policy.intel.advisories = advisories;
    policy.intel.advisory_count = COUNT_OF(advisories);
    add("sgx/processor-phala/collateral.json");
}

static void each_byte_of_a_quote_counts(void **state)
{
    (void)state;
    set_up_phala();
    struct bytes quote = read_vector("sgx/processor-phala/quote.bin");
    every_byte_counts(EVIDENCE_QUOTE, quote, PHALA_AT);
}

static void each_byte_of_a_trust_domains_quote_counts(void **state)
{
    (void)state;
    add("tdx/v4-phala/collateral.json");
    struct bytes quote = read_vector("tdx/v4-phala/quote.bin");
    every_byte_counts(EVIDENCE_QUOTE, quote, 1750329200);
}

/* The same verdict when the signatures are remembered, and none where they must not help. */
static void what_is_remembered_helps_nobody_else(void **state)
{
    (void)state;
    set_up_phala();
    struct bytes quote = read_vector("sgx/processor-phala/quote.bin");
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, PHALA_AT), CHECK_COUNT);
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, PHALA_AT), CHECK_COUNT);
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, 2000000000), CHECK_QUOTE_CHAIN_DATES);
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, PHALA_AT + INT64_C(60) * 86400), CHECK_QUOTE_CRL);
    struct bytes other = read_vector("sgx/platform-automata/quote.bin");
    assert_int_equal(judge(EVIDENCE_QUOTE, other, PHALA_AT), CHECK_QUOTE_CRL);
}

static void advisories_end(void **state)
{
    static struct policy_advisory advisories[] = {
        {.id = {(const uint8_t *)"INTEL-SA-00289", 14}, .until = INT64_MAX},
        {.id = {(const uint8_t *)"INTEL-SA-00615", 14}, .until = PHALA_AT + 1},
    };

    (void)state;
    set_up_phala();
    policy.intel.advisories = advisories;
    struct bytes quote = read_vector("sgx/processor-phala/quote.bin");
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, PHALA_AT), CHECK_COUNT);
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, PHALA_AT + 1), CHECK_QUOTE_ADVISORIES);
    policy.intel.tcb_statuses = 1;
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, PHALA_AT), CHECK_QUOTE_TCB_STATUS);
}

/* A policy that names nothing accepts nothing. */
static void defaults_refuse(void **state)
{
    struct bytes quote;

    (void)state;
    set_up_phala();
    quote = read_vector("sgx/processor-phala/quote.bin");
    policy.any_workload = false;
    assert_int_equal(judge(EVIDENCE_QUOTE, quote, PHALA_AT), CHECK_SGX_MEASUREMENT);
    add("snp/genoa-v5/vcek_chain.pem");
    struct bytes report = read_vector("snp/genoa-v5/report.bin");
    assert_int_equal(judge(EVIDENCE_SNP, report, GENOA_AT), CHECK_SNP_CRL);
    policy.require_crls = false;
    assert_int_equal(judge(EVIDENCE_SNP, report, GENOA_AT), CHECK_SNP_MEASUREMENT);
}

static void what_was_not_checked_refuses(void **state)
{
    struct verdict verdict;

    (void)state;
    verdict_init(&verdict, TECHNOLOGY_SGX, &arena);
    assert_false(verdict_is_good(&verdict));
    for (enum check_id id = 0; id < CHECK_COUNT; id++)
        (void)verdict_judge(&verdict, id, true, "", "");
    assert_true(verdict_is_good(&verdict));
    assert_false(verdict_judge(&verdict, CHECK_SGX_MISC, false, "", ""));
    assert_false(verdict_judge(&verdict, CHECK_SGX_MISC, true, "", "")); /* once failed, failed */
    assert_int_equal(verdict_refusal(&verdict), CHECK_SGX_MISC);
    verdict.checks[CHECK_QUOTE_FORMAT].result = CHECK_NOT_MADE;
    assert_int_equal(verdict_refusal(&verdict), CHECK_SGX_MISC); /* the failed one explains more */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_byte_of_a_report_counts),
        TEST(each_byte_of_a_quote_counts),
        TEST(each_byte_of_a_trust_domains_quote_counts),
        TEST(what_is_remembered_helps_nobody_else),
        TEST(advisories_end),
        TEST(defaults_refuse),
        TEST(what_was_not_checked_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
