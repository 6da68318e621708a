/* Certificates out of PEM texts; errors of OpenSSL. */
#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls/internal.h"

bool tls_crypto_fail(struct err *err, const char *msg)
{
    ERR_clear_error();
    return err_set(err, ERR_CRYPTO, msg, ERR_NO_AT);
}

/* No passphrase is ever asked for. */
static int no_passphrase(char *out, int size, int writes, void *context)
{
    (void)out;
    (void)size;
    (void)writes;
    (void)context;
    return -1;
}

int tls_pem_each(struct bytes pem, bool (*take)(void *context, X509 *certificate), void *context)
{
    BIO *bio = pem.size <= INT32_MAX ? BIO_new_mem_buf(pem.data, (int)pem.size) : NULL;
    int count = 0;
    X509 *x509;

    if (bio == NULL)
        return -1;
    while ((x509 = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        if (!take(context, x509)) {
            BIO_free(bio);
            ERR_clear_error();
            return -1;
        }
        count++;
    }
    /* it ends where there is no further beginning; anything else is a malformed certificate */
    bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    return is_end ? count : -1;
}
