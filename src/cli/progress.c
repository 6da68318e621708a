#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "os/os.h"
#include "base/banned.h"

#define REDRAW_NS UINT64_C(100000000)
#define PATIENCE_NS UINT64_C(500000000) /* what takes no longer is not worth a word */

void progress_begin(struct progress *p, const char *what, uint64_t total, bool is_wanted)
{
    *p = (struct progress){.what = what,
                           .total = total,
                           .begun_ns = os_monotonic_ns(),
                           .is_shown = is_wanted && isatty(STDERR_FILENO) == 1};
    p->drawn_ns = p->begun_ns + PATIENCE_NS - REDRAW_NS;
}

const char *size_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < COUNT_OF(units)) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

static void draw(const struct progress *p, uint64_t now)
{
    double seconds = (double)(now - p->begun_ns) / 1e9, rate = (double)p->done / seconds;
    char done[32], total[32], speed[32];

    (void)fprintf(stderr, "\r%s %s", p->what, size_text(p->done, done));
    if (p->total != 0)
        (void)fprintf(stderr, " of %s", size_text(p->total, total));
    (void)fprintf(stderr, ", %s/s", size_text((uint64_t)rate, speed));
    if (p->total > p->done && rate > 0) {
        uint64_t left = (uint64_t)((double)(p->total - p->done) / rate);
        (void)fprintf(stderr, ", %llu:%02llu left", (unsigned long long)(left / 60),
                      (unsigned long long)(left % 60));
    }
    (void)fputs("\033[K", stderr);
    (void)fflush(stderr);
}

void progress_move(void *progress, uint64_t bytes)
{
    struct progress *p = progress;

    p->done += bytes;
    if (!p->is_shown)
        return;
    uint64_t now = os_monotonic_ns();
    if (now - p->drawn_ns < REDRAW_NS || now < p->drawn_ns)
        return;
    p->drawn_ns = now;
    draw(p, now);
}

void progress_end(struct progress *p)
{
    if (p->is_shown)
        (void)fputs("\r\033[K", stderr);
    p->is_shown = false;
}
