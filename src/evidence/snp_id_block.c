/* The ID block and its authentication.
 *
 *   ID block, 96 bytes               ID authentication, 4096 bytes
 *     0  48 launch digest                0    4 ID key algorithm, 1: ECDSA P-384 with SHA-384
 *    48  16 family                       4    4 author key algorithm, 1 or 0: none
 *    64  16 image                       64  512 signature of the ID block by the ID key
 *    80   4 version, 1                 576 1028 ID key
 *    84   4 guest SVN                 1664  512 signature of the ID key by the author key
 *    88   8 policy                    2176 1028 author key
 *
 * Keys: curve 2, then X and Y of 72 bytes; signatures: R and S of 72 bytes; all little-endian. */
#include "evidence/crypto.h"
#include "evidence/snp_measure.h"

#define VERSION 1u
#define ALGORITHM_P384_SHA384 1u
#define CURVE_P384 2u
#define NUMBER_SIZE 72u

#define ID_SIGNATURE_AT 64u
#define ID_KEY_AT 576u
#define AUTHOR_SIGNATURE_AT 1664u
#define AUTHOR_KEY_AT 2176u

void snp_id_block_write(const struct snp_id_block *block, uint8_t out[SNP_ID_BLOCK_SIZE])
{
    struct writer w = writer_fixed(out, SNP_ID_BLOCK_SIZE);

    writer_bytes(&w, bytes_from(block->launch_digest, sizeof block->launch_digest));
    writer_bytes(&w, bytes_from(block->family_id, sizeof block->family_id));
    writer_bytes(&w, bytes_from(block->image_id, sizeof block->image_id));
    writer_u32le(&w, VERSION);
    writer_u32le(&w, block->guest_svn);
    writer_u64le(&w, block->policy);
}

bool snp_id_block_parse(struct bytes in, struct snp_id_block *out, struct err *err)
{
    struct reader r = {.in = in};
    struct bytes digest, family, image;
    struct snp_id_block block;
    uint32_t version;

    if (in.size != SNP_ID_BLOCK_SIZE)
        return err_set(err, ERR_FORMAT, "an ID block has 96 bytes, not", in.size);
    if (!reader_bytes(&r, sizeof block.launch_digest, &digest) ||
        !reader_bytes(&r, sizeof block.family_id, &family) ||
        !reader_bytes(&r, sizeof block.image_id, &image) || !reader_u32le(&r, &version) ||
        !reader_u32le(&r, &block.guest_svn) || !reader_u64le(&r, &block.policy))
        return err_set(err, ERR_FORMAT, "the ID block ends early, at offset", r.at);
    if (version != VERSION)
        return err_set(err, ERR_FORMAT, "unknown version of an ID block", version);
    memcpy(block.launch_digest, digest.data, digest.size);
    memcpy(block.family_id, family.data, family.size);
    memcpy(block.image_id, image.data, image.size);
    *out = block;
    return true;
}

/* A number of 48 bytes as one of 72, little-endian. */
static void put_number(uint8_t *at, const uint8_t number[P384_SIZE])
{
    memset(at, 0, NUMBER_SIZE);
    crypto_reverse(number, P384_SIZE, at);
}

/* Back; false when it has more than 48 bytes. */
static bool take_number(const uint8_t *at, uint8_t number[P384_SIZE])
{
    for (size_t i = P384_SIZE; i < NUMBER_SIZE; i++) {
        if (at[i] != 0)
            return false;
    }
    crypto_reverse(at, P384_SIZE, number);
    return true;
}

static bool put_key(EVP_PKEY *key, uint8_t out[SNP_PUBLIC_KEY_SIZE], struct err *err)
{
    uint8_t x[P384_SIZE], y[P384_SIZE];

    if (!crypto_coordinates(CRYPTO_P384, key, x, y, err))
        return false;
    memset(out, 0, SNP_PUBLIC_KEY_SIZE);
    out[0] = CURVE_P384;
    put_number(out + 4, x);
    put_number(out + 4 + NUMBER_SIZE, y);
    return true;
}

static bool take_key(const uint8_t in[SNP_PUBLIC_KEY_SIZE], EVP_PKEY **out, struct err *err)
{
    uint8_t x[P384_SIZE], y[P384_SIZE];
    struct reader r = {.in = bytes_from(in, SNP_PUBLIC_KEY_SIZE)};
    uint32_t curve;

    if (!reader_u32le(&r, &curve) || curve != CURVE_P384 || !take_number(in + 4, x) ||
        !take_number(in + 4 + NUMBER_SIZE, y))
        return err_set(err, ERR_FORMAT, "a key of the ID authentication is not on P-384",
                       ERR_NO_AT);
    for (size_t i = 4 + 2 * NUMBER_SIZE; i < SNP_PUBLIC_KEY_SIZE; i++) {
        if (in[i] != 0)
            return err_set(err, ERR_FORMAT, "bytes follow a key, at offset", i);
    }
    return crypto_public(CRYPTO_P384, x, y, out, err);
}

