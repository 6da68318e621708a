/* What the benchmark kernels share. A kernel is freestanding C that builds natively and for wasm32,
 * and defines run(): its work grows in proportion to scale, its result depends on all of it and on
 * nothing else, so that every engine must print the same number. No kernel imports anything:
 * -mbulk-memory turns what the compiler makes of loops (memcpy, memset) into instructions. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

int32_t run(int32_t scale);

/* Marsaglia's xorshift with 32 bits of state, which must not be 0. */
static inline uint32_t random_next(uint32_t *state)
{
    uint32_t x = *state;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

/* In [0, 1), exact. */
static inline double random_unit(uint32_t *state)
{
    return (double)(random_next(state) >> 8) / 16777216.0;
}

/* Adds a value to a checksum; the order matters. */
static inline uint32_t mix(uint32_t sum, uint32_t value)
{
    sum = (sum ^ value) * 0x9e3779b1U + 1;
    return sum ^ (sum >> 15);
}

/* Every bit of the number counts: the kernels compute the same everywhere or are wrong. */
static inline uint32_t mix_double(uint32_t sum, double value)
{
    uint64_t bits;

    __builtin_memcpy(&bits, &value, sizeof bits);
    return mix(mix(sum, (uint32_t)bits), (uint32_t)(bits >> 32));
}

#endif
