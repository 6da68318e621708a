/* [[files]]: descriptors that are open when the workload starts, as in Enarx. */
#include "package/config_parser.h"

#include "base/banned.h"

enum { KIND, NAME, PROT, PORT, PEERS, HOST, ANONYMOUS, SERVER, KEY_COUNT };

static const char *const kinds[] = {
    [CONFIG_FILE_NULL] = "null",     [CONFIG_FILE_STDIN] = "stdin",
    [CONFIG_FILE_STDOUT] = "stdout", [CONFIG_FILE_STDERR] = "stderr",
    [CONFIG_FILE_LISTEN] = "listen", [CONFIG_FILE_CONNECT] = "connect",
};

/* Takes the keys that an entry of the kind has; e[] in the order above. */
static bool take_keys(struct config_parser *p, const struct toml_value *item,
                      enum config_file_kind kind, const struct toml_entry *e[KEY_COUNT])
{
    static const char *const plain[] = {"kind", "name"};
    static const char *const listen[] = {"kind",  "name", "prot",     "port",
                                         "peers", "addr", "anonymous"};
    static const char *const connect[] = {"kind",  "name", "prot",  "port",
                                          "peers", "host", "server"};
    const struct toml_entry *found[COUNT_OF(listen)];
    char where[60];

    memset(e, 0, KEY_COUNT * sizeof(struct toml_entry *));
    memset(found, 0, sizeof found);
    (void)snprintf(where, sizeof where, " in a [[files]] entry of kind %s", kinds[kind]);
    bool is_network = kind == CONFIG_FILE_LISTEN || kind == CONFIG_FILE_CONNECT;
    const char *const *names = kind == CONFIG_FILE_LISTEN    ? listen
                               : kind == CONFIG_FILE_CONNECT ? connect
                                                             : plain;
    if (!config_take_keys(p, item, where, names, is_network ? COUNT_OF(listen) : COUNT_OF(plain),
                          found))
        return false;
    for (size_t i = KIND; i <= HOST; i++)
        e[i] = found[i];
    e[kind == CONFIG_FILE_LISTEN ? ANONYMOUS : SERVER] = found[HOST + 1];
    return true;
}

static bool read_kind(struct config_parser *p, const struct toml_value *item,
                      enum config_file_kind *out)
{
    static const char *const names[] = {"kind", "name",  "prot",      "port",  "addr",
                                        "host", "peers", "anonymous", "server"};
    const struct toml_entry *e[COUNT_OF(names)];
    unsigned kind = 0;

    if (!config_take_keys(p, item, " in a [[files]] entry", names, COUNT_OF(names), e))
        return false;
    if (e[KIND] == NULL)
        return config_fail(p, item->at, "a [[files]] entry needs 'kind'");
    if (!config_read_word(p, e[KIND], kinds, COUNT_OF(kinds), &kind))
        return false;
    *out = (enum config_file_kind)kind;
    return true;
}

/* Whom to connect to, or the address to bind. */
static bool read_host(struct config_parser *p, const struct toml_value *item,
                      const struct toml_entry *e, struct config_file *file)
{
    struct bytes text = bytes_of("::");

    if (e == NULL && file->kind == CONFIG_FILE_CONNECT)
        return config_fail(p, item->at, "a connect entry needs 'host'");
    if (!config_read_text(p, e, &text))
        return false;
    if (!config_address_canonical(text, p->arena, &file->host))
        return e == NULL ? config_no_memory(p, item->at)
                         : config_fail(p, e->value.at, "%s is no host name or address",
                                       toml_show_text(text).text);
    if (file->kind == CONFIG_FILE_LISTEN && file->host.data[0] == '[') /* as bind takes it */
        file->host = bytes_from(file->host.data + 1, file->host.size - 2);
    return true;
}

static bool read_socket(struct config_parser *p, const struct toml_value *item,
                        const struct toml_entry *const e[KEY_COUNT], struct config_file *file)
{
    bool is_incoming = file->kind == CONFIG_FILE_LISTEN;
    const struct config_rule_keys keys = {
        .protocol = e[PROT], .peers = e[PEERS], .anonymous = e[ANONYMOUS], .server = e[SERVER]};

    if (is_incoming && e[NAME] == NULL)
        return config_fail(p, item->at, "a listen entry needs 'name'");
    if (!read_host(p, item, e[HOST], file) ||
        !config_read_rule(p, item->at, is_incoming, CONFIG_SILENT_IS_OPEN, &keys, &file->rule))
        return false;
    uint64_t port = file->rule.protocol == CONFIG_TLS ? 443 : 80;
    if (!config_read_number(p, e[PORT], is_incoming ? 0 : 1, UINT16_MAX, &port))
        return false;
    file->port = (uint16_t)port;
    return true;
}

static bool read_file(struct config_parser *p, const struct toml_value *item,
                      struct config_file *file)
{
    const struct toml_entry *e[KEY_COUNT];

    file->line = config_line(p, item->at);
    if (!read_kind(p, item, &file->kind) || !take_keys(p, item, file->kind, e))
        return false;
    if ((file->kind == CONFIG_FILE_LISTEN || file->kind == CONFIG_FILE_CONNECT) &&
        !read_socket(p, item, e, file))
        return false;
    file->name = file->kind == CONFIG_FILE_CONNECT ? file->host : bytes_of(kinds[file->kind]);
    if (!config_read_text(p, e[NAME], &file->name))
        return false;
    uint32_t at = e[NAME] != NULL ? e[NAME]->value.at : item->at;
    if (file->name.size == 0)
        return config_fail(p, at, "'name' is empty");
    /* FD_NAMES joins the names with ':' */
    if (memchr(file->name.data, ':', file->name.size) != NULL)
        return config_fail(p, at, "'name' must not contain ':'%s",
                           e[NAME] == NULL ? "; the address does, so give a name" : "");
    return true;
}

bool config_read_files(struct config_parser *p, const struct toml_entry *files)
{
    size_t at = 0;

    if (files == NULL)
        return true;
    if (!config_expect(p, files, TOML_ARRAY, "an array of tables, [[files]]"))
        return false;
    size_t count = toml_count(&files->value);
    if (count > CONFIG_FILES_MAX)
        return config_fail(p, files->key_at, "[[files]] has %zu entries, more than %d", count,
                           CONFIG_FILES_MAX);
    struct config_file *list = ARENA_ARRAY(p->arena, struct config_file, count);
    if (list == NULL)
        return config_no_memory(p, files->key_at);
    struct toml_walk walk = toml_items(&files->value);
    for (const struct toml_value *item; (item = toml_next(&walk)) != NULL; at++) {
        if (!read_file(p, item, &list[at]))
            return false;
    }
    p->config->has_files = true;
    p->config->files = list;
    p->config->file_count = count;
    return true;
}
