/* CRC-32 (the polynomial of Ethernet and zip), a byte at a time from a table. */
#include "kernel.h"

enum { SIZE = 16384 };

static uint32_t table[256];
static uint8_t data[SIZE];

int32_t run(int32_t scale)
{
    uint32_t seed = 6, crc = 0xffffffffU;

    for (uint32_t i = 0; i < 256; i++) {
        uint32_t x = i;

        for (int bit = 0; bit < 8; bit++)
            x = x % 2 != 0 ? x >> 1 ^ 0xedb88320U : x >> 1;
        table[i] = x;
    }
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)random_next(&seed);
    for (int32_t round = 0; round < scale; round++)
        for (int i = 0; i < SIZE; i++)
            crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
    return (int32_t)~crc;
}
