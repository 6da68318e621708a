/* Tokens: one character of look-ahead decides; only comments and strings need more. */
#include "lexer.h"

#include "base/banned.h"

static bool fail(const struct lexer *l, struct text_error *error, const char *why)
{
    return text_error_set(error, l->line, 0, "%s", why);
}

bool lexer_init(struct lexer *l, struct bytes text, struct arena *arena, struct text_error *error)
{
    *l = (struct lexer){.in = reader_of(text), .line = 1, .arena = arena};
    return utf8_is_valid(text) || fail(l, error, "malformed UTF-8 encoding");
}

/* The byte `ahead` bytes further on; 0 at the end, which no token contains. */
static uint8_t peek(const struct lexer *l, size_t ahead)
{
    return ahead < reader_left(&l->in) ? l->in.in.data[l->in.at + ahead] : 0;
}

/* Only for bytes that peek has seen, or at the end, where it does nothing. */
static void skip(struct lexer *l, size_t count)
{
    for (; count != 0 && !reader_at_end(&l->in); count--)
        l->line += l->in.in.data[l->in.at++] == '\n';
}

/* §6.3.1: the characters of words. */
static bool is_word_char(uint8_t c)
{
    return c > ' ' && c < 0x7f && strchr("\"(),;[]{}", c) == NULL;
}

/* (; … ;), which nests. */
static bool skip_block_comment(struct lexer *l, struct text_error *error)
{
    uint32_t depth = 0;

    do {
        bool opens = peek(l, 0) == '(' && peek(l, 1) == ';';
        bool closes = peek(l, 0) == ';' && peek(l, 1) == ')';
        if (reader_at_end(&l->in))
            return fail(l, error, "unclosed comment");
        depth += opens;
        depth -= closes;
        skip(l, opens || closes ? 2 : 1);
    } while (depth != 0);
    return true;
}

static bool skip_blanks(struct lexer *l, struct text_error *error)
{
    for (;;) {
        uint8_t c = peek(l, 0);
        if (c == ';' && peek(l, 1) == ';') {
            while (!reader_at_end(&l->in) && peek(l, 0) != '\n' && peek(l, 0) != '\r')
                skip(l, 1);
        } else if (c == '(' && peek(l, 1) == ';') {
            if (!skip_block_comment(l, error))
                return false;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            skip(l, 1);
        } else {
            return true;
        }
    }
}

/* The value of a hexadecimal digit, or 16. */
static uint32_t hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

/* \u{…}; the reader stands behind "\u". */
static bool unicode_escape(struct lexer *l, struct writer *out)
{
    uint32_t code_point = 0;
    uint8_t utf8[4];

    if (peek(l, 0) != '{' || peek(l, 1) == '}')
        return false;
    for (skip(l, 1); peek(l, 0) != '}'; skip(l, 1)) {
        /* A single underscore may stand between digits: §6.3.1, hexnum. */
        if (peek(l, 0) == '_' && l->in.in.data[l->in.at - 1] != '{')
            skip(l, 1);
        if (hex_digit(peek(l, 0)) == 16 || code_point > 0x10ffff)
            return false;
        code_point = code_point * 16 + hex_digit(peek(l, 0));
    }
    skip(l, 1);
    size_t size = utf8_put(code_point, utf8);
    writer_bytes(out, bytes_from(utf8, size));
    return size != 0;
}

/* An escape of §6.3.3; the reader stands behind the backslash. */
static bool escape(struct lexer *l, struct writer *out)
{
    static const char letters[] = "tnr\"'\\", meanings[] = "\t\n\r\"'\\";
    uint8_t c = peek(l, 0);
    const char *letter = c != 0 ? strchr(letters, c) : NULL;
    uint32_t high = hex_digit(c), low = hex_digit(peek(l, 1));

    if (letter != NULL) {
        skip(l, 1);
        writer_u8(out, (uint8_t)meanings[letter - letters]);
        return true;
    }
    if (c == 'u') {
        skip(l, 1);
        return unicode_escape(l, out);
    }
    skip(l, 2);
    writer_u8(out, (uint8_t)(high * 16 + low));
    return high < 16 && low < 16;
}

static bool string(struct lexer *l, struct bytes *out, struct text_error *error)
{
    struct writer text = writer_growable(l->arena, SIZE_MAX);
    struct err err;

    skip(l, 1);
    for (uint8_t c; (c = peek(l, 0)) != '"';) {
        if (reader_at_end(&l->in))
            return fail(l, error, "unclosed string");
        if (c < ' ' || c == 0x7f)
            return fail(l, error, "illegal character in string");
        skip(l, 1);
        if (c != '\\')
            writer_u8(&text, c);
        else if (!escape(l, &text))
            return fail(l, error, "illegal escape");
    }
    skip(l, 1);
    return writer_done(&text, out, &err) || fail(l, error, err.msg);
}

bool lexer_next(struct lexer *l, struct token *out, struct text_error *error)
{
    if (!skip_blanks(l, error))
        return false;
    *out = (struct token){.line = l->line};
    uint8_t c = peek(l, 0);
    if (reader_at_end(&l->in)) {
        out->kind = TOKEN_END;
        return true;
    }
    if (c == '(' || c == ')') {
        out->kind = c == ')' ? TOKEN_CLOSE : peek(l, 1) == '@' ? TOKEN_ANNOTATION : TOKEN_OPEN;
        skip(l, 1);
        return true;
    }
    size_t start = l->in.at;
    if (c == '"') {
        out->kind = TOKEN_STRING;
        if (!string(l, &out->text, error))
            return false;
    } else {
        out->kind = TOKEN_WORD;
        while (is_word_char(peek(l, 0)))
            skip(l, 1);
        out->text = bytes_from(l->in.in.data + start, l->in.at - start);
    }
    /* Words and strings must not touch: §6.3.2, "reserved". */
    c = peek(l, 0);
    if (l->in.at == start || c == '"' || is_word_char(c))
        return fail(l, error, "unknown operator");
    return true;
}
