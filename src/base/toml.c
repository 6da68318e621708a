/* TOML's structure: tables, keys, arrays: toml.io/en/v1.0.0. Input is untrusted. */
#include "base/toml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/toml_internal.h"
#include "base/utf8.h"
#include "base/banned.h"

bool toml_fail(struct toml_parser *p, size_t at, const char *format, ...)
{
    va_list args;

    toml_position(p->text, at, &p->error->line, &p->error->column);
    va_start(args, format);
    (void)vsnprintf(p->error->text, sizeof p->error->text, format, args);
    va_end(args);
    return false;
}

bool toml_no_memory(struct toml_parser *p)
{
    return toml_fail(p, p->at, "no memory for the file's contents");
}

struct toml_shown toml_show(const struct toml_parser *p, size_t at)
{
    struct toml_shown shown;
    const char *word = NULL;
    uint8_t c = at < p->text.size ? p->text.data[at] : 0;

    if (at >= p->text.size)
        word = "end of file";
    else if (c == '\n' || (c == '\r' && at + 1 < p->text.size && p->text.data[at + 1] == '\n'))
        word = "end of line";
    if (word != NULL)
        (void)snprintf(shown.text, sizeof shown.text, "%s", word);
    else if (c > 0x20 && c < 0x7f)
        (void)snprintf(shown.text, sizeof shown.text, "'%c'", c);
    else
        (void)snprintf(shown.text, sizeof shown.text, c == ' ' ? "a space" : "byte 0x%02x", c);
    return shown;
}

struct toml_text toml_show_text(struct bytes text)
{
    struct toml_text shown;
    size_t size = text.size < 40 ? text.size : 40;
    size_t at = 1;

    shown.text[0] = '\'';
    for (size_t i = 0; i < size; i++, at++) {
        uint8_t c = text.data[i];
        /* U+0080 to U+009F are control characters too, and command some terminals */
        bool is_c1 = c == 0xc2 && i + 1 < text.size && text.data[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || is_c1)
            c = '.';
        shown.text[at] = (char)c;
        i += is_c1;
    }
    if (size < text.size) { /* cut between characters */
        at = 1 + utf8_valid_prefix(bytes_from(shown.text + 1, at - 1));
        memcpy(shown.text + at, "…", sizeof "…" - 1);
        at += sizeof "…" - 1;
    }
    shown.text[at++] = '\'';
    shown.text[at] = '\0';
    return shown;
}

const char *toml_type_name(const struct toml_value *v)
{
    static const char *const names[] = {
        [TOML_STRING] = "a string",
        [TOML_INTEGER] = "an integer",
        [TOML_FLOAT] = "a float",
        [TOML_BOOLEAN] = "a boolean",
        [TOML_OFFSET_DATETIME] = "an offset date-time",
        [TOML_LOCAL_DATETIME] = "a local date-time",
        [TOML_LOCAL_DATE] = "a local date",
        [TOML_LOCAL_TIME] = "a local time",
        [TOML_ARRAY] = "an array",
        [TOML_TABLE] = "a table",
    };
    _Static_assert(COUNT_OF(names) == TOML_TABLE + 1, "every type has a name");

    return names[v->type];
}

static uint32_t line_of(const struct toml_parser *p, size_t at)
{
    uint32_t line, column;

    toml_position(p->text, at, &line, &column);
    return line;
}

static void skip_blanks(struct toml_parser *p)
{
    while (toml_peek(p) == ' ' || toml_peek(p) == '\t')
        p->at++;
}

/* A comment up to the end of its line. */
static bool skip_comment(struct toml_parser *p)
{
    if (toml_peek(p) != '#')
        return true;
    while (p->at < p->text.size) {
        uint8_t c = p->text.data[p->at];
        if (c == '\n' || (c == '\r' && toml_peek_at(p, 1) == '\n'))
            return true;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return toml_fail(p, p->at, "control character in a comment: %s",
                             toml_show(p, p->at).text);
        p->at++;
    }
    return true;
}

/* One line end; false when there is none. */
static bool take_line_end(struct toml_parser *p)
{
    if (toml_peek(p) == '\r' && toml_peek_at(p, 1) == '\n')
        p->at++;
    if (toml_peek(p) != '\n')
        return false;
    p->at++;
    return true;
}

/* Blanks, comments and line ends, as they may stand between the items of an array. */
static bool skip_all(struct toml_parser *p)
{
    do {
        skip_blanks(p);
        if (!skip_comment(p))
            return false;
    } while (take_line_end(p));
    return true;
}

