#include "evidence/json.h"

/* jansson recurses as deep as the text says; so the text is looked at first. */
static bool is_shallow(struct bytes text)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_LIMIT)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

bool json_parse(struct bytes text, json_t **out, struct err *err)
{
    json_error_t error;

    if (!is_shallow(text))
        return err_set(err, ERR_LIMIT, "JSON is nested deeper than", JSON_DEPTH_LIMIT);
    *out = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return err_set(err, ERR_FORMAT, "this is no JSON, at offset",
                       error.position > 0 ? (uint64_t)error.position : 0);
    return true;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_spaces(struct reader *r)
{
    while (r->at < r->in.size && is_space(r->in.data[r->at]))
        r->at++;
}

static bool take(struct reader *r, uint8_t wanted)
{
    uint8_t c;

    skip_spaces(r);
    if (!reader_peek(r, &c) || c != wanted)
        return false;
    r->at++;
    return true;
}

/* One value, whose end jansson finds. */
static bool take_value(struct reader *r, struct bytes *raw)
{
    json_error_t error;

    skip_spaces(r);
    struct bytes rest = reader_rest(r);
    json_t *value = json_loadb((const char *)rest.data, rest.size,
                               JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &error);
    bool ok = value != NULL && error.position > 0;
    json_decref(value);
    return ok && reader_bytes(r, (size_t)error.position, raw);
}

bool json_raw_member(struct bytes text, const char *key, struct bytes *out)
{
    struct reader r = reader_of(text);
    struct bytes name, value;

    if (!take(&r, '{'))
        return false;
    do {
        if (!take_value(&r, &name) || !take(&r, ':') || !take_value(&r, &value))
            return false;
        /* a key that is written with escapes is not found, and so refused */
        if (name.size == strlen(key) + 2 && memcmp(name.data + 1, key, strlen(key)) == 0) {
            *out = value;
            return true;
        }
    } while (take(&r, ','));
    return false;
}

bool json_text(const json_t *object, const char *key, struct bytes *out)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value))
        return false;
    *out = bytes_from(json_string_value(value), json_string_length(value));
    return true;
}

bool json_number(const json_t *object, const char *key, uint64_t max, uint64_t *out)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

bool json_hex(const json_t *object, const char *key, uint8_t *out, size_t size)
{
    struct bytes text;
    struct err err;
    size_t got;

    return json_text(object, key, &text) && text.size == hex_size(size) &&
           hex_decode(text, out, size, &got, &err);
}
