/* A new Steward: its keys, their certificates, and a configuration to begin with. */
#include <openssl/rand.h>
#include <stdio.h>

#include "pki/pki.h"
#include "steward/steward.h"
#include "base/banned.h"

#define NAME_SIZE 400
#define PATH_SIZE 4096

static bool write_nonce_key(const char *folder, struct err *err)
{
    uint8_t key[NONCE_KEY_SIZE];
    char text[2 * NONCE_KEY_SIZE + 1];

    if (RAND_priv_bytes(key, sizeof key) != 1)
        return err_set(err, ERR_CRYPTO, "no random numbers", ERR_NO_AT);
    hex_encode(bytes_from(key, sizeof key), text);
    text[sizeof text - 1] = '\n';
    bool ok = pki_write_file(folder, "nonce-key", 0600, bytes_from(text, sizeof text), err);
    secret_wipe(key, sizeof key);
    secret_wipe(text, sizeof text);
    return ok;
}

/* ---- a CA and its root ---- */

static bool make_ca(const struct steward_init *o, bool simulation, struct pki_authority *root,
                    struct err *err)
{
    const char *mark = simulation ? ", SIMULATED, NOT A TEE" : "";
    const char *prefix = simulation ? "simulation-" : "";
    char root_name[NAME_SIZE], ca_name[NAME_SIZE], file[64];
    struct pki_authority ca = {.key = NULL};

    (void)snprintf(root_name, sizeof root_name, "Steward Root of %.40s%s", o->trust_domain, mark);
    (void)snprintf(ca_name, sizeof ca_name, "Steward CA of %.40s%s", o->trust_domain, mark);
    const struct pki_profile root_profile = {root_name, 7300, "critical,CA:TRUE",
                                             "critical,keyCertSign,cRLSign", NULL};
    const struct pki_profile ca_profile = {ca_name, 3650, "critical,CA:TRUE,pathlen:0",
                                           "critical,keyCertSign,cRLSign", NULL};
    bool ok = pki_make("P-384", &root_profile, NULL, root, err) &&
              pki_make("P-256", &ca_profile, root, &ca, err);
    const struct {
        const char *name;
        const struct pki_authority *of;
        bool is_key;
    } files[] = {{"root-key.pem", root, true},
                 {"root.pem", root, false},
                 {"ca-key.pem", &ca, true},
                 {"ca.pem", &ca, false}};
    for (size_t i = 0; ok && i < COUNT_OF(files); i++) {
        (void)snprintf(file, sizeof file, "%s%s", prefix, files[i].name);
        ok = files[i].is_key ? pki_write_key(o->folder, file, files[i].of->key, err)
                             : pki_write_chain(o->folder, file, files[i].of->certificate,
                                               files[i].of == root ? NULL : root->certificate, err);
    }
    pki_authority_done(&ca);
    return ok;
}

/* ---- the configuration ---- */

static const char config_comment[] =
    "# A Steward's configuration; docs/steward.md explains every key. Paths are relative to this\n"
    "# file. After a change of the policy: kill -HUP the process, or systemctl reload.\n"
    "\n";

static const char config_head[] =
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
    "# \"registry.example:8443\" = { ca = \"registry-ca.pem\" }\n";

static const char config_tail[] =
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

/* The images that are believed: files of `broch image measure --reference`. */
static void write_references(struct writer *w, const char *const *files)
{
    writer_text(w, "references = [");
    for (size_t i = 0; files[i] != NULL; i++) {
        writer_text(w, i != 0 ? ", " : "");
        writer_json(w, bytes_of(files[i])); /* a string of TOML as well */
    }
    writer_text(w, "] # images that are believed, beside those below\n\n");
}

static void write_registries(struct writer *w, const char *const *pairs)
{
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        writer_json(w, bytes_of(pairs[i]));
        writer_text(w, " = { ca = ");
        writer_json(w, bytes_of(pairs[i + 1]));
        writer_text(w, " }\n");
    }
}

static bool write_config(const struct steward_init *o, const char *host, unsigned port,
                         struct err *err)
{
    struct arena arena;
    struct bytes text;

    arena_init(&arena, arena_heap, (size_t)1 << 20);
    struct writer w = writer_growable(&arena, (size_t)256 << 10);
    writer_text(&w, config_comment);
    if (o->references != NULL && o->references[0] != NULL)
        write_references(&w, o->references);
    writer_format(&w, config_head, o->trust_domain, host, port,
                  strcmp(host, "localhost") == 0 ? "127.0.0.1" : "[::]", port);
    if (o->registries != NULL)
        write_registries(&w, o->registries);
    writer_text(&w, config_tail);
    if (o->simulation) {
        writer_text(&w, config_simulation);
        if (o->simulated_platforms != NULL)
            write_platforms(&w, o->simulated_platforms);
        else
            writer_text(&w, "roots = []\n");
    }
    bool ok = writer_done(&w, &text, err) &&
              pki_write_file(o->folder, CONFIG_NAME_DEFAULT, 0644, text, err);
    arena_done(&arena);
    return ok;
}

bool steward_init(const struct steward_init *o, struct err *err)
{
    struct pki_authority root = {.key = NULL}, simulation = {.key = NULL};
    char host[256];
    unsigned port;

    if (!identity_trust_domain_is_valid(bytes_of(o->trust_domain)))
        return err_set(err, ERR_FORMAT,
                       "a trust domain has lower-case letters, digits, '.', '-' and '_' only",
                       ERR_NO_AT);
    bool ok = pki_split_host(o->host, host, &port, err) &&
              pki_make_folder(o->folder, CONFIG_NAME_DEFAULT, err) &&
              make_ca(o, false, &root, err) && pki_make_server(o->folder, host, &root, err) &&
              (!o->simulation || make_ca(o, true, &simulation, err)) &&
              write_nonce_key(o->folder, err) && write_config(o, host, port, err);
    pki_authority_done(&root);
    pki_authority_done(&simulation);
    return ok;
}
