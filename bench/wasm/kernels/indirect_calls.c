/* A machine of small steps, each called through a pointer that the step before decides on:
 * 10,000 calls for a unit of scale. */
#include "kernel.h"

typedef uint32_t step_fn(uint32_t a, uint32_t b);

static uint32_t add(uint32_t a, uint32_t b)
{
    return a + b;
}

static uint32_t subtract(uint32_t a, uint32_t b)
{
    return a - 3 * b;
}

static uint32_t multiply(uint32_t a, uint32_t b)
{
    return a * (b | 1);
}

static uint32_t exclude(uint32_t a, uint32_t b)
{
    return a ^ b;
}

static uint32_t turn(uint32_t a, uint32_t b)
{
    return (a << 7 | a >> 25) + b;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a + 1 : b - 1;
}

static uint32_t fold(uint32_t a, uint32_t b)
{
    return (a >> 16) + (a << 16) + (b >> 3);
}

static uint32_t keep(uint32_t a, uint32_t b)
{
    return (a & 0xffff00ffU) | (b & 0xff00);
}

/* Not constant, so that the calls stay calls. */
static step_fn *volatile steps[8] = {add, subtract, multiply, exclude, turn, larger, fold, keep};

int32_t run(int32_t scale)
{
    step_fn *table[8];
    uint32_t a = 11, b = 13;

    for (int i = 0; i < 8; i++)
        table[i] = steps[i];
    for (int32_t round = 0; round < scale; round++)
        for (uint32_t i = 0; i < 10000; i++) {
            uint32_t c = table[(a ^ i) % 8](a, b);

            b = a + i;
            a = c;
        }
    return (int32_t)mix(a, b);
}
