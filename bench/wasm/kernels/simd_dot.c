/* Dot products of floats, sixteen at a time in four vectors: the sum's order is part of the result,
 * so no compiler may change it. */
#include "kernel.h"

typedef float v4f __attribute__((vector_size(16)));

enum { VECTORS = 512, ROWS = 8 };

static v4f rows[ROWS][VECTORS], x[VECTORS];

static float dot(const v4f *a, const v4f *b)
{
    v4f s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};

    for (int i = 0; i < VECTORS; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    s0 = (s0 + s1) + (s2 + s3);
    return (s0[0] + s0[1]) + (s0[2] + s0[3]);
}

int32_t run(int32_t scale)
{
    uint32_t seed = 19, sum = 0;

    for (int i = 0; i < VECTORS; i++)
        for (int j = 0; j < 4; j++) {
            x[i][j] = (float)random_unit(&seed);
            for (int k = 0; k < ROWS; k++)
                rows[k][i][j] = (float)random_unit(&seed) - 0.5f;
        }
    for (int32_t round = 0; round < scale; round++)
        for (int k = 0; k < ROWS; k++) {
            float d = dot(rows[k], x);

            sum = mix_double(sum, (double)d);
            x[(uint32_t)(round + k) % VECTORS][k % 4] = d * 0.01f;
        }
    return (int32_t)sum;
}
