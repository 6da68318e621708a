/* Keep.toml and Enarx.toml: the keys at the top, and what they mean together (DESIGN.md §7). Input
 * is untrusted. */
#include "package/config.h"

#include "package/config_parser.h"
#include "base/banned.h"

enum {
    STEWARD,
    STEWARD_CA,
    ARGS,
    ENV,
    STDIN,
    STDOUT,
    STDERR,
    LIMITS,
    TRUST,
    NETWORK,
    FILES,
    KEY_COUNT
};

static const char *const top_keys[KEY_COUNT] = {
    "steward", "steward_ca", "args",  "env",     "stdin", "stdout",
    "stderr",  "limits",     "trust", "network", "files",
};

enum config_form config_form_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash != NULL ? slash + 1 : path, "Enarx.toml") == 0 ? CONFIG_ENARX : CONFIG_KEEP;
}

bool config_size_parse(struct bytes text, uint64_t *out)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    uint64_t value = 0;
    size_t at = 0;

    for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        if (!checked_mul(value, 10, &value) || !checked_add(value, text.data[at] - '0', &value))
            return false;
    }
    for (size_t i = 0; i < COUNT_OF(units) && at != 0; i++) {
        if (bytes_is(bytes_after(text, at), units[i].name))
            return checked_mul(value, UINT64_C(1) << units[i].shift, out);
    }
    return false;
}

/* https://HOST[:PORT][/PATH]: no user, no query, nothing that another parser could see otherwise.
 */
static bool is_steward_url(struct config_parser *p, struct bytes url)
{
    const struct bytes scheme = bytes_of("https://");
    struct bytes host, rest = bytes_after(url, scheme.size);
    size_t end = 0;
    uint16_t port;
    struct err err;

    if (!bytes_starts_with(url, scheme))
        return false;
    for (size_t i = 0; i < rest.size; i++) {
        if (rest.data[i] <= ' ' || rest.data[i] >= 0x7f ||
            strchr("?#@\\\"<>", rest.data[i]) != NULL)
            return false;
    }
    while (end < rest.size && rest.data[end] != '/')
        end++;
    return config_host_parse(bytes_before(rest, end), p->arena, &host, &port, &err);
}

static bool read_steward(struct config_parser *p, const struct toml_entry *steward,
                         const struct toml_entry *ca)
{
    struct config *c = p->config;

    if (!config_read_text(p, steward, &c->steward) || !config_read_file_name(p, ca, &c->steward_ca))
        return false;
    if (steward != NULL && !is_steward_url(p, c->steward))
        return config_fail(p, steward->value.at, "'steward' is %s; it must be https://HOST[:PORT]",
                           toml_show_text(c->steward).text);
    if (ca != NULL && steward == NULL)
        return config_fail(p, ca->key_at, "'steward_ca' needs 'steward' beside it");
    return true;
}

static bool read_env(struct config_parser *p, const struct toml_entry *table)
{
    size_t at = 0;

    if (table == NULL)
        return true;
    if (!config_expect(p, table, TOML_TABLE, "a table of strings"))
        return false;
    size_t count = toml_count(&table->value);
    if (count > CONFIG_ENV_MAX)
        return config_fail(p, table->key_at, "'env' has %zu entries, more than %d", count,
                           CONFIG_ENV_MAX);
    struct config_env *env = ARENA_ARRAY(p->arena, struct config_env, count);
    if (env == NULL)
        return config_no_memory(p, table->key_at);
    for (const struct toml_entry *e = toml_entries(&table->value); e != NULL; e = e->next, at++) {
        env[at].name = toml_key(e);
        if (e->key_size == 0 || memchr(e->key, '=', e->key_size) != NULL ||
            memchr(e->key, '\0', e->key_size) != NULL)
            return config_fail(p, e->key_at, "%s cannot be a variable's name",
                               toml_show_text(toml_key(e)).text);
        if (!config_read_text(p, e, &env[at].value))
            return false;
    }
    p->config->env = env;
    p->config->env_count = count;
    return true;
}

static bool read_memory(struct config_parser *p, const struct toml_entry *e, uint64_t *out)
{
    uint64_t size = 0;

    if (e == NULL)
        return true;
    if (e->value.type == TOML_INTEGER)
        return config_read_number(p, e, CONFIG_MEMORY_MIN, INT64_MAX, out);
    if (!config_expect(p, e, TOML_STRING, "bytes, or text such as \"256MiB\""))
        return false;
    if (!config_size_parse(toml_string(&e->value), &size))
        return config_fail(p, e->value.at, "'memory' is %s; a size is 1048576, 1024KiB, 1MiB, 1GiB",
                           toml_show_text(toml_string(&e->value)).text);
    if (size < CONFIG_MEMORY_MIN)
        return config_fail(p, e->value.at, "'memory' is less than a page, 64KiB");
    *out = size;
    return true;
}

