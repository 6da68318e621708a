/* What is timed inside a workload, by its own clock, so that its start does not count. Prints
 * nanoseconds, on standard error.
 *
 *     work kernel SCALE     run() of a kernel of bench/wasm/kernels, and its result
 *     work clock COUNT      asks for the time
 *     work write COUNT      writes a byte to standard output */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wasm/kernels/kernel.h"

static long long now_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        exit(1);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int count = atoi(argv[2]);
    int result = 0;
    long long begin = now_ns(CLOCK_MONOTONIC);
    if (strcmp(argv[1], "kernel") == 0) {
        result = run(count);
    } else if (strcmp(argv[1], "clock") == 0) {
        for (int i = 0; i < count; i++)
            result ^= (int)now_ns(CLOCK_REALTIME) & 0;
    } else if (strcmp(argv[1], "write") == 0) {
        for (int i = 0; i < count; i++) {
            if (write(STDOUT_FILENO, "x", 1) != 1)
                return 1;
        }
    } else {
        return 2;
    }
    fprintf(stderr, "%d %lld\n", result, now_ns(CLOCK_MONOTONIC) - begin);
    return 0;
}
