/* Dates as seconds since 1970, without a time zone database. */
#pragma once

#include "base/base.h"

/* UTC. False when there is no such time, or the year is not 1970 to 9999. Leap seconds are none. */
MUST_CHECK bool civil_seconds(unsigned year, unsigned month, unsigned day, unsigned hour,
                              unsigned minute, unsigned second, int64_t *out);

/* "2026-11-23T08:28:43Z" and nothing else, as Intel writes it. */
MUST_CHECK bool civil_parse(struct bytes text, int64_t *out);

/* The same text and a NUL. */
#define CIVIL_TEXT_SIZE 21
void civil_format(int64_t seconds, char out[CIVIL_TEXT_SIZE]);