static bool read_limits(struct config_parser *p, const struct toml_entry *table)
{
    enum { MEMORY, FUEL, OPEN_FILES, CONNECTIONS, COUNT };
    static const char *const names[] = {"memory", "fuel", "open_files", "connections"};
    const struct toml_entry *e[COUNT];
    struct config *c = p->config;

    c->limits.memory = c->limits.fuel = UINT64_MAX;
    c->limits.open_files = 4096;
    c->limits.connections = 1024;
    return table == NULL ||
           (config_take_keys(p, &table->value, " in [limits]", names, COUNT, e) &&
            read_memory(p, e[MEMORY], &c->limits.memory) &&
            config_read_number(p, e[FUEL], 1, INT64_MAX, &c->limits.fuel) &&
            config_read_number(p, e[OPEN_FILES], 1, CONFIG_OPEN_FILES_MAX, &c->limits.open_files) &&
            config_read_number(p, e[CONNECTIONS], 0, CONFIG_CONNECTIONS_MAX,
                               &c->limits.connections));
}

static bool read_trust(struct config_parser *p, const struct toml_entry *table)
{
    enum { STEWARDS, ANCHORS, WEB, SIMULATED, COUNT };
    static const char *const names[] = {"stewards", "anchors", "web", "simulated"};
    const struct toml_entry *e[COUNT];
    struct config *c = p->config;

    return table == NULL ||
           (config_take_keys(p, &table->value, " in [trust]", names, COUNT, e) &&
            config_read_list(p, e[STEWARDS], CONFIG_CERTIFICATES_MAX, config_check_file_name,
                             &c->trust.stewards, &c->trust.steward_count) &&
            config_read_list(p, e[ANCHORS], CONFIG_CERTIFICATES_MAX, config_check_file_name,
                             &c->trust.anchors, &c->trust.anchor_count) &&
            config_read_flag(p, e[WEB], &c->trust.web) &&
            config_read_flag(p, e[SIMULATED], &c->trust.simulated));
}

/* [stdin], [stdout], [stderr]: where one of them or [network] stands, what is not said is null, as
 * in Enarx; else all three are the host's. */
static bool read_stdio(struct config_parser *p, const struct toml_entry *const e[KEY_COUNT])
{
    static const char *const names[] = {"kind"};
    static const char *const kinds[] = {[CONFIG_STDIO_NULL] = "null", [CONFIG_STDIO_HOST] = "host"};
    bool is_said = e[STDIN] != NULL || e[STDOUT] != NULL || e[STDERR] != NULL || e[NETWORK] != NULL;

    for (size_t i = 0; i < 3; i++) {
        const struct toml_entry *table = e[STDIN + i], *kind = NULL;
        unsigned value = is_said ? CONFIG_STDIO_NULL : CONFIG_STDIO_HOST;
        char where[20];
        (void)snprintf(where, sizeof where, " in [%s]", top_keys[STDIN + i]);
        if (table != NULL && e[FILES] != NULL)
            return config_fail(p, table->key_at, "[%s] and [[files]] cannot stand together",
                               top_keys[STDIN + i]);
        if (table != NULL && !config_take_keys(p, &table->value, where, names, 1, &kind))
            return false;
        if (table != NULL && kind == NULL)
            return config_fail(p, table->value.at, "[%s] needs 'kind', host or null",
                               top_keys[STDIN + i]);
        if (!config_read_word(p, kind, kinds, COUNT_OF(kinds), &value))
            return false;
        p->config->stdio[i] = (enum config_stdio)value;
    }
    return true;
}

bool config_parse(struct bytes text, enum config_form form, struct arena *arena, struct config *out,
                  struct text_error *error)
{
    struct config c = {.form = form};
    struct config_parser p = {.text = text, .arena = arena, .error = error, .config = &c};
    const struct toml_entry *e[KEY_COUNT];
    const struct toml_value *root;

    if (text.size > CONFIG_SIZE_MAX)
        return text_error_set(error, 1, 1, "the file has %zu bytes, more than %d", text.size,
                              CONFIG_SIZE_MAX);
    /* trust comes before the peers, which name what it has */
    if (!toml_parse(text, arena, &root, error) ||
        !config_take_keys(&p, root, "", top_keys, KEY_COUNT, e) ||
        !read_steward(&p, e[STEWARD], e[STEWARD_CA]) ||
        !config_read_list(&p, e[ARGS], CONFIG_ARGS_MAX, NULL, &c.args, &c.arg_count) ||
        !read_env(&p, e[ENV]) || !read_limits(&p, e[LIMITS]) || !read_trust(&p, e[TRUST]) ||
        !read_stdio(&p, e) || !config_read_files(&p, e[FILES]) ||
        !config_read_network(&p, e[NETWORK]))
        return false;
    *out = c;
    return true;
}
