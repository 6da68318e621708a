#include "drawbridge/config.h"

#include "drawbridge/technology.h"
#include "base/banned.h"

#define NODE_MAX_DEFAULT ((uint64_t)8 << 30)
#define NODE_MAX_LIMIT ((uint64_t)1 << 50)

#define FIELD(member) offsetof(struct drawbridge_config, member)
#define STEWARD(member) offsetof(struct trusted_steward, member)

static bool read_technologies(const struct toml_form *form, const struct toml_value *value,
                              void *field, uint64_t param)
{
    struct toml_texts names = {.count = 0};
    uint32_t *bits = field;

    if (!toml_read_texts(form, value, &names, param))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        if (!technology_add(names.items[i], bits))
            return toml_form_fail(form, value->at,
                                  "technology is any of \"snp\", \"sgx\", \"tdx\"");
    }
    return true;
}

static bool read_stewards(const struct toml_form *form, const struct toml_value *value, void *field,
                          uint64_t param)
{
    static const struct toml_field fields[] = {
        {"name", toml_read_text, STEWARD(name), 0},
        {"ca", toml_read_text, STEWARD(ca), 0},
        {"client", toml_read_text, STEWARD(client), 0},
        {"simulated", toml_read_bool, STEWARD(is_simulated), 0},
        {"technology", read_technologies, STEWARD(technologies), 3},
    };
    struct drawbridge_config *c = field;
    struct toml_walk walk;
    const struct toml_value *item;

    if (value->type != TOML_ARRAY)
        return toml_form_fail_type(form, value, "an array of tables: [[stewards]]");
    struct trusted_steward *stewards =
        toml_count(value) <= param
            ? ARENA_ARRAY(form->arena, struct trusted_steward, toml_count(value))
            : NULL;
    if (stewards == NULL)
        return toml_form_fail(form, value->at, "more Stewards than can be taken");
    c->stewards = stewards;
    walk = toml_items(value);
    while ((item = toml_next(&walk)) != NULL) {
        struct trusted_steward *s = &stewards[c->steward_count++];
        if (!toml_read_fields(form, item, fields, COUNT_OF(fields), NULL, s))
            return false;
        if (s->name.size == 0 || s->ca.size == 0)
            return toml_form_fail(form, item->at, "a Steward needs name and ca");
    }
    return true;
}

static bool read_url(const struct toml_form *form, const struct toml_value *value, void *field,
                     uint64_t param)
{
    struct bytes *url = field;

    if (!toml_read_text(form, value, url, param))
        return false;
    return bytes_starts_with(*url, bytes_of("https://")) ||
           toml_form_fail(form, value->at, "an issuer is an https:// URL, as its tokens have it");
}

TOML_READ_TABLE(read_server, {"listen", toml_read_text, FIELD(server.listen), 0},
                {"certificate", toml_read_text, FIELD(server.certificate), 0},
                {"key", toml_read_text, FIELD(server.key), 0},
                {"workers", toml_read_u64, FIELD(server.workers), 256},
                {"connections", toml_read_u64, FIELD(server.connections), 100000},
                {"requests_per_second", toml_read_u64, FIELD(server.global_rate), 1000000},
                {"requests_per_second_of_address", toml_read_u64, FIELD(server.address_rate),
                 1000000})
TOML_READ_TABLE(read_store, {"folder", toml_read_text, FIELD(store), 0})
TOML_READ_TABLE(read_tokens, {"issuer", read_url, FIELD(tokens.issuer), 0},
                {"audience", toml_read_text, FIELD(tokens.audience), 0},
                {"keys", toml_read_text, FIELD(tokens.keys), 0})
TOML_READ_TABLE(read_limits, {"file_bytes", toml_read_u64, FIELD(node_max), NODE_MAX_LIMIT})

static bool need(const struct toml_form *form, struct bytes value, const char *key)
{
    return value.size != 0 || text_error_set(form->error, 1, 1, "%s is missing", key);
}

static bool check_whole(const struct toml_form *form, const struct drawbridge_config *c)
{
    if (!need(form, c->server.listen, "[server] listen") ||
        !need(form, c->server.certificate, "[server] certificate") ||
        !need(form, c->server.key, "[server] key") || !need(form, c->store, "[store] folder"))
        return false;
    bool has_any = c->tokens.issuer.size + c->tokens.audience.size + c->tokens.keys.size != 0;
    bool has_all =
        c->tokens.issuer.size != 0 && c->tokens.audience.size != 0 && c->tokens.keys.size != 0;
    return !has_any || has_all ||
           text_error_set(form->error, 1, 1, "[tokens] needs all of issuer, audience and keys");
}

bool drawbridge_config_parse(struct bytes text, struct arena *arena, struct drawbridge_config *out,
                             struct text_error *error)
{
    static const struct toml_field fields[] = {
        {"server", read_server, 0, 0},
        {"store", read_store, 0, 0},
        {"tokens", read_tokens, 0, 0},
        {"limits", read_limits, 0, 0},
        {"stewards", read_stewards, 0, DRAWBRIDGE_STEWARDS_MAX},
    };
    const struct toml_form form = {.text = text, .arena = arena, .error = error};
    const struct toml_value *root;

    *out = (struct drawbridge_config){.node_max = NODE_MAX_DEFAULT};
    return toml_parse(text, arena, &root, error) &&
           toml_read_fields(&form, root, fields, COUNT_OF(fields), NULL, out) &&
           check_whole(&form, out);
}
