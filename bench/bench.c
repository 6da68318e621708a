/* Timing and printing for the benchmarks. */
#include "bench.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"

enum { RUNS_MAX = 101 };

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t bench_median_ns(void (*work)(void *context), void *context, unsigned runs)
{
    uint64_t ns[RUNS_MAX];

    assert(runs >= 1 && runs <= RUNS_MAX);
    work(context);
    for (unsigned i = 0; i < runs; i++) {
        uint64_t start = os_monotonic_ns();
        work(context);
        ns[i] = os_monotonic_ns() - start;
    }
    qsort(ns, runs, sizeof ns[0], compare);
    return ns[runs / 2];
}

static int compare_ratios(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median_ratio(void (*work)(void *context), void *context, void (*peer)(void *context),
                          void *peer_context, unsigned runs)
{
    double ratios[RUNS_MAX];

    assert(runs >= 1 && runs <= RUNS_MAX);
    work(context);
    peer(peer_context);
    for (unsigned i = 0; i < runs; i++) {
        uint64_t start = os_monotonic_ns();
        work(context);
        uint64_t between = os_monotonic_ns();
        peer(peer_context);
        uint64_t end = os_monotonic_ns();
        ratios[i] = (double)(between - start) / (double)(end > between ? end - between : 1);
    }
    qsort(ratios, runs, sizeof ratios[0], compare_ratios);
    return ratios[runs / 2];
}

/* A row as parts.py has them, for the table at the end of a run; `first` is what kinds of rows
 * differ in. Texts are literals of ours, without quotes. */
static void keep_row(const char *what, const char *first, const char *limit_sign, double limit,
                     double ratio, bool is_met)
{
    const char *path = getenv("BROCH_BENCH_RESULTS");
    FILE *file = path != NULL ? fopen(path, "a") : NULL;

    if (file == NULL)
        return;
    (void)fprintf(file,
                  "{\"what\": \"%s\", %s, \"peer_value\": null, \"limit\": \"%s %g\", "
                  "\"ratio\": %.9g, \"ok\": %s}\n",
                  what, first, limit_sign, limit, ratio, is_met ? "true" : "false");
    (void)fclose(file);
}

static void keep_value(const char *what, double value, const char *unit, const char *limit_sign,
                       double limit, bool is_met)
{
    char first[128];

    (void)snprintf(first, sizeof first, "\"value\": %.9g, \"unit\": \"%s\", \"peer\": null", value,
                   unit);
    keep_row(what, first, limit_sign, limit, value / limit, is_met);
}

void bench_print_rate(const char *name, size_t bytes, uint64_t ns, double target_mb_per_s)
{
    double rate = (double)bytes * 1000 / (double)(ns != 0 ? ns : 1);
    bool is_met = rate >= target_mb_per_s;

    printf("%-28s %9.0f MB/s   target %6.0f   %5.2f x  %s\n", name, rate, target_mb_per_s,
           rate / target_mb_per_s, is_met ? "met" : "MISSED");
    keep_value(name, rate, "MB/s", ">=", target_mb_per_s, is_met);
}

void bench_print_at_most(const char *name, double value, const char *unit, double target)
{
    bool is_met = value <= target;

    printf("%-28s %9.2f %-6s target <= %g  %s\n", name, value, unit, target,
           is_met ? "met" : "MISSED");
    keep_value(name, value, unit, "<=", target, is_met);
}

void bench_print_ratio(const char *name, double ratio, const char *peer, double target)
{
    bool is_met = ratio <= target;
    char first[128];

    printf("%-28s %9.2f x %s   target <= %g  %s\n", name, ratio, peer, target,
           is_met ? "met" : "MISSED");
    (void)snprintf(first, sizeof first, "\"value\": null, \"unit\": \"\", \"peer\": \"%s\"", peer);
    keep_row(name, first, "<=", target, ratio, is_met);
}
