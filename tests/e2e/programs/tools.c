/* Small tools of a POSIX system, one a command: what tests/e2e/test_programs.py asks of stdin,
 * stdout, arguments, environment and clocks. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int args(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("[%s]\n", argv[i]);
    return 0;
}

static int env(int argc, char **argv)
{
    if (argc == 0)
        for (char **e = environ; *e != NULL; e++)
            puts(*e);
    for (int i = 0; i < argc; i++) {
        const char *value = getenv(argv[i]);
        printf("%s is %s\n", argv[i], value != NULL ? value : "not set");
    }
    return 0;
}

/* CRC-32 of each file, read in odd pieces. */
static int crc(int argc, char **argv)
{
    unsigned char piece[4097];

    for (int i = 0; i < argc; i++) {
        FILE *f = strcmp(argv[i], "-") == 0 ? stdin : fopen(argv[i], "rb");
        uint32_t sum = UINT32_MAX;
        size_t size, total = 0;
        if (f == NULL) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return 1;
        }
        while ((size = fread(piece, 1, sizeof piece, f)) > 0) {
            for (size_t at = 0; at < size; at++) {
                sum ^= piece[at];
                for (int bit = 0; bit < 8; bit++)
                    sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
            }
            total += size;
        }
        if (ferror(f) || fclose(f) != 0)
            return 1;
        printf("%08" PRIx32 " %zu %s\n", ~sum, total, argv[i]);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int sort(int argc, char **argv)
{
    char **lines = NULL, *line = NULL;
    size_t count = 0, room = 0, size = 0;

    (void)argc, (void)argv;
    while (getline(&line, &size, stdin) >= 0) {
        if (count == room) {
            room = room * 2 + 16;
            lines = realloc(lines, room * sizeof *lines);
        }
        if (lines == NULL || (lines[count++] = strdup(line)) == NULL)
            return 1;
    }
    qsort(lines, count, sizeof *lines, compare);
    for (size_t i = 0; i < count; i++) {
        fputs(lines[i], stdout);
        free(lines[i]);
    }
    free(lines);
    free(line);
    return 0;
}

/* scanf and printf: a table of names and numbers, its sums below. */
static int table(int argc, char **argv)
{
    double x, sum = 0;
    int64_t n, total = 0;
    char name[32];

    (void)argc, (void)argv;
    while (scanf("%31s %" SCNd64 " %lf", name, &n, &x) == 3) {
        printf("%-8s|%+6" PRId64 "|%06.2f|%#" PRIx64 "|%e\n", name, n, x, (uint64_t)n, x);
        total += n;
        sum += x;
    }
    printf("%" PRId64 " %g\n", total, sum);
    return feof(stdin) ? 0 : 1;
}

/* The seconds of the realtime clock, and whether the monotonic one agrees about a sleep. */
static int clocks(int argc, char **argv)
{
    struct timespec before, after, want = {0, 50000000};
    struct tm *tm;
    time_t now = time(NULL);
    char text[64];
    int64_t ns;

    (void)argc, (void)argv;
    if ((tm = gmtime(&now)) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", tm) == 0)
        return 1;
    if (clock_gettime(CLOCK_MONOTONIC, &before) != 0 || nanosleep(&want, NULL) != 0 ||
        clock_gettime(CLOCK_MONOTONIC, &after) != 0)
        return 1;
    ns = (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 + (after.tv_nsec - before.tv_nsec);
    printf("%lld %s %" PRId64 "\n", (long long)now, text, ns);
    return 0;
}

/* Copies stdin to stdout and, behind it on stderr, says how much it was. */
static int cat(int argc, char **argv)
{
    static char piece[65536];
    size_t total = 0;
    ssize_t size;

    (void)argc, (void)argv;
    while ((size = read(STDIN_FILENO, piece, sizeof piece)) > 0) {
        for (ssize_t at = 0, n; at < size; at += n)
            if ((n = write(STDOUT_FILENO, piece + at, (size_t)(size - at))) < 0)
                return 1;
        total += (size_t)size;
    }
    fprintf(stderr, "%zu\n", total);
    return size < 0;
}

/* Ends in the way that is named. */
static int end(int argc, char **argv)
{
    const char *how = argc > 0 ? argv[0] : "";

    fputs("not flushed", stdout);
    if (strcmp(how, "exit") == 0 && argc > 1)
        exit(atoi(argv[1]));
    if (strcmp(how, "_exit") == 0)
        _exit(3);
    if (strcmp(how, "abort") == 0)
        abort();
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"args", args},   {"env", env},       {"crc", crc}, {"sort", sort},
                    {"table", table}, {"clocks", clocks}, {"cat", cat}, {"end", end}};

    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    fputs("no such command\n", stderr);
    return 2;
}
