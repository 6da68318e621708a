/* Copies blocks of half a megabyte, a unit of scale each: memory.copy against memcpy. */
#include "kernel.h"

enum { BLOCK = 1 << 19, SIZE = BLOCK + 4096 };

static uint8_t a[SIZE], b[SIZE];

int32_t run(int32_t scale)
{
    uint32_t seed = 17, sum = 0;

    for (int i = 0; i < SIZE; i++)
        a[i] = (uint8_t)random_next(&seed);
    for (int32_t round = 0; round < scale; round++) {
        uint32_t r = random_next(&seed), from = r % 4096, to = (r >> 12) % 4096;
        uint8_t *in = round % 2 == 0 ? a : b, *out = round % 2 == 0 ? b : a;

        __builtin_memcpy(out + to, in + from, BLOCK);
        sum = mix(sum, out[(r >> 8) % SIZE]);
    }
    for (int i = 0; i < SIZE; i += 61)
        sum = mix(sum, (uint32_t)a[i] << 8 | b[i]);
    return (int32_t)sum;
}
