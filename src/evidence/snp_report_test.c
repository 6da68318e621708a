/* Reports of real machines: ../shared/vectors/snp, with the facts that its manifest has. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "support.h"

#include "evidence/snp_report.h"
#include "os/os.h"

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

static struct bytes vector(const char *folder, const char *name)
{
    char path[512];
    struct bytes out;
    struct err err;

    (void)snprintf(path, sizeof path, "%s/%s/%s", VECTORS, folder, name);
    if (!os_read_file(path, 1 << 20, &arena, &out, &err))
        fail_msg("%s cannot be read", path);
    return out;
}

/* The key of a certificate, DER or the first of a PEM bundle. */
static EVP_PKEY *key_of(struct bytes certificate)
{
    const uint8_t *at = certificate.data;
    X509 *x509 = NULL;

    if (certificate.data[0] == 0x30) {
        x509 = d2i_X509(NULL, &at, (long)certificate.size);
    } else {
        BIO *bio = BIO_new_mem_buf(certificate.data, (int)certificate.size);
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }
    assert_non_null(x509);
    EVP_PKEY *key = X509_get_pubkey(x509);
    X509_free(x509);
    assert_non_null(key);
    return key;
}

static const struct {
    const char *folder, *certificate, *measurement_start;
    uint64_t policy, platform_info;
    unsigned version;
    enum snp_product product, tcb_product; /* by the report; by its certificate */
    unsigned vmpl, guest_svn, signing_key;
    struct snp_tcb reported, committed;
    struct snp_firmware_version current;
} reports[] = {
    {"genoa-v2-parse-only",
     NULL,
     "eb94937547f1f146",
     0x30000,
     1,
     2,
     SNP_PRODUCT_UNKNOWN,
     SNP_GENOA,
     0,
     0,
     0,
     {0, 7, 0, 14, 68},
     {0, 7, 0, 14, 68},
     {1, 55, 21}},
    {"genoa-v3",
     "vcek_chain.pem",
     "b0f5d097b5c7addd",
     0x30000,
     0x25,
     3,
     SNP_GENOA,
     SNP_GENOA,
     0,
     0,
     0,
     {0, 9, 0, 23, 72},
     {0, 9, 0, 23, 72},
     {1, 55, 39}},
    {"genoa-v3-azure",
     "vcek.pem",
     "f57dc09a507c6ecd",
     0x3001f,
     0x24,
     3,
     SNP_GENOA,
     SNP_GENOA,
     0,
     65547,
     0,
     {0, 10, 0, 23, 84},
     {0, 10, 0, 23, 84},
     {1, 55, 40}},
    {"genoa-v5",
     "vcek_chain.pem",
     "bece7399a4da054a",
     0x30000,
     0x25,
     5,
     SNP_GENOA,
     SNP_GENOA,
     0,
     0,
     0,
     {0, 10, 0, 27, 88},
     {0, 10, 0, 27, 88},
     {1, 55, 49}},
    {"turin-v5",
     "vcek_chain.pem",
     "f924dd18f168df60",
     0x30000,
     0x67,
     5,
     SNP_TURIN,
     SNP_TURIN,
     0,
     0,
     0,
     {0, 1, 0, 2, 71},
     {0, 1, 0, 2, 71},
     {1, 55, 61}},
    {"milan-v2",
     "vcek.der",
     "7a1e5c266c0108db",
     0x30000,
     1,
     2,
     SNP_PRODUCT_UNKNOWN,
     SNP_MILAN,
     0,
     0,
     0,
     {0, 3, 0, 8, 115},
     {0, 3, 0, 8, 115},
     {1, 52, 4}},
    {"milan-v2-debug",
     "vcek.der",
     "b07af9620f3b839b",
     0xb0000,
     1,
     2,
     SNP_PRODUCT_UNKNOWN,
     SNP_MILAN,
     0,
     0,
     0,
     {0, 2, 0, 5, 68},
     {0, 2, 0, 5, 68},
     {1, 49, 3}},
    {"milan-v3-azure-a",
     "vcek.pem",
     "6a063be9dd79f637",
     0x3001f,
     0x25,
     3,
     SNP_MILAN,
     SNP_MILAN,
     0,
     10,
     0,
     {0, 4, 0, 24, 219},
     {0, 4, 0, 24, 219},
     {1, 55, 29}},
    {"milan-v3-vlek-vmpl1",
     "vlek.der",
     "8922ebbdd00ec2c5",
     0x30000,
     0x27,
     3,
     SNP_MILAN,
     SNP_MILAN,
     1,
     0,
     1,
     {0, 4, 0, 24, 217},
     {0, 4, 0, 24, 219},
     {1, 55, 29}},
};

static struct snp_report report_of(struct bytes in)
{
    struct snp_report report;
    struct err err;

    assert_true(snp_report_parse(in, &report, &err));
    return report;
}

static void assert_tcb(const uint8_t raw[8], enum snp_product product, struct snp_tcb expected)
{
    struct snp_tcb tcb;

    assert_true(snp_tcb_parse(raw, product, &tcb));
    assert_memory_equal(&tcb, &expected, sizeof tcb);
}

