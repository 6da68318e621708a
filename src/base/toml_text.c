/* TOML's strings: toml.io/en/v1.0.0#string. */
#include "base/toml_internal.h"

#include <string.h>

#include "base/utf8.h"
#include "base/writer.h"
#include "base/banned.h"

/* Ends of a run of plain bytes in a string: quotes, backslash, and control characters but tab. */
static bool is_special(uint8_t c)
{
    return c == '"' || c == '\'' || c == '\\' || c == 0x7f || (c < 0x20 && c != '\t');
}

static bool hex_escape(struct toml_parser *p, unsigned digits, struct writer *w)
{
    size_t start = p->at - 2; /* the backslash */
    uint32_t code_point = 0;
    uint8_t character[4];

    for (unsigned i = 0; i < digits; i++) {
        uint8_t c = toml_peek(p);
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10u;
        else
            return toml_fail(p, p->at, "expected %u hexadecimal digits after '\\%c', found %s",
                             digits, digits == 4 ? 'u' : 'U', toml_show(p, p->at).text);
        code_point = code_point << 4 | digit;
        p->at++;
    }
    size_t size = utf8_put(code_point, character);
    if (size == 0)
        return toml_fail(p, start, "the escape names no character: U+%04X", code_point);
    writer_bytes(w, bytes_from(character, size));
    return true;
}

/* A backslash at the end of a line takes away all white space up to the next character. */
static bool skip_line_end(struct toml_parser *p)
{
    size_t start = p->at;

    while (toml_peek(p) == ' ' || toml_peek(p) == '\t')
        p->at++;
    if (toml_peek(p) != '\n' && !(toml_peek(p) == '\r' && toml_peek_at(p, 1) == '\n'))
        return toml_fail(p, start - 1, "a space after '\\' is only allowed at the end of a line");
    while (toml_peek(p) == ' ' || toml_peek(p) == '\t' || toml_peek(p) == '\n' ||
           (toml_peek(p) == '\r' && toml_peek_at(p, 1) == '\n'))
        p->at++;
    return true;
}

/* The place is behind the backslash. */
static bool escape(struct toml_parser *p, bool multiline, struct writer *w)
{
    uint8_t c = toml_peek(p);
    static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    const char *letter = c != 0 ? strchr(letters, c) : NULL;

    if (letter != NULL) {
        p->at++;
        writer_u8(w, (uint8_t)values[letter - letters]);
        return true;
    }
    if (c == 'u' || c == 'U') {
        p->at++;
        return hex_escape(p, c == 'u' ? 4 : 8, w);
    }
    if (multiline && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
        return skip_line_end(p);
    return toml_fail(p, p->at - 1, "invalid escape: %s after '\\'; for a backslash write '\\\\'",
                     toml_show(p, p->at).text);
}

static bool unexpected(struct toml_parser *p, size_t opening)
{
    uint8_t c = toml_peek(p);

    if (p->at == p->text.size)
        return toml_fail(p, opening, "the string is not closed before the end of the file");
    if (c == '\n' || (c == '\r' && toml_peek_at(p, 1) == '\n'))
        return toml_fail(p, p->at, "the string is not closed before the end of the line");
    return toml_fail(p, p->at, "control character in a string: %s; write it as an escape",
                     toml_show(p, p->at).text);
}

/* How many quotes stand at the place, up to five: two may stand before the closing three. */
static unsigned count_quotes(const struct toml_parser *p, uint8_t quote)
{
    unsigned count = 0;

    while (count < 5 && toml_peek_at(p, count) == quote)
        count++;
    return count;
}

/* The string behind its opening quotes. Borrowed from the text unless an escape changes it. */
static bool parse_body(struct toml_parser *p, uint8_t quote, bool multiline, size_t opening,
                       struct bytes *out)
{
    size_t start = p->at;
    struct writer w = writer_growable(p->arena, TOML_SIZE_MAX);
    struct err err;
    bool escaped = false;

    for (;;) {
        while (p->at < p->text.size && !is_special(p->text.data[p->at]))
            p->at++;
        uint8_t c = toml_peek(p);
        struct bytes run = {.data = p->text.data + start, .size = p->at - start};
        if (c == quote && p->at < p->text.size) {
            unsigned quotes = multiline ? count_quotes(p, quote) : 3;
            if (quotes < 3) {
                p->at += quotes;
                continue;
            }
            run.size += quotes - 3;
            p->at += multiline ? quotes : 1;
            *out = run;
            if (!escaped)
                return true;
            writer_bytes(&w, run);
            return writer_done(&w, out, &err) || toml_no_memory(p);
        }
        if (c == '\\' && quote == '"') {
            escaped = true;
            writer_bytes(&w, run);
            p->at++;
            if (!escape(p, multiline, &w))
                return false;
            start = p->at;
        } else if (multiline && c == '\r' && toml_peek_at(p, 1) == '\n') {
            p->at += 2;
        } else if (c == '"' || c == '\'' || c == '\\' || (multiline && c == '\n')) {
            p->at++;
        } else {
            return unexpected(p, opening);
        }
    }
}

bool toml_parse_string(struct toml_parser *p, bool multiline_allowed, struct bytes *out)
{
    size_t opening = p->at;
    uint8_t quote = toml_peek(p);
    bool multiline = toml_peek_at(p, 1) == quote && toml_peek_at(p, 2) == quote;

    if (multiline && !multiline_allowed)
        return toml_fail(p, opening, "a key cannot be a multi-line string");
    p->at += multiline ? 3 : 1;
    if (multiline && toml_peek(p) == '\r' && toml_peek_at(p, 1) == '\n')
        p->at++;
    if (multiline &&
        toml_peek(p) == '\n') /* a line end right behind the quotes is not part of it */
        p->at++;
    return parse_body(p, quote, multiline, opening, out);
}
