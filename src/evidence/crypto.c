/* OpenSSL, for the formats of evidence. */
#include "evidence/crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

/* A failure of the library's, which is ours or the key's; its queue of errors is of no use to
 * anybody. */
static bool crypto_fail(struct err *err, const char *msg)
{
    ERR_clear_error();
    return err_set(err, ERR_CRYPTO, msg, ERR_NO_AT);
}

static bool digest(const EVP_MD *type, struct bytes in, uint8_t *out, struct err *err)
{
    return EVP_Digest(in.data, in.size, out, NULL, type, NULL) == 1 ||
           crypto_fail(err, "cannot compute a digest");
}

bool crypto_sha256(struct bytes in, uint8_t out[SHA256_SIZE], struct err *err)
{
    return digest(EVP_sha256(), in, out, err);
}

bool crypto_sha384(struct bytes in, uint8_t out[SHA384_SIZE], struct err *err)
{
    return digest(EVP_sha384(), in, out, err);
}

void crypto_reverse(const uint8_t *in, size_t size, uint8_t *out)
{
    for (size_t i = 0; i < size; i++)
        out[i] = in[size - 1 - i];
}

bool crypto_p384_public(const uint8_t x[P384_SIZE], const uint8_t y[P384_SIZE], EVP_PKEY **out,
                        struct err *err)
{
    static char group[] = "P-384";
    uint8_t point[1 + 2 * P384_SIZE] = {POINT_CONVERSION_UNCOMPRESSED};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };

    memcpy(point + 1, x, P384_SIZE);
    memcpy(point + 1 + P384_SIZE, y, P384_SIZE);
    *out = NULL;
    bool ok = context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
              EVP_PKEY_fromdata(context, out, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(context);
    return ok || crypto_fail(err, "this is no public key on P-384");
}

/* DER, as the library wants it, of two halves; its size, 0 on failure. */
static int signature_encode(const uint8_t r[P384_SIZE], const uint8_t s[P384_SIZE], uint8_t **out)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r_number = BN_bin2bn(r, P384_SIZE, NULL), *s_number = BN_bin2bn(s, P384_SIZE, NULL);
    int size = 0;

    if (signature != NULL && r_number != NULL && s_number != NULL &&
        ECDSA_SIG_set0(signature, r_number, s_number) == 1) {
        size = i2d_ECDSA_SIG(signature, out); /* has the numbers now */
    } else {
        BN_free(r_number);
        BN_free(s_number);
    }
    ECDSA_SIG_free(signature);
    return size > 0 ? size : 0;
}

bool crypto_p384_verify(EVP_PKEY *key, struct bytes message, const uint8_t r[P384_SIZE],
                        const uint8_t s[P384_SIZE], struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t *der = NULL;
    int size = signature_encode(r, s, &der);

    bool ok = context != NULL && size > 0 &&
              EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key) == 1 &&
              EVP_DigestVerify(context, der, (size_t)size, message.data, message.size) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(context);
    return ok || crypto_fail(err, "the signature does not verify");
}

static bool signature_decode(const uint8_t *der, size_t size, uint8_t r[P384_SIZE],
                             uint8_t s[P384_SIZE])
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
    bool ok = signature != NULL &&
              BN_bn2binpad(ECDSA_SIG_get0_r(signature), r, P384_SIZE) == P384_SIZE &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), s, P384_SIZE) == P384_SIZE;

    ECDSA_SIG_free(signature);
    return ok;
}

bool crypto_p384_sign(EVP_PKEY *key, struct bytes message, uint8_t r[P384_SIZE],
                      uint8_t s[P384_SIZE], struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t der[160]; /* two integers of 49 bytes and their heads take 104 */
    size_t size = sizeof der;

    bool ok = context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &size, message.data, message.size) == 1 &&
              signature_decode(der, size, r, s);
    EVP_MD_CTX_free(context);
    return ok || crypto_fail(err, "cannot sign with this key");
}

bool crypto_p384_coordinates(EVP_PKEY *key, uint8_t x[P384_SIZE], uint8_t y[P384_SIZE],
                             struct err *err)
{
    char group[32];
    size_t group_size;
    BIGNUM *x_number = NULL, *y_number = NULL;

    bool ok = EVP_PKEY_get_group_name(key, group, sizeof group, &group_size) == 1 &&
              (strcmp(group, "secp384r1") == 0 || strcmp(group, "P-384") == 0) &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x_number) == 1 &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y_number) == 1 &&
              BN_bn2binpad(x_number, x, P384_SIZE) == P384_SIZE &&
              BN_bn2binpad(y_number, y, P384_SIZE) == P384_SIZE;
    BN_free(x_number);
    BN_free(y_number);
    return ok || crypto_fail(err, "the key is not on P-384");
}
