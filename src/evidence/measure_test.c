/* Measurements against what other implementations made: ../shared/vectors/measure. */
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "support.h"

#include "evidence/crypto.h"
#include "evidence/sgx_measure.h"
#include "evidence/sgx_sigstruct.h"
#include "evidence/snp_measure.h"
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

static struct bytes vector(const char *name)
{
    char path[512];
    struct bytes out;
    struct err err;

    (void)snprintf(path, sizeof path, "%s/%s", VECTORS, name);
    if (!os_read_file(path, 1 << 20, &arena, &out, &err))
        fail_msg("%s cannot be read", path);
    return out;
}

static void assert_hex(const uint8_t *got, size_t size, const char *hex)
{
    char text[256];

    assert_true(hex_size(size) < sizeof text && strlen(hex) == hex_size(size));
    hex_encode(bytes_from(got, size), text);
    text[hex_size(size)] = '\0';
    assert_string_equal(text, hex);
}

/* ---- SGX ---- */

static struct sgx_sigstruct sigstruct_of(struct bytes in)
{
    struct sgx_sigstruct s;
    struct err err;

    assert_true(sgx_sigstruct_parse(in, &s, &err));
    return s;
}

static void sigstructs_of_others(void **state)
{
    static const char *const names[] = {"sgx/sig1.sigstruct.bin", "sgx/test_enclave.sig"};
    uint8_t written[SGX_SIGSTRUCT_SIZE];
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct bytes in = vector(names[i]);
        struct sgx_sigstruct s = sigstruct_of(in);
        assert_true(sgx_sigstruct_verify(&s, &err));
        sgx_sigstruct_write(&s, written);
        assert_memory_equal(written, in.data, sizeof written);
    }
}

static void fields_of_sigstructs(void **state)
{
    uint8_t signer[SGX_SIGNER_SIZE];
    struct err err;

    (void)state;
    struct sgx_sigstruct s = sigstruct_of(vector("sgx/sig1.sigstruct.bin"));
    assert_hex(s.enclave_hash, sizeof s.enclave_hash,
               "c50673624a6cb17c1c6c2a4e6906f47a170c4629b8723781d1017ef376f1a75d");
    assert_int_equal(s.date, 0x20160109);
    assert_true(s.attribute_flags == 4 && s.attribute_xfrm == 3);
    assert_true(s.attribute_flags_mask == UINT64_C(0xfffffffffffffffd) &&
                s.attribute_xfrm_mask == UINT64_C(0xffffffffffffff1b));
    s = sigstruct_of(vector("sgx/test_enclave.sig"));
    assert_int_equal(s.date, 0x20161214);
    assert_int_equal(s.isv_prod_id, 65535);
    assert_int_equal(s.isv_svn, 0);
    assert_true(sgx_signer(s.modulus, signer, &err));
    assert_hex(signer, sizeof signer,
               "fb4bab3d6036ac1d730fa83d7366df1dd2dfeac194ef335d6854d8a6c6475542");
}

/* Every byte counts: for the form, for the signature, or for Q1 and Q2. */
static void every_byte_of_a_sigstruct_counts(void **state)
{
    struct bytes in = vector("sgx/test_enclave.sig");
    uint8_t changed[SGX_SIGSTRUCT_SIZE];
    struct sgx_sigstruct s;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof changed; i++) {
        memcpy(changed, in.data, sizeof changed);
        changed[i] ^= 0x10;
        if (sgx_sigstruct_parse(bytes_from(changed, sizeof changed), &s, &err)) {
            assert_false(sgx_sigstruct_verify(&s, &err));
            assert_int_equal(err.code, ERR_CRYPTO);
        } else {
            assert_int_equal(err.code, ERR_FORMAT);
            assert_true(err.at <= i && i < err.at + 84);
        }
    }
    for (size_t size = 0; size < in.size; size += 113)
        assert_false(sgx_sigstruct_parse(bytes_before(in, size), &s, &err));
}

static EVP_PKEY *rsa_key(unsigned bits, unsigned exponent)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *e = BN_new();
    EVP_PKEY *key = NULL;

    assert_true(context != NULL && e != NULL && BN_set_word(e, exponent) == 1);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, (int)bits), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, e), 1);
    assert_int_equal(EVP_PKEY_generate(context, &key), 1);
    BN_free(e);
    EVP_PKEY_CTX_free(context);
    return key;
}

