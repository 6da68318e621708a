/* What the benchmarks share: medians of several runs, printed as ratios against a limit or a peer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The median wall time in ns of `runs` calls (1 to 101) of work(context), after one to warm up. */
uint64_t bench_median_ns(void (*work)(void *context), void *context, unsigned runs);

/* The median of `runs` ratios (1 to 101): the time of work(context) over that of
 * peer(peer_context), one right after the other, after one of each to warm up. */
double bench_median_ratio(void (*work)(void *context), void *context, void (*peer)(void *context),
                          void *peer_context, unsigned runs);

/* Prints one line: the name, MB/s (10^6 bytes), the ratio to the target, and whether it is met.
 * What is printed goes to the table of ./run bench, too. */
void bench_print_rate(const char *name, size_t bytes, uint64_t ns, double target_mb_per_s);

/* Prints one line: the name, the value with its unit, and whether it is at most the target. */
void bench_print_at_most(const char *name, double value, const char *unit, double target);

/* Prints one line: the name, a ratio to a peer, and whether it is at most the target. */
void bench_print_ratio(const char *name, double ratio, const char *peer, double target);
