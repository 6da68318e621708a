#include "steward/config.h"

#include <stdio.h>

#include "evidence/reference.h"
#include "package/digest.h"
#include "package/host.h"
#include "package/slug.h"
#include "base/banned.h"

#define LIFETIME_MAX_HOURS UINT64_C(2160) /* 90 days */
#define FILES_MAX 256u
#define REGISTRIES_MAX 64u
#define PEM_MAX ((size_t)256 << 10)

#define FIELD(member) offsetof(struct steward_config, member)

/* A duration that must not be zero. */
static bool read_hours(const struct toml_form *form, const struct toml_value *value, void *field,
                       uint64_t param)
{
    return toml_read_u64(form, value, field, param) &&
           (*(uint64_t *)field != 0 || toml_form_fail(form, value->at, "the number must not be 0"));
}

static bool read_trust_domain(const struct toml_form *form, const struct toml_value *value,
                              void *field, uint64_t param)
{
    struct bytes *text = field;

    return toml_read_text(form, value, text, param) &&
           (identity_trust_domain_is_valid(*text) ||
            toml_form_fail(form, value->at,
                           "a trust domain has lower-case letters, digits, '.', '-' and '_' only"));
}

static bool read_url(const struct toml_form *form, const struct toml_value *value, void *field,
                     uint64_t param)
{
    struct bytes *text = field;

    if (!toml_read_text(form, value, text, param))
        return false;
    while (text->size != 0 && text->data[text->size - 1] == '/')
        text->size--;
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] <= ' ' || text->data[i] >= 0x7f)
            return toml_form_fail(form, value->at,
                                  "the address has characters that it may not have");
    }
    return (bytes_starts_with(*text, bytes_of("https://")) && text->size > 8 && text->size < 512) ||
           toml_form_fail(form, value->at, "expected an address that begins with https://");
}

/* ---- workloads ---- */

static bool read_unverified(const struct toml_form *form, const struct toml_value *value,
                            void *field, uint64_t param)
{
    struct bytes text = {.size = 0};

    if (!toml_read_text(form, value, &text, param))
        return false;
    *(bool *)field = bytes_is(text, "as-local");
    return bytes_is(text, "as-local") || bytes_is(text, "refuse") ||
           toml_form_fail(form, value->at, "expected \"refuse\" or \"as-local\"");
}

static bool read_technologies(const struct toml_form *form, const struct toml_value *value,
                              void *field, uint64_t param)
{
    static const char *const names[] = {"snp", "sgx", "tdx"};
    struct toml_texts texts = {.count = 0};
    uint32_t *bits = field;

    if (!toml_read_texts(form, value, &texts, param))
        return false;
    for (size_t i = 0; i < texts.count; i++) {
        size_t k = 0;
        while (k < COUNT_OF(names) && !bytes_is(texts.items[i], names[k]))
            k++;
        if (k == COUNT_OF(names))
            return toml_form_fail(form, value->at,
                                  "unknown technology %s; there are snp, sgx and tdx",
                                  toml_show_text(texts.items[i]).text);
        *bits |= 1u << (k + 1);
    }
    return texts.count != 0 || toml_form_fail(form, value->at, "the list is empty");
}

static bool read_workload(const struct toml_form *form, const struct toml_value *value, void *field,
                          uint64_t param)
{
    struct bytes *text = field;
    struct slug slug;
    struct err err;

    if (!toml_read_text(form, value, text, param))
        return false;
    struct writer w = writer_growable(form->arena, SLUG_SIZE_MAX + 1);
    if (!slug_parse(*text, SLUG_REPO, form->arena, &slug, &err))
        return toml_form_fail(form, value->at, "no workload: %s", err.msg);
    if (slug.tag.size != 0)
        return toml_form_fail(form, value->at, "a workload has no tag here; tags = […] names them");
    slug_write(&w, &slug); /* compared in canonical form */
    return writer_done(&w, text, &err) || toml_form_fail(form, value->at, "no memory");
}

static bool read_digests(const struct toml_form *form, const struct toml_value *value, void *field,
                         uint64_t param)
{
    struct workload_rule *rule = field;

    if (!toml_read_texts(form, value, &rule->digest_texts, param))
        return false;
    struct bytes *items = ARENA_ARRAY(form->arena, struct bytes, rule->digest_texts.count);
    rule->digests = items;
    for (size_t i = 0; items != NULL && i < rule->digest_texts.count; i++) {
        struct digest *digest = ARENA_NEW(form->arena, struct digest);
        struct err err;
        if (digest == NULL)
            return toml_form_fail(form, value->at, "no memory");
        if (!digest_parse(rule->digest_texts.items[i], digest, &err))
            return toml_form_fail(form, value->at, "%s is no digest: %s",
                                  toml_show_text(rule->digest_texts.items[i]).text, err.msg);
        if (digest->algorithm != DIGEST_SHA256)
            return toml_form_fail(form, value->at, "a workload's digest is sha-256:…");
        items[i] = bytes_from(digest->bytes, digest->size);
    }
    return items != NULL || toml_form_fail(form, value->at, "no memory");
}

