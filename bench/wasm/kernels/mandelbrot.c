/* How soon points of the plane escape: a row of 128 for a unit of scale. */
#include "kernel.h"

enum { WIDTH = 128, STEPS = 160 };

static uint32_t escape(double cx, double cy)
{
    double x = 0, y = 0;
    uint32_t step = 0;

    while (step < STEPS && x * x + y * y < 4.0) {
        double next = x * x - y * y + cx;

        y = 2 * x * y + cy;
        x = next;
        step++;
    }
    return step;
}

int32_t run(int32_t scale)
{
    uint32_t sum = 0, seed = 5;

    for (int32_t row = 0; row < scale; row++) {
        double y = random_unit(&seed) * 2.4 - 1.2;

        for (int i = 0; i < WIDTH; i++)
            sum = mix(sum, escape(i * (3.0 / WIDTH) - 2.1, y));
    }
    return (int32_t)sum;
}
