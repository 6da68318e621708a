/* Policies: every key, and what is said of a wrong one. */
#include <stdio.h>

#include "support.h"

#include "evidence/policy.h"
#include "evidence/tcb_info.h"

static struct arena arena;
static struct evidence_policy policy;
static struct text_error error;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, (size_t)16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void parse(const char *text)
{
    if (!evidence_policy_parse(bytes_of(text), &arena, &policy, &error))
        fail_msg("%u:%u: %s", error.line, error.column, error.text);
}

static void assert_refused(const char *text, unsigned line, unsigned column, const char *message)
{
    assert_false(evidence_policy_parse(bytes_of(text), &arena, &policy, &error));
    assert_string_equal(error.text, message);
    assert_int_equal(error.line, line);
    assert_int_equal(error.column, column);
}

static void an_empty_text_is_the_default(void **state)
{
    struct evidence_policy empty;

    (void)state;
    evidence_policy_default(&policy);
    assert_true(evidence_policy_parse(bytes_of(""), &arena, &empty, &error));
    assert_memory_equal(&empty.intel, &policy.intel, sizeof policy.intel);
    assert_false(empty.any_workload || empty.debug);
    assert_true(empty.require_crls && empty.snp.vcek && !empty.snp.vlek);
    assert_int_equal(empty.snp.versions, 1u << 3 | 1u << 4 | 1u << 5);
    assert_int_equal(empty.snp.vmpls, 1);
    assert_int_equal(empty.snp.tcb_min[SNP_MILAN].snp, 24);
    assert_int_equal(empty.snp.tcb_min[SNP_GENOA].snp, 23);
    assert_int_equal(empty.intel.tcb_info_versions, 1u << 3);
    assert_int_equal(empty.intel.tcb_statuses, 1u << TCB_UP_TO_DATE);
    assert_true(empty.tdx.sept_ve_disable);
}

static void every_key_of_snp(void **state)
{
    (void)state;
    parse("[snp]\n"
          "measurements = [\"" /* 48 bytes */
          "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"
          "000102030405060708090a0b0c0d0e0f\"]\n"
          "versions = [2, 3]\n"
          "product_of_version_2 = \"Genoa\"\n"
          "keys = [\"vlek\"]\n"
          "masked_chip_id = true\n"
          "csp_ids = [\"cloud\"]\n"
          "family_ids = [\"00000000000000000000000000000001\"]\n"
          "guest_svn_min = 4294967295\n"
          "vmpls = [0, 3]\n"
          "abi_min = \"1.31\"\n"
          "firmware_min = \"1.55.39\"\n"
          "policy_required = [\"single-socket\"]\n"
          "policy_forbidden = [\"smt\", \"cxl-allow\"]\n"
          "migration_agent = true\n"
          "platform_required = [\"ecc\", \"alias-check-complete\"]\n"
          "platform_forbidden = [\"tio\"]\n"
          "mitigations = 5\n"
          "[snp.tcb_min.turin]\n"
          "fmc = 1\n"
          "bootloader = 2\n"
          "tee = 3\n"
          "snp = 4\n"
          "microcode = 255\n"
          "[snp.tcb_min.milan]\n");
    assert_int_equal(policy.snp.measurements.count, 1);
    assert_int_equal(policy.snp.measurements.items[0].data[17], 1);
    assert_int_equal(policy.snp.versions, 1u << 2 | 1u << 3);
    assert_int_equal(policy.snp.product_of_version_2, SNP_GENOA);
    assert_true(policy.snp.vlek && !policy.snp.vcek && policy.snp.masked_chip_id);
    assert_true(bytes_is(policy.snp.csp_ids.items[0], "cloud"));
    assert_int_equal(policy.snp.family_ids.items[0].size, 16);
    assert_int_equal(policy.snp.guest_svn_min, UINT32_MAX);
    assert_int_equal(policy.snp.vmpls, 1u << 0 | 1u << 3);
    assert_int_equal(policy.snp.abi_min[0], 1);
    assert_int_equal(policy.snp.abi_min[1], 31);
    assert_int_equal(policy.snp.firmware_min.build, 39);
    assert_int_equal(policy.snp.policy_required, SNP_POLICY_SINGLE_SOCKET);
    assert_int_equal(policy.snp.policy_forbidden, SNP_POLICY_SMT | SNP_POLICY_CXL_ALLOW);
    assert_true(policy.snp.migration_agent);
    assert_int_equal(policy.snp.platform_required, 4 | 32);
    assert_int_equal(policy.snp.platform_forbidden, 128);
    assert_int_equal(policy.snp.mitigations, 5);
    assert_int_equal(policy.snp.tcb_min[SNP_TURIN].fmc, 1);
    assert_int_equal(policy.snp.tcb_min[SNP_TURIN].microcode, 255);
    assert_int_equal(policy.snp.tcb_min[SNP_MILAN].snp, 0); /* said: no floor */
    assert_int_equal(policy.snp.tcb_min[SNP_GENOA].snp, 23);
}