#define RULES_MAX 4096u

static bool read_rules(const struct toml_form *form, const struct toml_value *value, void *field,
                       uint64_t param)
{
    static const struct toml_field fields[] = {
        {"workload", read_workload, offsetof(struct workload_rule, workload), 0},
        {"tags", toml_read_texts, offsetof(struct workload_rule, tags), 1024},
        {"digests", read_digests, 0, 1024},
        {"technology", read_technologies, offsetof(struct workload_rule, technologies), 3},
    };
    struct workload_policy *policy = field;
    struct toml_walk walk;
    const struct toml_value *item;

    (void)param;
    if (value->type != TOML_ARRAY)
        return toml_form_fail_type(form, value, "an array");
    struct workload_rule *rules =
        toml_count(value) <= RULES_MAX
            ? ARENA_ARRAY(form->arena, struct workload_rule, toml_count(value))
            : NULL;
    if (rules == NULL)
        return toml_form_fail(form, value->at, "more rules than can be taken");
    walk = toml_items(value);
    policy->rules = rules;
    while ((item = toml_next(&walk)) != NULL) {
        struct workload_rule *rule = &rules[policy->rule_count++];
        if (!toml_read_fields(form, item, fields, COUNT_OF(fields), NULL, rule))
            return false;
        if (rule->workload.size == 0 && rule->digests == NULL)
            return toml_form_fail(form, item->at, "a rule needs workload or digests");
        if (rule->tags.count != 0 && rule->workload.size == 0)
            return toml_form_fail(form, item->at, "tags need a workload");
    }
    return true;
}

static bool read_workloads(const struct toml_form *form, const struct toml_value *value,
                           void *field, uint64_t param)
{
    static const struct toml_field fields[] = {
        {"any", toml_read_bool, offsetof(struct workload_policy, any), 0},
        {"platform", toml_read_bool, offsetof(struct workload_policy, platform), 0},
        {"enarx", toml_read_bool, offsetof(struct workload_policy, enarx), 0},
        {"unverified_slugs", read_unverified, offsetof(struct workload_policy, unverified_as_local),
         0},
        {"allow", read_rules, 0, 0},
    };

    (void)param;
    return toml_read_fields(form, value, fields, COUNT_OF(fields), NULL, field);
}

static bool rule_fits(const struct workload_rule *rule, const struct identity *identity)
{
    const struct identity_claims *claims = &identity->claims;
    struct bytes name = claims->slug, tag = {.size = 0};
    const uint8_t *colon = name.size != 0 ? memrchr(name.data, ':', name.size) : NULL;
    bool fits;

    if (colon != NULL) { /* a canonical slug of a claim ends in its tag */
        tag = bytes_after(name, (size_t)(colon - name.data) + 1);
        name = bytes_before(name, (size_t)(colon - name.data));
    }
    if (rule->workload.size != 0 && !bytes_equal(rule->workload, name))
        return false;
    fits = rule->tags.count == 0;
    for (size_t i = 0; i < rule->tags.count; i++)
        fits |= bytes_equal(rule->tags.items[i], tag);
    if (!fits)
        return false;
    fits = rule->digests == NULL;
    for (size_t i = 0; rule->digests != NULL && i < rule->digest_texts.count; i++)
        fits |= claims->has_digest &&
                bytes_equal(rule->digests[i], bytes_from(claims->digest, sizeof claims->digest));
    return fits &&
           (rule->technologies == 0 || (rule->technologies >> identity->technology & 1) != 0);
}

bool workload_policy_admits(const struct workload_policy *policy, const struct identity *identity,
                            enum identity_namespace space, const char **why)
{
    if (space == IDENTITY_OF_ENARX) {
        *why = "[workloads] enarx does not admit Enarx's keeps";
        return policy->enarx;
    }
    if (!identity->claims.has_digest) {
        *why = "[workloads] platform does not admit keeps without a workload";
        return policy->platform;
    }
    *why = "no rule of [workloads] admits this workload";
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (rule_fits(&policy->rules[i], identity))
            return true;
    }
    return policy->any;
}

