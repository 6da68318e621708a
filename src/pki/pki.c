#include "pki/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "base/banned.h"

#define DAY_S INT64_C(86400)
#define BACKDATED_S INT64_C(300)
#define PATH_SIZE 4096

void pki_authority_done(struct pki_authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->certificate);
}

static bool fail_crypto(struct err *err)
{
    ERR_clear_error();
    return err_set(err, ERR_CRYPTO, "cannot make keys and certificates", ERR_NO_AT);
}

/* ---- certificates ---- */

static bool add_text(X509 *x509, X509 *issuer, int nid, const char *text)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, text);
    bool ok = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *x509)
{
    uint8_t bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
    BN_free(number);
    return ok;
}

static bool fill(X509 *x509, const struct pki_profile *p, X509 *issuer, EVP_PKEY *key)
{
    X509_NAME *subject = X509_get_subject_name(x509);
    int64_t now = os_unix_ms() / 1000;

    return X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) &&
           X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)p->name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(x509, X509_get_subject_name(issuer)) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)(now - BACKDATED_S)) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)(now + p->days * DAY_S)) != NULL &&
           X509_set_pubkey(x509, key) == 1 &&
           add_text(x509, issuer, NID_basic_constraints, p->constraints) &&
           add_text(x509, issuer, NID_key_usage, p->usage) &&
           add_text(x509, issuer, NID_subject_key_identifier, "hash") &&
           add_text(x509, issuer, NID_authority_key_identifier, "keyid:always") &&
           (p->names == NULL || (add_text(x509, issuer, NID_ext_key_usage, "serverAuth") &&
                                 add_text(x509, issuer, NID_subject_alt_name, p->names)));
}

bool pki_make(const char *curve, const struct pki_profile *p, const struct pki_authority *issuer,
              struct pki_authority *out, struct err *err)
{
    out->key = EVP_EC_gen(curve);
    out->certificate = X509_new();
    if (out->key == NULL || out->certificate == NULL)
        return fail_crypto(err);
    X509 *by = issuer != NULL ? issuer->certificate : out->certificate;
    EVP_PKEY *by_key = issuer != NULL ? issuer->key : out->key;
    const EVP_MD *digest = EVP_PKEY_get_bits(by_key) > 256 ? EVP_sha384() : EVP_sha256();
    return (fill(out->certificate, p, by, out->key) &&
            X509_sign(out->certificate, by_key, digest) > 0) ||
           fail_crypto(err);
}

/* ---- files ---- */

bool pki_write_file(const char *folder, const char *name, mode_t mode, struct bytes content,
                    struct err *err)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CLEANUP(os_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return errno == EEXIST
                   ? err_set(err, ERR_INVALID, "the folder is in use already", ERR_NO_AT)
                   : err_set(err, ERR_IO, "cannot make a file in the folder", (uint64_t)errno);
    return os_write_fd(fd, content, err) &&
           (fsync(fd) == 0 ||
            err_set(err, ERR_IO, "cannot write a file in the folder", (uint64_t)errno));
}

/* What a memory BIO has, written; frees it. */
static bool write_bio(const char *folder, const char *name, mode_t mode, BIO *bio, bool ok,
                      struct err *err)
{
    char *text = NULL;
    long size = ok ? BIO_get_mem_data(bio, &text) : 0;

    ok = (ok || fail_crypto(err)) &&
         pki_write_file(folder, name, mode, bytes_from(text, (size_t)size), err);
    if (text != NULL)
        secret_wipe(text, (size_t)size);
    BIO_free(bio);
    return ok;
}

bool pki_write_key(const char *folder, const char *name, EVP_PKEY *key, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;

    return write_bio(folder, name, 0600, bio, ok, err);
}

bool pki_write_chain(const char *folder, const char *name, X509 *certificate, X509 *issuer,
                     struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && PEM_write_bio_X509(bio, certificate) == 1 &&
              (issuer == NULL || PEM_write_bio_X509(bio, issuer) == 1);

    return write_bio(folder, name, 0644, bio, ok, err);
}

/* ---- the server ---- */

/* "host:port" in parts; the port is 8443 when there is none. */
bool pki_split_host(const char *text, char host[256], unsigned *port, struct err *err)
{
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');
    char *end;

    if (bracket != NULL && colon != NULL && colon < bracket)
        colon = NULL;
    *port = 8443;
    if (colon != NULL) {
        unsigned long number = strtoul(colon + 1, &end, 10);
        if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || number > 65535)
            return err_set(err, ERR_FORMAT, "the host's port is not a number up to 65535",
                           ERR_NO_AT);
        *port = (unsigned)number;
    }
    int size = colon != NULL ? (int)(colon - text) : (int)strlen(text);
    if (size == 0 || size > 255 || strcspn(text, " \"\\\t\n,/") < (size_t)size)
        return err_set(err, ERR_FORMAT, "that is no name of a host", ERR_NO_AT);
    (void)snprintf(host, 256, "%.*s", size, text);
    return true;
}

static bool is_address(const char *host, char bare[256])
{
    uint8_t bytes[16];
    size_t size = strlen(host);

    bool has_brackets = size > 2 && host[0] == '[' && host[size - 1] == ']';
    (void)snprintf(bare, 256, "%.*s", (int)(has_brackets ? size - 2 : size),
                   has_brackets ? host + 1 : host);
    return inet_pton(AF_INET, bare, bytes) == 1 || inet_pton(AF_INET6, bare, bytes) == 1;
}

bool pki_make_server(const char *folder, const char *host, const struct pki_authority *root,
                     struct err *err)
{
    char names[600], bare[256];
    struct pki_authority server = {.key = NULL};
    const struct pki_profile profile = {host, 825, "critical,CA:FALSE", "critical,digitalSignature",
                                        names};

    if (strcmp(host, "localhost") == 0)
        (void)snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1,IP:::1");
    else
        (void)snprintf(names, sizeof names, "%s:%s", is_address(host, bare) ? "IP" : "DNS", bare);
    bool ok = pki_make("P-256", &profile, root, &server, err) &&
              pki_write_key(folder, "server-key.pem", server.key, err) &&
              pki_write_chain(folder, "server.pem", server.certificate, NULL, err);
    pki_authority_done(&server);
    return ok;
}

bool pki_make_folder(const char *folder, const char *config, struct err *err)
{
    char path[PATH_SIZE];

    if (strlen(folder) > PATH_SIZE - 64)
        return err_set(err, ERR_LIMIT, "the folder has too long a name", ERR_NO_AT);
    (void)snprintf(path, sizeof path, "%s/%s", folder, config);
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_INVALID, "the folder is in use already", ERR_NO_AT);
    return mkdir(folder, 0755) == 0 || errno == EEXIST ||
           err_set(err, ERR_IO, "cannot make the folder", (uint64_t)errno);
}
