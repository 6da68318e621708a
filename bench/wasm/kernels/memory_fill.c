/* Fills blocks of half a megabyte, a unit of scale each: memory.fill against memset. */
#include "kernel.h"

enum { BLOCK = 1 << 19, SIZE = BLOCK + 4096 };

static uint8_t a[SIZE];

int32_t run(int32_t scale)
{
    uint32_t seed = 18, sum = 0;

    for (int32_t round = 0; round < scale; round++) {
        uint32_t r = random_next(&seed);

        __builtin_memset(a + r % 4096, (uint8_t)(r >> 24), BLOCK);
        sum = mix(sum, a[(r >> 4) % SIZE]);
    }
    for (int i = 0; i < SIZE; i += 61)
        sum = mix(sum, a[i]);
    return (int32_t)sum;
}
