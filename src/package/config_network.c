/* [network.incoming.PORT], [network.outgoing."HOST"], and which entry governs a connection. */
#include "package/config_parser.h"

#include "base/banned.h"

static enum config_silent silent_of(const struct config_parser *p)
{
    return p->config->form == CONFIG_ENARX ? CONFIG_SILENT_IS_PROGRAM : CONFIG_SILENT_IS_ERROR;
}

/* The keys of one entry, which differ by direction. */
static bool read_rule(struct config_parser *p, const struct toml_entry *e, bool is_incoming,
                      struct config_rule *rule)
{
    const char *const names[] = {"prot", "peers", is_incoming ? "anonymous" : "server"};
    const struct toml_entry *found[COUNT_OF(names)];

    if (!config_take_keys(p, &e->value,
                          is_incoming ? " in [network.incoming]" : " in [network.outgoing]", names,
                          COUNT_OF(names), found))
        return false;
    const struct config_rule_keys keys = {.protocol = found[0],
                                          .peers = found[1],
                                          .anonymous = is_incoming ? found[2] : NULL,
                                          .server = is_incoming ? NULL : found[2]};
    return config_read_rule(p, e->value.at, is_incoming, silent_of(p), &keys, rule);
}

static bool conflict(struct config_parser *p, const struct toml_entry *e, uint32_t line)
{
    return config_fail(p, e->key_at, "%s says otherwise than line %u, which means the same",
                       toml_show_text(toml_key(e)).text, line);
}

/* How many entries the table of a direction has; false when it is no table or has too many. */
static bool count_entries(struct config_parser *p, const struct toml_entry *e, size_t *count)
{
    if (!config_expect(p, e, TOML_TABLE, "a table"))
        return false;
    *count = toml_count(&e->value);
    if (*count > CONFIG_RULES_MAX)
        return config_fail(p, e->key_at, "%s has %zu entries, more than %d",
                           toml_show_text(toml_key(e)).text, *count, CONFIG_RULES_MAX);
    return true;
}

static bool read_incoming_entry(struct config_parser *p, const struct toml_entry *e,
                                struct config_incoming *list, size_t *count)
{
    struct config_incoming in = {.is_default = bytes_is(toml_key(e), "default")};

    if (!in.is_default && !config_port_parse(toml_key(e), &in.port))
        return config_fail(p, e->key_at, "%s is no port: 0 to 65535, or default",
                           toml_show_text(toml_key(e)).text);
    if (!read_rule(p, e, true, &in.rule))
        return false;
    for (size_t i = 0; i < *count; i++) {
        if (list[i].is_default != in.is_default || list[i].port != in.port)
            continue;
        return config_rule_equal(&list[i].rule, &in.rule) || conflict(p, e, list[i].rule.line);
    }
    list[(*count)++] = in;
    return true;
}

static bool read_incoming(struct config_parser *p, const struct toml_entry *table)
{
    size_t most, count = 0;

    if (table == NULL)
        return true;
    if (!count_entries(p, table, &most))
        return false;
    struct config_incoming *list = ARENA_ARRAY(p->arena, struct config_incoming, most);
    if (list == NULL)
        return config_no_memory(p, table->key_at);
    for (const struct toml_entry *e = toml_entries(&table->value); e != NULL; e = e->next) {
        if (!read_incoming_entry(p, e, list, &count))
            return false;
    }
    p->config->incoming = list;
    p->config->incoming_count = count;
    return true;
}

static bool read_outgoing_entry(struct config_parser *p, const struct toml_entry *e,
                                struct config_outgoing *list, size_t *count)
{
    struct config_outgoing out = {.is_default = bytes_is(toml_key(e), "default")};
    char why[ERR_TEXT_SIZE];
    struct err err;

    if (!out.is_default && !config_host_parse(toml_key(e), p->arena, &out.host, &out.port, &err))
        return config_fail(p, e->key_at, "%s is no HOST, HOST:PORT or default: %s",
                           toml_show_text(toml_key(e)).text, err_text(&err, NULL, why));
    if (!read_rule(p, e, false, &out.rule))
        return false;
    for (size_t i = 0; i < *count; i++) {
        if (list[i].is_default != out.is_default || list[i].port != out.port ||
            !bytes_equal(list[i].host, out.host))
            continue;
        return config_rule_equal(&list[i].rule, &out.rule) || conflict(p, e, list[i].rule.line);
    }
    list[(*count)++] = out;
    return true;
}

static bool read_outgoing(struct config_parser *p, const struct toml_entry *table)
{
    size_t most, count = 0;

    if (table == NULL)
        return true;
    if (!count_entries(p, table, &most))
        return false;
    struct config_outgoing *list = ARENA_ARRAY(p->arena, struct config_outgoing, most);
    if (list == NULL)
        return config_no_memory(p, table->key_at);
    for (const struct toml_entry *e = toml_entries(&table->value); e != NULL; e = e->next) {
        if (!read_outgoing_entry(p, e, list, &count))
            return false;
    }
    p->config->outgoing = list;
    p->config->outgoing_count = count;
    return true;
}

bool config_read_network(struct config_parser *p, const struct toml_entry *network)
{
    static const char *const names[] = {"incoming", "outgoing"};
    const struct toml_entry *found[COUNT_OF(names)];

    return network == NULL ||
           (config_take_keys(p, &network->value, " in [network]", names, COUNT_OF(names), found) &&
            read_incoming(p, found[0]) && read_outgoing(p, found[1]));
}

/* What governs where nothing is said. */
static const struct config_rule *fallback(const struct config *config)
{
    static const struct config_rule enarx = {.protocol = CONFIG_TLS,
                                             .admission = CONFIG_ADMIT_PROGRAM};
    return config->form == CONFIG_ENARX ? &enarx : NULL;
}

const struct config_rule *config_incoming_rule(const struct config *config, uint16_t port)
{
    const struct config_rule *found = fallback(config);

    for (size_t i = 0; i < config->incoming_count; i++) {
        const struct config_incoming *in = &config->incoming[i];
        if (in->is_default)
            found = &in->rule;
        else if (in->port == port)
            return &in->rule;
    }
    return found;
}

const struct config_rule *config_outgoing_rule(const struct config *config, struct bytes host,
                                               uint16_t port)
{
    const struct config_rule *found = fallback(config), *of_host = NULL;

    for (size_t i = 0; i < config->outgoing_count; i++) {
        const struct config_outgoing *out = &config->outgoing[i];
        if (out->is_default)
            found = &out->rule;
        else if (!bytes_equal(out->host, host))
            continue;
        else if (out->port == port)
            return &out->rule;
        else if (out->port == 0)
            of_host = &out->rule;
    }
    return of_host != NULL ? of_host : found;
}
