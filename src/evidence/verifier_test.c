/* What a verifier keeps between verifications, when more passes through it than it keeps. */
#include "evidence/evidence.h"

#include "evidence/simulated_test.h"

static const struct simulated_dates dates = {NOW - DAY, NOW + DAY};
static const struct simulated_platform platform = {.fmspc = {0, 0x60, 0x6a}, .pce_svn = 13};

/* More than a verifier keeps. */
static struct simulated_sgx *makers[20];
static struct bytes roots[20];

static void make_roots(void)
{
    struct err err;

    for (size_t i = 0; i < COUNT_OF(makers); i++) {
        struct writer w = new_writer();
        assert_true(simulated_sgx_new(dates, &makers[i], &err));
        assert_true(simulated_sgx_root(makers[i], &w, &err));
        roots[i] = done(&w);
    }
}

/* A quote of a maker's platform. */
static struct bytes quote_of(const struct simulated_sgx *maker)
{
    uint8_t report[SGX_REPORT_SIZE] = {[48] = 5, [56] = 3}; /* INIT, MODE64BIT; XFRM */
    struct simulated_quoting *quoting;
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_quoting_new(maker, &platform, dates, &quoting, &err));
    assert_true(simulated_quote(quoting, report, &w, &err));
    simulated_quoting_free(quoting);
    return done(&w);
}

/* Whether the chain of a quote is good when the policy names these roots. */
static bool is_chain_good(struct verifier *verifier, struct bytes quote, const struct bytes *named,
                          size_t count)
{
    struct evidence_policy policy;
    struct collateral *collateral;
    struct verdict verdict;
    struct err err;

    evidence_policy_default(&policy);
    policy.simulated_roots = (struct bytes_list){.items = named, .count = count};
    assert_true(collateral_new(&collateral, &err));
    struct evidence_input input = {.kind = EVIDENCE_QUOTE,
                                   .evidence = quote,
                                   .collateral = collateral,
                                   .policy = &policy,
                                   .at = NOW};
    evidence_verify(verifier, &input, &arena, &verdict);
    collateral_free(collateral);
    return verdict.checks[CHECK_QUOTE_ROOT].result == CHECK_PASSED &&
           verdict.checks[CHECK_QUOTE_CHAIN].result == CHECK_PASSED;
}

/* A root that is kept must not lose its place to another of the same policy, however many were
 * there before and whosever turn it is to go. */
static void roots_stay_while_they_are_used(void **state)
{
    struct err err;

    (void)state;
    make_roots();
    struct bytes quote = quote_of(makers[0]);
    for (size_t before = 1; before < COUNT_OF(roots); before++) {
        const struct bytes both[] = {roots[0], roots[before]};
        struct verifier *verifier;
        assert_true(verifier_new(&verifier, &err));
        for (size_t i = 0; i < before; i++)
            assert_int_equal(is_chain_good(verifier, quote, &roots[i], 1), i == 0);
        assert_true(is_chain_good(verifier, quote, both, 2));
        assert_false(is_chain_good(verifier, quote, &both[1], 1));
        verifier_free(verifier);
    }
    for (size_t i = 0; i < COUNT_OF(makers); i++)
        simulated_sgx_free(makers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(roots_stay_while_they_are_used, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
