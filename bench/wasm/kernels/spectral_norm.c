/* The largest singular value of an endless matrix's corner, by power iteration: divisions. */
#include "kernel.h"

enum { N = 128 };

static double u[N], v[N], t[N];

static double element(int i, int j)
{
    return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static void multiply(const double *in, double *out)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;

        for (int j = 0; j < N; j++)
            sum += element(i, j) * in[j];
        out[i] = sum;
    }
}

static void multiply_transposed(const double *in, double *out)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;

        for (int j = 0; j < N; j++)
            sum += element(j, i) * in[j];
        out[i] = sum;
    }
}

int32_t run(int32_t scale)
{
    uint32_t sum = 0;

    for (int i = 0; i < N; i++)
        u[i] = 1;
    for (int32_t round = 0; round < scale; round++) {
        double norm = 0;

        multiply(u, t);
        multiply_transposed(t, v);
        for (int i = 0; i < N; i++)
            norm += v[i] * v[i];
        norm = __builtin_sqrt(norm);
        for (int i = 0; i < N; i++)
            u[i] = v[i] / norm;
        /* Disturbed a little, or it would stand still after some rounds. */
        u[round % N] += 0.25;
        sum = mix_double(sum, norm);
    }
    return (int32_t)sum;
}