static void every_key_of_intel(void **state)
{
    (void)state;
    parse("[intel]\n"
          "tcb_statuses = [\"UpToDate\", \"OutOfDateConfigurationNeeded\"]\n"
          "advisories = [\"INTEL-SA-00001\", { id = \"INTEL-SA-00002\", until = 2026-12-31 }]\n"
          "tcb_evaluation_min = 17\n"
          "ppids = [\"00000000000000000000000000000007\"]\n"
          "[sgx]\n"
          "mrenclaves = []\n"
          "signers = [{ mrsigner = "
          "\"0000000000000000000000000000000000000000000000000000000000000009\","
          " product = 3, svn_min = 4 }]\n"
          "attributes_allowed = [\"provision-key\", \"kss\"]\n"
          "misc_allowed = 1\n"
          "config_svn_min = 9\n"
          "[tdx]\n"
          "rtmr3 = []\n"
          "attributes_allowed = [\"perfmon\"]\n"
          "sept_ve_disable = false\n");
    assert_int_equal(policy.intel.tcb_statuses,
                     1u << TCB_UP_TO_DATE | 1u << TCB_OUT_OF_DATE_CONFIGURATION_NEEDED);
    assert_int_equal(policy.intel.advisory_count, 2);
    assert_int_equal(policy.intel.advisories[0].until, INT64_MAX);
    assert_true(bytes_is(policy.intel.advisories[1].id, "INTEL-SA-00002"));
    assert_int_equal(policy.intel.advisories[1].until, 1798675200);
    assert_int_equal(policy.intel.tcb_evaluation_min, 17);
    assert_int_equal(policy.intel.ppids.items[0].data[15], 7);
    assert_int_equal(policy.sgx.signers[0].product, 3);
    assert_int_equal(policy.sgx.signers[0].svn_min, 4);
    assert_int_equal(policy.sgx.attributes_allowed, 1u << 4 | 1u << 7);
    assert_int_equal(policy.sgx.misc_allowed, 1);
    assert_int_equal(policy.sgx.config_svn_min, 9);
    assert_true(policy.tdx.attributes_allowed == UINT64_C(1) << 63);
    assert_false(policy.tdx.sept_ve_disable);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    assert_refused("debgu = true", 1, 1, "unknown key 'debgu'; did you mean 'debug'?");
    assert_refused("[snp]\nmeasurement = []", 2, 1,
                   "unknown key 'measurement'; did you mean 'measurements'?");
    assert_refused("snp = 1", 1, 7, "expected a table, found an integer");
    assert_refused("debug = 1", 1, 9, "expected true or false, found an integer");
    assert_refused("[snp]\nmeasurements = [\"00\"]", 2, 17, "expected 48 bytes in hexadecimal");
    assert_refused("[snp]\nmeasurements = \"00\"", 2, 16, "expected an array, found a string");
    assert_refused("[snp]\nversions = [6]", 2, 13, "the number must be 0 to 5");
    assert_refused("[snp]\nvmpls = [-1]", 2, 10, "the number must be 0 to 3");
    assert_refused("[snp]\nkeys = [\"vcekk\"]", 2, 9, "unknown word 'vcekk'; did you mean 'vcek'?");
    assert_refused("[snp]\nproduct_of_version_2 = \"Turin\"", 2, 24,
                   "expected \"Milan\" or \"Genoa\"");
    assert_refused("[snp]\nabi_min = \"1\"", 2, 11, "expected a version of 2 numbers");
    assert_refused("[snp]\nabi_min = \"1.256\"", 2, 11, "expected a version of 2 numbers");
    assert_refused("[snp]\nfirmware_min = \"1.2.3.4\"", 2, 16, "expected a version of 3 numbers");
    assert_refused("[snp.tcb_min.rome]", 1, 14, "unknown key 'rome'");
    assert_refused("[intel]\ntcb_statuses = [\"Revoked\"]", 2, 16, "Revoked cannot be accepted");
    assert_refused("[intel]\ntcb_statuses = [\"UptoDate\"]", 2, 17,
                   "unknown word 'UptoDate'; did you mean 'UpToDate'?");
    assert_refused("[intel]\nadvisories = [{ until = 2026-12-31 }]", 2, 15,
                   "an advisory needs an id");
    assert_refused("[intel]\nadvisories = [{ id = \"x\", until = 2026-12-31T00:00:00Z }]", 2, 35,
                   "expected a date, found an offset date-time");
    assert_refused("[sgx]\nsigners = [{ product = 1 }]", 2, 12,
                   "a signer needs mrsigner and product");
    assert_refused("simulated_roots = [\"no certificate\"]", 1, 19,
                   "item 1 is no certificate in PEM");
    assert_refused("[snp", 1, 5, "expected ']' after the table's name, found end of file");
}