/* ---- registries ---- */

#define REGISTRY(member) offsetof(struct steward_registry, member)

/* A host as slugs have it. */
static bool read_host(const struct toml_form *form, const struct toml_entry *entry,
                      struct bytes *out)
{
    struct writer w = writer_growable(form->arena, SLUG_SIZE_MAX);
    struct bytes host;
    uint16_t port;
    struct err err;

    if (!config_host_parse(toml_key(entry), form->arena, &host, &port, &err))
        return toml_form_fail(form, entry->key_at, "%s is no registry's host: %s",
                              toml_show_text(toml_key(entry)).text, err.msg);
    writer_bytes(&w, host);
    if (port != 0 && port != 443)
        writer_format(&w, ":%u", port);
    return writer_done(&w, out, &err) || toml_form_fail(form, entry->key_at, "no memory");
}

static bool read_registry(const struct toml_form *form, const struct toml_value *value,
                          struct steward_registry *r)
{
    static const struct toml_field fields[] = {
        {"ca", toml_read_text, REGISTRY(ca), 0},
        {"certificate", toml_read_text, REGISTRY(certificate), 0},
        {"key", toml_read_text, REGISTRY(key), 0},
    };

    if (value->type == TOML_STRING) {
        if (!toml_read_text(form, value, &r->ca, 0))
            return false;
    } else if (!toml_read_fields(form, value, fields, COUNT_OF(fields), NULL, r)) {
        return false;
    }
    if (r->ca.size == 0)
        return toml_form_fail(form, value->at, "ca is missing: a file, or \"web-pki\"");
    if (bytes_is(r->ca, "web-pki"))
        r->ca = (struct bytes){.size = 0};
    return (r->certificate.size == 0) == (r->key.size == 0) ||
           toml_form_fail(form, value->at, "certificate and key belong together");
}

static bool read_registries(const struct toml_form *form, const struct toml_value *value,
                            void *field, uint64_t param)
{
    struct steward_config *c = field;

    if (value->type != TOML_TABLE)
        return toml_form_fail_type(form, value, "a table");
    c->registries = toml_count(value) <= param
                        ? ARENA_ARRAY(form->arena, struct steward_registry, toml_count(value))
                        : NULL;
    if (c->registries == NULL)
        return toml_form_fail(form, value->at, "more registries than can be taken");
    for (const struct toml_entry *e = toml_entries(value); e != NULL; e = e->next) {
        struct steward_registry *r = &c->registries[c->registry_count];
        if (!read_host(form, e, &r->host) || !read_registry(form, &e->value, r))
            return false;
        for (size_t i = 0; i < c->registry_count; i++) {
            if (bytes_equal(c->registries[i].host, r->host))
                return toml_form_fail(form, e->key_at, "%s is there twice",
                                      toml_show_text(r->host).text);
        }
        c->registry_count++;
    }
    return true;
}

/* ---- tables ---- */

TOML_READ_TABLE(read_server, {"listen", toml_read_text, FIELD(server.listen), 0},
                {"certificate", toml_read_text, FIELD(server.certificate), 0},
                {"key", toml_read_text, FIELD(server.key), 0},
                {"user", toml_read_text, FIELD(server.user), 0},
                {"workers", toml_read_u64, FIELD(server.workers), 256},
                {"requests_per_second", toml_read_u64, FIELD(server.global_rate), 1000000},
                {"requests_per_second_of_address", toml_read_u64, FIELD(server.address_rate),
                 1000000})
TOML_READ_TABLE(read_ca, {"certificate", toml_read_text, FIELD(ca.certificate), 0},
                {"key", toml_read_text, FIELD(ca.key), 0})
TOML_READ_TABLE(read_simulation, {"certificate", toml_read_text, FIELD(simulation.certificate), 0},
                {"key", toml_read_text, FIELD(simulation.key), 0},
                {"roots", toml_read_texts, FIELD(simulation.roots), 16},
                {"collateral", toml_read_text, FIELD(simulation.collateral), 0},
                {"audit", toml_read_text, FIELD(simulation_audit), 0})
TOML_READ_TABLE(read_nonce, {"keys", toml_read_texts, FIELD(nonce_keys), NONCE_KEYS_MAX})
TOML_READ_TABLE(read_store, {"folder", toml_read_text, FIELD(store), 0},
                {"audit", toml_read_text, FIELD(audit), 0})
