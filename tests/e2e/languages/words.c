/* What tests/e2e/test_languages.py asks of a module, in C with wasi-libc: its allocator, qsort,
 * strings, and function pointers. The same functions are here in four languages. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { WORD_MAX = 7, BUCKETS = 64 };

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

/* One to seven letters of a to d, in a block of its own. */
static char *make_word(uint32_t *state)
{
    uint32_t size = 1 + next(state) % WORD_MAX;
    char *word = malloc(size + 1);
    if (word == NULL)
        abort();
    for (uint32_t i = 0; i < size; i++)
        word[i] = (char)('a' + next(state) % 4);
    word[size] = '\0';
    return word;
}

EXPORT("mix") double mix(int32_t a, int64_t b, float c, double d)
{
    return a + (double)b * 2 + (double)c * 3 + d * 4;
}

EXPORT("ackermann") int32_t ackermann(int32_t m, int32_t n)
{
    if (m == 0)
        return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static uint64_t times(uint64_t a, uint64_t b, uint64_t modulus)
{
    uint64_t sum = 0;
    for (; b != 0; b >>= 1) {
        if (b & 1)
            sum = (sum + a) % modulus;
        a = a * 2 % modulus;
    }
    return sum;
}

EXPORT("power") uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus)
{
    uint64_t result = 1;
    for (base %= modulus; exponent != 0; exponent >>= 1) {
        if (exponent & 1)
            result = times(result, base, modulus);
        base = times(base, base, modulus);
    }
    return result;
}

EXPORT("divide") int64_t divide(int64_t a, int64_t b)
{
    return a / b * 1000 + a % b;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* FNV-1a of the words, sorted, a space behind each. */
EXPORT("sort_words") uint64_t sort_words(uint32_t seed, uint32_t count)
{
    uint64_t hash = 0xcbf29ce484222325;
    char **words = malloc(count * sizeof *words);
    if (words == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++)
        words[i] = make_word(&seed);
    qsort(words, count, sizeof *words, compare);
    for (uint32_t i = 0; i < count; i++) {
        for (const char *p = words[i]; *p != '\0'; p++)
            hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
        hash = (hash ^ ' ') * 0x100000001b3;
        free(words[i]);
    }
    free(words);
    return hash;
}

struct entry {
    struct entry *next;
    char *word;
    int32_t times;
};

/* The sum of the squares of how often each word comes. */
EXPORT("count_words") int32_t count_words(uint32_t seed, uint32_t count)
{
    struct entry *table[BUCKETS] = {NULL};
    int32_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        char *word = make_word(&seed);
        struct entry **e = &table[(strlen(word) * 31 + (uint8_t)word[0]) % BUCKETS];
        while (*e != NULL && strcmp((*e)->word, word) != 0)
            e = &(*e)->next;
        if (*e == NULL) {
            *e = calloc(1, sizeof **e);
            if (*e == NULL)
                abort();
            (*e)->word = word;
        } else {
            free(word);
        }
        (*e)->times++;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (table[i] != NULL) {
            struct entry *e = table[i];
            table[i] = e->next;
            sum += e->times * e->times;
            free(e->word);
            free(e);
        }
    }
    return sum;
}

struct shape {
    double (*area)(const struct shape *);
    double a, b, c;
};

static double circle(const struct shape *s)
{
    return 3.25 * s->a * s->a;
}

static double rectangle(const struct shape *s)
{
    return s->a * s->b;
}

static double triangle(const struct shape *s)
{
    double half = (s->a + s->b + s->c) / 2;
    return sqrt(half * (half - s->a) * (half - s->b) * (half - s->c));
}

EXPORT("areas") double areas(int32_t count)
{
    static double (*const kinds[])(const struct shape *) = {circle, rectangle, triangle};
    struct shape *shapes = malloc((uint32_t)count * sizeof *shapes);
    double sum = 0;

    if (shapes == NULL)
        abort();
    for (int32_t i = 0; i < count; i++)
        shapes[i] = (struct shape){kinds[i % 3], i + 1, i + 1.5, i + 1.75};
    for (int32_t i = 0; i < count; i++)
        sum += shapes[i].area(&shapes[i]);
    free(shapes);
    return sum;
}

EXPORT("smooth") float smooth(uint32_t seed, int32_t count)
{
    float y = 0;
    for (int32_t i = 0; i < count; i++)
        y = y * 0.7f + (float)next(&seed) / 3.0f;
    return y;
}

/* A square of 0 to 9; what is beyond ends the program. */
EXPORT("square_of") int32_t square_of(int32_t index)
{
    int32_t *squares = malloc(10 * sizeof *squares);
    if (squares == NULL || index < 0 || index >= 10)
        abort();
    for (int32_t i = 0; i < 10; i++)
        squares[i] = i * i;
    int32_t found = squares[index];
    free(squares);
    return found;
}
