#include "evidence/civil.h"

#define SECONDS_PER_DAY 86400

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

bool civil_seconds(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                   unsigned second, int64_t *out)
{
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > days_of(year, month) || hour > 23 || minute > 59 || second > 59)
        return false;
    unsigned before = year - 1;
    int64_t days = (int64_t)before * 365 + before / 4 - before / 100 + before / 400 - 719162;
    for (unsigned m = 1; m < month; m++)
        days += days_of(year, m);
    *out =
        (days + day - 1) * SECONDS_PER_DAY + (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
    return true;
}

bool civil_parse(struct bytes text, int64_t *out)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    unsigned fields[6] = {0}, field = 0;

    if (text.size != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (form[i] != '0') {
            if (text.data[i] != form[i])
                return false;
            field++;
        } else if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        } else {
            fields[field] = fields[field] * 10 + (unsigned)(text.data[i] - '0');
        }
    }
    return civil_seconds(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], out);
}

void civil_format(int64_t seconds, char out[CIVIL_TEXT_SIZE])
{
    char text[RFC3339_SIZE];

    if (seconds > INT64_MAX / 1000)
        seconds = INT64_MAX / 1000;
    if (seconds < INT64_MIN / 1000)
        seconds = INT64_MIN / 1000;
    rfc3339_format(seconds * 1000, text); /* has milliseconds, which go */
    memcpy(out, text, 19);
    out[19] = 'Z';
    out[20] = 0;
}
