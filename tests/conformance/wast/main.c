/* wast: runs scripts of the WebAssembly test suite on the engine. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "os/os.h"
#include "script.h"
#include "base/banned.h"

static const char usage[] =
    "usage: wast [--bounds explicit|guard] [--json] FILE|FOLDER…\n"
    "\n"
    "Runs scripts of the WebAssembly test suite, and all scripts (*.wast) under a folder; prints "
    "a\n"
    "line for each with what became of its assertions, and failures on stderr.\n"
    "\n"
    "  --bounds explicit|guard   how memory accesses are checked (default: explicit)\n"
    "  --json                    print one JSON object instead\n"
    "  --help                    this text\n"
    "\n"
    "Exit status: 0, 1 something failed, 2 the command line is wrong or a file cannot be read.\n";

struct run {
    enum wasm_bounds bounds;
    bool as_json;
    bool is_broken; /* a file could not be read */
    uint32_t file_count;
    const char *name; /* of the file that runs */
    struct tally total;
};

static void complain(struct run *r, const char *path, const char *why)
{
    (void)fprintf(stderr, "wast: %s: %s\n", path, why);
    r->is_broken = true;
}

static void print_failure(void *context, uint32_t line, const char *text)
{
    const struct run *r = context;
    (void)fprintf(stderr, "%s:%u: %s\n", r->name, line, text);
}

/* ---- one file's figures ---- */

static void print_json_string(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ')
            printf("\\u%04x", (unsigned)*text);
        else if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void print_json_features(const char *key, const uint32_t counts[FEATURE_COUNT])
{
    const char *comma = "";

    printf(",\"%s\":{", key);
    for (enum feature f = FEATURE_NONE; f < FEATURE_COUNT; f++) {
        if (counts[f] != 0) {
            printf("%s\"%s\":%u", comma, feature_name(f), counts[f]);
            comma = ",";
        }
    }
    printf("}");
}

static void print_json(const struct tally *t)
{
    printf("\"passed\":%u,\"failed\":%u", t->passed, t->failed);
    print_json_features("not_supported", t->not_supported);
    print_json_features("commands_not_supported", t->commands_not_supported);
    print_json_features("superseded", t->superseded);
}

static void print_features(const char *what, const uint32_t counts[FEATURE_COUNT])
{
    for (enum feature f = FEATURE_NONE; f < FEATURE_COUNT; f++)
        if (counts[f] != 0)
            printf(", %u %s: %s", counts[f], what, feature_name(f));
}

static void print_line(const char *name, const struct tally *t)
{
    printf("%s: %u passed", name, t->passed);
    if (t->failed != 0)
        printf(", %u failed", t->failed);
    print_features("not supported", t->not_supported);
    print_features("other commands not supported", t->commands_not_supported);
    print_features("superseded", t->superseded);
    putchar('\n');
}

static void add(struct tally *total, const struct tally *t)
{
    total->passed += t->passed;
    total->failed += t->failed;
    for (enum feature f = FEATURE_NONE; f < FEATURE_COUNT; f++) {
        total->not_supported[f] += t->not_supported[f];
        total->commands_not_supported[f] += t->commands_not_supported[f];
        total->superseded[f] += t->superseded[f];
    }
}

/* ---- files and folders ---- */

/* name: how the file is called in reports. */
static void run_file(struct run *r, const char *path, const char *name)
{
    struct text_error error;
    struct tally tally;
    struct arena arena;
    struct bytes text;
    struct err err;
    char reason[ERR_TEXT_SIZE];

    r->name = name;
    arena_init(&arena, arena_heap, SIZE_MAX);
    if (!os_read_file(path, UINT32_MAX, &arena, &text, &err)) {
        complain(r, path, err_text(&err, os_strerror, reason));
    } else if (!script_run(text, r->bounds, print_failure, r, &tally, &error)) {
        (void)snprintf(reason, sizeof reason, "line %u: %s", error.line, error.text);
        complain(r, path, reason);
    } else {
        add(&r->total, &tally);
        if (r->as_json) {
            printf("%s\n{\"file\":", r->file_count != 0 ? "," : "");
            print_json_string(name);
            putchar(',');
            print_json(&tally);
            putchar('}');
        } else {
            print_line(name, &tally);
        }
        r->file_count++;
    }
    arena_done(&arena);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* Everything under a folder in order of names; root_size bytes of the path are not in reports. */
static void run_folder(struct run *r, const char *path, size_t root_size)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, alphasort);

    if (count < 0)
        complain(r, path, os_strerror(errno));
    for (int i = 0; i < count; i++) {
        struct stat status;
        char *inner;
        if (asprintf(&inner, "%s/%s", path, entries[i]->d_name) < 0)
            abort();
        if (stat(inner, &status) != 0)
            complain(r, inner, os_strerror(errno));
        else if (S_ISDIR(status.st_mode))
            run_folder(r, inner, root_size);
        else if (ends_in(inner, ".wast"))
            run_file(r, inner, inner + root_size + 1);
        free(inner);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static void run_path(struct run *r, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        complain(r, path, os_strerror(errno));
    else if (S_ISDIR(status.st_mode))
        run_folder(r, path, strlen(path));
    else
        run_file(r, path, path);
}

/* Takes the options; returns the index of the first path, or -1. */
static int parse_options(int argc, char **argv, struct run *r)
{
    int i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--json") == 0) {
            r->as_json = true;
        } else if (strcmp(argv[i], "--bounds") == 0 &&
                   (strcmp(value, "guard") == 0 || strcmp(value, "explicit") == 0)) {
            r->bounds = value[0] == 'g' ? WASM_BOUNDS_GUARD : WASM_BOUNDS_EXPLICIT;
            i++;
        } else {
            complain(r, argv[i], "unknown option, or a wrong value");
            return -1;
        }
    }
    if (i == argc)
        (void)fputs(usage, stderr);
    return i < argc ? i : -1;
}

int main(int argc, char **argv)
{
    struct run r = {.bounds = WASM_BOUNDS_EXPLICIT};

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    int first = parse_options(argc, argv, &r);
    if (first < 0)
        return 2;
    if (r.as_json)
        printf("{\"files\":[");
    for (int i = first; i < argc; i++)
        run_path(&r, argv[i]);
    if (r.as_json) {
        printf("],\n");
        print_json(&r.total);
        printf("}\n");
    } else {
        print_line("total", &r.total);
    }
    if (r.file_count == 0 && !r.is_broken)
        complain(&r, argv[first], "no script (*.wast) there");
    return r.is_broken ? 2 : r.total.failed != 0;
}
