/* Ordinary servers, judged as web browsers do: RFC 5280 and RFC 6125, under roots that are given.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "tls/internal.h"

#define NAME_MAX_SIZE 254u
/* Certificates between a server's and its root. */
#define DEPTH_MAX 8
/* Bits of security that each key and digest of the chain must have: 112, as RSA-2048, SHA-224. */
#define SECURITY_LEVEL 2

static bool add(void *context, X509 *certificate)
{
    struct tls_roots *roots = context;
    bool ok =
        X509_check_ca(certificate) != 0 && X509_STORE_add_cert(roots->store, certificate) == 1;

    X509_free(certificate);
    roots->count += ok;
    return ok;
}

bool tls_roots_add(struct tls_roots *roots, struct bytes pem, struct err *err)
{
    int count = tls_pem_each(pem, add, roots);

    if (count < 0)
        return err_set(err, ERR_FORMAT, "a malformed certificate, or one of no CA", ERR_NO_AT);
    return count != 0 || err_set(err, ERR_FORMAT, "there is no certificate in it", ERR_NO_AT);
}

static struct tls_roots *empty(void)
{
    struct tls_roots *roots = calloc(1, sizeof *roots);

    if (roots != NULL)
        roots->store = X509_STORE_new();
    if (roots == NULL || roots->store == NULL) {
        tls_roots_free(roots);
        return NULL;
    }
    return roots;
}

bool tls_roots_new(struct bytes pem, struct tls_roots **out, struct err *err)
{
    struct tls_roots *roots = empty();

    if (roots == NULL)
        return err_set(err, ERR_MEMORY, "no memory for roots", ERR_NO_AT);
    if (!tls_roots_add(roots, pem, err)) {
        tls_roots_free(roots);
        return false;
    }
    *out = roots;
    return true;
}

void tls_roots_free(struct tls_roots *roots)
{
    if (roots == NULL)
        return;
    X509_STORE_free(roots->store);
    free(roots);
}

const struct tls_roots *tls_roots_web(void)
{
    static struct tls_roots *web;
    const uint8_t *at = tls_mozilla_roots, *end = at + tls_mozilla_roots_size;
    X509 *x509;

    if (web != NULL)
        return web;
    struct tls_roots *roots = empty();
    while (roots != NULL && at != end && (x509 = d2i_X509(NULL, &at, end - at)) != NULL)
        (void)add(roots, x509);
    ERR_clear_error();
    web = roots;
    return web;
}

/* The host as one that a certificate must name. */
static bool set_host(X509_VERIFY_PARAM *param, struct bytes host)
{
    char name[NAME_MAX_SIZE];

    if (host.size >= 2 && host.data[0] == '[')
        host = bytes_from(host.data + 1, host.size - 2);
    if (host.size == 0 || host.size >= sizeof name)
        return false;
    memcpy(name, host.data, host.size);
    name[host.size] = '\0';
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
        return true;
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, name, host.size) == 1;
}

/* What a fault of OpenSSL's means to a person, and to the peer. */
static enum tls_verdict verdict_of(int fault, const char **why)
{
    switch (fault) {
    case X509_V_OK:
        return TLS_ACCEPT;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        *why = "the server's certificate has expired";
        return TLS_REFUSE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        *why = "the server's certificate is not valid yet";
        return TLS_REFUSE_EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        *why = "the server's certificate is for another name";
        return TLS_REFUSE_BAD;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        *why = "no authority that is believed vouches for the server";
        return TLS_REFUSE_UNKNOWN;
    default:
        *why = "the server's certificate cannot be believed";
        return TLS_REFUSE_BAD;
    }
}

enum tls_verdict tls_server_judge(const struct tls_roots *roots, struct bytes host, int64_t at,
                                  X509 *leaf, const STACK_OF(X509) * chain, const char **why)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum tls_verdict verdict = TLS_REFUSE_BAD;

    *why = "the server's certificate could not be looked at";
    if (ctx != NULL && roots != NULL &&
        X509_STORE_CTX_init(ctx, roots->store, leaf,
                            (STACK_OF(X509) *)(uintptr_t)chain /* is not changed */) == 1 &&
        X509_STORE_CTX_set_default(ctx, "ssl_server") == 1) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, at);
        X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
        if (set_host(param, host) && X509_verify_cert(ctx) == 1)
            verdict = verdict_of(X509_V_OK, why);
        else if (X509_STORE_CTX_get_error(ctx) != X509_V_OK)
            verdict = verdict_of(X509_STORE_CTX_get_error(ctx), why);
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return verdict;
}

static int64_t start_of(X509 *x509)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    int64_t start = INT64_MIN;

    if (epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notBefore(x509)) == 1)
        start = (int64_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
    return start;
}

int64_t tls_latest_start(X509 *leaf, const STACK_OF(X509) * chain)
{
    int64_t latest = start_of(leaf);

    for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++) {
        int64_t start = start_of(sk_X509_value(chain, i));
        latest = start > latest ? start : latest;
    }
    return latest;
}
