/* Base 64 (RFC 4648): encodes 6000 bytes, decodes them, and goes on with the result. */
#include "kernel.h"

enum { SIZE = 6000, TEXT_SIZE = SIZE / 3 * 4 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint8_t data[SIZE], text[TEXT_SIZE], values[256];

static void encode(void)
{
    uint8_t *out = text;

    for (int i = 0; i < SIZE; i += 3) {
        uint32_t three = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = (uint8_t)letters[three >> shift & 63];
    }
}

/* The count of characters that are no letters of ours. */
static uint32_t decode(void)
{
    uint8_t *out = data;
    uint32_t wrong = 0, bits = 0;
    int count = 0;

    for (int i = 0; i < TEXT_SIZE; i++) {
        uint8_t value = values[text[i]];

        if (value == 255) {
            wrong++;
            value = text[i] & 63;
        }
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (uint8_t)(bits >> count);
        }
    }
    return wrong;
}

int32_t run(int32_t scale)
{
    uint32_t seed = 11, sum = 0;

    for (int i = 0; i < 256; i++)
        values[i] = 255;
    for (int i = 0; i < 64; i++)
        values[(uint8_t)letters[i]] = (uint8_t)i;
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)random_next(&seed);
    for (int32_t round = 0; round < scale; round++) {
        encode();
        /* Twenty letters are damaged on the way, some so that they are none. */
        for (int i = 0; i < 20; i++) {
            uint32_t r = random_next(&seed);

            text[r % TEXT_SIZE] = (uint8_t)(r >> 16);
        }
        sum = mix(sum, decode());
    }
    for (int i = 0; i < SIZE; i++)
        sum = mix(sum, data[i]);
    return (int32_t)sum;
}
