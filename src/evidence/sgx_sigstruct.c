/* SIGSTRUCT.
 *
 *   offset size                       offset size
 *        0   16 HEADER                   900    4 MISCSELECT
 *       16    4 VENDOR                   904    4 MISCMASK
 *       20    4 DATE                     908    1 CET_ATTRIBUTES
 *       24   16 HEADER2                  909    1 CET_ATTRIBUTES_MASK
 *       40    4 SWDEFINED                910    2 reserved
 *       44   84 reserved                 912   16 ISVFAMILYID
 *      128  384 MODULUS                  928   16 ATTRIBUTES
 *      512    4 EXPONENT                 944   16 ATTRIBUTEMASK
 *      516  384 SIGNATURE                960   32 ENCLAVEHASH
 *                                        992   16 reserved
 *     1040  384 Q1                      1008   16 ISVEXTPRODID
 *     1424  384 Q2                      1024    2 ISVPRODID
 *                                       1026    2 ISVSVN, 1028 12 reserved
 *
 * What is signed: 0 to 127 and 900 to 1027. */
#include "evidence/sgx_sigstruct.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "evidence/crypto.h"

#define EXPONENT 3u
#define FIRST_SIGNED_SIZE 128u
#define SECOND_SIGNED_AT 900u
#define SECOND_SIGNED_SIZE 128u

static const uint8_t header[16] = {6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
static const uint8_t header2[16] = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0};

static bool crypto_fail(struct err *err, const char *msg)
{
    ERR_clear_error();
    return err_set(err, ERR_CRYPTO, msg, ERR_NO_AT);
}

/* ---- bytes ---- */

static bool take(struct reader *r, void *out, size_t size)
{
    struct bytes bytes;

    if (!reader_bytes(r, size, &bytes))
        return false;
    memcpy(out, bytes.data, size);
    return true;
}

static bool take_fixed(struct reader *r, const uint8_t *expected, size_t size)
{
    struct bytes bytes;
    struct reader before = *r;

    if (reader_bytes(r, size, &bytes) && memcmp(bytes.data, expected, size) == 0)
        return true;
    *r = before; /* so that `at` names the field */
    return false;
}

static bool take_zeroes(struct reader *r, size_t size)
{
    static const uint8_t zeroes[84];

    return take_fixed(r, zeroes, size);
}

bool sgx_sigstruct_parse(struct bytes in, struct sgx_sigstruct *out, struct err *err)
{
    static const uint8_t exponent[4] = {EXPONENT};
    struct reader r = {.in = in};
    struct sgx_sigstruct s;

    if (in.size != SGX_SIGSTRUCT_SIZE)
        return err_set(err, ERR_FORMAT, "SIGSTRUCT has 1808 bytes, not", in.size);
    bool ok = take_fixed(&r, header, sizeof header) && reader_u32le(&r, &s.vendor) &&
              reader_u32le(&r, &s.date) && take_fixed(&r, header2, sizeof header2) &&
              reader_u32le(&r, &s.software_defined) && take_zeroes(&r, 84) &&
              take(&r, s.modulus, SGX_KEY_SIZE) && take_fixed(&r, exponent, sizeof exponent) &&
              take(&r, s.signature, SGX_KEY_SIZE) && reader_u32le(&r, &s.misc_select) &&
              reader_u32le(&r, &s.misc_mask) && reader_u8(&r, &s.cet_attributes) &&
              reader_u8(&r, &s.cet_attributes_mask) && take_zeroes(&r, 2) &&
              take(&r, s.isv_family_id, sizeof s.isv_family_id) &&
              reader_u64le(&r, &s.attribute_flags) && reader_u64le(&r, &s.attribute_xfrm) &&
              reader_u64le(&r, &s.attribute_flags_mask) &&
              reader_u64le(&r, &s.attribute_xfrm_mask) &&
              take(&r, s.enclave_hash, sizeof s.enclave_hash) && take_zeroes(&r, 16) &&
              take(&r, s.isv_ext_prod_id, sizeof s.isv_ext_prod_id) &&
              reader_u16le(&r, &s.isv_prod_id) && reader_u16le(&r, &s.isv_svn) &&
              take_zeroes(&r, 12) && take(&r, s.q1, SGX_KEY_SIZE) && take(&r, s.q2, SGX_KEY_SIZE);
    if (!ok)
        return err_set(err, ERR_FORMAT,
                       "SIGSTRUCT: a fixed or reserved field is not as it must be, at offset",
                       r.at);
    *out = s;
    return true;
}

