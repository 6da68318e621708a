#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/image_work.h"
#include "cli/image_key.h"
#include "evidence/sgx_sigstruct.h"
#include "evidence/snp_measure.h"
#include "os/os.h"
#include "base/banned.h"

#define KEY_MAX ((size_t)64 << 10)
#define SGX_KEY_EXPONENT 3 /* SDM 3D, "Enclave Signature Structure" */

bool image_key_read(const char *path, bool is_private, EVP_PKEY **out)
{
    struct arena arena;
    struct bytes pem;
    struct err err;

    *out = NULL;
    arena_init(&arena, arena_heap, 2 * KEY_MAX);
    arena_set_wipe(&arena);
    if (!os_read_file(path, KEY_MAX, &arena, &pem, &err)) {
        (void)cli_fail_err(path, &err);
        arena_done(&arena);
        return false;
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio != NULL)
        *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = *out == NULL && !is_private ? BIO_new_mem_buf(pem.data, (int)pem.size) : NULL;
    if (bio != NULL)
        *out = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    arena_done(&arena);
    ERR_clear_error();
    if (*out == NULL)
        (void)cli_fail(path, is_private ? "is no private key in PEM" : "is no key in PEM");
    return *out != NULL;
}

int image_key_write_out(const char *path, unsigned mode, struct bytes content)
{
    CLEANUP(os_closep) int fd = -1;
    struct err err;

    if (path == NULL)
        return os_write_fd(STDOUT_FILENO, content, &err) ? CLI_OK
                                                         : cli_fail_err("standard output", &err);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return cli_fail(path, os_strerror(errno));
    return os_write_fd(fd, content, &err) ? CLI_OK : cli_fail_err(path, &err);
}

/* Writes a new private key, and frees it. */
static int write_new_key(const struct cli_args *args, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    int code;

    if (key == NULL || bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        code = cli_fail("key", "no random numbers");
    } else {
        long size = BIO_get_mem_data(bio, &text);
        code = image_key_write_out(cli_value(args, "--out"), 0600, bytes_from(text, (size_t)size));
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    return code;
}

int cli_key_sev_create(const struct cli_args *args)
{
    return write_new_key(args, EVP_EC_gen("P-384"));
}

int cli_key_sgx_create(const struct cli_args *args)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *exponent = BN_new();
    EVP_PKEY *key = NULL;

    if (context == NULL || exponent == NULL || BN_set_word(exponent, SGX_KEY_EXPONENT) != 1 ||
        EVP_PKEY_keygen_init(context) != 1 ||
        EVP_PKEY_CTX_set_rsa_keygen_bits(context, SGX_KEY_SIZE * 8) != 1 ||
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, exponent) != 1 ||
        EVP_PKEY_generate(context, &key) != 1)
        key = NULL;
    BN_free(exponent);
    EVP_PKEY_CTX_free(context);
    return write_new_key(args, key);
}

int cli_key_sgx_digest(const struct cli_args *args)
{
    uint8_t modulus[SGX_KEY_SIZE], digest[SGX_SIGNER_SIZE];
    char text[2 * SGX_SIGNER_SIZE];
    EVP_PKEY *key;
    struct err err;

    if (!image_key_read(args->positionals[0], false, &key))
        return CLI_FAILED;
    bool ok = sgx_key_modulus(key, modulus, &err) && sgx_signer(modulus, digest, &err);
    EVP_PKEY_free(key);
    if (!ok)
        return cli_fail_err(args->positionals[0], &err);
    hex_encode(bytes_from(digest, sizeof digest), text);
    return image_key_write_out(cli_value(args, "--out"), 0644, bytes_from(text, sizeof text));
}

int cli_key_sev_digest(const struct cli_args *args)
{
    uint8_t digest[SNP_DIGEST_SIZE];
    char text[2 * SNP_DIGEST_SIZE];
    EVP_PKEY *key;
    struct err err;

    if (!image_key_read(args->positionals[0], false, &key))
        return CLI_FAILED;
    bool ok = snp_key_digest(key, digest, &err);
    EVP_PKEY_free(key);
    if (!ok)
        return cli_fail(args->positionals[0], "is no key on P-384");
    hex_encode(bytes_from(digest, sizeof digest), text);
    return image_key_write_out(cli_value(args, "--out"), 0644, bytes_from(text, sizeof text));
}

int cli_key_sev_sign(const struct cli_args *args)
{
    const char *author_path = cli_value(args, "--author-key");
    const char *id_path = cli_value(args, "--id-key");
    EVP_PKEY *author = NULL, *id = NULL;
    uint8_t vouching[SNP_VOUCHING_SIZE];
    int code = CLI_FAILED;
    struct err err;

    if (author_path == NULL || id_path == NULL)
        return cli_usage_error(args, author_path == NULL ? "--author-key" : "--id-key",
                               "is required");
    if (image_key_read(author_path, true, &author) && image_key_read(id_path, false, &id))
        code = snp_key_vouch(author, id, vouching, &err)
                   ? image_key_write_out(cli_value(args, "--out"), 0644,
                                         bytes_from(vouching, sizeof vouching))
                   : cli_fail("key sev sign", "both keys must be on P-384");
    EVP_PKEY_free(author);
    EVP_PKEY_free(id);
    return code;
}
