/* Dense matrices: C = C / 2 + A × B, in doubles. */
#include "kernel.h"

enum { N = 96 };

static double a[N][N], b[N][N], c[N][N];

int32_t run(int32_t scale)
{
    uint32_t seed = 1, sum = 0;

    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = random_unit(&seed) - 0.5;
            b[i][j] = random_unit(&seed) - 0.5;
        }
    for (int32_t round = 0; round < scale; round++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++)
                c[i][j] *= 0.5;
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++)
                    c[i][j] += a[i][k] * b[k][j];
        }
        /* The next round multiplies something else. */
        a[round % N][0] = c[0][round % N] / N;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum = mix_double(sum, c[i][j]);
    return (int32_t)sum;
}
