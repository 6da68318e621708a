/* Hexadecimal, base64 (RFC 4648) and RFC 3339 time. Decoders' input is untrusted. */
#include "base/text_form.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

/* The tables hold value + 1, so that 0 marks what is no digit; less 1 that is BAD. */
enum { BAD = 0xff };

static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static uint8_t hex_value(uint8_t letter)
{
    return (uint8_t)(hex_values[letter] - 1);
}

/* Eight digits of four bytes at once: each nibble in a byte of its own, then plus '0', or plus
 * 'a' - 10 where the nibble is above 9. */
static uint64_t hex_digits_of(uint32_t four)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = four;

    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 & UINT64_C(0x000f000f000f000f)) | (x << 8 & UINT64_C(0x0f000f000f000f00));
    uint64_t letters = (x + 6 * ones) >> 4 & ones;
    return x + '0' * ones + letters * ('a' - 10 - '0');
}

void hex_encode(struct bytes in, char *out)
{
    size_t at = 0;

    for (; in.size - at >= 4; at += 4) {
        uint32_t four;
        memcpy(&four, in.data + at, sizeof four);
        uint64_t digits = hex_digits_of(four);
        memcpy(out + at * 2, &digits, sizeof digits);
    }
    for (; at < in.size; at++) {
        uint64_t digits = hex_digits_of(in.data[at]);
        memcpy(out + at * 2, &digits, 2);
    }
}

bool hex_decode(struct bytes in, uint8_t *out, size_t capacity, size_t *size, struct err *err)
{
    if (in.size % 2 != 0)
        return err_set(err, ERR_FORMAT, "odd number of hexadecimal digits:", in.size);
    if (in.size / 2 > capacity)
        return err_set(err, ERR_LIMIT, "too many hexadecimal digits:", in.size);
    for (size_t at = 0; at < in.size; at += 2) {
        uint8_t high = hex_value(in.data[at]), low = hex_value(in.data[at + 1]);
        if ((high | low) > 15) {
            size_t bad = high == BAD ? at : at + 1;
            return err_set(err, ERR_FORMAT, "not a hexadecimal digit, at offset", bad);
        }
        out[at / 2] = (uint8_t)(high << 4 | low);
    }
    *size = in.size / 2;
    return true;
}

static const char standard_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define BASE64_COMMON_VALUES                                                                       \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8,        \
    ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, \
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23,            \
    ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,            \
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,            \
    ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44,            \
    ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51,            \
    ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58,            \
    ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62

static const uint8_t standard_values[256] = {BASE64_COMMON_VALUES, ['+'] = 63, ['/'] = 64};
static const uint8_t url_values[256] = {BASE64_COMMON_VALUES, ['-'] = 63, ['_'] = 64};

size_t base64_encoded_size(size_t size, enum base64_form form)
{
    size_t rest = size % 3;

    if (form == BASE64_STANDARD)
        return (size / 3 + (rest != 0)) * 4;
    return size / 3 * 4 + (rest != 0 ? rest + 1 : 0);
}

size_t base64_decoded_size_max(size_t size)
{
    return size / 4 * 3 + size % 4;
}

void base64_encode(struct bytes in, enum base64_form form, char *out)
{
    const char *digits = form == BASE64_URL ? url_digits : standard_digits;
    size_t at = 0;

    for (; in.size - at >= 3; at += 3, out += 4) {
        uint32_t group =
            (uint32_t)in.data[at] << 16 | (uint32_t)in.data[at + 1] << 8 | in.data[at + 2];
        out[0] = digits[group >> 18];
        out[1] = digits[group >> 12 & 63];
        out[2] = digits[group >> 6 & 63];
        out[3] = digits[group & 63];
    }
    size_t rest = in.size - at;
    if (rest == 0)
        return;
    uint32_t group = (uint32_t)in.data[at] << 16;
    if (rest == 2)
        group |= (uint32_t)in.data[at + 1] << 8;
    *out++ = digits[group >> 18];
    *out++ = digits[group >> 12 & 63];
    if (rest == 2)
        *out++ = digits[group >> 6 & 63];
    if (form == BASE64_STANDARD) {
        *out++ = '=';
        if (rest == 1)
            *out++ = '=';
    }
}