static void fields_of_real_reports(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(reports); i++) {
        struct snp_report r = report_of(vector(reports[i].folder, "report.bin"));
        char hex[17] = {0};
        hex_encode(bytes_from(r.measurement, 8), hex);
        assert_string_equal(hex, reports[i].measurement_start);
        assert_int_equal(r.version, reports[i].version);
        assert_int_equal(snp_report_product(&r), reports[i].product);
        assert_true(r.policy == reports[i].policy && r.platform_info == reports[i].platform_info);
        assert_int_equal(r.vmpl, reports[i].vmpl);
        assert_int_equal(r.guest_svn, reports[i].guest_svn);
        assert_int_equal(r.signing_key, reports[i].signing_key);
        assert_int_equal(r.signature_algorithm, 1);
        assert_memory_equal(&r.current, &reports[i].current, sizeof r.current);
        assert_tcb(r.reported_tcb, reports[i].tcb_product, reports[i].reported);
        assert_tcb(r.committed_tcb, reports[i].tcb_product, reports[i].committed);
    }
}

static void signatures_of_real_reports(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(reports); i++) {
        if (reports[i].certificate == NULL)
            continue;
        struct snp_report r = report_of(vector(reports[i].folder, "report.bin"));
        EVP_PKEY *key = key_of(vector(reports[i].folder, reports[i].certificate));
        struct err err;
        assert_true(snp_report_verify_signature(&r, key, &err));
        EVP_PKEY_free(key);
    }
}

/* Every byte counts: for the form or for the signature. */
static void every_byte_counts(void **state)
{
    struct bytes in = vector("milan-v3-azure-a", "report.bin");
    EVP_PKEY *key = key_of(vector("milan-v3-azure-a", "vcek.pem"));
    uint8_t changed[SNP_REPORT_SIZE];
    struct snp_report r;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof changed; i++) {
        memcpy(changed, in.data, sizeof changed);
        changed[i] ^= 0x20;
        if (snp_report_parse(bytes_from(changed, sizeof changed), &r, &err))
            assert_false(snp_report_verify_signature(&r, key, &err));
        else
            assert_true(err.code == ERR_UNSUPPORTED || err.at <= i);
    }
    EVP_PKEY_free(key);
}

static void sizes_and_versions(void **state)
{
    struct bytes in = vector("genoa-v5", "report.bin");
    uint8_t changed[SNP_REPORT_SIZE + 1] = {0};
    struct snp_report r;
    struct err err;

    (void)state;
    memcpy(changed, in.data, in.size);
    assert_false(snp_report_parse(bytes_from(changed, sizeof changed), &r, &err));
    for (size_t size = 0; size < in.size; size += 37)
        assert_false(snp_report_parse(bytes_before(in, size), &r, &err));
    for (unsigned version = 0; version < 9; version++) {
        changed[0] = (uint8_t)version;
        bool ok = snp_report_parse(bytes_from(changed, in.size), &r, &err);
        /* an older version reserves what this one has set */
        assert_int_equal(ok, version == 5);
        if (version < 2 || version > 5)
            assert_int_equal(err.code, ERR_UNSUPPORTED);
    }
}

static void products_and_their_counts(void **state)
{
    static const uint8_t raw[8] = {1, 2, 0, 0, 0, 0, 7, 8}, turin[8] = {1, 2, 3, 4, 0, 0, 0, 8};
    struct snp_tcb tcb, least = {.bootloader = 1, .snp = 7};

    (void)state;
    assert_int_equal(snp_product_of(0x19, 0x01), SNP_MILAN);
    assert_int_equal(snp_product_of(0x19, 0x11), SNP_GENOA);
    assert_int_equal(snp_product_of(0x19, 0xa0), SNP_GENOA);
    assert_int_equal(snp_product_of(0x1a, 0x02), SNP_TURIN);
    assert_int_equal(snp_product_of(0x19, 0x20), SNP_PRODUCT_UNKNOWN);
    assert_int_equal(snp_product_of(0x17, 0x01), SNP_PRODUCT_UNKNOWN);
    assert_string_equal(snp_product_name(SNP_TURIN), "Turin");
    assert_true(snp_tcb_parse(raw, SNP_GENOA, &tcb));
    assert_true(tcb.bootloader == 1 && tcb.tee == 2 && tcb.snp == 7 && tcb.microcode == 8);
    assert_true(snp_tcb_is_at_least(&tcb, &least));
    least.microcode = 9;
    assert_false(snp_tcb_is_at_least(&tcb, &least));
    assert_false(snp_tcb_parse(raw, SNP_TURIN, &tcb)); /* reserved there */
    assert_true(snp_tcb_parse(turin, SNP_TURIN, &tcb));
    assert_true(tcb.fmc == 1 && tcb.bootloader == 2 && tcb.tee == 3 && tcb.snp == 4);
    assert_false(snp_tcb_parse(turin, SNP_MILAN, &tcb));
    assert_false(snp_tcb_parse(raw, SNP_PRODUCT_UNKNOWN, &tcb));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_of_real_reports), TEST(signatures_of_real_reports), TEST(every_byte_counts),
        TEST(sizes_and_versions),     TEST(products_and_their_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