static void put(struct writer *w, const void *data, size_t size)
{
    writer_bytes(w, bytes_from(data, size));
}

static void put_zeroes(struct writer *w, size_t size)
{
    static const uint8_t zeroes[84];

    put(w, zeroes, size);
}

void sgx_sigstruct_write(const struct sgx_sigstruct *s, uint8_t out[SGX_SIGSTRUCT_SIZE])
{
    struct writer w = writer_fixed(out, SGX_SIGSTRUCT_SIZE);

    put(&w, header, sizeof header);
    writer_u32le(&w, s->vendor);
    writer_u32le(&w, s->date);
    put(&w, header2, sizeof header2);
    writer_u32le(&w, s->software_defined);
    put_zeroes(&w, 84);
    put(&w, s->modulus, SGX_KEY_SIZE);
    writer_u32le(&w, EXPONENT);
    put(&w, s->signature, SGX_KEY_SIZE);
    writer_u32le(&w, s->misc_select);
    writer_u32le(&w, s->misc_mask);
    writer_u8(&w, s->cet_attributes);
    writer_u8(&w, s->cet_attributes_mask);
    put_zeroes(&w, 2);
    put(&w, s->isv_family_id, sizeof s->isv_family_id);
    writer_u64le(&w, s->attribute_flags);
    writer_u64le(&w, s->attribute_xfrm);
    writer_u64le(&w, s->attribute_flags_mask);
    writer_u64le(&w, s->attribute_xfrm_mask);
    put(&w, s->enclave_hash, sizeof s->enclave_hash);
    put_zeroes(&w, 16);
    put(&w, s->isv_ext_prod_id, sizeof s->isv_ext_prod_id);
    writer_u16le(&w, s->isv_prod_id);
    writer_u16le(&w, s->isv_svn);
    put_zeroes(&w, 12);
    put(&w, s->q1, SGX_KEY_SIZE);
    put(&w, s->q2, SGX_KEY_SIZE);
}

/* The two regions that are signed, one behind the other. */
static void signed_bytes(const struct sgx_sigstruct *s,
                         uint8_t out[FIRST_SIGNED_SIZE + SECOND_SIGNED_SIZE])
{
    uint8_t whole[SGX_SIGSTRUCT_SIZE];

    sgx_sigstruct_write(s, whole);
    memcpy(out, whole, FIRST_SIGNED_SIZE);
    memcpy(out + FIRST_SIGNED_SIZE, whole + SECOND_SIGNED_AT, SECOND_SIGNED_SIZE);
}

/* ---- numbers ---- */

/* Q1 = S² / M and Q2 = (S³ - Q1·S·M) / M, rounded down: what lets EINIT cube without dividing
 * (SDM). */
static bool compute_q(const uint8_t modulus[SGX_KEY_SIZE], const uint8_t signature[SGX_KEY_SIZE],
                      uint8_t q1_out[SGX_KEY_SIZE], uint8_t q2_out[SGX_KEY_SIZE])
{
    BN_CTX *context = BN_CTX_new();
    bool ok = false;

    if (context == NULL)
        return false;
    BN_CTX_start(context);
    BIGNUM *m = BN_CTX_get(context), *s = BN_CTX_get(context), *square = BN_CTX_get(context);
    BIGNUM *q1 = BN_CTX_get(context), *rest = BN_CTX_get(context), *q2 = BN_CTX_get(context);
    BIGNUM *product = BN_CTX_get(context);
    /* S³ - Q1·S·M = S · (S² - Q1·M) = S · (S² mod M) */
    if (product != NULL && BN_lebin2bn(modulus, SGX_KEY_SIZE, m) != NULL && !BN_is_zero(m) &&
        BN_lebin2bn(signature, SGX_KEY_SIZE, s) != NULL && BN_sqr(square, s, context) == 1 &&
        BN_div(q1, rest, square, m, context) == 1 && BN_mul(product, s, rest, context) == 1 &&
        BN_div(q2, NULL, product, m, context) == 1)
        ok = BN_bn2lebinpad(q1, q1_out, SGX_KEY_SIZE) == (int)SGX_KEY_SIZE &&
             BN_bn2lebinpad(q2, q2_out, SGX_KEY_SIZE) == (int)SGX_KEY_SIZE;
    BN_CTX_end(context);
    BN_CTX_free(context);
    return ok;
}

