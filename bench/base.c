/* The base library's speed: text forms and TOML. ./run bench base */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "bench.h"

enum { PLAIN_SIZE = 4 << 20, RUNS = 21, TOML_RUNS = 7, TOML_SIZE = 10000000 };

struct text_work {
    struct bytes plain;
    char *text;
    size_t text_size;
    uint8_t *back;
};

static void encode_base64(void *context)
{
    struct text_work *w = context;
    w->text_size = base64_encoded_size(w->plain.size, BASE64_STANDARD);
    base64_encode(w->plain, BASE64_STANDARD, w->text);
}

static void decode_base64(void *context)
{
    struct text_work *w = context;
    struct err err;
    size_t size;
    bool ok = base64_decode(bytes_from(w->text, w->text_size), BASE64_STANDARD, w->back,
                            w->plain.size, &size, &err);
    assert(ok && size == w->plain.size);
}

static void encode_hex(void *context)
{
    struct text_work *w = context;
    w->text_size = hex_size(w->plain.size);
    hex_encode(w->plain, w->text);
}

static void decode_hex(void *context)
{
    struct text_work *w = context;
    struct err err;
    size_t size;
    bool ok = hex_decode(bytes_from(w->text, w->text_size), w->back, w->plain.size, &size, &err);
    assert(ok && size == w->plain.size);
}

static void bench_text_forms(void)
{
    uint8_t *plain = malloc(PLAIN_SIZE);
    struct text_work w = {.plain = bytes_from(plain, PLAIN_SIZE),
                          .text = malloc(hex_size(PLAIN_SIZE)),
                          .back = malloc(PLAIN_SIZE)};

    assert(plain != NULL && w.text != NULL && w.back != NULL);
    uint32_t x = 1;
    for (size_t i = 0; i < PLAIN_SIZE; i++)
        plain[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    bench_print_rate("base64 encode", PLAIN_SIZE, bench_median_ns(encode_base64, &w, RUNS), 500);
    bench_print_rate("base64 decode", PLAIN_SIZE, bench_median_ns(decode_base64, &w, RUNS), 500);
    bench_print_rate("hex encode", PLAIN_SIZE, bench_median_ns(encode_hex, &w, RUNS), 500);
    bench_print_rate("hex decode", PLAIN_SIZE, bench_median_ns(decode_hex, &w, RUNS), 500);
    free(plain);
    free(w.text);
    free(w.back);
}

struct toml_work {
    struct bytes text;
    size_t memory;
};

static void parse_toml(void *context)
{
    struct toml_work *w = context;
    const struct toml_value *root;
    struct text_error error;
    struct arena a;

    arena_init(&a, arena_heap, SIZE_MAX);
    if (!toml_parse(w->text, &a, &root, &error)) {
        printf("%u:%u: %s\n", error.line, error.column, error.text);
        abort();
    }
    w->memory = arena_taken(&a);
    arena_done(&a);
}

/* Services, as configuration files list them. */
static void write_services(struct writer *w)
{
    for (unsigned i = 0; w->size < TOML_SIZE; i++)
        writer_format(w,
                      "[[service]] # number %u\nname = \"chat-%u\"\nport = %u\n"
                      "weight = %u.5\nsince = 2026-11-23T08:28:43Z\nenabled = true\n"
                      "peers = [\"alice/chat:0.1.%u\", \"bob/chat\"]\n"
                      "limits = { memory = \"256MiB\", open_files = 1024 }\n\n",
                      i, i, i % 65536, i % 100, i % 10);
}

/* One table of very many keys. */
static void write_keys(struct writer *w)
{
    for (unsigned i = 0; w->size < TOML_SIZE; i++)
        writer_format(w, "key_%08x = %u\n", i * 2654435761u, i);
}

static void bench_toml(const char *name, void (*write)(struct writer *))
{
    struct arena a;
    struct toml_work work;
    struct err err;
    char line[64];

    arena_init(&a, arena_heap, SIZE_MAX);
    struct writer w = writer_growable(&a, (size_t)TOML_SIZE * 2);
    write(&w);
    bool ok = writer_done(&w, &work.text, &err);
    assert(ok);
    (void)snprintf(line, sizeof line, "toml, %s", name);
    bench_print_rate(line, work.text.size, bench_median_ns(parse_toml, &work, TOML_RUNS), 50);
    (void)snprintf(line, sizeof line, "toml memory, %s", name);
    bench_print_at_most(line, (double)work.memory / (double)work.text.size, "x file", 10);
    arena_done(&a);
}

int main(void)
{
    bench_text_forms();
    bench_toml("services", write_services);
    bench_toml("one large table", write_keys);
    return 0;
}
