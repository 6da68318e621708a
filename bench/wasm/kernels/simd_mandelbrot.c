/* How soon points of the plane escape, four at a time: a row of 128 for a unit of scale. */
#include "kernel.h"

#ifdef __wasm__
#include <wasm_simd128.h>
#endif

typedef float v4f __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));

enum { WIDTH = 128, STEPS = 160 };

static int any(v4i v)
{
#ifdef __wasm__
    return wasm_v128_any_true((v128_t)v);
#else
    typedef int64_t v2l __attribute__((vector_size(16)));
    v2l halves = (v2l)v;

    return (halves[0] | halves[1]) != 0;
#endif
}

static v4i escape(v4f cx, v4f cy)
{
    v4f x = {0}, y = {0}, four = {4, 4, 4, 4};
    v4i steps = {0}, inside = {-1, -1, -1, -1};

    for (int i = 0; i < STEPS && any(inside); i++) {
        v4f xx = x * x, yy = y * y;

        inside &= xx + yy < four; /* those that are outside stay there */
        steps -= inside;
        y = (x + x) * y + cy;
        x = xx - yy + cx;
    }
    return steps;
}

int32_t run(int32_t scale)
{
    uint32_t sum = 0, seed = 20;

    for (int32_t row = 0; row < scale; row++) {
        float y = (float)(random_unit(&seed) * 2.4 - 1.2), step = 3.0f / WIDTH;
        v4f cy = {y, y, y, y};

        for (int i = 0; i < WIDTH; i += 4) {
            float f = (float)i;
            v4f cx = {f, f + 1, f + 2, f + 3};
            v4i steps = escape(cx * step - 2.1f, cy);

            for (int j = 0; j < 4; j++)
                sum = mix(sum, (uint32_t)steps[j]);
        }
    }
    return (int32_t)sum;
}
