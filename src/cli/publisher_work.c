/* Keys of publishers: ECDSA on P-256 (ES256) or P-384 (ES384). */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include "cli/registry_work.h"
#include "jose/jose.h"
#include "os/os.h"
#include "base/banned.h"

#define KEY_MAX ((size_t)64 << 10)

static int fail_crypto(const char *what)
{
    ERR_clear_error();
    return cli_fail(what, "is no key of P-256 or P-384 in PEM");
}

/* The key in PEM to a descriptor, by way of memory that is wiped. */
static int write_key(EVP_PKEY *key, int fd, const char *what)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    struct err err;
    int code = CLI_OK;

    if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        code = fail_crypto(what);
    } else {
        long size = BIO_get_mem_data(bio, &text);
        if (!os_write_fd(fd, bytes_from(text, (size_t)size), &err))
            code = cli_fail_err(what, &err);
    }
    BIO_free(bio);
    return code;
}

int cli_key_publisher_create(const struct cli_args *args)
{
    const char *out = cli_value(args, "--out"), *curve = cli_value(args, "--curve");
    CLEANUP(os_closep) int fd = -1;

    if (curve == NULL)
        curve = "P-256";
    if (strcmp(curve, "P-256") != 0 && strcmp(curve, "P-384") != 0)
        return cli_usage_error(args, curve, "curves are P-256 and P-384");
    if (out != NULL) {
        fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return cli_fail(out, os_strerror(errno));
    }
    EVP_PKEY *key = EVP_EC_gen(curve);
    int code = key != NULL ? write_key(key, out != NULL ? fd : STDOUT_FILENO,
                                       out != NULL ? out : "standard output")
                           : cli_fail("key", "no random numbers");
    EVP_PKEY_free(key);
    return code;
}

/* The public half in PEM, in the arena; of a private key or a public one. */
static bool read_public(struct bytes pem, struct arena *arena, struct bytes *out)
{
    BIO *in = BIO_new_mem_buf(pem.data, (int)pem.size), *again = NULL, *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    char *text = NULL;
    uint8_t *copy = NULL;

    if (key == NULL) {
        again = BIO_new_mem_buf(pem.data, (int)pem.size);
        key = again != NULL ? PEM_read_bio_PUBKEY(again, NULL, NULL, NULL) : NULL;
    }
    if (key != NULL && bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1) {
        long size = BIO_get_mem_data(bio, &text);
        copy = arena_alloc(arena, (size_t)size, 1);
        if (copy != NULL) {
            memcpy(copy, text, (size_t)size);
            *out = bytes_from(copy, (size_t)size);
        }
    }
    EVP_PKEY_free(key);
    BIO_free(in);
    BIO_free(again);
    BIO_free(bio);
    ERR_clear_error();
    return copy != NULL;
}

int cli_key_publisher_show(const struct cli_args *args)
{
    const char *file = args->positionals[0];
    struct bytes pem, public, thumbprint, text;
    struct arena arena;
    struct err err;
    int code = CLI_OK;

    arena_init(&arena, arena_heap, 8 * KEY_MAX);
    arena_set_wipe(&arena);
    struct writer w = writer_growable(&arena, KEY_MAX);
    if (!os_read_file(file, KEY_MAX, &arena, &pem, &err)) {
        code = cli_fail_err(file, &err);
    } else if (!jose_thumbprint(pem, &arena, &thumbprint, &err) ||
               !read_public(pem, &arena, &public)) {
        code = fail_crypto(file);
    } else if (args->json) {
        writer_text(&w, "{\"thumbprint\":");
        writer_json(&w, thumbprint);
        writer_text(&w, ",\"public_key\":");
        writer_json(&w, public);
        writer_text(&w, "}\n");
    } else {
        writer_bytes(&w, public);
        writer_text(&w, "# ");
        writer_bytes(&w, thumbprint);
        writer_text(&w, "\n");
    }
    if (code == CLI_OK)
        code = writer_done(&w, &text, &err) ? CLI_OK : cli_fail_err(file, &err);
    if (code == CLI_OK)
        (void)fwrite(text.data, 1, text.size, stdout);
    arena_done(&arena);
    return code;
}
