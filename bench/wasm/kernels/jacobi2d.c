/* A stencil: each point becomes the mean of itself and its four neighbours, twice a unit of scale.
 */
#include "kernel.h"

enum { N = 160 };

static double a[N][N], b[N][N];

static void relax(double (*restrict to)[N], double (*restrict from)[N])
{
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i - 1][j] +
                              from[i + 1][j]);
}

int32_t run(int32_t scale)
{
    uint32_t seed = 13, sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = b[i][j] = random_unit(&seed);
    for (int32_t round = 0; round < scale; round++) {
        /* A hot spot somewhere keeps it from settling. */
        a[random_next(&seed) % N][random_next(&seed) % N] = 1;
        relax(b, a);
        relax(a, b);
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum = mix_double(sum, a[i][j]);
    return (int32_t)sum;
}
