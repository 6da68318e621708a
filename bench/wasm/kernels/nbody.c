/* Five bodies under gravity, in small steps. */
#include "kernel.h"

enum { BODIES = 5 };

struct body {
    double x, y, z, vx, vy, vz, mass;
};

static struct body bodies[BODIES];

static void make_bodies(void)
{
    uint32_t seed = 4;

    for (int i = 0; i < BODIES; i++) {
        struct body *b = &bodies[i];

        /* On wide orbits around the first, so that none come close. */
        b->x = i * 5.0;
        b->y = i * (random_unit(&seed) - 0.5);
        b->z = i * (random_unit(&seed) - 0.5) * 0.1;
        b->vx = (random_unit(&seed) - 0.5) * 0.1;
        b->vy = i == 0 ? 0 : 6.0 / __builtin_sqrt(i * 5.0);
        b->vz = 0;
        b->mass = i == 0 ? 36 : 0.02 * random_unit(&seed);
    }
}

static void advance(double step)
{
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++) {
            struct body *a = &bodies[i], *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double pull = step / (square * __builtin_sqrt(square));

            a->vx -= dx * b->mass * pull;
            a->vy -= dy * b->mass * pull;
            a->vz -= dz * b->mass * pull;
            b->vx += dx * a->mass * pull;
            b->vy += dy * a->mass * pull;
            b->vz += dz * a->mass * pull;
        }
    for (int i = 0; i < BODIES; i++) {
        struct body *b = &bodies[i];

        b->x += step * b->vx;
        b->y += step * b->vy;
        b->z += step * b->vz;
    }
}

int32_t run(int32_t scale)
{
    uint32_t sum = 0;

    make_bodies();
    for (int32_t i = 0; i < scale; i++)
        advance(0.001);
    for (int i = 0; i < BODIES; i++)
        sum = mix_double(mix_double(mix_double(sum, bodies[i].x), bodies[i].y), bodies[i].vz);
    return (int32_t)sum;
}
