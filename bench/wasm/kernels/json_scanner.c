/* Reads a JSON text (RFC 8259) of 24 KB by recursive descent for a unit of scale: checks its form,
 * adds up its numbers and its strings. The text is made once, one character of it each round. */
#include "kernel.h"

enum { TEXT_SIZE = 24 * 1024, VALUE_MAX = 64, NESTING_MAX = 6 };

static char text[TEXT_SIZE + VALUE_MAX];
static int size;

static void put(const char *s)
{
    while (*s != 0)
        text[size++] = *s++;
}

static void put_word(uint32_t *seed)
{
    uint32_t length = random_next(seed) % 9 + 1;

    put("\"");
    while (length-- > 0) {
        uint32_t r = random_next(seed) >> 5;

        if (r % 29 == 0)
            put(r % 2 == 0 ? "\\n" : "\\u00e9");
        else
            text[size++] = (char)('a' + r % 26);
    }
    put("\"");
}

static void put_number(uint32_t *seed)
{
    uint32_t r = random_next(seed);

    if (r % 4 == 0)
        put("-");
    text[size++] = (char)('1' + r / 4 % 9);
    for (uint32_t i = r / 64 % 5; i > 0; i--)
        text[size++] = (char)('0' + random_next(seed) % 10);
    if (r % 3 == 0)
        put(".25");
    if (r % 7 == 0)
        put("e2");
}

static void put_value(uint32_t *seed, int nesting)
{
    uint32_t r = random_next(seed) >> 3, kind = r % 8;

    if (nesting == 0 || (kind < 4 && nesting < NESTING_MAX && size < TEXT_SIZE / 8 * 7)) {
        int is_object = kind % 2 == 0;

        put(is_object ? "{" : "[");
        for (uint32_t i = 0; (i < r / 8 % 8 || nesting == 0) && size < TEXT_SIZE / 8 * 7; i++) {
            put(i == 0 ? "\n " : ",\n ");
            if (is_object) {
                put_word(seed);
                put(": ");
            }
            put_value(seed, nesting + 1);
        }
        put(is_object ? "}" : "]");
    } else if (kind < 6) {
        put_number(seed);
    } else if (r / 8 % 4 != 0) {
        put_word(seed);
    } else {
        put(kind == 6 ? "true" : "null");
    }
}

struct scanner {
    const char *at; /* the text ends with a 0 */
    double numbers;
    uint32_t strings, values, faults;
};

static void skip_space(struct scanner *s)
{
    while (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')
        s->at++;
}

static void fault(struct scanner *s)
{
    s->faults++;
    if (*s->at != 0)
        s->at++;
}

static void scan_string(struct scanner *s)
{
    uint32_t hash = 0;

    for (s->at++; *s->at != '"'; s->at++) {
        if ((unsigned char)*s->at < ' ') {
            fault(s);
            return;
        }
        if (*s->at == '\\') {
            s->at++;
            if (*s->at == 'u')
                for (int i = 0; i < 4; i++) {
                    char c = *++s->at;

                    if ((c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F')) {
                        fault(s);
                        return;
                    }
                }
        }
        hash = hash * 31 + (unsigned char)*s->at;
    }
    s->at++;
    s->strings = mix(s->strings, hash);
}

static void scan_number(struct scanner *s)
{
    int is_negative = *s->at == '-';
    double value = 0, unit = 1;

    s->at += is_negative;
    if (*s->at < '0' || *s->at > '9') {
        fault(s);
        return;
    }
    for (; *s->at >= '0' && *s->at <= '9'; s->at++)
        value = value * 10 + (*s->at - '0');
    if (*s->at == '.')
        for (s->at++; *s->at >= '0' && *s->at <= '9'; s->at++) {
            unit /= 10;
            value += unit * (*s->at - '0');
        }
    if (*s->at == 'e')
        for (s->at++; *s->at >= '0' && *s->at <= '9'; s->at++)
            for (char i = '0'; i < *s->at; i++)
                value *= 10;
    s->numbers += is_negative ? -value : value;
}

static void scan_name(struct scanner *s, const char *name)
{
    for (; *name != 0; name++, s->at++)
        if (*s->at != *name) {
            fault(s);
            return;
        }
}

static void scan_value(struct scanner *s);

static void scan_members(struct scanner *s, int is_object)
{
    char end = is_object ? '}' : ']';

    s->at++;
    skip_space(s);
    if (*s->at == end) {
        s->at++;
        return;
    }
    for (;;) {
        if (is_object) {
            skip_space(s);
            if (*s->at == '"')
                scan_string(s);
            else
                fault(s);
            skip_space(s);
            if (*s->at == ':')
                s->at++;
            else
                fault(s);
        }
        scan_value(s);
        if (*s->at == end) {
            s->at++;
            return;
        }
        if (*s->at == 0)
            return;
        if (*s->at == ',')
            s->at++;
        else
            fault(s);
    }
}

static void scan_value(struct scanner *s)
{
    s->values++;
    skip_space(s);
    switch (*s->at) {
    case '{':
        scan_members(s, 1);
        break;
    case '[':
        scan_members(s, 0);
        break;
    case '"':
        scan_string(s);
        break;
    case 't':
        scan_name(s, "true");
        break;
    case 'f':
        scan_name(s, "false");
        break;
    case 'n':
        scan_name(s, "null");
        break;
    default:
        scan_number(s);
    }
    skip_space(s);
}

int32_t run(int32_t scale)
{
    uint32_t seed = 12, sum = 0;

    put_value(&seed, 0);
    text[size] = 0;
    for (int32_t round = 0; round < scale; round++) {
        struct scanner s = {.at = text};

        /* Another digit or letter where there is one. */
        for (int i = 0; i < 8; i++) {
            char *c = &text[random_next(&seed) % (uint32_t)size];

            if (*c >= '1' && *c < '9')
                ++*c;
            else if (*c >= 'g' && *c < 'l')
                ++*c;
        }
        scan_value(&s);
        sum = mix(mix_double(mix(sum, s.strings), s.numbers), s.values);
        sum = mix(sum, s.faults + (uint32_t)(s.at - text));
    }
    return (int32_t)sum;
}