TOML_READ_TABLE(read_certificates,
                {"lifetime_hours", read_hours, FIELD(lifetime_hours), LIFETIME_MAX_HOURS},
                {"clock_skew_seconds", toml_read_u64, FIELD(clock_skew_seconds), 60})
TOML_READ_TABLE(read_collateral, {"folder", toml_read_text, FIELD(collateral.folder), 0},
                {"amd", read_url, FIELD(collateral.amd), 0},
                {"intel", read_url, FIELD(collateral.intel), 0},
                {"ca", toml_read_text, FIELD(collateral.ca), 0})

static const struct toml_field fields[] = {
    {"trust_domain", read_trust_domain, FIELD(trust_domain), 0},
    {"url", read_url, FIELD(url), 0},
    {"server", read_server, 0, 0},
    {"ca", read_ca, 0, 0},
    {"simulation", read_simulation, 0, 0},
    {"nonce", read_nonce, 0, 0},
    {"store", read_store, 0, 0},
    {"certificates", read_certificates, 0, 0},
    {"collateral", read_collateral, 0, 0},
    {"workloads", read_workloads, FIELD(workloads), 0},
    {"registries", read_registries, 0, REGISTRIES_MAX},
};

/* Keys of the policy for evidence. Roots of simulated platforms are named by [simulation] alone. */
static const char *const evidence_keys[] = {
    "any_workload", "debug", "require_crls", "references", "snp", "intel", "sgx", "tdx", NULL};

/* ---- what must be there ---- */

static bool need(const struct toml_form *form, struct bytes value, const char *key)
{
    return value.size != 0 || text_error_set(form->error, 1, 1, "%s is missing", key);
}

static bool check_whole(const struct toml_form *form, const struct steward_config *c)
{
    if (!need(form, c->trust_domain, "trust_domain") || !need(form, c->url, "url") ||
        !need(form, c->server.listen, "[server] listen") ||
        !need(form, c->server.certificate, "[server] certificate") ||
        !need(form, c->server.key, "[server] key") ||
        !need(form, c->ca.certificate, "[ca] certificate") || !need(form, c->ca.key, "[ca] key") ||
        !need(form, c->store, "[store] folder") || !need(form, c->audit, "[store] audit"))
        return false;
    if (c->nonce_keys.count == 0)
        return text_error_set(form->error, 1, 1, "[nonce] keys is missing");
    bool has_ca = c->simulation.certificate.size != 0;
    if (has_ca && (!need(form, c->simulation.key, "[simulation] key") ||
                   !need(form, c->simulation_audit, "[simulation] audit")))
        return false;
    if (!has_ca && (c->simulation.roots.count != 0 || c->simulation.key.size != 0 ||
                    c->simulation.collateral.size != 0 || c->simulation_audit.size != 0))
        return text_error_set(form->error, 1, 1,
                              "[simulation] certificate is missing: simulated platforms have a CA "
                              "of their own");
    return true;
}

/* ---- files ---- */

static bool fail_file(const struct toml_form *form, struct bytes path, const struct err *err)
{
    return text_error_set(form->error, 0, 0, "%s: %s", toml_show_text(path).text, err->msg);
}

static bool read_file(const struct toml_form *form, struct file_set *files, struct bytes path,
                      struct bytes *out)
{
    struct err err;

    *out = (struct bytes){.size = 0};
    return path.size == 0 || file_set_read(files, path, PEM_MAX, out, &err) ||
           fail_file(form, path, &err);
}

static bool read_nonce_keys(const struct toml_form *form, struct file_set *files,
                            struct steward_config *c)
{
    for (size_t i = 0; i < c->nonce_keys.count; i++) {
        struct bytes text;
        struct err err;
        size_t size = 0;
        if (!read_file(form, files, c->nonce_keys.items[i], &text))
            return false;
        if (text.size != 0 && text.data[text.size - 1] == '\n')
            text.size--;
        if (text.size != hex_size(NONCE_KEY_SIZE) ||
            !hex_decode(text, c->nonces.keys[i], NONCE_KEY_SIZE, &size, &err))
            return text_error_set(form->error, 0, 0, "%s: no key of 32 bytes in hexadecimal",
                                  toml_show_text(c->nonce_keys.items[i]).text);
    }
    c->nonces.count = c->nonce_keys.count;
    return true;
}

