#include "drawbridge/policy.h"

#include <libgen.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "base/banned.h"

#define CONFIG_MAX ((size_t)1 << 20)
#define FILE_MAX ((size_t)1 << 20)
#define ARENA_MAX ((size_t)64 << 20)

/* ---- trust ---- */

static bool fail_format(struct err *err, const char *msg)
{
    ERR_clear_error();
    return err_set(err, ERR_FORMAT, msg, ERR_NO_AT);
}

/* Adds every certificate of the PEM. */
static bool add_certificates(X509_STORE *store, struct bytes pem, struct err *err)
{
    BIO *bio = pem.size <= INT32_MAX ? BIO_new_mem_buf(pem.data, (int)pem.size) : NULL;
    unsigned count = 0;
    X509 *one;
    bool ok = bio != NULL;

    while (ok && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = X509_STORE_add_cert(store, one) == 1;
        X509_free(one);
        count++;
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the file is an error to the library */
    return (ok && count != 0) || fail_format(err, "a Steward's CA has no certificate in PEM");
}

static bool read_client(struct bytes pem, EVP_PKEY **out, struct err *err)
{
    BIO *bio = pem.size <= INT32_MAX ? BIO_new_mem_buf(pem.data, (int)pem.size) : NULL;
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    *out = certificate != NULL ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    BIO_free(bio);
    return *out != NULL || fail_format(err, "a Steward's own certificate is none in PEM");
}

bool trust_make(struct bytes ca, struct bytes client, struct trust *out, struct err *err)
{
    struct trust trust = {.store = X509_STORE_new()};

    bool ok =
        trust.store != NULL || err_set(err, ERR_MEMORY, "no memory for a Steward's CA", ERR_NO_AT);
    ok = ok && add_certificates(trust.store, ca, err) &&
         (client.size == 0 || read_client(client, &trust.client, err));
    if (ok) {
        /* an intermediate CA may be all that is trusted */
        (void)X509_STORE_set_flags(trust.store, X509_V_FLAG_PARTIAL_CHAIN);
        *out = trust;
    } else {
        trust_done(&trust);
    }
    return ok;
}

void trust_done(struct trust *trust)
{
    X509_STORE_free(trust->store);
    EVP_PKEY_free(trust->client);
    *trust = (struct trust){.store = NULL};
}

/* ---- the file, and those that it names ---- */

struct policy_reader {
    struct policy *policy;
    char *fault;
    char folder[4096];
};

static bool say(char *fault, const char *path, const char *why)
{
    (void)snprintf(fault, POLICY_FAULT_SIZE, "%s: %s", path, why);
    return false;
}

static bool say_err(char *fault, const char *path, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    return say(fault, path, err_text(err, os_strerror, text));
}

/* A path of the configuration as programs open it. */
static bool find_path(struct policy_reader *r, struct bytes name, const char **out)
{
    struct writer w = writer_growable(&r->policy->arena, 8192);
    struct bytes text;
    struct err err;

    if (name.size != 0 && name.data[0] != '/') {
        writer_text(&w, r->folder);
        writer_u8(&w, '/');
    }
    writer_bytes(&w, name);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &text, &err))
        return say_err(r->fault, "a path", &err);
    *out = (const char *)text.data;
    return true;
}

static bool read_file(struct policy_reader *r, struct bytes name, struct bytes *out)
{
    const char *path;
    struct err err;

    *out = (struct bytes){.size = 0};
    return name.size == 0 || (find_path(r, name, &path) &&
                              (os_read_file(path, FILE_MAX, &r->policy->arena, out, &err) ||
                               say_err(r->fault, path, &err)));
}

static bool read_keys(struct policy_reader *r)
{
    struct bytes json;
    struct err err;

    if (r->policy->config.tokens.keys.size == 0)
        return true;
    return read_file(r, r->policy->config.tokens.keys, &json) &&
           (jose_keys_parse(json, &r->policy->keys, &err) ||
            say_err(r->fault, "[tokens] keys", &err));
}

static bool read_trusts(struct policy_reader *r)
{
    struct policy *p = r->policy;
    struct err err;

    for (size_t i = 0; i < p->config.steward_count; i++) {
        const struct trusted_steward *s = &p->config.stewards[i];
        struct bytes ca, client;
        char name[64];
        (void)snprintf(name, sizeof name, "Steward %s", toml_show_text(s->name).text);
        if (!read_file(r, s->ca, &ca) || !read_file(r, s->client, &client))
            return false;
        if (!trust_make(ca, client, &p->trusts[i], &err))
            return say_err(r->fault, name, &err);
        p->trusts[i].is_simulated = s->is_simulated;
        p->trusts[i].technologies = s->technologies;
        p->trust_count = i + 1;
    }
    return true;
}

static bool read_text(struct policy_reader *r, const char *path)
{
    struct text_error error;
    struct bytes text;
    struct err err;
    char why[256];

    if (!os_read_file(path, CONFIG_MAX, &r->policy->arena, &text, &err))
        return say_err(r->fault, path, &err);
    if (drawbridge_config_parse(text, &r->policy->arena, &r->policy->config, &error))
        return true;
    (void)snprintf(why, sizeof why, "line %u, column %u: %s", error.line, error.column, error.text);
    return say(r->fault, path, why);
}

static bool read_all(struct policy_reader *r, const char *path)
{
    struct policy *p = r->policy;
    struct drawbridge_config *c = &p->config;
    struct writer w = writer_growable(&p->arena, 1024);
    struct bytes listen;
    struct err err;

    if (!read_text(r, path) || !read_file(r, c->server.certificate, &p->certificate) ||
        !read_file(r, c->server.key, &p->key) || !find_path(r, c->store, &p->store) ||
        !read_keys(r) || !read_trusts(r))
        return false;
    writer_bytes(&w, c->server.listen);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &listen, &err))
        return say_err(r->fault, path, &err);
    p->listen = (const char *)listen.data;
    return true;
}

struct policy *policy_read(const char *path, char fault[POLICY_FAULT_SIZE])
{
    struct policy_reader reader = {.policy = calloc(1, sizeof(struct policy)), .fault = fault};
    char copy[sizeof reader.folder];

    if (reader.policy == NULL || strlen(path) >= sizeof copy) {
        free(reader.policy);
        (void)say(fault, path, reader.policy == NULL ? "no memory" : "the path is too long");
        return NULL;
    }
    memcpy(copy, path, strlen(path) + 1);
    (void)snprintf(reader.folder, sizeof reader.folder, "%s", dirname(copy));
    arena_init(&reader.policy->arena, arena_heap, ARENA_MAX);
    arena_set_wipe(&reader.policy->arena);
    if (read_all(&reader, path))
        return reader.policy;
    policy_free(reader.policy);
    return NULL;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    jose_keys_free(policy->keys);
    for (size_t i = 0; i < policy->trust_count; i++)
        trust_done(&policy->trusts[i]);
    arena_done(&policy->arena);
    free(policy);
}