static bool is_bare_key_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool parse_simple_key(struct toml_parser *p, struct bytes *key)
{
    size_t start = p->at;

    if (toml_peek(p) == '"' || toml_peek(p) == '\'')
        return toml_parse_string(p, false, key);
    while (is_bare_key_character(toml_peek(p)))
        p->at++;
    *key = bytes_from(p->text.data + start, p->at - start);
    if (key->size == 0)
        return toml_fail(p, start, "expected a key, found %s", toml_show(p, start).text);
    return true;
}

static bool defined_before(struct toml_parser *p, const struct toml_entry *e, size_t at)
{
    return toml_fail(p, at, "key %s is defined twice; first on line %u",
                     toml_show_text(toml_key(e)).text, line_of(p, e->key_at));
}

static struct toml_table *new_table(struct toml_parser *p, struct toml_value *value, size_t at,
                                    enum toml_table_origin origin)
{
    struct toml_table *t = ARENA_NEW(p->arena, struct toml_table);

    if (t == NULL) {
        (void)toml_no_memory(p);
        return NULL;
    }
    t->origin = origin;
    value->type = TOML_TABLE;
    value->at = (uint32_t)at;
    value->of.table = t;
    return t;
}

/* The value of a new key; NULL without memory. */
static struct toml_value *add_key(struct toml_parser *p, struct toml_table *t, struct bytes key,
                                  size_t at)
{
    struct toml_entry *e = toml_insert(t, key, (uint32_t)at, p->arena);

    if (e == NULL) {
        (void)toml_no_memory(p);
        return NULL;
    }
    e->value.at = (uint32_t)at;
    return &e->value;
}

/* As add_key, for a key whose value is a new table; NULL without memory. */
static struct toml_table *add_table(struct toml_parser *p, struct toml_table *t, struct bytes key,
                                    size_t at, enum toml_table_origin origin)
{
    struct toml_value *value = add_key(p, t, key, at);
    return value != NULL ? new_table(p, value, at, origin) : NULL;
}

static bool parse_value(struct toml_parser *p, struct toml_value *out);

/* A further part of a dotted key: the place is at what follows a part. */
static bool take_dot(struct toml_parser *p, unsigned *parts, bool *more)
{
    skip_blanks(p);
    *more = toml_peek(p) == '.';
    if (!*more)
        return true;
    if (++*parts > TOML_DEPTH_MAX)
        return toml_fail(p, p->at, "a key has at most %d parts", TOML_DEPTH_MAX);
    p->at++;
    skip_blanks(p);
    return true;
}

/* The table that a part of a dotted key before the last names in *t: made, or extended when the
 * same section made it, or when only headers passed through it. */
static bool step_dotted(struct toml_parser *p, struct toml_table **t, struct bytes key, size_t at)
{
    struct toml_entry *e = toml_find(*t, key);

    if (e == NULL) {
        *t = add_table(p, *t, key, at, TOML_DOTTED);
        if (*t != NULL)
            (*t)->section = p->section;
        return *t != NULL;
    }
    if (e->value.type != TOML_TABLE)
        return toml_fail(p, at, "key %s is %s since line %u, so it has no keys of its own",
                         toml_show_text(key).text, toml_type_name(&e->value),
                         line_of(p, e->key_at));
    struct toml_table *found = e->value.of.table;
    if (found->origin == TOML_EXPLICIT || found->origin == TOML_INLINE ||
        (found->origin == TOML_DOTTED && found->section != p->section))
        return toml_fail(p, at, "table %s was complete on line %u and cannot be extended here",
                         toml_show_text(key).text, line_of(p, e->value.at));
    found->origin = TOML_DOTTED;
    found->section = p->section;
    *t = found;
    return true;
}

/* key = value, in table t. */
static bool parse_key_value(struct toml_parser *p, struct toml_table *t)
{
    unsigned parts = 1;

    for (;;) {
        struct bytes key;
        size_t at = p->at;
        bool more;
        if (!parse_simple_key(p, &key) || !take_dot(p, &parts, &more))
            return false;
        if (more) {
            if (!step_dotted(p, &t, key, at))
                return false;
            continue;
        }
        if (toml_peek(p) != '=')
            return toml_fail(p, p->at, "expected '=' after the key, found %s",
                             toml_show(p, p->at).text);
        p->at++;
        const struct toml_entry *before = toml_find(t, key);
        if (before != NULL)
            return defined_before(p, before, at);
        skip_blanks(p);
        struct toml_value *value = add_key(p, t, key, at);
        return value != NULL && parse_value(p, value);
    }
}

static bool enter(struct toml_parser *p)
{
    if (p->depth == TOML_DEPTH_MAX)
        return toml_fail(p, p->at, "arrays and tables lie in each other more than %d deep",
                         TOML_DEPTH_MAX);
    p->depth++;
    return true;
}

