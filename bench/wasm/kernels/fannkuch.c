/* Pancakes: for a thousand permutations a unit of scale, how many flips of the first so many
 * elements it takes until the first one is 0. */
#include "kernel.h"

enum { N = 11 };

/* The next permutation by rotating ever longer beginnings; turns counts how far each has come. */
static void next(uint8_t *order, uint8_t *turns)
{
    for (int end = 1; end < N; end++) {
        uint8_t first = order[0];

        for (int i = 0; i < end; i++)
            order[i] = order[i + 1];
        order[end] = first;
        if (++turns[end] <= end)
            return;
        turns[end] = 0;
    }
}

static uint32_t flips(const uint8_t *order)
{
    uint8_t pile[N];
    uint32_t count = 0;

    for (int i = 0; i < N; i++)
        pile[i] = order[i];
    while (pile[0] != 0) {
        for (int low = 0, high = pile[0]; low < high; low++, high--) {
            uint8_t t = pile[low];

            pile[low] = pile[high];
            pile[high] = t;
        }
        count++;
    }
    return count;
}

int32_t run(int32_t scale)
{
    uint8_t order[N], turns[N] = {0};
    uint32_t most = 0, sum = 0;

    for (int i = 0; i < N; i++)
        order[i] = (uint8_t)i;
    for (int32_t i = 0; i < scale; i++)
        for (uint32_t j = 0; j < 1000; j++) {
            uint32_t count = flips(order);

            if (count > most)
                most = count;
            sum += j % 2 == 0 ? count : 3 * count;
            next(order, turns);
        }
    return (int32_t)mix(sum, most);
}
