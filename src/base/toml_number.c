/* TOML's numbers, dates and times: toml.io/en/v1.0.0#integer to #local-time. */
#include "base/toml_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/banned.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Characters that a number or time may have. */
static bool is_number_character(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.' || c == '_' || c == ':';
}

static unsigned digit_value(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10u : 99;
}

/* 0x…, 0o…, 0b…: digits with single underscores between them. */
static bool parse_radix(struct toml_parser *p, struct bytes token, unsigned radix,
                        struct toml_value *out)
{
    int64_t value = 0;
    bool digit_before = false;

    for (size_t i = 2; i < token.size; i++) {
        uint8_t c = token.data[i];
        if (c == '_' && digit_before && i + 1 < token.size) {
            digit_before = false;
            continue;
        }
        unsigned digit = digit_value(c);
        if (digit >= radix)
            return toml_fail(p, p->at + i, "unexpected %s in a number of base %u",
                             toml_show(p, p->at + i).text, radix);
        if (!checked_mul(value, (int64_t)radix, &value) ||
            !checked_add(value, (int64_t)digit, &value))
            return toml_fail(p, p->at, "the number does not fit 64 bits");
        digit_before = true;
    }
    if (!digit_before)
        return toml_fail(p, p->at, "digits are missing in the number");
    out->type = TOML_INTEGER;
    out->of.integer = value;
    p->at += token.size;
    return true;
}

/* Copies the digits at token[*at] to `clean`, without underscores. False when there are none, or an
 * underscore is not between two digits. */
static bool take_digits(struct bytes token, size_t *at, char *clean, size_t *size)
{
    bool digit_before = false;

    for (; *at < token.size; (*at)++) {
        uint8_t c = token.data[*at];
        if (is_digit(c)) {
            clean[(*size)++] = (char)c;
            digit_before = true;
        } else if (c == '_' && digit_before) {
            digit_before = false;
        } else {
            break;
        }
    }
    return digit_before;
}

static bool bad_number(struct toml_parser *p, struct bytes token, size_t at)
{
    if (at < token.size)
        return toml_fail(p, p->at + at, "unexpected %s in a number", toml_show(p, p->at + at).text);
    return toml_fail(p, p->at, "the number is not complete");
}

static bool finish_integer(struct toml_parser *p, const char *clean, struct toml_value *out)
{
    bool negative = clean[0] == '-';
    int64_t value = 0;

    for (const char *c = clean + (clean[0] == '-' || clean[0] == '+'); *c != '\0'; c++) {
        int digit = *c - '0';
        if (!checked_mul(value, 10, &value) ||
            !(negative ? checked_sub(value, digit, &value) : checked_add(value, digit, &value)))
            return toml_fail(p, p->at, "the number does not fit 64 bits");
    }
    out->type = TOML_INTEGER;
    out->of.integer = value;
    return true;
}

static bool parse_decimal(struct toml_parser *p, struct bytes token, struct toml_value *out)
{
    char clean[TOML_NUMBER_MAX + 1]; /* no longer than the token */
    size_t at = 0, size = 0;
    bool is_float = false;

    if (token.data[0] == '+' || token.data[0] == '-')
        clean[size++] = (char)token.data[at++];
    if (token.size - at == 3 &&
        (memcmp(token.data + at, "inf", 3) == 0 || memcmp(token.data + at, "nan", 3) == 0)) {
        bool is_inf = token.data[at] == 'i';
        double value = is_inf ? __builtin_inf() : __builtin_nan("");
        out->type = TOML_FLOAT;
        out->of.floating = token.data[0] == '-' ? -value : value;
        p->at += token.size;
        return true;
    }
    size_t first_digit = at;
    if (!take_digits(token, &at, clean, &size))
        return bad_number(p, token, at);
    if (at - first_digit > 1 && token.data[first_digit] == '0')
        return toml_fail(p, p->at + first_digit, "a number has no leading zeroes");
    if (at < token.size && token.data[at] == '.') {
        is_float = true;
        clean[size++] = (char)token.data[at++];
        if (!take_digits(token, &at, clean, &size))
            return bad_number(p, token, at);
    }
    if (at < token.size && (token.data[at] | 0x20) == 'e') {
        is_float = true;
        clean[size++] = (char)token.data[at++];
        if (at < token.size && (token.data[at] == '+' || token.data[at] == '-'))
            clean[size++] = (char)token.data[at++];
        if (!take_digits(token, &at, clean, &size))
            return bad_number(p, token, at);
    }
    if (at != token.size)
        return bad_number(p, token, at);
    clean[size] = '\0';
    if (!is_float) {
        if (!finish_integer(p, clean, out))
            return false;
    } else {
        out->type = TOML_FLOAT;
        out->of.floating = strtod(clean, NULL); /* the locale is always "C" */
    }
    p->at += token.size;
    return true;
}

/* `count` digits at text[*at], as a number; false when there are not so many. */
static bool fixed_digits(struct bytes text, size_t *at, unsigned count, unsigned *value)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < count; i++) {
        if (*at >= text.size || !is_digit(text.data[*at]))
            return false;
        sum = sum * 10 + digit_value(text.data[(*at)++]);
    }
    *value = sum;
    return true;
}

static bool next_is(struct bytes text, size_t *at, uint8_t c)
{
    if (*at >= text.size || text.data[*at] != c)
        return false;
    (*at)++;
    return true;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29u : days[month - 1];
}

