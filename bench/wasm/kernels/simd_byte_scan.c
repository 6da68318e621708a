/* Counts lines and fields in 32 KB of text, sixteen bytes at a time, and finds the longest line. */
#include "kernel.h"

#ifdef __wasm__
#include <wasm_simd128.h>
#endif

typedef uint8_t v16 __attribute__((vector_size(16)));

enum { SIZE = 32 * 1024 };

static v16 text[SIZE / 16];

static int any(v16 v)
{
#ifdef __wasm__
    return wasm_v128_any_true((v128_t)v);
#else
    typedef uint64_t v2l __attribute__((vector_size(16)));
    v2l halves = (v2l)v;

    return (halves[0] | halves[1]) != 0;
#endif
}

static uint32_t total(v16 v)
{
    uint32_t sum = 0;

    for (int i = 0; i < 16; i++)
        sum += v[i];
    return sum;
}

static uint32_t scan(void)
{
    const uint8_t *bytes = (const uint8_t *)text;
    uint32_t commas = 0, lines = 0, longest = 0, start = 0;
    v16 sum = {0};

    for (uint32_t i = 0; i < SIZE / 16; i++) {
        v16 newlines = (v16)(text[i] == '\n');

        sum -= (v16)(text[i] == ',');
        if (i % 255 == 254 || i == SIZE / 16 - 1) {
            commas += total(sum);
            sum = (v16){0};
        }
        if (any(newlines))
            for (uint32_t at = i * 16; at < i * 16 + 16; at++)
                if (bytes[at] == '\n') {
                    lines++;
                    longest = at - start > longest ? at - start : longest;
                    start = at + 1;
                }
    }
    return mix(mix(commas, lines), longest);
}

int32_t run(int32_t scale)
{
    uint8_t *bytes = (uint8_t *)text;
    uint32_t seed = 21, sum = 0;

    for (int i = 0; i < SIZE; i++) {
        uint32_t r = random_next(&seed) >> 6;

        bytes[i] = (uint8_t)(r % 400 == 0 ? '\n' : r % 11 == 0 ? ',' : 'a' + r % 26);
    }
    for (int32_t round = 0; round < scale; round++) {
        uint32_t r = random_next(&seed);

        bytes[r % SIZE] = (uint8_t)(r % 7 == 0 ? ',' : 'a' + (r >> 20) % 26);
        sum = mix(sum, scan());
    }
    return (int32_t)sum;
}
