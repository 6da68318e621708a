#include "http/text.h"

#include <string.h>
#include <strings.h>

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct bytes trimmed(struct bytes b)
{
    while (b.size != 0 && is_space(b.data[0]))
        b = bytes_after(b, 1);
    while (b.size != 0 && (is_space(b.data[b.size - 1]) || b.data[b.size - 1] == '\r'))
        b.size--;
    return b;
}

/* Takes what comes before the next `end` that is not in a quoted string, and the `end`. */
static struct bytes next_piece(struct bytes *rest, uint8_t end)
{
    bool is_quoted = false;
    size_t i = 0;

    for (; i < rest->size; i++) {
        uint8_t c = rest->data[i];
        if (c == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && c == '\\')
            i++;
        else if (!is_quoted && c == end)
            break;
    }
    struct bytes piece = bytes_before(*rest, i);
    *rest = bytes_after(*rest, i + 1);
    return trimmed(piece);
}

static bool equal_any_case(struct bytes b, const char *text, size_t size)
{
    return b.size == size && (size == 0 || strncasecmp((const char *)b.data, text, size) == 0);
}

/* weight = "0" [ "." 0*3DIGIT ] / "1" [ "." 0*3"0" ], RFC 9110 §12.4.2; as thousandths. */
static bool parse_quality(struct bytes b, unsigned *out)
{
    unsigned value, scale = 100;

    if (b.size == 0 || b.size > 5 || (b.data[0] != '0' && b.data[0] != '1'))
        return false;
    value = (unsigned)(b.data[0] - '0') * 1000;
    if (b.size > 1 && b.data[1] != '.')
        return false;
    for (size_t i = 2; i < b.size; i++, scale /= 10) {
        if (b.data[i] < '0' || b.data[i] > '9')
            return false;
        value += (unsigned)(b.data[i] - '0') * scale;
    }
    *out = value;
    return value <= 1000;
}

static unsigned range_closeness(struct bytes range, const char *media_type)
{
    size_t type_size = strcspn(media_type, "/");

    if (bytes_is(range, "*/*"))
        return 1;
    if (range.size == type_size + 2 && memcmp(range.data + type_size, "/*", 2) == 0 &&
        equal_any_case(bytes_before(range, type_size), media_type, type_size))
        return 2;
    return equal_any_case(range, media_type, strlen(media_type)) ? 3 : 0;
}

void accept_add(struct accept *accept, struct bytes value, const char *media_type)
{
    while (value.size != 0) {
        struct bytes element = next_piece(&value, ',');
        unsigned closeness = range_closeness(next_piece(&element, ';'), media_type);
        unsigned quality = 1000;
        bool is_good = true;
        while (element.size != 0) {
            struct bytes parameter = next_piece(&element, ';');
            if (parameter.size >= 2 && (parameter.data[0] | 0x20) == 'q' &&
                parameter.data[1] == '=')
                is_good = is_good && parse_quality(bytes_after(parameter, 2), &quality);
        }
        if (closeness == 0 || !is_good || closeness < accept->closeness)
            continue;
        if (closeness > accept->closeness || quality > accept->quality)
            accept->quality = quality;
        accept->closeness = closeness;
    }
}

bool media_type_is(struct bytes value, const char *media_type)
{
    return equal_any_case(next_piece(&value, ';'), media_type, strlen(media_type));
}

/* ---- queries ---- */

static bool hex_digit(uint8_t c, uint8_t *out)
{
    uint8_t letter = c | 0x20;

    if (c >= '0' && c <= '9')
        *out = (uint8_t)(c - '0');
    else if (letter >= 'a' && letter <= 'f')
        *out = (uint8_t)(letter - 'a' + 10);
    else
        return false;
    return true;
}

/* The next byte of a percent-encoded text that has one; false: malformed (RFC 3986 §2.1), or a NUL.
 */
static bool decode_next(struct reader *r, uint8_t *out)
{
    uint8_t high, low;

    if (!reader_u8(r, out))
        return false;
    if (*out == '%') {
        if (!reader_u8(r, &high) || !reader_u8(r, &low) || !hex_digit(high, &high) ||
            !hex_digit(low, &low))
            return false;
        *out = (uint8_t)(high << 4 | low);
    }
    return *out != 0;
}

static bool decodes_to(struct bytes encoded, const char *text)
{
    struct reader r = reader_of(encoded);
    uint8_t c;

    for (; !reader_at_end(&r); text++) {
        if (!decode_next(&r, &c) || c != (uint8_t)*text)
            return false;
    }
    return *text == '\0';
}

static struct bytes until(struct bytes *rest, uint8_t end)
{
    const uint8_t *found = rest->size != 0 ? memchr(rest->data, end, rest->size) : NULL;
    size_t size = found != NULL ? (size_t)(found - rest->data) : rest->size;
    struct bytes piece = bytes_before(*rest, size);

    *rest = bytes_after(*rest, size + 1);
    return piece;
}

const char *query_value(struct bytes query, const char *name, struct arena *arena)
{
    struct bytes found = {.size = 0};
    unsigned count = 0;

    while (query.size != 0) {
        struct bytes value = until(&query, '&');
        if (decodes_to(until(&value, '='), name)) {
            found = value;
            count++;
        }
    }
    if (count != 1)
        return NULL;
    char *out = arena_alloc(arena, found.size + 1, 1);
    struct reader r = reader_of(found);
    size_t size = 0;
    if (out == NULL)
        return NULL;
    while (!reader_at_end(&r)) {
        uint8_t c;
        if (!decode_next(&r, &c))
            return NULL;
        out[size++] = (char)c;
    }
    out[size] = '\0';
    return out;
}

/* ---- replies ---- */

bool header_find(struct bytes lines, const char *name, struct bytes *out)
{
    while (lines.size != 0) {
        struct bytes line = until(&lines, '\n');
        const uint8_t *colon = line.size != 0 ? memchr(line.data, ':', line.size) : NULL;
        if (colon == NULL)
            continue;
        size_t size = (size_t)(colon - line.data);
        if (equal_any_case(bytes_before(line, size), name, strlen(name))) {
            *out = trimmed(bytes_after(line, size + 1));
            return true;
        }
    }
    return false;
}

void json_string(struct writer *w, struct bytes text)
{
    writer_u8(w, '"');
    while (text.size != 0) {
        size_t valid = utf8_valid_prefix(text);
        for (size_t i = 0; i < valid; i++) {
            uint8_t c = text.data[i];
            if (c == '"' || c == '\\')
                writer_format(w, "\\%c", c);
            else if (c < 0x20 || c == 0x7f)
                writer_format(w, "\\u%04x", c);
            else
                writer_u8(w, c);
        }
        if (valid < text.size)
            writer_text(w, "\xef\xbf\xbd");
        text = bytes_after(text, valid + 1);
    }
    writer_u8(w, '"');
}
