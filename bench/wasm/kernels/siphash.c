/* SipHash-2-4 (Aumasson, Bernstein) of many short strings: arithmetic in 64 bits. */
#include "kernel.h"

enum { STRINGS = 64, WORDS_MAX = 6 };

static uint64_t strings[STRINGS][WORDS_MAX];

struct state {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void stir(struct state *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32) + s->d;
    s->c += s->b;
    s->b = rotate(s->b, 17) ^ s->c;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c = rotate(s->c, 32);
}

static void take(struct state *s, uint64_t word)
{
    s->d ^= word;
    stir(s);
    stir(s);
    s->a ^= word;
}

static uint64_t hash(const uint64_t *words, int count, uint64_t key0, uint64_t key1)
{
    struct state s = {
        .a = key0 ^ 0x736f6d6570736575U,
        .b = key1 ^ 0x646f72616e646f6dU,
        .c = key0 ^ 0x6c7967656e657261U,
        .d = key1 ^ 0x7465646279746573U,
    };

    for (int i = 0; i < count; i++)
        take(&s, words[i]);
    take(&s, (uint64_t)count * 8 << 56);
    s.c ^= 0xff;
    for (int i = 0; i < 4; i++)
        stir(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

int32_t run(int32_t scale)
{
    uint32_t seed = 15;
    uint64_t key = 1;

    for (int i = 0; i < STRINGS; i++)
        for (int j = 0; j < WORDS_MAX; j++)
            strings[i][j] = (uint64_t)random_next(&seed) << 32 | random_next(&seed);
    for (int32_t round = 0; round < scale; round++)
        for (int i = 0; i < STRINGS; i++)
            key = hash(strings[i], i % WORDS_MAX + 1, key, (uint64_t)round);
    return (int32_t)(key ^ key >> 32);
}
