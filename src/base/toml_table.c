#include "base/toml_table.h"

#include <stdarg.h>
#include <stdio.h>

#define NAMES_MAX 64

bool toml_form_fail(const struct toml_form *form, size_t at, const char *format, ...)
{
    char text[sizeof form->error->text];
    uint32_t line, column;
    va_list args;

    toml_position(form->text, at, &line, &column);
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return text_error_set(form->error, line, column, "%s", text);
}

bool toml_form_fail_type(const struct toml_form *form, const struct toml_value *value,
                         const char *wanted)
{
    return toml_form_fail(form, value->at, "expected %s, found %s", wanted, toml_type_name(value));
}

static bool fail_key(const struct toml_form *form, const struct toml_entry *entry,
                     const struct toml_field *fields, size_t count, const char *const *others)
{
    const char *names[NAMES_MAX];
    struct bytes key = toml_key(entry);
    size_t n = 0;

    for (size_t i = 0; i < count && n < NAMES_MAX; i++)
        names[n++] = fields[i].name;
    for (size_t i = 0; others != NULL && others[i] != NULL && n < NAMES_MAX; i++)
        names[n++] = others[i];
    const char *near = nearest_word((const char *)key.data, key.size, names, n);
    return toml_form_fail(form, entry->key_at, "unknown key %s%s%s%s", toml_show_text(key).text,
                          near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                          near != NULL ? "'?" : "");
}

static bool is_other(struct bytes key, const char *const *others)
{
    size_t i = 0;

    while (others != NULL && others[i] != NULL && !bytes_is(key, others[i]))
        i++;
    return others != NULL && others[i] != NULL;
}

bool toml_read_fields(const struct toml_form *form, const struct toml_value *table,
                      const struct toml_field *fields, size_t count, const char *const *others,
                      void *out)
{
    if (table->type != TOML_TABLE)
        return toml_form_fail_type(form, table, "a table");
    for (const struct toml_entry *e = toml_entries(table); e != NULL; e = e->next) {
        size_t i = 0;
        while (i < count && !bytes_is(toml_key(e), fields[i].name))
            i++;
        if (i == count && is_other(toml_key(e), others))
            continue;
        if (i == count)
            return fail_key(form, e, fields, count, others);
        if (!fields[i].read(form, &e->value, (uint8_t *)out + fields[i].offset, fields[i].param))
            return false;
    }
    return true;
}

bool toml_read_bool(const struct toml_form *form, const struct toml_value *value, void *field,
                    uint64_t param)
{
    (void)param;
    if (value->type != TOML_BOOLEAN)
        return toml_form_fail_type(form, value, "true or false");
    *(bool *)field = value->of.boolean;
    return true;
}

bool toml_read_u64(const struct toml_form *form, const struct toml_value *value, void *field,
                   uint64_t param)
{
    if (value->type != TOML_INTEGER)
        return toml_form_fail_type(form, value, "a whole number");
    if (value->of.integer < 0 || (uint64_t)value->of.integer > param)
        return toml_form_fail(form, value->at, "the number must be 0 to %llu",
                              (unsigned long long)param);
    *(uint64_t *)field = (uint64_t)value->of.integer;
    return true;
}

bool toml_read_u32(const struct toml_form *form, const struct toml_value *value, void *field,
                   uint64_t param)
{
    uint64_t number = 0;

    if (!toml_read_u64(form, value, &number, param < UINT32_MAX ? param : UINT32_MAX))
        return false;
    *(uint32_t *)field = (uint32_t)number;
    return true;
}

bool toml_read_text(const struct toml_form *form, const struct toml_value *value, void *field,
                    uint64_t param)
{
    struct bytes text = toml_string(value);

    (void)param;
    if (value->type != TOML_STRING)
        return toml_form_fail_type(form, value, "a string");
    if (text.size == 0)
        return toml_form_fail(form, value->at, "the text is empty");
    *(struct bytes *)field = text;
    return true;
}

bool toml_read_texts(const struct toml_form *form, const struct toml_value *value, void *field,
                     uint64_t param)
{
    struct toml_walk walk;
    const struct toml_value *item;
    size_t count = 0;

    if (value->type != TOML_ARRAY)
        return toml_form_fail_type(form, value, "an array");
    if (toml_count(value) > param)
        return toml_form_fail(form, value->at, "more than %llu items", (unsigned long long)param);
    struct bytes *items = ARENA_ARRAY(form->arena, struct bytes, toml_count(value));
    if (items == NULL)
        return toml_form_fail(form, value->at, "no memory");
    walk = toml_items(value);
    while ((item = toml_next(&walk)) != NULL) {
        if (!toml_read_text(form, item, &items[count++], 0))
            return false;
    }
    *(struct toml_texts *)field = (struct toml_texts){.items = items, .count = count};
    return true;
}
