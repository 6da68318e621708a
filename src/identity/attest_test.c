/* From a keep's key to a verdict: a request about simulated evidence, as a Steward reads it. */
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "support.h"

#include "evidence/evidence.h"
#include "evidence/simulated.h"
#include "identity/identity.h"

#define NOW INT64_C(1800000000)

static const struct simulated_dates dates = {NOW - 86400, NOW + 86400};
static const struct snp_tcb tcb = {.bootloader = 10, .snp = 27, .microcode = 88};
static const uint8_t chip_id[SNP_CHIP_ID_SIZE] = {0xc4};

static struct arena arena;
static struct simulated_snp *roots;
static EVP_PKEY *key;

static int set_up(void **state)
{
    struct err err;

    (void)state;
    arena_init(&arena, arena_heap, (size_t)16 << 20);
    key = EVP_EC_gen("P-256");
    return simulated_snp_new(SNP_GENOA, dates, &roots, &err) && key != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    simulated_snp_free(roots);
    EVP_PKEY_free(key);
    arena_done(&arena);
    return 0;
}

static struct writer new_writer(void)
{
    return writer_growable(&arena, (size_t)1 << 20);
}

static struct bytes done(const struct writer *w)
{
    struct bytes out;
    struct err err;

    assert_true(writer_done(w, &out, &err));
    return out;
}

static struct bytes spki(void)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    struct writer w = new_writer();

    writer_bytes(&w, bytes_from(der, (size_t)size));
    OPENSSL_free(der);
    return done(&w);
}

/* A report of version 3 by a processor of family 0x19, model 0x11 (Genoa), about 64 bytes. */
static void write_report(uint8_t report[SNP_REPORT_SIZE], const uint8_t report_data[64])
{
    static const uint8_t raw_tcb[8] = {10, 0, 0, 0, 0, 0, 27, 88}, policy[8] = {0, 0, 3};
    static const uint8_t cpuid[3] = {0x19, 0x11, 1};
    static const size_t tcbs_at[] = {0x38, 0x180, 0x1e0, 0x1f0};

    memset(report, 0, SNP_REPORT_SIZE);
    report[0] = 3;
    memcpy(report + 0x08, policy, sizeof policy);
    report[0x34] = 1;
    memcpy(report + 0x50, report_data, 64);
    for (size_t i = 0; i < COUNT_OF(tcbs_at); i++)
        memcpy(report + tcbs_at[i], raw_tcb, sizeof raw_tcb);
    memcpy(report + 0x188, cpuid, sizeof cpuid);
    memcpy(report + 0x1a0, chip_id, sizeof chip_id);
}

/* What a keep sends: claims, and evidence that binds them to its key and the nonce. */
static struct bytes request_of(const struct identity_claims *claims, struct bytes nonce)
{
    struct writer claims_der = new_writer(), vek = new_writer(), list = new_writer(),
                  evidence = new_writer(), request = new_writer();
    uint8_t report[SNP_REPORT_SIZE], report_data[64];
    EVP_PKEY *vcek;
    struct err err;

    identity_claims_write(&claims_der, claims);
    assert_true(identity_bind(spki(), done(&claims_der), nonce, report_data, &err));
    assert_true(simulated_snp_vcek(roots, &tcb, chip_id, dates, &vcek, &vek, &err));
    assert_true(simulated_snp_crl(roots, dates, false, &list, &err));
    write_report(report, report_data);
    assert_true(simulated_snp_sign(report, vcek, &err));
    EVP_PKEY_free(vcek);
    const struct identity_crl crl = {.url = bytes_of("https://simulated.invalid/crl"),
                                     .der = done(&list)};
    identity_snp_evidence_write(&evidence, done(&vek), &crl, 1, bytes_from(report, sizeof report));
    assert_true(
        identity_request_write(&request, key, claims, nonce, IDENTITY_SNP, done(&evidence), &err));
    return done(&request);
}

/* The first check that refuses a request when it is held against a nonce. */
static enum check_id judge(struct bytes request_der, struct bytes nonce)
{
    struct writer root = new_writer(), chain = new_writer();
    struct evidence_policy policy;
    struct identity_request request;
    struct evidence_file file;
    struct collateral *collateral;
    struct verifier *verifier;
    struct verdict verdict;
    uint8_t report_data[64];
    struct err err;

    assert_true(collateral_new(&collateral, &err));
    assert_true(verifier_new(&verifier, &err));
    assert_true(identity_request_parse(request_der, &arena, &request, &err));
    assert_true(evidence_open(request_der, &arena, collateral, &file, &err));
    assert_true(identity_bind(request.spki, request.claims_der, nonce, report_data, &err));
    assert_true(simulated_snp_chain(roots, &chain, &err));
    assert_true(collateral_add(collateral, done(&chain), &err));
    assert_true(simulated_snp_root(roots, &root, &err));
    struct bytes believed = done(&root);
    evidence_policy_default(&policy);
    policy.any_workload = true;
    policy.simulated_roots = (struct bytes_list){.items = &believed, .count = 1};
    const struct evidence_input input = {.kind = file.kind,
                                         .evidence = file.evidence,
                                         .collateral = collateral,
                                         .policy = &policy,
                                         .at = NOW,
                                         .report_data = report_data};
    evidence_verify(verifier, &input, &arena, &verdict);
    enum check_id refusal = verdict_refusal(&verdict);
    assert_true(verdict.is_simulated);
    collateral_free(collateral);
    verifier_free(verifier);
    return refusal;
}

static void a_keep_is_believed(void **state)
{
    const struct identity_claims claims = {.has_digest = true, .digest = {7}};

    (void)state;
    assert_int_equal(judge(request_of(&claims, bytes_of("nonce")), bytes_of("nonce")), CHECK_COUNT);
}

static void with_its_own_nonce_alone(void **state)
{
    const struct identity_claims claims = {.has_digest = true, .digest = {7}};

    (void)state;
    assert_int_equal(judge(request_of(&claims, bytes_of("nonce")), bytes_of("other")),
                     CHECK_SNP_REPORT_DATA);
}

/* A keep whose host has no endorsements sends its quote alone; a Steward may have the rest. */
static void a_quote_without_endorsements(void **state)
{
    struct writer bare = new_writer(), bad = new_writer();
    struct collateral *collateral;
    struct bytes quote;
    struct err err;

    (void)state;
    identity_sgx_evidence_write(&bare, bytes_of("quote"), NULL, 0, NULL, 0, bytes_of(""));
    identity_sgx_evidence_write(&bad, bytes_of("quote"), NULL, 0, NULL, 0, bytes_of(" "));
    assert_true(collateral_new(&collateral, &err));
    assert_true(evidence_open_extension(EVIDENCE_QUOTE, done(&bare), collateral, &quote, &err));
    assert_true(bytes_is(quote, "quote"));
    assert_false(evidence_open_extension(EVIDENCE_QUOTE, done(&bad), collateral, &quote, &err));
    collateral_free(collateral);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_keep_is_believed),
        cmocka_unit_test(with_its_own_nonce_alone),
        cmocka_unit_test(a_quote_without_endorsements),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
