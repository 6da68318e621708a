/* One network entry: its protocol, and who may be at the other end (DESIGN.md §7). */
#include "package/config_parser.h"

#include "base/banned.h"

static const char *const technologies[] = {"snp", "sgx", "tdx"};

static const char *check_tag(struct bytes tag)
{
    return slug_tag_is_valid(tag) ? NULL : "is no tag: a version such as 1.0.0";
}

/* host/user/repo, written anew in canonical form. */
static bool read_workload(struct config_parser *p, const struct toml_entry *e, struct bytes *out)
{
    struct bytes text = {.size = 0};
    struct slug slug;
    struct err err;

    if (e == NULL)
        return true;
    if (!config_read_text(p, e, &text))
        return false;
    struct writer w = writer_growable(p->arena, SLUG_SIZE_MAX + 8);
    if (slug_parse(text, SLUG_REPO, p->arena, &slug, &err)) {
        if (slug.tag.size != 0)
            return config_fail(p, e->value.at,
                               "'workload' is HOST/USER/REPOSITORY; write the tag "
                               "as tags = [\"%.*s\"]",
                               slug.tag.size < 40 ? (int)slug.tag.size : 40,
                               (const char *)slug.tag.data);
        slug_write(&w, &slug);
        if (writer_done(&w, out, &err))
            return true;
    }
    char why[ERR_TEXT_SIZE];
    return config_fail(p, e->value.at, "'workload' is no HOST/USER/REPOSITORY: %s",
                       err_text(&err, NULL, why));
}

static bool read_digest(struct config_parser *p, const struct toml_entry *e, struct digest *out)
{
    struct bytes text = {.size = 0};
    char why[ERR_TEXT_SIZE];
    struct err err;

    if (e == NULL)
        return true;
    if (!config_read_text(p, e, &text))
        return false;
    if (!digest_parse(text, out, &err))
        return config_fail(p, e->value.at, "'digest': %s", err_text(&err, NULL, why));
    if (out->algorithm != DIGEST_SHA256)
        return config_fail(p, e->value.at, "'digest' of a keep is always its sha-256");
    return true;
}

static bool read_technologies(struct config_parser *p, const struct toml_entry *e, uint32_t *out)
{
    const struct bytes *names = NULL;
    size_t count = 0;

    if (e == NULL)
        return true;
    if (!config_read_list(p, e, COUNT_OF(technologies), NULL, &names, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned number = 0;
        while (number < COUNT_OF(technologies) && !bytes_is(names[i], technologies[number]))
            number++;
        if (number == COUNT_OF(technologies))
            return config_fail(p, e->value.at, "'technology' has %s; it may have snp, sgx, tdx",
                               toml_show_text(names[i]).text);
        *out |= 1u << (number + 1);
    }
    return count != 0 || config_fail(p, e->value.at, "'technology' is empty: nothing could match");
}

static bool is_listed(struct bytes name, const struct bytes *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(name, list[i]))
            return true;
    }
    return false;
}

static bool read_peer(struct config_parser *p, const struct toml_value *item,
                      struct config_peer *peer)
{
    enum { WORKLOAD, TAGS, DIGEST, TECHNOLOGY, STEWARD, COUNT };
    static const char *const names[] = {"workload", "tags", "digest", "technology", "steward"};
    const struct config *c = p->config;
    const struct toml_entry *e[COUNT];

    if (!config_take_keys(p, item, " in an entry of 'peers'", names, COUNT, e) ||
        !read_workload(p, e[WORKLOAD], &peer->workload) ||
        !config_read_list(p, e[TAGS], CONFIG_TAGS_MAX, check_tag, &peer->tags, &peer->tag_count) ||
        !read_digest(p, e[DIGEST], &peer->digest) ||
        !read_technologies(p, e[TECHNOLOGY], &peer->technologies) ||
        !config_read_file_name(p, e[STEWARD], &peer->steward))
        return false;
    if (toml_count(item) == 0)
        return config_fail(p, item->at,
                           "an entry of 'peers' says nothing; to admit any keep, "
                           "write peers = \"any\"");
    if (e[TAGS] != NULL && peer->tag_count == 0)
        return config_fail(p, e[TAGS]->value.at, "'tags' is empty: nothing could match");
    if (e[TAGS] != NULL && e[WORKLOAD] == NULL)
        return config_fail(p, e[TAGS]->key_at, "'tags' needs 'workload' beside it");
    if (peer->steward.size != 0 && !bytes_equal(peer->steward, c->steward_ca) &&
        !is_listed(peer->steward, c->trust.stewards, c->trust.steward_count))
        return config_fail(p, e[STEWARD]->value.at,
                           "%s is not trusted; list it under [trust], in "
                           "'stewards'",
                           toml_show_text(peer->steward).text);
    return true;
}

static bool read_peers(struct config_parser *p, const struct toml_entry *e,
                       struct config_rule *rule)
{
    size_t count = toml_count(&e->value), at = 0;

