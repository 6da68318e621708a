/* The shortest paths between all pairs of nodes of a random graph. */
#include "kernel.h"

enum { N = 112, FAR = 1 << 28 };

static int32_t distance[N][N];

static void make_graph(uint32_t *seed)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            uint32_t r = random_next(seed);

            distance[i][j] = i == j ? 0 : r % 8 == 0 ? (int32_t)(r >> 8) % 1000 + 1 : FAR;
        }
}

static void shorten(void)
{
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int32_t detour = distance[i][k] + distance[k][j];

                if (detour < distance[i][j])
                    distance[i][j] = detour;
            }
}

int32_t run(int32_t scale)
{
    uint32_t seed = 3, sum = 0;

    for (int32_t round = 0; round < scale; round++) {
        make_graph(&seed);
        shorten();
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                sum += (uint32_t)distance[i][j] * (uint32_t)(j + 1);
        sum = mix(sum, (uint32_t)round);
    }
    return (int32_t)sum;
}
