/* UTF-8, RFC 3629 §4. Input is untrusted. */
#include "base/utf8.h"

#include <string.h>

/* The size of the valid character at text, whose first byte is not ASCII; 0 when there is none.
 *
 *   first     second    then          (RFC 3629 §4, UTF8-2 to UTF8-4)
 *   C2..DF    80..BF
 *   E0        A0..BF    80..BF        no overlong forms
 *   E1..EF    80..BF    80..BF        ED: 80..9F, no surrogates
 *   F0        90..BF    2 x 80..BF    no overlong forms
 *   F1..F4    80..BF    2 x 80..BF    F4: 80..8F, nothing above U+10FFFF
 */
static size_t character_size(const uint8_t *text, size_t left)
{
    uint8_t first = text[0], low = 0x80, high = 0xbf;
    size_t size;

    if (first < 0xc2 || first > 0xf4)
        return 0;
    size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size > left)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

size_t utf8_valid_prefix(struct bytes text)
{
    size_t at = 0;

    while (at < text.size) {
        uint64_t eight;
        if (text.size - at >= sizeof eight) {
            memcpy(&eight, text.data + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t size = text.data[at] < 0x80 ? 1 : character_size(text.data + at, text.size - at);
        if (size == 0)
            break;
        at += size;
    }
    return at;
}

size_t utf8_put(uint32_t code_point, uint8_t out[4])
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (uint8_t)(0xc0 | code_point >> 6);
        out[1] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point >= 0xd800 && code_point <= 0xdfff)
        return 0;
    if (code_point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code_point >> 12);
        out[1] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 3;
    }
    if (code_point > 0x10ffff)
        return 0;
    out[0] = (uint8_t)(0xf0 | code_point >> 18);
    out[1] = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code_point & 0x3f));
    return 4;
}