static void signing_an_enclave(void **state)
{
    uint8_t bytes[SGX_SIGSTRUCT_SIZE];
    struct err err;
    EVP_PKEY *key = rsa_key(3072, 3);
    struct sgx_sigstruct s = {.date = 0x20261123, .isv_prod_id = 7, .isv_svn = 2};

    (void)state;
    assert_true(sgx_sigstruct_sign(&s, key, &err));
    sgx_sigstruct_write(&s, bytes);
    struct sgx_sigstruct again = sigstruct_of(bytes_from(bytes, sizeof bytes));
    assert_true(sgx_sigstruct_verify(&again, &err));
    again.isv_svn++;
    assert_false(sgx_sigstruct_verify(&again, &err));
    EVP_PKEY_free(key);
    /* not what an enclave's key must be */
    const unsigned others[][2] = {{3072, 65537}, {2048, 3}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        key = rsa_key(others[i][0], others[i][1]);
        assert_false(sgx_sigstruct_sign(&s, key, &err));
        assert_int_equal(err.code, ERR_CRYPTO);
        EVP_PKEY_free(key);
    }
}

/* The value computed here once more, as one string of bytes. */
static void mrenclave_is_a_digest_of_its_blocks(void **state)
{
    static uint8_t page[SGX_PAGE_SIZE], log[64 * (2 + 16 + 1) + SGX_PAGE_SIZE];
    uint8_t got[SGX_MEASUREMENT_SIZE], expected[SGX_MEASUREMENT_SIZE];
    struct writer w = writer_fixed(log, sizeof log);
    struct sgx_measure *m;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof page; i++)
        page[i] = (uint8_t)(i * 7);
    assert_true(sgx_measure_new(1, 0x4000, &m, &err));
    assert_true(sgx_measure_page(m, 0x1000, SGX_SECINFO_REG | SGX_SECINFO_R, page, true, &err));
    assert_true(sgx_measure_page(m, 0x2000, SGX_SECINFO_TCS, page, false, &err));
    assert_false(sgx_measure_add(m, 0x2001, SGX_SECINFO_REG, &err));
    assert_false(sgx_measure_add(m, 0x4000, SGX_SECINFO_REG, &err));
    assert_false(sgx_measure_extend(m, 0x2080, page, &err));
    assert_true(sgx_measure_finish(m, got, &err));
    sgx_measure_free(m);

    writer_bytes(&w, bytes_from("ECREATE\0\1\0\0\0\0\x40\0\0\0\0\0\0", 20));
    memset(writer_reserve(&w, 44), 0, 44);
    writer_bytes(&w, bytes_from("EADD\0\0\0\0\0\x10\0\0\0\0\0\0\1\2\0\0\0\0\0\0", 24));
    memset(writer_reserve(&w, 40), 0, 40);
    for (size_t at = 0; at < sizeof page; at += 256) {
        writer_bytes(&w, bytes_from("EEXTEND\0", 8));
        writer_u64le(&w, 0x1000 + at);
        memset(writer_reserve(&w, 48), 0, 48);
        writer_bytes(&w, bytes_from(page + at, 256));
    }
    writer_bytes(&w, bytes_from("EADD\0\0\0\0\0\x20\0\0\0\0\0\0\0\1\0\0\0\0\0\0", 24));
    memset(writer_reserve(&w, 40), 0, 40);
    assert_int_equal(w.size, sizeof log);
    assert_true(crypto_sha256(bytes_from(log, sizeof log), expected, &err));
    assert_memory_equal(got, expected, sizeof got);
}

/* ---- SNP ---- */

static void vmsa_pages(void **state)
{
    static const struct {
        const char *name;
        uint64_t rip, features;
    } pages[] = {
        {"snp/vmsa/qemu_epycv4_f1_bsp.bin", 0xfffffff0, 1},
        {"snp/vmsa/qemu_epycv4_f1_ap.bin", 0x80b004, 1},
        {"snp/vmsa/qemu_epycv4_f21_bsp.bin", 0xfffffff0, 0x21},
        {"snp/vmsa/qemu_epycv4_f21_ap.bin", 0x80b004, 0x21},
    };
    uint8_t page[SNP_PAGE_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        struct snp_vmsa vmsa = {.rip = pages[i].rip,
                                .rdx = 0x800f12,
                                .sev_features = pages[i].features,
                                .g_pat = SNP_G_PAT_RESET};
        snp_vmsa_write(&vmsa, page);
        assert_memory_equal(page, vector(pages[i].name).data, sizeof page);
    }
}

