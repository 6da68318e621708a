/* Squeezes 16 KB by naming what came before (LZ77 with a table of hashes), unpacks them, compares.
 */
#include "kernel.h"

enum { SIZE = 16384, HASHES = 4096, MATCH_MIN = 4, MATCH_MAX = 130, LITERALS_MAX = 128 };

/* Packed: a byte below 128 and that many bytes + 1; or 128 + length - 3 and a 16-bit distance. */
static uint8_t data[SIZE], packed[SIZE + SIZE / LITERALS_MAX + 1], unpacked[SIZE];
static uint16_t latest[HASHES];

static uint32_t hash(const uint8_t *p)
{
    uint32_t four = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

    return four * 0x9e3779b1U >> 20;
}

static int put_literals(int out, int from, int end)
{
    while (from < end) {
        int count = end - from < LITERALS_MAX ? end - from : LITERALS_MAX;

        packed[out++] = (uint8_t)(count - 1);
        while (count-- > 0)
            packed[out++] = data[from++];
    }
    return out;
}

static int pack(void)
{
    int out = 0, literals = 0, at = 0;

    for (int i = 0; i < HASHES; i++)
        latest[i] = 0;
    while (at + MATCH_MIN <= SIZE) {
        uint32_t h = hash(data + at);
        int before = latest[h], length = 0;

        latest[h] = (uint16_t)at;
        if (before < at)
            while (length < MATCH_MAX && at + length < SIZE &&
                   data[before + length] == data[at + length])
                length++;
        if (length < MATCH_MIN) {
            at++;
            continue;
        }
        out = put_literals(out, literals, at);
        packed[out++] = (uint8_t)(128 + length - 3);
        packed[out++] = (uint8_t)(at - before);
        packed[out++] = (uint8_t)((at - before) >> 8);
        at += length;
        literals = at;
    }
    return put_literals(out, literals, SIZE);
}

static int unpack(int packed_size)
{
    int in = 0, out = 0;

    while (in < packed_size) {
        int head = packed[in++];

        if (head < 128) {
            for (int i = 0; i <= head; i++)
                unpacked[out++] = packed[in++];
        } else {
            int from = out - (packed[in] | packed[in + 1] << 8);

            in += 2;
            for (int i = 0; i < head - 128 + 3; i++)
                unpacked[out++] = unpacked[from++];
        }
    }
    return out;
}

int32_t run(int32_t scale)
{
    uint32_t seed = 14, sum = 0;

    for (int i = 0; i < SIZE; i++) {
        uint32_t r = random_next(&seed) >> 4;

        /* Half of it repeats something earlier. */
        if (i > 64 && r % 16 == 0)
            for (uint32_t j = r / 16 % 24, from = r / 512 % 64; j > 0 && i < SIZE - 1; j--, i++)
                data[i] = data[(uint32_t)i - from - 1];
        data[i] = (uint8_t)(r % 48);
    }
    for (int32_t round = 0; round < scale; round++) {
        int packed_size = pack();
        uint32_t different = (uint32_t)(SIZE - unpack(packed_size));

        for (int i = 0; i < SIZE; i++)
            different += data[i] != unpacked[i];
        sum = mix(mix(sum, (uint32_t)packed_size), different);
        for (int i = 0; i < 16; i++)
            data[random_next(&seed) % SIZE] = (uint8_t)(sum % 48);
    }
    return (int32_t)sum;
}
