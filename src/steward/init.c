/* A new Steward: its keys, their certificates (RFC 5280), and a configuration to begin with. */
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
#include "steward/steward.h"
#include "base/banned.h"

#define DAY_S INT64_C(86400)
#define BACKDATED_S INT64_C(300)
#define NAME_SIZE 400
#define PATH_SIZE 4096

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

static void authority_done(struct authority *a)
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

struct profile {
    const char *name; /* common name */
    int64_t days;
    const char *constraints, *usage; /* as openssl.cnf has them */
    const char *names;               /* of a server; NULL: none */
};

static bool fill(X509 *x509, const struct profile *p, X509 *issuer, EVP_PKEY *key)
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

/* A key on the curve and its certificate; by itself when issuer is NULL. */
static bool make_authority(const char *curve, const struct profile *p,
                           const struct authority *issuer, struct authority *out, struct err *err)
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

static bool write_file(const char *folder, const char *name, mode_t mode, struct bytes content,
                       struct err *err)
{
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CLEANUP(os_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return errno == EEXIST
                   ? err_set(err, ERR_INVALID, "there is a Steward in that folder already",
                             ERR_NO_AT)
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
         write_file(folder, name, mode, bytes_from(text, (size_t)size), err);
    if (text != NULL)
        secret_wipe(text, (size_t)size);
    BIO_free(bio);
    return ok;
}

static bool write_key(const char *folder, const char *name, EVP_PKEY *key, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;

    return write_bio(folder, name, 0600, bio, ok, err);
}

/* A certificate, and its issuer's behind it. */
static bool write_chain(const char *folder, const char *name, X509 *certificate, X509 *issuer,
                        struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && PEM_write_bio_X509(bio, certificate) == 1 &&
              (issuer == NULL || PEM_write_bio_X509(bio, issuer) == 1);

    return write_bio(folder, name, 0644, bio, ok, err);
}

static bool write_nonce_key(const char *folder, struct err *err)
{
    uint8_t key[NONCE_KEY_SIZE];
    char text[2 * NONCE_KEY_SIZE + 1];

    if (RAND_priv_bytes(key, sizeof key) != 1)
        return fail_crypto(err);
    hex_encode(bytes_from(key, sizeof key), text);
    text[sizeof text - 1] = '\n';
    bool ok = write_file(folder, "nonce-key", 0600, bytes_from(text, sizeof text), err);
    secret_wipe(key, sizeof key);
    secret_wipe(text, sizeof text);
    return ok;
}

/* ---- a CA and its root ---- */

static bool make_ca(const struct steward_init *o, bool simulation, struct authority *root,
                    struct err *err)
{
    const char *mark = simulation ? ", SIMULATED, NOT A TEE" : "";
    const char *prefix = simulation ? "simulation-" : "";
    char root_name[NAME_SIZE], ca_name[NAME_SIZE], file[64];
    struct authority ca = {.key = NULL};