static bool parse_array(struct toml_parser *p, struct toml_value *out)
{
    size_t opening = p->at;
    struct toml_array *array = ARENA_NEW(p->arena, struct toml_array);

    if (array == NULL)
        return toml_no_memory(p);
    if (!enter(p))
        return false;
    out->type = TOML_ARRAY;
    out->of.array = array;
    p->at++;
    for (;;) {
        if (!skip_all(p))
            return false;
        if (toml_peek(p) == ']')
            break;
        if (p->at == p->text.size)
            return toml_fail(p, opening, "the array is not closed before the end of the file");
        struct toml_value *item = toml_append(array, p->arena);
        if (item == NULL)
            return toml_no_memory(p);
        if (!parse_value(p, item) || !skip_all(p))
            return false;
        if (toml_peek(p) == ',')
            p->at++;
        else if (toml_peek(p) != ']')
            return toml_fail(p, p->at, "expected ',' or ']' in the array, found %s",
                             toml_show(p, p->at).text);
    }
    p->at++;
    p->depth--;
    return true;
}

static bool parse_inline_table(struct toml_parser *p, struct toml_value *out)
{
    struct toml_table *t = new_table(p, out, p->at, TOML_INLINE);
    uint32_t section = p->section;

    if (t == NULL || !enter(p))
        return false;
    p->section = ++p->section_last; /* what dotted keys make in here is closed with it */
    p->at++;
    skip_blanks(p);
    if (toml_peek(p) != '}') {
        for (;;) {
            if (!parse_key_value(p, t))
                return false;
            skip_blanks(p);
            if (toml_peek(p) != ',')
                break;
            p->at++;
            skip_blanks(p);
            if (toml_peek(p) == '}')
                return toml_fail(p, p->at, "no ',' after the last key of an inline table");
        }
        if (toml_peek(p) != '}')
            return toml_fail(p, p->at, "expected ',' or '}' in the inline table, found %s",
                             toml_show(p, p->at).text);
    }
    p->at++;
    p->depth--;
    p->section = section;
    return true;
}

static bool take_word(struct toml_parser *p, const char *word)
{
    struct bytes rest = bytes_after(p->text, p->at);
    size_t size = strlen(word);

    if (!bytes_starts_with(rest, bytes_of(word)) ||
        (rest.size > size && is_bare_key_character(rest.data[size])))
        return false;
    p->at += size;
    return true;
}

static bool parse_value(struct toml_parser *p, struct toml_value *out)
{
    struct bytes text;

    out->at = (uint32_t)p->at;
    switch (toml_peek(p)) {
    case '"':
    case '\'':
        if (!toml_parse_string(p, true, &text))
            return false;
        out->type = TOML_STRING;
        out->size = (uint32_t)text.size & 0x0fffffff; /* at most TOML_SIZE_MAX */
        out->of.string = text.data;
        return true;
    case '[':
        return parse_array(p, out);
    case '{':
        return parse_inline_table(p, out);
    case 't':
    case 'f':
        out->of.boolean = toml_peek(p) == 't';
        if (!take_word(p, out->of.boolean ? "true" : "false"))
            return toml_fail(p, p->at, "expected a value; true and false are the words with '%c'",
                             toml_peek(p));
        out->type = TOML_BOOLEAN;
        return true;
    default:
        return toml_parse_number(p, out);
    }
}

/* The table that a part of a header before the last names in *t: made, or passed through. */
static bool step_header(struct toml_parser *p, struct toml_table **t, struct bytes key, size_t at)
{
    struct toml_entry *e = toml_find(*t, key);

    if (e == NULL) {
        *t = add_table(p, *t, key, at, TOML_IMPLICIT);
        return *t != NULL;
    }
    struct toml_value *value = &e->value;
    if (value->type == TOML_ARRAY && value->of.array->of_tables) {
        struct toml_chunk *last = value->of.array->last;
        value = &last->values[last->count - 1];
    }
    if (value->type != TOML_TABLE)
        return toml_fail(p, at, "key %s is %s since line %u, so it has no tables of its own",
                         toml_show_text(key).text, toml_type_name(value), line_of(p, e->key_at));
    if (value->of.table->origin == TOML_INLINE)
        return toml_fail(p, at, "inline table %s was complete on line %u and cannot be extended",
                         toml_show_text(key).text, line_of(p, value->at));
    *t = value->of.table;
    return true;
}

