/* Keys and values of a configuration, with messages that say what is wrong and what would be right.
 */
#include "package/config_parser.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

bool config_fail(struct config_parser *p, uint32_t at, const char *format, ...)
{
    va_list args;

    toml_position(p->text, at, &p->error->line, &p->error->column);
    va_start(args, format);
    (void)vsnprintf(p->error->text, sizeof p->error->text, format, args);
    va_end(args);
    return false;
}

bool config_no_memory(struct config_parser *p, uint32_t at)
{
    return config_fail(p, at, "no memory for the configuration");
}

uint32_t config_line(struct config_parser *p, uint32_t at)
{
    if (at < p->line_at || p->line == 0) {
        p->line = 1;
        p->line_at = 0;
    }
    for (; p->line_at < at; p->line_at++)
        p->line += p->text.data[p->line_at] == '\n';
    return p->line;
}

/* "a, b, c", cut to size. */
static const char *join(const char *const *words, size_t count, char *text, size_t size)
{
    struct writer w = writer_fixed(text, size - 1);

    for (size_t i = 0; i < count; i++)
        writer_format(&w, "%s%s", i == 0 ? "" : ", ", words[i]);
    text[w.size] = '\0';
    return text;
}

static bool unknown_key(struct config_parser *p, const struct toml_entry *e, const char *where,
                        const char *const *names, size_t count)
{
    const char *near = nearest_word((const char *)e->key, e->key_size, names, count);
    struct toml_text shown = toml_show_text(toml_key(e));
    char list[100];

    if (near != NULL)
        return config_fail(p, e->key_at, "unknown key %s%s; did you mean '%s'?", shown.text, where,
                           near);
    return config_fail(p, e->key_at, "unknown key %s%s; the keys are %s", shown.text, where,
                       join(names, count, list, sizeof list));
}

bool config_take_keys(struct config_parser *p, const struct toml_value *table, const char *where,
                      const char *const *names, size_t count, const struct toml_entry **found)
{
    if (table->type != TOML_TABLE)
        return config_fail(p, table->at, "a table is expected%s, not %s", where,
                           toml_type_name(table));
    memset(found, 0, count * sizeof(struct toml_entry *));
    for (const struct toml_entry *e = toml_entries(table); e != NULL; e = e->next) {
        size_t i = 0;
        while (i < count && !bytes_is(toml_key(e), names[i]))
            i++;
        if (i == count)
            return unknown_key(p, e, where, names, count);
        found[i] = e;
    }
    return true;
}

bool config_expect(struct config_parser *p, const struct toml_entry *e, enum toml_type type,
                   const char *type_name)
{
    if (e->value.type == type)
        return true;
    return config_fail(p, e->value.at, "%s must be %s, not %s", toml_show_text(toml_key(e)).text,
                       type_name, toml_type_name(&e->value));
}

static bool has_nul(struct bytes text)
{
    return text.size != 0 && memchr(text.data, '\0', text.size) != NULL;
}

bool config_read_text(struct config_parser *p, const struct toml_entry *e, struct bytes *out)
{
    if (e == NULL)
        return true;
    if (!config_expect(p, e, TOML_STRING, "a string"))
        return false;
    if (has_nul(toml_string(&e->value)))
        return config_fail(p, e->value.at, "%s contains the character U+0000",
                           toml_show_text(toml_key(e)).text);
    *out = toml_string(&e->value);
    return true;
}

bool config_read_flag(struct config_parser *p, const struct toml_entry *e, bool *out)
{
    if (e == NULL)
        return true;
    if (!config_expect(p, e, TOML_BOOLEAN, "true or false"))
        return false;
    *out = e->value.of.boolean;
    return true;
}

