/* Looks for words in a long text: for a unit of scale one by comparing everywhere, and one by
 * Horspool's table of skips. */
#include "kernel.h"

enum { TEXT_SIZE = 16384, WORD_MAX = 24 };

static uint8_t text[TEXT_SIZE];

/* A text of words of few letters, so that beginnings often match. */
static void make_text(uint32_t *seed)
{
    for (int i = 0; i < TEXT_SIZE; i++) {
        uint32_t r = random_next(seed) >> 7;

        text[i] = (uint8_t)(r % 6 == 0 ? ' ' : 'a' + r / 6 % 12 * (r / 72 % 3) / 2);
    }
}

static int matches(const uint8_t *a, const uint8_t *b, int size)
{
    int i = 0;

    while (i < size && a[i] == b[i])
        i++;
    return i == size;
}

static uint32_t search_everywhere(const uint8_t *word, int size)
{
    uint32_t sum = 0;

    for (int at = 0; at + size <= TEXT_SIZE; at++)
        if (matches(text + at, word, size))
            sum += (uint32_t)at + 1;
    return sum;
}

static uint32_t search_by_skips(const uint8_t *word, int size)
{
    uint8_t skip[256];
    uint32_t sum = 0;

    for (int i = 0; i < 256; i++)
        skip[i] = (uint8_t)size;
    for (int i = 0; i < size - 1; i++)
        skip[word[i]] = (uint8_t)(size - 1 - i);
    for (int at = 0; at + size <= TEXT_SIZE; at += skip[text[at + size - 1]])
        if (matches(text + at, word, size))
            sum += (uint32_t)at + 1;
    return sum;
}

int32_t run(int32_t scale)
{
    uint32_t seed = 9, sum = 0;
    uint8_t word[WORD_MAX];

    make_text(&seed);
    for (int32_t round = 0; round < scale; round++) {
        uint32_t r = random_next(&seed);
        int size = (int)(r % (WORD_MAX - 3)) + 4, from = (int)(r >> 8) % (TEXT_SIZE - WORD_MAX);

        for (int i = 0; i < size; i++)
            word[i] = text[from + i];
        if (r % 4 == 0)
            word[size / 2] = '?'; /* occurs nowhere */
        sum = mix(sum, search_everywhere(word, size));
        sum = mix(sum, search_by_skips(word, size));
    }
    return (int32_t)sum;
}