/* ---- Enarx's keys ---- */

#define D48(x) \
    x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define D32(x) x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x

static bool is_filled(struct bytes b, uint8_t with)
{
    for (size_t i = 0; i < b.size; i++) {
        if (b.data[i] != with)
            return false;
    }
    return b.size != 0;
}

static void enarx_keys_of_snp(void **state)
{
    (void)state;
    parse(
        "[snp]\n"
        "signer = [\"" D48("01") "\"]\nhash = [\"" D48(
            "02") "\"]\n"
                  "hash_blacklist = [\"" D48("03") "\"]\nid_key_digest = [\"" D48(
                      "04") "\"]\n"
                            "id_key_digest_blacklist = [\"" D48(
                                "05") "\"]\nabi = \">= 1.51\"\n"
                                      "policy_flags = [\"SMT\"]\nplatform_info_flags = \"TSME\"\n");
    assert_true(is_filled(policy.snp.author_keys.items[0], 1));
    assert_true(is_filled(policy.snp.measurements.items[0], 2));
    assert_true(is_filled(policy.snp.measurements_denied.items[0], 3));
    assert_true(is_filled(policy.snp.id_keys.items[0], 4));
    assert_true(is_filled(policy.snp.id_keys_denied.items[0], 5));
    assert_int_equal(policy.snp.abi_min[0], 1);
    assert_int_equal(policy.snp.abi_min[1], 51);
    assert_int_equal(policy.snp.policy_forbidden, SNP_POLICY_SINGLE_SOCKET);
    assert_int_equal(policy.snp.platform_required, 2);
    assert_false(policy.debug || policy.any_workload);
}

static void enarx_keys_of_sgx(void **state)
{
    (void)state;
    parse(
        "[sgx]\nenclave_security_version = 3\nenclave_product_id = 7\n"
        "signer = [\"" D32("01") "\"]\nhash = [\"" D32(
            "02") "\"]\n"
                  "hash_blacklist = [\"" D32("03") "\"]\nfeatures = [\"CET\", \"KSS\"]\n"
                                                   "misc_select = [\"EXINFO\"]\nallowed_advisories "
                                                   "= [\"INTEL-SA-00289\"]\n");
    assert_true(is_filled(policy.sgx.signers[0].mrsigner, 1));
    assert_false(policy.sgx.signers[0].any_product);
    assert_int_equal(policy.sgx.signers[0].product, 7);
    assert_int_equal(policy.sgx.signers[0].svn_min, 3);
    assert_true(is_filled(policy.sgx.mrenclaves.items[0], 2));
    assert_true(is_filled(policy.sgx.mrenclaves_denied.items[0], 3));
    assert_int_equal(policy.sgx.attributes_allowed, 1u << 6 | 1u << 7);
    assert_int_equal(policy.sgx.misc_allowed, 1);
    assert_true(bytes_is(policy.intel.advisories[0].id, "INTEL-SA-00289"));
    /* Enarx's Steward then took any status; ours does not */
    assert_int_equal(policy.intel.tcb_statuses, 1u << TCB_UP_TO_DATE);
    parse("[sgx]\nsigner = [\"" D32("01") "\"]\n");
    assert_true(policy.sgx.signers[0].any_product);
}

