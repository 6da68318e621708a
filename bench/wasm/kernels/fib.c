/* Fibonacci numbers by recursion: calls and little else. */
#include "kernel.h"

static uint32_t fib(uint32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int32_t run(int32_t scale)
{
    uint32_t sum = 0;

    for (int32_t round = 0; round < scale; round++)
        sum = mix(sum, fib(16 + sum % 4));
    return (int32_t)sum;
}
