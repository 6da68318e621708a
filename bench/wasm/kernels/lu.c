/* LU decomposition in place, without pivots: the matrix has a heavy diagonal. */
#include "kernel.h"

enum { N = 96 };

static double a[N][N];

static void fill(uint32_t *seed)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            a[i][j] = random_unit(seed);
        a[i][i] += N;
    }
}

static void decompose(void)
{
    for (int k = 0; k < N; k++)
        for (int i = k + 1; i < N; i++) {
            double factor = a[i][k] / a[k][k];

            a[i][k] = factor;
            for (int j = k + 1; j < N; j++)
                a[i][j] -= factor * a[k][j];
        }
}

int32_t run(int32_t scale)
{
    uint32_t seed = 2, sum = 0;

    for (int32_t round = 0; round < scale; round++) {
        fill(&seed);
        decompose();
        for (int i = 0; i < N; i++)
            sum = mix_double(mix_double(sum, a[i][i]), a[N - 1][i]);
    }
    return (int32_t)sum;
}
