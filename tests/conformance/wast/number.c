/* Numbers. The C library rounds decimal and hexadecimal floats correctly; their form is checked
 * here, since the text format is stricter and has underscores. */
#include "number.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

static const struct number_type types[] = {
    {"i32", 32, 1, false},   {"i64", 64, 1, false},   {"f32", 32, 1, true},
    {"f64", 64, 1, true},    {"i8x16", 8, 16, false}, {"i16x8", 16, 8, false},
    {"i32x4", 32, 4, false}, {"i64x2", 64, 2, false}, {"f32x4", 32, 4, true},
    {"f64x2", 64, 2, true},
};

const struct number_type *number_type_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (bytes_is(name, types[i].name))
            return &types[i];
    return NULL;
}

static bool malformed(struct err *err)
{
    return err_set(err, ERR_FORMAT, "not a number of this type", ERR_NO_AT);
}

static bool out_of_range(struct err *err)
{
    return err_set(err, ERR_LIMIT, "constant out of range", ERR_NO_AT);
}

/* Takes text when it comes next. */
static bool take(struct reader *r, const char *text)
{
    return bytes_starts_with(reader_rest(r), bytes_of(text)) && reader_skip(r, strlen(text));
}

/* Moves over digits with single underscores between them; false when there is no digit. */
static bool skip_digits(struct reader *r, bool is_hex)
{
    uint8_t c;
    bool was_digit = false;

    while (reader_peek(r, &c) && (c == '_' || (is_hex ? isxdigit(c) : isdigit(c)))) {
        if (c == '_' && !was_digit)
            return false;
        was_digit = c != '_';
        r->at++;
    }
    return was_digit;
}

/* digits, or 0x and hexadecimal digits, to the end of the text. */
bool number_unsigned(struct bytes text, unsigned bits, uint64_t *out, struct err *err)
{
    struct reader r = reader_of(text);
    bool is_hex = take(&r, "0x");
    size_t start = r.at;
    uint64_t value = 0;

    if (!skip_digits(&r, is_hex) || !reader_at_end(&r))
        return malformed(err);
    for (size_t i = start; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '_')
            continue;
        uint64_t digit = isdigit(c) ? c - (uint64_t)'0' : (c | 0x20u) - 'a' + 10;
        if (__builtin_mul_overflow(value, is_hex ? 16 : 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return out_of_range(err);
    }
    if (bits < 64 && value >> bits != 0)
        return out_of_range(err);
    *out = value;
    return true;
}

static bool integer(struct bytes text, unsigned bits, uint64_t *out, struct err *err)
{
    struct reader r = reader_of(text);
    bool is_negative = take(&r, "-");
    uint64_t value;

    if (!is_negative)
        (void)take(&r, "+");
    if (!number_unsigned(reader_rest(&r), bits, &value, err))
        return false;
    if (is_negative && value > UINT64_C(1) << (bits - 1))
        return out_of_range(err);
    *out = is_negative ? 0 - value : value;
    return true;
}

/* The rest of r as strtod wants it: its form checked, without underscores. */
static bool clean_float(struct reader *r, struct arena *arena, const char **out)
{
    struct bytes text = reader_rest(r);
    bool is_hex = take(r, "0x");
    uint8_t c;

    if (!skip_digits(r, is_hex))
        return false;
    if (take(r, ".") && reader_peek(r, &c) && (is_hex ? isxdigit(c) : isdigit(c)) &&
        !skip_digits(r, is_hex))
        return false;
    if (take(r, is_hex ? "p" : "e") || take(r, is_hex ? "P" : "E")) {
        if (!take(r, "-"))
            (void)take(r, "+");
        if (!skip_digits(r, false))
            return false;
    }
    if (!reader_at_end(r))
        return false;
    char *clean = ARENA_ARRAY(arena, char, text.size + 1);
    if (clean == NULL)
        return false;
    *out = clean;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != '_')
            *clean++ = (char)text.data[i];
    return true;
}

/* A finite number, rounded once to its type, as bits. */
static bool rounded(struct reader *r, unsigned bits, uint64_t *out, struct err *err)
{
    uint8_t memory[4096]; /* longer numbers are refused */
    struct arena arena;
    const char *clean;
    bool is_finite;

    arena_init_fixed(&arena, memory, sizeof memory);
    if (!clean_float(r, &arena, &clean))
        return malformed(err);
    *out = 0;
    if (bits == 32) {
        float value = strtof(clean, NULL);
        memcpy(out, &value, sizeof value);
        is_finite = isfinite(value);
    } else {
        double value = strtod(clean, NULL);
        memcpy(out, &value, sizeof value);
        is_finite = isfinite(value);
    }
    return is_finite || out_of_range(err);
}

static bool floating(struct bytes text, unsigned bits, uint64_t *out, struct err *err)
{
    unsigned fraction = bits == 32 ? 23 : 52;
    uint64_t sign = UINT64_C(1) << (bits - 1);
    uint64_t infinity = sign - (UINT64_C(1) << fraction);
    struct reader r = reader_of(text);
    bool is_negative = take(&r, "-");
    uint64_t value;

    if (!is_negative)
        (void)take(&r, "+");
    if (bytes_is(reader_rest(&r), "inf")) {
        value = infinity;
    } else if (bytes_is(reader_rest(&r), "nan")) {
        value = infinity | UINT64_C(1) << (fraction - 1);
    } else if (bytes_starts_with(reader_rest(&r), bytes_of("nan:0x"))) {
        if (!number_unsigned(bytes_after(reader_rest(&r), 4), fraction, &value, err))
            return false;
        if (value == 0)
            return out_of_range(err);
        value |= infinity;
    } else if (!rounded(&r, bits, &value, err)) {
        return false;
    }
    *out = is_negative ? value | sign : value;
    return true;
}

bool number_parse(const struct number_type *type, struct bytes text, uint8_t *out, struct err *err)
{
    uint64_t value = 0;

    if (!(type->is_float ? floating : integer)(text, type->bits, &value, err))
        return false;
    memcpy(out, &value, type->bits / 8);
    return true;
}
