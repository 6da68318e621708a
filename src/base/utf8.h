/* UTF-8 (RFC 3629): strict, so no surrogates, no overlong forms, nothing above U+10FFFF. Fit for
 * shims. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* How many bytes from the start are whole, valid characters. */
size_t utf8_valid_prefix(struct bytes text);

static inline bool utf8_is_valid(struct bytes text)
{
    return utf8_valid_prefix(text) == text.size;
}

/* Writes the character and returns its size, 1 to 4; 0 when there is no such character. */
size_t utf8_put(uint32_t code_point, uint8_t out[4]);