    (void)snprintf(root_name, sizeof root_name, "Steward Root of %.40s%s", o->trust_domain, mark);
    (void)snprintf(ca_name, sizeof ca_name, "Steward CA of %.40s%s", o->trust_domain, mark);
    const struct profile root_profile = {root_name, 7300, "critical,CA:TRUE",
                                         "critical,keyCertSign,cRLSign", NULL};
    const struct profile ca_profile = {ca_name, 3650, "critical,CA:TRUE,pathlen:0",
                                       "critical,keyCertSign,cRLSign", NULL};
    bool ok = make_authority("P-384", &root_profile, NULL, root, err) &&
              make_authority("P-256", &ca_profile, root, &ca, err);
    const struct {
        const char *name;
        const struct authority *of;
        bool is_key;
    } files[] = {{"root-key.pem", root, true},
                 {"root.pem", root, false},
                 {"ca-key.pem", &ca, true},
                 {"ca.pem", &ca, false}};
    for (size_t i = 0; ok && i < COUNT_OF(files); i++) {
        (void)snprintf(file, sizeof file, "%s%s", prefix, files[i].name);
        ok = files[i].is_key ? write_key(o->folder, file, files[i].of->key, err)
                             : write_chain(o->folder, file, files[i].of->certificate,
                                           files[i].of == root ? NULL : root->certificate, err);
    }
    authority_done(&ca);
    return ok;
}

/* ---- the server ---- */

/* "host:port" in parts; the port is 8443 when there is none. */
static bool split_host(const char *text, char host[256], unsigned *port, struct err *err)
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

static bool make_server(const struct steward_init *o, const char *host,
                        const struct authority *root, struct err *err)
{
    char names[600], bare[256];
    struct authority server = {.key = NULL};
    const struct profile profile = {host, 825, "critical,CA:FALSE", "critical,digitalSignature",
                                    names};

    if (strcmp(host, "localhost") == 0)
        (void)snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1,IP:::1");
    else
        (void)snprintf(names, sizeof names, "%s:%s", is_address(host, bare) ? "IP" : "DNS", bare);
    bool ok = make_authority("P-256", &profile, root, &server, err) &&
              write_key(o->folder, "server-key.pem", server.key, err) &&
              write_chain(o->folder, "server.pem", server.certificate, NULL, err);
    authority_done(&server);
    return ok;
}

/* ---- the configuration ---- */

static const char config_head[] =
    "# A Steward's configuration; docs/steward.md explains every key. Paths are relative to this\n"
    "# file. After a change of the policy: kill -HUP the process, or systemctl reload.\n"
    "\n"
    "trust_domain = \"%s\"\n"
    "url = \"https://%s:%u\" # as keeps reach it; stands in every certificate\n"
    "\n"
    "[server]\n"
    "listen = \"%s:%u\"\n"
    "certificate = \"server.pem\"\n"
    "key = \"server-key.pem\"\n"
    "# user = \"nobody\" # who serves, when it is started by root\n"
    "requests_per_second = 2000\n"
    "requests_per_second_of_address = 50\n"
    "\n"
    "[ca]\n"
    "certificate = \"ca.pem\" # and its root's\n"
    "key = \"ca-key.pem\"\n"
    "\n"
    "[nonce]\n"
    "keys = [\"nonce-key\"] # the first makes nonces; to change it put a new one before it\n"
    "\n"
    "[store]\n"
    "folder = \"state\"\n"
    "audit = \"audit.log\"\n"
    "\n"
    "[certificates]\n"
    "lifetime_hours = 24\n"
    "clock_skew_seconds = 5 # of other Stewards that share the nonce key\n"
    "\n"
    "[collateral] # endorsements that keeps do not send along\n"
    "# folder = \"collateral\"\n"
    "# amd = \"https://kdsintf.amd.com\"\n"
    "# intel = \"https://api.trustedservices.intel.com\" # or a caching service\n"
    "\n"
    "[workloads] # what may be certified; who trusts it is for its peers to say\n"
    "any = true # else only what [[workloads.allow]] names:\n"
    "# [[workloads.allow]]\n"
    "# workload = \"registry.example/alice/chat-server\"\n"
    "# tags = [\"0.1.0\"]\n"
    "# digests = [\"sha-256:…\"]\n"
    "# technology = [\"snp\", \"sgx\"]\n"
    "\n"
    "[registries] # whose tags the Steward reads itself: slugs of others are never certified\n"
    "# \"registry.example\" = \"web-pki\"\n"
    "# \"registry.example:8443\" = { ca = \"registry-ca.pem\" }\n"
    "\n"
    "# Which images of keeps are believed, and on what platforms: docs/evidence-policy.md. "
    "Without\n"
    "# measurements nothing is. 'broch steward policy explain' says what this accepts.\n"
    "[snp]\n"
    "measurements = []\n"
    "\n"
    "[sgx]\n"
    "mrenclaves = []\n"
    "\n"
    "[intel]\n"
    "tcb_statuses = [\"UpToDate\"]\n"
    "# advisories = [{ id = \"INTEL-SA-00615\", until = 2027-01-15 }]\n";

static const char config_simulation[] =
    "\n"
    "[simulation] # SIMULATED platforms prove nothing; they get certificates of a CA of their own\n"
    "certificate = \"simulation-ca.pem\"\n"
    "key = \"simulation-ca-key.pem\"\n"
    "audit = \"simulation-audit.log\"\n";

/* The roots of this machine's simulated platforms, and their endorsements. */
static void write_platforms(struct writer *w, const char *folder)
{
    static const char *const files[] = {"snp-root.pem", "sgx-root.pem"};

    writer_text(w, "roots = [");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        writer_text(w, i != 0 ? ", " : "");
        writer_json(w, bytes_of(path)); /* a string of TOML as well */
    }
    writer_text(w, "]\ncollateral = ");
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/collateral", folder);
    writer_json(w, bytes_of(path));
    writer_text(w, "\n");
}

static bool write_config(const struct steward_init *o, const char *host, unsigned port,
                         struct err *err)
{
    struct arena arena;
    struct bytes text;

    arena_init(&arena, arena_heap, (size_t)1 << 20);
    struct writer w = writer_growable(&arena, (size_t)256 << 10);
    writer_format(&w, config_head, o->trust_domain, host, port,
                  strcmp(host, "localhost") == 0 ? "127.0.0.1" : "[::]", port);
    if (o->simulation) {
        writer_text(&w, config_simulation);
        if (o->simulated_platforms != NULL)
            write_platforms(&w, o->simulated_platforms);
        else
            writer_text(&w, "roots = []\n");
    }
    bool ok =
        writer_done(&w, &text, err) && write_file(o->folder, CONFIG_NAME_DEFAULT, 0644, text, err);
    arena_done(&arena);
    return ok;
}

/* Refuses a folder that has a Steward before anything is made. */
static bool make_folder(const char *folder, struct err *err)
{
    char path[PATH_SIZE];

    if (strlen(folder) > PATH_SIZE - 64)
        return err_set(err, ERR_LIMIT, "the folder has too long a name", ERR_NO_AT);
    (void)snprintf(path, sizeof path, "%s/%s", folder, CONFIG_NAME_DEFAULT);
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_INVALID, "there is a Steward in that folder already", ERR_NO_AT);
    return mkdir(folder, 0755) == 0 || errno == EEXIST ||
           err_set(err, ERR_IO, "cannot make the folder", (uint64_t)errno);
}

bool steward_init(const struct steward_init *o, struct err *err)
{
    struct authority root = {.key = NULL}, simulation = {.key = NULL};
    char host[256];
    unsigned port;

    if (!identity_trust_domain_is_valid(bytes_of(o->trust_domain)))
        return err_set(err, ERR_FORMAT,
                       "a trust domain has lower-case letters, digits, '.', '-' and '_' only",
                       ERR_NO_AT);
    bool ok = split_host(o->host, host, &port, err) && make_folder(o->folder, err) &&
              make_ca(o, false, &root, err) && make_server(o, host, &root, err) &&
              (!o->simulation || make_ca(o, true, &simulation, err)) &&
              write_nonce_key(o->folder, err) && write_config(o, host, port, err);
    authority_done(&root);
    authority_done(&simulation);
    return ok;
}