/* RFC 3339 §5.6 full-date, "2026-11-23". */
static bool full_date(struct bytes text, size_t *at, struct toml_datetime *d)
{
    unsigned year, month, day;

    if (!fixed_digits(text, at, 4, &year) || !next_is(text, at, '-') ||
        !fixed_digits(text, at, 2, &month) || !next_is(text, at, '-') ||
        !fixed_digits(text, at, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    d->year = (uint16_t)year;
    d->month = (uint8_t)month;
    d->day = (uint8_t)day;
    return true;
}

/* partial-time, "08:28:43.123". */
static bool partial_time(struct bytes text, size_t *at, struct toml_datetime *d)
{
    unsigned hour, minute, second;

    if (!fixed_digits(text, at, 2, &hour) || !next_is(text, at, ':') ||
        !fixed_digits(text, at, 2, &minute) || !next_is(text, at, ':') ||
        !fixed_digits(text, at, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    d->hour = (uint8_t)hour;
    d->minute = (uint8_t)minute;
    d->second = (uint8_t)second;
    if (!next_is(text, at, '.'))
        return true;
    uint32_t scale = 100000000;
    size_t start = *at;
    for (; *at < text.size && is_digit(text.data[*at]); (*at)++) {
        d->nanosecond += digit_value(text.data[*at]) * scale;
        scale /= 10; /* further digits are cut */
    }
    return *at > start;
}

/* time-offset, "Z" or "+01:00". */
static bool time_offset(struct bytes text, size_t *at, struct toml_datetime *d)
{
    unsigned hours, minutes;

    if (next_is(text, at, 'Z') || next_is(text, at, 'z'))
        return true;
    bool negative = *at < text.size && text.data[*at] == '-';
    if (!next_is(text, at, '+') && !next_is(text, at, '-'))
        return false;
    if (!fixed_digits(text, at, 2, &hours) || !next_is(text, at, ':') ||
        !fixed_digits(text, at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    int offset = (int)(hours * 60 + minutes);
    d->offset_minutes = (int16_t)(negative ? -offset : offset);
    return true;
}

static bool parse_datetime(struct toml_parser *p, struct bytes token, struct toml_value *out)
{
    struct toml_datetime d = {0};
    enum toml_type type = TOML_LOCAL_TIME;
    size_t at = 0;
    bool ok;

    if (token.data[2] == ':') {
        ok = partial_time(token, &at, &d);
    } else {
        ok = full_date(token, &at, &d);
        type = TOML_LOCAL_DATE;
        if (ok && at < token.size) {
            type = TOML_LOCAL_DATETIME;
            ok = (next_is(token, &at, 'T') || next_is(token, &at, 't') ||
                  next_is(token, &at, ' ')) &&
                 partial_time(token, &at, &d);
            if (ok && at < token.size) {
                type = TOML_OFFSET_DATETIME;
                ok = time_offset(token, &at, &d);
            }
        }
    }
    if (!ok || at != token.size)
        return toml_fail(p, p->at,
                         "not a date or time; they look like 2026-11-23T08:28:43Z, 2026-11-23 or "
                         "08:28:43");
    struct toml_datetime *kept = ARENA_NEW(p->arena, struct toml_datetime);
    if (kept == NULL)
        return toml_no_memory(p);
    *kept = d;
    out->type = type;
    out->of.datetime = kept;
    p->at += token.size;
    return true;
}

/* Whether the token begins as a date or a time does. */
static bool is_datetime(struct bytes token)
{
    size_t digits = 0;

    while (digits < token.size && digits < 4 && is_digit(token.data[digits]))
        digits++;
    return (digits == 4 && token.size > 4 && token.data[4] == '-') ||
           (digits == 2 && token.size > 2 && token.data[2] == ':');
}

bool toml_parse_number(struct toml_parser *p, struct toml_value *out)
{
    struct bytes rest = bytes_after(p->text, p->at), token = {.data = rest.data};
    struct bytes limited = bytes_before(rest, TOML_NUMBER_MAX + 1);

    while (token.size < limited.size && is_number_character(limited.data[token.size]))
        token.size++;
    /* a date and a time may have a space between them: it belongs to them when a digit follows */
    if (token.size == 10 && is_datetime(token) && token.data[2] != ':' && limited.size > 11 &&
        limited.data[10] == ' ' && is_digit(limited.data[11])) {
        token.size = 11;
        while (token.size < limited.size && is_number_character(limited.data[token.size]))
            token.size++;
    }
    if (token.size > TOML_NUMBER_MAX)
        return toml_fail(p, p->at, "the number is longer than %d characters", TOML_NUMBER_MAX);
    if (token.size == 0)
        return toml_fail(p, p->at, "expected a value, found %s", toml_show(p, p->at).text);
    if (is_datetime(token))
        return parse_datetime(p, token, out);
    if (token.data[0] == '0' && token.size > 1) {
        unsigned radix = token.data[1] == 'x'   ? 16
                         : token.data[1] == 'o' ? 8
                         : token.data[1] == 'b' ? 2
                                                : 0;
        if (radix != 0)
            return parse_radix(p, token, radix, out);
    }
    if (!is_digit(token.data[0]) && token.data[0] != '+' && token.data[0] != '-' &&
        token.data[0] != 'i' && token.data[0] != 'n')
        return toml_fail(p, p->at, "expected a value, found %s; text goes between quotes",
                         toml_show(p, p->at).text);
    return parse_decimal(p, token, out);
}