static EVP_PKEY *public_key(const uint8_t modulus[SGX_KEY_SIZE])
{
    uint8_t native[SGX_KEY_SIZE];
    unsigned exponent = EXPONENT;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;

    memcpy(native, modulus,
           sizeof native); /* OSSL_PARAM has numbers as the machine: little-endian */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, native, sizeof native),
        OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &exponent),
        OSSL_PARAM_construct_end(),
    };
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

bool sgx_sigstruct_verify(const struct sgx_sigstruct *s, struct err *err)
{
    uint8_t message[FIRST_SIGNED_SIZE + SECOND_SIGNED_SIZE], signature[SGX_KEY_SIZE];
    uint8_t q1[SGX_KEY_SIZE], q2[SGX_KEY_SIZE];
    EVP_PKEY *key = public_key(s->modulus);
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    /* the modulus has its highest bit: else the key is shorter than it says */
    bool is_key = key != NULL && EVP_PKEY_get_bits(key) == (int)SGX_KEY_SIZE * 8;
    signed_bytes(s, message);
    crypto_reverse(s->signature, SGX_KEY_SIZE, signature);
    bool ok = is_key && context != NULL &&
              EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(context, signature, sizeof signature, message, sizeof message) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    if (!ok)
        return crypto_fail(err, "SIGSTRUCT: the signature does not verify");
    if (!compute_q(s->modulus, s->signature, q1, q2) || memcmp(q1, s->q1, sizeof q1) != 0 ||
        memcmp(q2, s->q2, sizeof q2) != 0)
        return crypto_fail(err, "SIGSTRUCT: Q1 or Q2 is wrong");
    return true;
}

bool sgx_key_modulus(EVP_PKEY *key, uint8_t out[SGX_KEY_SIZE], struct err *err)
{
    BIGNUM *n = NULL, *e = NULL;

    bool ok = EVP_PKEY_is_a(key, "RSA") == 1 && EVP_PKEY_get_bits(key) == (int)SGX_KEY_SIZE * 8 &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
              BN_is_word(e, EXPONENT) == 1 &&
              BN_bn2lebinpad(n, out, SGX_KEY_SIZE) == (int)SGX_KEY_SIZE;
    BN_free(n);
    BN_free(e);
    return ok || crypto_fail(err, "an enclave's key is RSA of 3072 bits with exponent 3");
}

bool sgx_sigstruct_sign(struct sgx_sigstruct *s, EVP_PKEY *key, struct err *err)
{
    uint8_t message[FIRST_SIGNED_SIZE + SECOND_SIGNED_SIZE], signature[SGX_KEY_SIZE];
    size_t size = sizeof signature;

    if (!sgx_key_modulus(key, s->modulus, err))
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    signed_bytes(s, message);
    bool ok = context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, signature, &size, message, sizeof message) == 1 &&
              size == sizeof signature;
    EVP_MD_CTX_free(context);
    if (!ok)
        return crypto_fail(err, "cannot sign with this key");
    crypto_reverse(signature, sizeof signature, s->signature);
    return compute_q(s->modulus, s->signature, s->q1, s->q2) ||
           crypto_fail(err, "cannot compute Q1 and Q2");
}

bool sgx_signer(const uint8_t modulus[SGX_KEY_SIZE], uint8_t out[SGX_SIGNER_SIZE], struct err *err)
{
    return crypto_sha256(bytes_from(modulus, SGX_KEY_SIZE), out, err);
}