static size_t first_bad(struct bytes in, const uint8_t values[256])
{
    size_t at = 0;

    while (at < in.size && values[in.data[at]] != 0)
        at++;
    return at;
}

/* Checks the padding and takes it off. */
static bool strip_padding(struct bytes *in, struct err *err)
{
    if (in->size % 4 != 0)
        return err_set(err, ERR_FORMAT,
                       "base64 text is not a multiple of four characters:", in->size);
    if (in->size != 0 && in->data[in->size - 1] == '=') {
        in->size--;
        if (in->data[in->size - 1] == '=')
            in->size--;
    }
    return true;
}

bool base64_decode(struct bytes in, enum base64_form form, uint8_t *out, size_t capacity,
                   size_t *size, struct err *err)
{
    const uint8_t *values = form == BASE64_URL ? url_values : standard_values;

    if (form == BASE64_STANDARD && !strip_padding(&in, err))
        return false;
    size_t rest = in.size % 4;
    size_t whole = in.size - rest;
    if (rest == 1)
        return err_set(err, ERR_FORMAT, "base64 text is cut short, at offset", in.size);
    size_t out_size = whole / 4 * 3 + (rest != 0 ? rest - 1 : 0);
    if (out_size > capacity)
        return err_set(err, ERR_LIMIT, "base64 text is too long, in bytes decoded", out_size);

    uint32_t bad = 0;
    for (size_t at = 0; at < whole; at += 4, out += 3) {
        uint32_t a = values[in.data[at]] - 1u, b = values[in.data[at + 1]] - 1u;
        uint32_t c = values[in.data[at + 2]] - 1u, d = values[in.data[at + 3]] - 1u;
        bad |= a | b | c | d; /* what is no digit is 0xffffffff */
        uint32_t group = a << 18 | b << 12 | c << 6 | d;
        out[0] = (uint8_t)(group >> 16);
        out[1] = (uint8_t)(group >> 8);
        out[2] = (uint8_t)group;
    }
    if (bad > 63)
        return err_set(err, ERR_FORMAT, "not a base64 character, at offset", first_bad(in, values));
    if (rest != 0) {
        uint32_t a = values[in.data[whole]] - 1u, b = values[in.data[whole + 1]] - 1u;
        uint32_t c = rest == 3 ? values[in.data[whole + 2]] - 1u : 0;
        if ((a | b | c) > 63)
            return err_set(err, ERR_FORMAT, "not a base64 character, at offset",
                           first_bad(in, values));
        uint32_t group = a << 18 | b << 12 | c << 6;
        if ((group & (rest == 3 ? 0xff : 0xffff)) != 0) /* RFC 4648 §3.5 */
            return err_set(err, ERR_FORMAT, "stray bits in the last base64 character, at offset",
                           in.size - 1);
        out[0] = (uint8_t)(group >> 16);
        if (rest == 3)
            out[1] = (uint8_t)(group >> 8);
    }
    *size = out_size;
    return true;
}

/* Year, month and day from days since 1970-01-01, by counting eras of 400 years from 0000-03-01. */
static void civil_from_days(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    uint64_t since = (uint64_t)(days + 719468); /* days since 0000-03-01; the caller clamped */
    uint64_t era = since / 146097, day_of_era = since % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted = (5 * day_of_year + 2) / 153; /* March is 0 */

    *day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (unsigned)(year_of_era + era * 400 + (*month <= 2));
}

void rfc3339_format(int64_t unix_ms, char out[RFC3339_SIZE])
{
    const int64_t least = INT64_C(-62162035200000), most = INT64_C(253402300799999);
    const int64_t day_ms = 86400000;
    unsigned year, month, day;

    if (unix_ms < least) /* 0000-03-01 */
        unix_ms = least;
    if (unix_ms > most) /* 9999-12-31T23:59:59.999 */
        unix_ms = most;
    int64_t days = unix_ms / day_ms, rest = unix_ms % day_ms;
    if (rest < 0) {
        rest += day_ms;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    unsigned ms = (unsigned)rest;
    (void)snprintf(out, RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year % 10000,
                   month % 100, day % 100, ms / 3600000 % 24, ms / 60000 % 60, ms / 1000 % 60,
                   ms % 1000);
}