    if (e->value.type == TOML_STRING && bytes_is(toml_string(&e->value), "any")) {
        rule->admission = CONFIG_ADMIT_ANY_KEEP;
        return true;
    }
    if (e->value.type != TOML_ARRAY)
        return config_fail(p, e->value.at, "'peers' must be \"any\" or an array of tables, not %s",
                           e->value.type == TOML_STRING ? "another string"
                                                        : toml_type_name(&e->value));
    if (count > CONFIG_PEERS_MAX)
        return config_fail(p, e->value.at, "'peers' has %zu entries, more than %d", count,
                           CONFIG_PEERS_MAX);
    struct config_peer *peers = ARENA_ARRAY(p->arena, struct config_peer, count);
    if (peers == NULL)
        return config_no_memory(p, e->value.at);
    struct toml_walk walk = toml_items(&e->value);
    for (const struct toml_value *item; (item = toml_next(&walk)) != NULL; at++) {
        if (!read_peer(p, item, &peers[at]))
            return false;
    }
    rule->admission = CONFIG_ADMIT_PEERS;
    rule->peers = peers;
    rule->peer_count = count;
    return count != 0 || config_fail(p, e->value.at, "'peers' is empty: nobody could match");
}

/* server = "web", or a file of the package. */
static bool read_server(struct config_parser *p, const struct toml_entry *e,
                        struct config_rule *rule)
{
    if (e->value.type == TOML_STRING && bytes_is(toml_string(&e->value), "web")) {
        rule->web = true;
        return true;
    }
    return config_read_file_name(p, e, &rule->anchor);
}

/* A plain connection has no certificate that could be looked at. */
static bool check_plain(struct config_parser *p, const struct config_rule_keys *keys)
{
    const struct toml_entry *e = keys->peers != NULL       ? keys->peers
                                 : keys->anonymous != NULL ? keys->anonymous
                                                           : keys->server;

    if (e == NULL)
        return true;
    return config_fail(p, e->key_at, "%s would not be checked, since prot is tcp; use tls",
                       toml_show_text(toml_key(e)).text);
}

static bool read_silent(struct config_parser *p, uint32_t at, bool is_incoming,
                        enum config_silent silent, struct config_rule *rule)
{
    switch (silent) {
    case CONFIG_SILENT_IS_PROGRAM:
        rule->admission = CONFIG_ADMIT_PROGRAM;
        return true;
    case CONFIG_SILENT_IS_OPEN:
        rule->anonymous = is_incoming;
        rule->web = !is_incoming;
        rule->admission = is_incoming ? CONFIG_ADMIT_ANY_KEEP : CONFIG_ADMIT_PEERS;
        return true;
    default:
        return config_fail(p, at,
                           is_incoming ? "who may connect? add 'peers', or anonymous = true (a "
                                         "file named Enarx.toml keeps its meaning for Enarx)"
                                       : "who is it? add 'peers', or server = \"web\" or a CA's "
                                         "file (a file named Enarx.toml keeps its meaning for "
                                         "Enarx)");
    }
}

bool config_read_rule(struct config_parser *p, uint32_t at, bool is_incoming,
                      enum config_silent silent, const struct config_rule_keys *keys,
                      struct config_rule *out)
{
    static const char *const protocols[] = {[CONFIG_TLS] = "tls", [CONFIG_TCP] = "tcp"};
    struct config_rule rule = {.admission = CONFIG_ADMIT_PEERS, .line = config_line(p, at)};
    unsigned protocol = CONFIG_TLS;

    if (!config_read_word(p, keys->protocol, protocols, COUNT_OF(protocols), &protocol))
        return false;
    rule.protocol = (enum config_protocol)protocol;
    if (rule.protocol == CONFIG_TCP) {
        if (!check_plain(p, keys))
            return false;
        *out = rule;
        return true;
    }
    if (!config_read_flag(p, keys->anonymous, &rule.anonymous) ||
        (keys->peers != NULL && !read_peers(p, keys->peers, &rule)) ||
        (keys->server != NULL && !read_server(p, keys->server, &rule)))
        return false;
    if (keys->peers != NULL && keys->server != NULL)
        return config_fail(p, keys->server->key_at,
                           "'server' is an ordinary server and 'peers' are keeps; give one");
    if (keys->peers == NULL && rule.anonymous)
        rule.admission = CONFIG_ADMIT_ANY_KEEP;
    else if (keys->peers == NULL && keys->server == NULL &&
             !read_silent(p, at, is_incoming,
                          keys->anonymous != NULL ? CONFIG_SILENT_IS_ERROR : silent, &rule))
        return false;
    *out = rule;
    return true;
}

static bool lists_equal(const struct bytes *a, size_t a_count, const struct bytes *b,
                        size_t b_count)
{
    for (size_t i = 0; i < a_count && i < b_count; i++) {
        if (!bytes_equal(a[i], b[i]))
            return false;
    }
    return a_count == b_count;
}

static bool peers_equal(const struct config_peer *a, const struct config_peer *b)
{
    return bytes_equal(a->workload, b->workload) &&
           lists_equal(a->tags, a->tag_count, b->tags, b->tag_count) &&
           digest_equal(&a->digest, &b->digest) && a->technologies == b->technologies &&
           bytes_equal(a->steward, b->steward);
}

bool config_rule_equal(const struct config_rule *a, const struct config_rule *b)
{
    if (a->protocol != b->protocol || a->admission != b->admission ||
        a->anonymous != b->anonymous || a->web != b->web || !bytes_equal(a->anchor, b->anchor) ||
        a->peer_count != b->peer_count)
        return false;
    for (size_t i = 0; i < a->peer_count; i++) {
        if (!peers_equal(&a->peers[i], &b->peers[i]))
            return false;
    }
    return true;
}
