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

static const struct {
    const char *name, *other_name; /* OpenSSL's, and as it also says */
    size_t size;
    const EVP_MD *(*digest)(void);
} curves[] = {
    [CRYPTO_P256] = {"prime256v1", "P-256", P256_SIZE, EVP_sha256},
    [CRYPTO_P384] = {"secp384r1", "P-384", P384_SIZE, EVP_sha384},
};

size_t crypto_curve_size(enum crypto_curve curve)
{
    return curves[curve].size;
}

bool crypto_public(enum crypto_curve curve, const uint8_t *x, const uint8_t *y, EVP_PKEY **out,
                   struct err *err)
{
    char group[16];
    uint8_t point[1 + 2 * P384_SIZE] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t size = curves[curve].size;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    memcpy(group, curves[curve].name, strlen(curves[curve].name) + 1);
    memcpy(point + 1, x, size);
    memcpy(point + 1 + size, y, size);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size),
        OSSL_PARAM_construct_end(),
    };
    *out = NULL;
    bool ok = context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
              EVP_PKEY_fromdata(context, out, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(context);
    return ok || crypto_fail(err, "this is no public key on its curve");
}

/* DER, as the library wants it, of two halves; its size, 0 on failure. */
static int signature_encode(const uint8_t *r, const uint8_t *s, size_t size, uint8_t **out)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r_number = BN_bin2bn(r, (int)size, NULL), *s_number = BN_bin2bn(s, (int)size, NULL);
    int der_size = 0;

    if (signature != NULL && r_number != NULL && s_number != NULL &&
        ECDSA_SIG_set0(signature, r_number, s_number) == 1) {
        der_size = i2d_ECDSA_SIG(signature, out); /* has the numbers now */
    } else {
        BN_free(r_number);
        BN_free(s_number);
    }
    ECDSA_SIG_free(signature);
    return der_size > 0 ? der_size : 0;
}

bool crypto_verify(enum crypto_curve curve, EVP_PKEY *key, struct bytes message, const uint8_t *r,
                   const uint8_t *s, struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t *der = NULL;
    int size = signature_encode(r, s, curves[curve].size, &der);

    bool ok = context != NULL && size > 0 && crypto_is_on(curve, key) &&
              EVP_DigestVerifyInit(context, NULL, curves[curve].digest(), NULL, key) == 1 &&
              EVP_DigestVerify(context, der, (size_t)size, message.data, message.size) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(context);
    return ok || crypto_fail(err, "the signature does not verify");
}

static bool signature_decode(const uint8_t *der, size_t der_size, size_t size, uint8_t *r,
                             uint8_t *s)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_size);
    bool ok = signature != NULL &&
              BN_bn2binpad(ECDSA_SIG_get0_r(signature), r, (int)size) == (int)size &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), s, (int)size) == (int)size;

    ECDSA_SIG_free(signature);
    return ok;
}

bool crypto_sign(enum crypto_curve curve, EVP_PKEY *key, struct bytes message, uint8_t *r,
                 uint8_t *s, struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t der[160]; /* two integers of 49 bytes and their heads take 104 */
    size_t size = sizeof der;

    bool ok = context != NULL && crypto_is_on(curve, key) &&
              EVP_DigestSignInit(context, NULL, curves[curve].digest(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &size, message.data, message.size) == 1 &&
              signature_decode(der, size, curves[curve].size, r, s);
    EVP_MD_CTX_free(context);
    return ok || crypto_fail(err, "cannot sign with this key");
}

bool crypto_is_on(enum crypto_curve curve, EVP_PKEY *key)
{
    char group[32];
    size_t group_size;

    return EVP_PKEY_get_group_name(key, group, sizeof group, &group_size) == 1 &&
           (strcmp(group, curves[curve].name) == 0 || strcmp(group, curves[curve].other_name) == 0);
}

bool crypto_is_sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool ok = context != NULL && EVP_PKEY_public_check_quick(context) == 1;

    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return ok;
}

bool crypto_coordinates(enum crypto_curve curve, EVP_PKEY *key, uint8_t *x, uint8_t *y,
                        struct err *err)
{
    int size = (int)curves[curve].size;
    BIGNUM *x_number = NULL, *y_number = NULL;

    bool ok = crypto_is_on(curve, key) &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x_number) == 1 &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y_number) == 1 &&
              BN_bn2binpad(x_number, x, size) == size && BN_bn2binpad(y_number, y, size) == size;
    BN_free(x_number);
    BN_free(y_number);
    return ok || crypto_fail(err, "the key is not on the curve that it should be on");
}