static void what_enarx_meant_otherwise_is_refused(void **state)
{
    (void)state;
    assert_refused("[snp]\nhash = [\"" D48("02") "\"]\nmeasurements = []\n", 2, 8,
                   "'hash' and 'measurements' say the same; one of them is enough");
    assert_refused("[sgx]\nsigners = []\nsigner = []\n", 3, 10,
                   "'signer' and 'signers' say the same; one of them is enough");
    assert_refused("[snp]\nhash = [\"" D48("02") "\"]\nhash_blacklist = [\"" D48("02") "\"]\n", 1,
                   2, "a digest is both allowed and denied");
    assert_refused(
        "[sgx]\nmrenclaves = [\"" D32("02") "\"]\nmrenclaves_denied = [\"" D32("02") "\"]\n", 1, 2,
        "a digest is both allowed and denied");
    assert_refused("[snp]\nhash = [\"0102\"]\n", 2, 9, "expected 48 bytes in hexadecimal");
    assert_refused("[snp]\nabi = \"^1.51\"\n", 2, 7,
                   "only requirements such as \">=1.51\" are understood here");
    assert_refused("[snp]\nabi = \">=1\"\n", 2, 7, "expected a version of 2 numbers");
    assert_refused("[snp]\npolicy_flags = [\"Debug\"]\n", 2, 16,
                   "Debug is accepted by debug = true alone");
    assert_refused("[sgx]\nfeatures = [\"Debug\"]\n", 2, 12,
                   "Debug is accepted by debug = true alone");
    assert_refused("[snp]\nplatform_info_flags = \"SMT\"\n", 2, 23, "expected \"SME\" or \"TSME\"");
    assert_refused("[sgx]\nenclave_product_id = 1\n", 2, 22,
                   "this is said of images by their signer, and there is no 'signer'");
    assert_refused("[sgx]\nsigner = [\"" D32("01") "\"]\nenclave_product_id = 65536\n", 3, 22,
                   "the number must be 0 to 65535");
}

/* ---- in words ---- */

static const char *explain(const char *text)
{
    struct writer w = writer_growable(&arena, 1 << 20);
    struct bytes out;
    struct err err;

    parse(text);
    evidence_policy_explain(&w, &policy);
    writer_u8(&w, '\0');
    assert_true(writer_done(&w, &out, &err));
    return (const char *)out.data;
}

static void a_policy_is_explained(void **state)
{
    (void)state;
    const char *nothing = explain("");
    assert_non_null(strstr(nothing, "AMD SEV-SNP\n  Nothing is accepted: [snp] measurements names "
                                    "no image.\n"));
    assert_non_null(strstr(nothing, "Intel SGX\n  Nothing is accepted: [sgx] mrenclaves names no "
                                    "image.\n"));
    assert_non_null(strstr(nothing, "  No security advisory may be open.\n"));
    assert_non_null(strstr(nothing, "  Nothing that can be debugged is accepted.\n"));
    const char *much =
        explain("any_workload = true\ndebug = true\nrequire_crls = false\n[snp]\nhash_blacklist = "
                "[\"" D48("ab") "\"]\nkeys = [\"vcek\", \"vlek\"]\n[sgx]\nsigner = [\"" D32(
                    "cd") "\"]\n"
                          "[intel]\nadvisories = [{ id = \"INTEL-SA-1\", until = 2027-01-15 }]\n");
    assert_non_null(strstr(much, "  ANY image is accepted"));
    assert_non_null(strstr(much, "  These launch digests are refused:\n    " D48("ab") "\n"));
    assert_non_null(strstr(much, "DEBUG are accepted"));
    assert_non_null(strstr(much, "Revocation lists may be MISSING"));
    assert_non_null(strstr(much, "signed by " D32("cd") ", of ANY product, from version 0 on.\n"));
    assert_non_null(
        strstr(much, "  Advisory INTEL-SA-1 may be open until 2027-01-15T00:00:00Z.\n"));
    assert_non_null(strstr(much, "a chip's key (VCEK), a cloud's key (VLEK)."));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_text_is_the_default),
        TEST(every_key_of_snp),
        TEST(every_key_of_intel),
        TEST(what_is_wrong_is_named),
        TEST(enarx_keys_of_snp),
        TEST(enarx_keys_of_sgx),
        TEST(what_enarx_meant_otherwise_is_refused),
        TEST(a_policy_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