/* Reference values that the policy includes. */
static bool read_references(const struct toml_form *form, struct file_set *files,
                            struct steward_config *c)
{
    for (size_t i = 0; i < c->evidence.references.count; i++) {
        struct bytes path = c->evidence.references.items[i], text;
        struct evidence_reference reference;
        struct text_error error;
        struct err err;
        if (!read_file(form, files, path, &text))
            return false;
        if (!evidence_reference_parse(text, form->arena, &reference, &error))
            return text_error_set(form->error, 0, 0, "%s: line %u: %s", toml_show_text(path).text,
                                  error.line, error.text);
        if (!evidence_policy_add(&c->evidence, form->arena, &reference, &err))
            return fail_file(form, path, &err);
    }
    return true;
}

static bool read_roots(const struct toml_form *form, struct file_set *files,
                       struct steward_config *c)
{
    struct bytes *items = ARENA_ARRAY(form->arena, struct bytes, c->simulation.roots.count);

    if (items == NULL)
        return text_error_set(form->error, 0, 0, "no memory");
    for (size_t i = 0; i < c->simulation.roots.count; i++) {
        struct bytes path = c->simulation.roots.items[i], file;
        struct err err;
        if (!read_file(form, files, path, &file))
            return false;
        if (!evidence_root_parse(file, form->arena, &items[i], &err))
            return fail_file(form, path, &err);
    }
    c->evidence.simulated_roots =
        (struct bytes_list){.items = items, .count = c->simulation.roots.count};
    return true;
}

/* Adds the files of a folder of endorsements. */
static bool read_folder(const struct toml_form *form, struct file_set *files, struct bytes folder,
                        struct bytes *items, size_t *count)
{
    const struct bytes *paths;
    size_t path_count;
    struct err err;

    if (folder.size == 0)
        return true;
    if (!file_set_list(files, folder, form->arena, &paths, &path_count, &err))
        return fail_file(form, folder, &err);
    for (size_t i = 0; i < path_count; i++) {
        if (*count == FILES_MAX)
            return text_error_set(form->error, 0, 0, "%s: more than %u files",
                                  toml_show_text(folder).text, FILES_MAX);
        if (!file_set_read(files, paths[i], COLLATERAL_FILE_MAX, &items[(*count)++], &err))
            return fail_file(form, paths[i], &err);
    }
    return true;
}

static bool read_registry_files(const struct toml_form *form, struct file_set *files,
                                struct steward_config *c)
{
    for (size_t i = 0; i < c->registry_count; i++) {
        struct steward_registry *r = &c->registries[i];
        if (!read_file(form, files, r->ca, &r->ca_pem) ||
            !read_file(form, files, r->certificate, &r->certificate_pem) ||
            !read_file(form, files, r->key, &r->key_pem))
            return false;
        if (r->ca.size != 0 && r->ca_pem.size == 0) /* or the system's would serve */
            return text_error_set(form->error, 0, 0, "%s: the file is empty",
                                  toml_show_text(r->ca).text);
    }
    return true;
}

static bool read_files(const struct toml_form *form, struct file_set *files,
                       struct steward_config *c)
{
    struct bytes *items = ARENA_ARRAY(form->arena, struct bytes, FILES_MAX);

    c->collateral_files = items;
    return (items != NULL || text_error_set(form->error, 0, 0, "no memory")) &&
           read_file(form, files, c->server.certificate, &c->server_certificate_pem) &&
           read_file(form, files, c->server.key, &c->server_key_pem) &&
           read_file(form, files, c->ca.certificate, &c->ca_pem) &&
           read_file(form, files, c->simulation.certificate, &c->simulation_ca_pem) &&
           read_file(form, files, c->collateral.ca, &c->collateral_ca_pem) &&
           read_registry_files(form, files, c) && read_nonce_keys(form, files, c) &&
           read_roots(form, files, c) && read_references(form, files, c) &&
           read_folder(form, files, c->collateral.folder, items, &c->collateral_file_count) &&
           read_folder(form, files, c->simulation.collateral, items, &c->collateral_file_count);
}

bool steward_config_parse(struct bytes text, struct file_set *files, struct arena *arena,
                          struct steward_config *out, struct text_error *error)
{
    const char *own[COUNT_OF(fields) + 1] = {NULL};
    const struct toml_form form = {.text = text, .arena = arena, .error = error};
    const struct toml_value *root;

    *out = (struct steward_config){.lifetime_hours = 24, .clock_skew_seconds = 5};
    out->workloads = (struct workload_policy){.platform = true, .enarx = true};
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        own[i] = fields[i].name;
    return toml_parse(text, arena, &root, error) &&
           toml_read_fields(&form, root, fields, COUNT_OF(fields), evidence_keys, out) &&
           evidence_policy_read(text, root, own, arena, &out->evidence, error) &&
           check_whole(&form, out) && read_files(&form, files, out);
}
