/* A refusal has a place and a reason. What is accepted is written in a plain form of TOML, which
 * must be accepted too and give the same tree. */
#include <assert.h>
#include <math.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_string(struct writer *w, struct bytes text)
{
    writer_u8(w, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            writer_format(w, "\\u%04X", c);
        else
            writer_u8(w, c);
    }
    writer_u8(w, '"');
}

static void write_datetime(struct writer *w, const struct toml_value *v)
{
    const struct toml_datetime *d = v->of.datetime;

    if (v->type != TOML_LOCAL_TIME)
        writer_format(w, "%04u-%02u-%02u", d->year, d->month, d->day);
    if (v->type == TOML_LOCAL_DATETIME || v->type == TOML_OFFSET_DATETIME)
        writer_u8(w, ' ');
    if (v->type != TOML_LOCAL_DATE)
        writer_format(w, "%02u:%02u:%02u.%09u", d->hour, d->minute, d->second, d->nanosecond);
    if (v->type == TOML_OFFSET_DATETIME) {
        unsigned minutes =
            (unsigned)(d->offset_minutes < 0 ? -d->offset_minutes : d->offset_minutes);
        writer_format(w, "%c%02u:%02u", d->offset_minutes < 0 ? '-' : '+', minutes / 60,
                      minutes % 60);
    }
}

/* Any value on one line, tables as inline tables; deeper than the parser allows never comes. */
static void write_value(struct writer *w, const struct toml_value *v) // NOLINT(misc-no-recursion)
{
    size_t count = 0;

    switch ((enum toml_type)v->type) {
    case TOML_STRING:
        assert(utf8_is_valid(toml_string(v)));
        write_string(w, toml_string(v));
        break;
    case TOML_INTEGER:
        writer_format(w, "%lld", (long long)v->of.integer);
        break;
    case TOML_FLOAT:
        if (isnan(v->of.floating))
            writer_text(w, "nan");
        else if (isinf(v->of.floating))
            writer_text(w, v->of.floating < 0 ? "-inf" : "inf");
        else
            writer_format(w, "%.17e", v->of.floating);
        break;
    case TOML_BOOLEAN:
        writer_text(w, v->of.boolean ? "true" : "false");
        break;
    case TOML_ARRAY:
        writer_u8(w, '[');
        struct toml_walk walk = toml_items(v);
        for (const struct toml_value *item; (item = toml_next(&walk)) != NULL; count++) {
            if (count != 0)
                writer_u8(w, ',');
            write_value(w, item);
        }
        assert(count == toml_count(v));
        writer_u8(w, ']');
        break;
    case TOML_TABLE:
        writer_u8(w, '{');
        for (const struct toml_entry *e = toml_entries(v); e != NULL; e = e->next, count++) {
            if (count != 0)
                writer_u8(w, ',');
            write_string(w, toml_key(e));
            writer_u8(w, '=');
            write_value(w, &e->value);
        }
        assert(count == toml_count(v));
        writer_u8(w, '}');
        break;
    default:
        write_datetime(w, v);
        break;
    }
}

static struct bytes print(const struct toml_value *root, struct arena *a)
{
    struct writer w = writer_growable(a, SIZE_MAX);
    struct bytes out = {.size = 0};
    struct err err;

    writer_text(&w, "root=");
    write_value(&w, root);
    bool ok = writer_done(&w, &out, &err);
    assert(ok);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_error error = {.line = 0};
    const struct toml_value *root = NULL, *again = NULL;
    struct arena a;

    arena_init(&a, arena_heap, 1 << 28);
    if (!toml_parse(bytes_from(data, size), &a, &root, &error)) {
        assert(error.line >= 1 && error.column >= 1 && error.text[0] != '\0');
        assert(error.column <= size + 1);
    } else {
        struct bytes text = print(root, &a);
        if (toml_parse(text, &a, &again, &error)) {
            struct bytes second = print(toml_get(again, "root"), &a);
            assert(bytes_equal(text, second));
        } else { /* headers nest deeper than inline tables may */
            assert(bytes_starts_with(bytes_of(error.text), bytes_of("arrays and tables lie")));
        }
    }
    arena_done(&a);
    return 0;
}
