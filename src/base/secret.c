/* Wiping and comparing without leaving traces. No heap, no libc beyond memset. */
#include "base/secret.h"

#include <stdint.h>
#include <string.h>

void secret_wipe(void *data, size_t size)
{
    if (size == 0)
        return;
    memset(data, 0, size);
    __asm__ volatile("" : : "r"(data) : "memory"); /* the zeroes are seen by somebody */
}

bool secret_equal(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;
    uint32_t difference = 0;

    for (size_t i = 0; i < size; i++) {
        difference |= (uint32_t)(x[i] ^ y[i]);
        __asm__ volatile("" : "+r"(difference)); /* no early way out may be found */
    }
    return difference == 0;
}
