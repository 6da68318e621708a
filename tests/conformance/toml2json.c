/* A decoder as toml-test wants it: TOML on stdin, tagged JSON on stdout. A refusal is one line on
 * stderr, LINE:COLUMN: REASON, and exit status 1. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "os/os.h"

static void print_string(struct bytes text)
{
    putchar('"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_datetime(const struct toml_value *v)
{
    const struct toml_datetime *d = v->of.datetime;

    if (v->type != TOML_LOCAL_TIME)
        printf("%04u-%02u-%02u", d->year, d->month, d->day);
    if (v->type == TOML_LOCAL_DATE)
        return;
    printf("%s%02u:%02u:%02u", v->type == TOML_LOCAL_TIME ? "" : "T", d->hour, d->minute,
           d->second);
    if (d->nanosecond != 0)
        printf(".%09u", d->nanosecond);
    if (v->type != TOML_OFFSET_DATETIME)
        return;
    if (d->offset_minutes == 0)
        printf("Z");
    else
        printf("%c%02d:%02d", d->offset_minutes < 0 ? '-' : '+', abs(d->offset_minutes) / 60,
               abs(d->offset_minutes) % 60);
}

static void print_scalar(const struct toml_value *v)
{
    static const char *const tags[] = {
        [TOML_STRING] = "string",
        [TOML_INTEGER] = "integer",
        [TOML_FLOAT] = "float",
        [TOML_BOOLEAN] = "bool",
        [TOML_OFFSET_DATETIME] = "datetime",
        [TOML_LOCAL_DATETIME] = "datetime-local",
        [TOML_LOCAL_DATE] = "date-local",
        [TOML_LOCAL_TIME] = "time-local",
    };

    printf("{\"type\":\"%s\",\"value\":", tags[v->type]);
    if (v->type == TOML_STRING) {
        print_string(toml_string(v));
    } else {
        putchar('"');
        if (v->type == TOML_INTEGER)
            printf("%" PRId64, v->of.integer);
        else if (v->type == TOML_FLOAT)
            printf("%.17g", v->of.floating);
        else if (v->type == TOML_BOOLEAN)
            printf("%s", v->of.boolean ? "true" : "false");
        else
            print_datetime(v);
        putchar('"');
    }
    putchar('}');
}

/* No deeper than the parser allows: TOML_DEPTH_MAX for each of arrays, tables and dotted keys. */
static void print_value(const struct toml_value *v) // NOLINT(misc-no-recursion)
{
    const char *comma = "";

    if (v->type == TOML_TABLE) {
        putchar('{');
        for (const struct toml_entry *e = toml_entries(v); e != NULL; e = e->next) {
            printf("%s", comma);
            print_string(toml_key(e));
            putchar(':');
            print_value(&e->value);
            comma = ",";
        }
        putchar('}');
    } else if (v->type == TOML_ARRAY) {
        struct toml_walk walk = toml_items(v);
        putchar('[');
        for (const struct toml_value *item; (item = toml_next(&walk)) != NULL; comma = ",") {
            printf("%s", comma);
            print_value(item);
        }
        putchar(']');
    } else {
        print_scalar(v);
    }
}

int main(void)
{
    const struct toml_value *root;
    struct text_error error;
    struct bytes text;
    struct arena arena;
    struct err err;
    char reason[ERR_TEXT_SIZE];
    int status = 1;

    arena_init(&arena, arena_heap, SIZE_MAX);
    if (!os_read_fd(STDIN_FILENO, TOML_SIZE_MAX, &arena, &text, &err)) {
        (void)fprintf(stderr, "toml2json: %s\n", err_text(&err, os_strerror, reason));
    } else if (!toml_parse(text, &arena, &root, &error)) {
        (void)fprintf(stderr, "%u:%u: %s\n", error.line, error.column, error.text);
    } else {
        print_value(root);
        putchar('\n');
        status = 0;
    }
    arena_done(&arena);
    return status;
}