static void take_digest(const json_t *step, const char *key, uint8_t out[SNP_DIGEST_SIZE])
{
    const char *text = json_string_value(json_object_get(step, key));
    size_t size;
    struct err err;

    assert_non_null(text);
    assert_true(hex_decode(bytes_of(text), out, SNP_DIGEST_SIZE, &size, &err));
    assert_int_equal(size, SNP_DIGEST_SIZE);
}

/* The digest that a row of the launch vectors expects. */
static void expected_digest(const char *name, uint8_t out[SNP_DIGEST_SIZE])
{
    struct bytes text = vector("snp/launch_digest_vectors.json");
    json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL), *row;
    size_t i;
    bool found = false;

    json_array_foreach(json_object_get(root, "vectors"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0) {
            take_digest(row, "expected_digest", out);
            found = true;
        }
    }
    assert_true(found);
    json_decref(root);
}

static void launch_digests(void **state)
{
    static const struct {
        const char *chain, *row;
    } names[] = {{"snp_default", "snp_default"},
                 {"snp_4vcpu", "4vcpu"},
                 {"ovmfx64", "ovmfx64_without_kernel"}};
    char file[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct snp_launch launch = {{0}};
        uint8_t content[SNP_DIGEST_SIZE], after[SNP_DIGEST_SIZE];
        struct err err;
        json_t *step;
        size_t k;
        (void)snprintf(file, sizeof file, "snp/page_info_chain_%s.json", names[i].chain);
        struct bytes text = vector(file);
        json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL);
        assert_true(json_array_size(json_object_get(root, "steps")) > 10);
        json_array_foreach(json_object_get(root, "steps"), k, step)
        {
            uint64_t gpa = strtoull(json_string_value(json_object_get(step, "gpa")), NULL, 16);
            take_digest(step, "contents", content);
            take_digest(step, "ld_after", after);
            int type = (int)json_integer_value(json_object_get(step, "page_type"));
            assert_true(
                snp_launch_page_digest(&launch, (enum snp_page_type)type, gpa, content, &err));
            assert_memory_equal(launch.digest, after, sizeof after);
        }
        expected_digest(names[i].row, after);
        assert_memory_equal(launch.digest, after, sizeof after);
        json_decref(root);
    }
}

static void pages_of_a_launch(void **state)
{
    static const uint8_t page[SNP_PAGE_SIZE] = {1, 2, 3}, none[SNP_DIGEST_SIZE];
    struct snp_launch a = {{0}}, b = {{0}};
    uint8_t content[SNP_DIGEST_SIZE];
    struct err err;

    (void)state;
    assert_true(crypto_sha384(bytes_from(page, sizeof page), content, &err));
    assert_true(snp_launch_page(&a, SNP_PAGE_NORMAL, 0x1000, page, &err));
    assert_true(snp_launch_page_digest(&b, SNP_PAGE_NORMAL, 0x1000, content, &err));
    assert_memory_equal(a.digest, b.digest, sizeof a.digest);
    assert_true(snp_launch_page(&a, SNP_PAGE_CPUID, 0x2000, NULL, &err));
    assert_true(snp_launch_page_digest(&b, SNP_PAGE_CPUID, 0x2000, none, &err));
    assert_memory_equal(a.digest, b.digest, sizeof a.digest);
    assert_false(snp_launch_page(&a, SNP_PAGE_NORMAL, 0x1001, page, &err));
    assert_false(snp_launch_page(&a, (enum snp_page_type)7, 0x1000, page, &err));
    assert_false(snp_launch_page(&a, (enum snp_page_type)0, 0x1000, page, &err));
    assert_memory_equal(a.digest, b.digest, sizeof a.digest); /* refused, so unchanged */
}

static void base64_equal(const uint8_t *got, size_t size, const char *text)
{
    uint8_t expected[128];
    size_t expected_size;
    struct err err;

    assert_true(base64_decode(bytes_of(text), BASE64_STANDARD, expected, sizeof expected,
                              &expected_size, &err));
    assert_int_equal(size, expected_size);
    assert_memory_equal(got, expected, size);
}