bool config_read_number(struct config_parser *p, const struct toml_entry *e, uint64_t least,
                        uint64_t most, uint64_t *out)
{
    if (e == NULL)
        return true;
    if (!config_expect(p, e, TOML_INTEGER, "an integer"))
        return false;
    int64_t value = e->value.of.integer;
    if (value < 0 || (uint64_t)value < least || (uint64_t)value > most)
        return config_fail(p, e->value.at, "%s is %lld; it goes from %llu to %llu",
                           toml_show_text(toml_key(e)).text, (long long)value,
                           (unsigned long long)least, (unsigned long long)most);
    *out = (uint64_t)value;
    return true;
}

bool config_read_word(struct config_parser *p, const struct toml_entry *e, const char *const *words,
                      size_t count, unsigned *out)
{
    char list[80];

    if (e == NULL)
        return true;
    if (!config_expect(p, e, TOML_STRING, "a string"))
        return false;
    struct bytes word = toml_string(&e->value);
    for (unsigned i = 0; i < count; i++) {
        if (bytes_is(word, words[i])) {
            *out = i;
            return true;
        }
    }
    const char *near = nearest_word((const char *)word.data, word.size, words, count);
    return config_fail(p, e->value.at, "%s is %s; it may be %s%s%s%s",
                       toml_show_text(toml_key(e)).text, toml_show_text(word).text,
                       join(words, count, list, sizeof list), near != NULL ? "; did you mean " : "",
                       near != NULL ? near : "", near != NULL ? "?" : "");
}

/* The names of a tree's entries are Enarx's; parts that mean a folder itself or its parent are not
 * for a file of the package. */
const char *config_check_file_name(struct bytes name)
{
    size_t part = 0;

    for (size_t i = 0; i <= name.size; i++) {
        if (i == name.size || name.data[i] == '/') {
            struct bytes last = bytes_from(name.data + i - part, part);
            if (part == 0 || bytes_is(last, ".") || bytes_is(last, ".."))
                return "is no path to a file of the package";
            part = 0;
            continue;
        }
        uint8_t c = name.data[i];
        bool is_alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alphanumeric && (c == '\0' || strchr("_.:-", c) == NULL))
            return "is no path to a file of the package: letters, digits and _.:- name one";
        part++;
    }
    return NULL;
}

bool config_read_file_name(struct config_parser *p, const struct toml_entry *e, struct bytes *out)
{
    struct bytes name = {.size = 0};

    if (e == NULL)
        return true;
    if (!config_read_text(p, e, &name))
        return false;
    const char *wrong = config_check_file_name(name);
    if (wrong != NULL)
        return config_fail(p, e->value.at, "%s %s", toml_show_text(name).text, wrong);
    *out = name;
    return true;
}

bool config_read_list(struct config_parser *p, const struct toml_entry *e, size_t most,
                      config_item_check *check, const struct bytes **items, size_t *count)
{
    if (e == NULL)
        return true;
    if (!config_expect(p, e, TOML_ARRAY, "an array of strings"))
        return false;
    size_t n = toml_count(&e->value), at = 0;
    if (n > most)
        return config_fail(p, e->value.at, "%s has %zu items, more than %zu",
                           toml_show_text(toml_key(e)).text, n, most);
    struct bytes *list = ARENA_ARRAY(p->arena, struct bytes, n);
    if (list == NULL)
        return config_no_memory(p, e->value.at);
    struct toml_walk walk = toml_items(&e->value);
    for (const struct toml_value *item; (item = toml_next(&walk)) != NULL; at++) {
        if (item->type != TOML_STRING)
            return config_fail(p, item->at, "an item of %s must be a string, not %s",
                               toml_show_text(toml_key(e)).text, toml_type_name(item));
        list[at] = toml_string(item);
        const char *wrong = has_nul(list[at]) ? "contains the character U+0000"
                            : check != NULL   ? check(list[at])
                                              : NULL;
        if (wrong != NULL)
            return config_fail(p, item->at, "%s %s", toml_show_text(list[at]).text, wrong);
    }
    assert(at == n);
    *items = list;
    *count = n;
    return true;
}