static bool put_signature(EVP_PKEY *key, struct bytes message, uint8_t out[SNP_SIGNATURE_SIZE],
                          struct err *err)
{
    uint8_t r[P384_SIZE], s[P384_SIZE];

    if (!crypto_sign(CRYPTO_P384, key, message, r, s, err))
        return false;
    memset(out, 0, SNP_SIGNATURE_SIZE);
    put_number(out, r);
    put_number(out + NUMBER_SIZE, s);
    return true;
}

static bool verify_signature(const uint8_t key_bytes[SNP_PUBLIC_KEY_SIZE], struct bytes message,
                             const uint8_t signature[SNP_SIGNATURE_SIZE], struct err *err)
{
    uint8_t r[P384_SIZE], s[P384_SIZE];
    EVP_PKEY *key;

    if (!take_number(signature, r) || !take_number(signature + NUMBER_SIZE, s))
        return err_set(err, ERR_FORMAT, "a signature is too large for P-384", ERR_NO_AT);
    if (!take_key(key_bytes, &key, err))
        return false;
    bool ok = crypto_verify(CRYPTO_P384, key, message, r, s, err);
    EVP_PKEY_free(key);
    return ok;
}

static void put_u32(uint8_t *at, uint32_t value)
{
    struct writer w = writer_fixed(at, 4);

    writer_u32le(&w, value);
}

bool snp_key_vouch(EVP_PKEY *author_key, EVP_PKEY *id_key, uint8_t out[SNP_VOUCHING_SIZE],
                   struct err *err)
{
    uint8_t id[SNP_PUBLIC_KEY_SIZE];

    return put_key(id_key, id, err) &&
           put_signature(author_key, bytes_from(id, sizeof id), out, err) &&
           put_key(author_key, out + SNP_SIGNATURE_SIZE, err);
}

bool snp_id_auth_sign(const struct snp_id_block *block, EVP_PKEY *id_key, const uint8_t *vouching,
                      uint8_t out[SNP_ID_AUTH_SIZE], struct err *err)
{
    uint8_t block_bytes[SNP_ID_BLOCK_SIZE];

    _Static_assert(AUTHOR_KEY_AT == AUTHOR_SIGNATURE_AT + SNP_SIGNATURE_SIZE,
                   "one behind the other");
    snp_id_block_write(block, block_bytes);
    memset(out, 0, SNP_ID_AUTH_SIZE);
    put_u32(out, ALGORITHM_P384_SHA384);
    if (!put_key(id_key, out + ID_KEY_AT, err) ||
        !put_signature(id_key, bytes_from(block_bytes, sizeof block_bytes), out + ID_SIGNATURE_AT,
                       err))
        return false;
    if (vouching == NULL)
        return true;
    put_u32(out + 4, ALGORITHM_P384_SHA384);
    memcpy(out + AUTHOR_SIGNATURE_AT, vouching, SNP_VOUCHING_SIZE);
    return true;
}

bool snp_id_auth_verify(struct bytes auth, const struct snp_id_block *block,
                        struct snp_id_keys *out, struct err *err)
{
    uint8_t block_bytes[SNP_ID_BLOCK_SIZE];
    struct reader r = {.in = auth};
    struct snp_id_keys keys = {.has_author = false};
    uint32_t id_algorithm, author_algorithm;

    if (auth.size != SNP_ID_AUTH_SIZE || !reader_u32le(&r, &id_algorithm) ||
        !reader_u32le(&r, &author_algorithm))
        return err_set(err, ERR_FORMAT, "an ID authentication has 4096 bytes, not", auth.size);
    if (id_algorithm != ALGORITHM_P384_SHA384 || author_algorithm > ALGORITHM_P384_SHA384)
        return err_set(err, ERR_FORMAT, "unknown algorithm of an ID authentication", ERR_NO_AT);
    snp_id_block_write(block, block_bytes);
    const uint8_t *at = auth.data;
    struct bytes id_key = bytes_from(at + ID_KEY_AT, SNP_PUBLIC_KEY_SIZE);
    if (!verify_signature(id_key.data, bytes_from(block_bytes, sizeof block_bytes),
                          at + ID_SIGNATURE_AT, err) ||
        !crypto_sha384(id_key, keys.id_key_digest, err))
        return false;
    keys.has_author = author_algorithm != 0;
    if (keys.has_author &&
        (!verify_signature(at + AUTHOR_KEY_AT, id_key, at + AUTHOR_SIGNATURE_AT, err) ||
         !crypto_sha384(bytes_from(at + AUTHOR_KEY_AT, SNP_PUBLIC_KEY_SIZE), keys.author_key_digest,
                        err)))
        return false;
    *out = keys;
    return true;
}

bool snp_key_digest(EVP_PKEY *key, uint8_t out[SNP_DIGEST_SIZE], struct err *err)
{
    uint8_t bytes[SNP_PUBLIC_KEY_SIZE];

    return put_key(key, bytes, err) && crypto_sha384(bytes_from(bytes, sizeof bytes), out, err);
}