/* [key]: the last part of the header. */
static bool open_table(struct toml_parser *p, struct toml_table **t, struct bytes key, size_t at)
{
    struct toml_entry *e = toml_find(*t, key);

    if (e == NULL) {
        *t = add_table(p, *t, key, at, TOML_EXPLICIT);
        return *t != NULL;
    }
    if (e->value.type != TOML_TABLE || e->value.of.table->origin != TOML_IMPLICIT)
        return defined_before(p, e, at);
    *t = e->value.of.table;
    (*t)->origin = TOML_EXPLICIT;
    e->value.at = (uint32_t)at;
    return true;
}

/* [[key]]: a further table in an array. */
static bool open_item(struct toml_parser *p, struct toml_table **t, struct bytes key, size_t at)
{
    struct toml_entry *e = toml_find(*t, key);
    struct toml_value *value = e != NULL ? &e->value : add_key(p, *t, key, at);

    if (value == NULL)
        return false;
    if (e == NULL) {
        value->type = TOML_ARRAY;
        value->of.array = ARENA_NEW(p->arena, struct toml_array);
        if (value->of.array == NULL)
            return toml_no_memory(p);
        value->of.array->of_tables = true;
    } else if (value->type != TOML_ARRAY || !value->of.array->of_tables) {
        return toml_fail(p, at, "key %s is %s since line %u, not an array of [[tables]]",
                         toml_show_text(key).text, toml_type_name(value), line_of(p, e->key_at));
    }
    struct toml_value *item = toml_append(value->of.array, p->arena);
    if (item == NULL)
        return toml_no_memory(p);
    *t = new_table(p, item, at, TOML_EXPLICIT);
    return *t != NULL;
}

/* [a.b] or [[a.b]]: *current becomes the table that is meant. */
static bool parse_header(struct toml_parser *p, struct toml_table *root,
                         struct toml_table **current)
{
    bool is_array = toml_peek_at(p, 1) == '[';
    struct toml_table *t = root;
    unsigned parts = 1;
    bool more;

    p->section = ++p->section_last;
    p->at += is_array ? 2 : 1;
    skip_blanks(p);
    do {
        struct bytes key;
        size_t at = p->at;
        if (!parse_simple_key(p, &key) || !take_dot(p, &parts, &more))
            return false;
        if (!more && toml_peek(p) != ']')
            return toml_fail(p, p->at, "expected ']' after the table's name, found %s",
                             toml_show(p, p->at).text);
        bool ok = more       ? step_header(p, &t, key, at)
                  : is_array ? open_item(p, &t, key, at)
                             : open_table(p, &t, key, at);
        if (!ok)
            return false;
    } while (more);
    p->at++;
    if (is_array && toml_peek(p) != ']')
        return toml_fail(p, p->at, "expected ']]' after the name of an array of tables, found %s",
                         toml_show(p, p->at).text);
    p->at += is_array;
    *current = t;
    return true;
}

/* An expression, and the end of its line. */
static bool parse_line(struct toml_parser *p, struct toml_table *root, struct toml_table **current)
{
    uint8_t c = toml_peek(p);

    if (c == '[') {
        if (!parse_header(p, root, current))
            return false;
    } else if (p->at < p->text.size && c != '#' && c != '\n' && c != '\r') {
        if (!parse_key_value(p, *current))
            return false;
    }
    skip_blanks(p);
    if (!skip_comment(p))
        return false;
    if (!take_line_end(p) && p->at != p->text.size)
        return toml_fail(p, p->at, "expected the end of the line, found %s",
                         toml_show(p, p->at).text);
    return true;
}

bool toml_parse(struct bytes text, struct arena *arena, const struct toml_value **root,
                struct text_error *error)
{
    struct toml_parser p = {.text = text, .arena = arena, .error = error};
    struct toml_table *current;

    if (text.size > TOML_SIZE_MAX)
        return text_error_set(error, 1, 1, "the file is larger than %u bytes", TOML_SIZE_MAX);
    size_t valid = utf8_valid_prefix(text);
    if (valid != text.size)
        return toml_fail(&p, valid, "the text is not UTF-8: byte 0x%02x", text.data[valid]);
    if (bytes_starts_with(text, bytes_of("\xef\xbb\xbf"))) /* a byte order mark is ignored */
        p.at = 3;
    struct toml_value *value = ARENA_NEW(arena, struct toml_value);
    if (value == NULL)
        return toml_no_memory(&p);
    struct toml_table *top = current = new_table(&p, value, 0, TOML_EXPLICIT);
    if (top == NULL)
        return false;
    while (p.at < text.size) {
        skip_blanks(&p);
        if (!parse_line(&p, top, &current))
            return false;
    }
    *root = value;
    return true;
}