static void id_block_of_others(void **state)
{
    struct bytes text = vector("snp/idblock/id_block_vectors.json"),
                 auth = vector("snp/idblock/test_auth_block.bin");
    json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL);
    struct snp_id_block block = {.policy = 0x30000}, again;
    uint8_t bytes[SNP_ID_BLOCK_SIZE], changed[SNP_ID_AUTH_SIZE];
    struct snp_id_keys keys;
    struct err err;

    (void)state;
    take_digest(root, "launch_digest_hex", block.launch_digest);
    snp_id_block_write(&block, bytes);
    base64_equal(bytes, sizeof bytes,
                 json_string_value(json_object_get(root, "expected_id_block_b64")));
    assert_true(snp_id_block_parse(bytes_from(bytes, sizeof bytes), &again, &err));
    assert_memory_equal(again.launch_digest, block.launch_digest, sizeof block.launch_digest);
    assert_true(again.policy == block.policy && again.guest_svn == block.guest_svn);
    assert_true(snp_id_auth_verify(auth, &block, &keys, &err));
    assert_true(keys.has_author);
    base64_equal(keys.id_key_digest, sizeof keys.id_key_digest,
                 json_string_value(json_object_get(root, "expected_id_key_digest_b64")));
    base64_equal(keys.author_key_digest, sizeof keys.author_key_digest,
                 json_string_value(json_object_get(root, "expected_author_key_digest_b64")));
    json_decref(root);
    /* a byte of each part; and the block */
    const size_t places[] = {0,        4,         64,   64 + 72,   64 + 60, 576, 580,
                             580 + 72, 576 + 200, 1664, 1664 + 72, 2176,    2180};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        memcpy(changed, auth.data, sizeof changed);
        changed[places[i]] ^= 2;
        assert_false(snp_id_auth_verify(bytes_from(changed, sizeof changed), &block, &keys, &err));
    }
    block.guest_svn = 1;
    assert_false(snp_id_auth_verify(auth, &block, &keys, &err));
    assert_false(snp_id_auth_verify(bytes_before(auth, 4095), &block, &keys, &err));
    bytes[80] = 2;
    assert_false(snp_id_block_parse(bytes_from(bytes, sizeof bytes), &again, &err));
    assert_false(snp_id_block_parse(bytes_from(bytes, 95), &again, &err));
}

static EVP_PKEY *ec_key(const char *group)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);

    assert_non_null(key);
    return key;
}

static void signing_an_id_block(void **state)
{
    EVP_PKEY *id = ec_key("P-384"), *author = ec_key("P-384"), *other = ec_key("P-256");
    struct snp_id_block block = {.guest_svn = 3, .policy = 0x30000};
    uint8_t auth[SNP_ID_AUTH_SIZE], digest[SNP_DIGEST_SIZE], vouching[SNP_VOUCHING_SIZE];
    struct bytes whole = bytes_from(auth, sizeof auth);
    struct snp_id_keys keys;
    struct err err;

    (void)state;
    assert_true(snp_key_vouch(author, id, vouching, &err));
    assert_true(snp_id_auth_sign(&block, id, vouching, auth, &err));
    assert_true(snp_id_auth_verify(whole, &block, &keys, &err));
    assert_true(snp_key_digest(author, digest, &err));
    assert_memory_equal(digest, keys.author_key_digest, sizeof digest);
    assert_true(snp_id_auth_sign(&block, id, NULL, auth, &err));
    assert_true(snp_id_auth_verify(whole, &block, &keys, &err));
    assert_false(keys.has_author);
    assert_false(snp_id_auth_sign(&block, other, NULL, auth, &err));
    assert_int_equal(err.code, ERR_CRYPTO);
    assert_false(snp_key_vouch(author, other, vouching, &err) ||
                 snp_key_vouch(other, id, vouching, &err));
    assert_int_equal(err.code, ERR_CRYPTO);
    /* what is said of another key */
    assert_true(snp_key_vouch(author, author, vouching, &err));
    assert_true(snp_id_auth_sign(&block, id, vouching, auth, &err));
    assert_false(snp_id_auth_verify(whole, &block, &keys, &err));
    assert_true(snp_key_vouch(author, id, vouching, &err));
    /* a signature of zeroes, and keys that are no points */
    assert_true(snp_id_auth_sign(&block, id, vouching, auth, &err));
    memset(auth + 64, 0, 144);
    assert_false(snp_id_auth_verify(whole, &block, &keys, &err));
    assert_true(snp_id_auth_sign(&block, id, vouching, auth, &err));
    memset(auth + 580, 0, 144);
    assert_false(snp_id_auth_verify(whole, &block, &keys, &err));
    EVP_PKEY_free(id);
    EVP_PKEY_free(author);
    EVP_PKEY_free(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sigstructs_of_others),
        TEST(fields_of_sigstructs),
        TEST(every_byte_of_a_sigstruct_counts),
        TEST(signing_an_enclave),
        TEST(mrenclave_is_a_digest_of_its_blocks),
        TEST(vmsa_pages),
        TEST(launch_digests),
        TEST(pages_of_a_launch),
        TEST(id_block_of_others),
        TEST(signing_an_id_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
