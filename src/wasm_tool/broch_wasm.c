/* broch-wasm: looks into modules and runs those that import nothing. For developers. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"
#include "os/wasm_platform.h"
#include "wasm/dump.h"
#include "wasm/wasm.h"

static const char usage[] =
    "usage: broch-wasm COMMAND [OPTION…] FILE [ARGUMENT…]\n"
    "\n"
    "  validate FILE             say whether the module is valid; if not, why and where\n"
    "  dump [--ir] FILE          list what the module has; --ir adds the code that the engine "
    "runs\n"
    "  run --invoke NAME FILE [ARGUMENT…]\n"
    "                            call an exported function and print its results, one a line;\n"
    "                            arguments are numbers of the function's types\n"
    "  bench-load FILE           measure validation and translation; prints JSON\n"
    "\n"
    "  --bounds explicit|guard   how memory accesses are checked (default: explicit)\n"
    "  --fuel N                  stop after N steps\n"
    "  --help                    this text\n"
    "\n"
    "Exit status: 0, 1 the module is bad or trapped, 2 the command line is wrong.\n";

struct options {
    const char *command, *file, *invoke;
    char **args;
    int arg_count;
    bool with_ir;
    enum wasm_bounds bounds;
    uint64_t fuel;
};

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "broch-wasm: %s: %s\n", what, why);
    return 1;
}

static int complain_err(const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];
    return complain(what, err_text(err, os_strerror, text));
}

static bool parse_u64(const char *text, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0';
}

/* Takes one option of argv at *i; false when it is none or its value is wrong. */
static bool parse_option(char **argv, int argc, int *i, struct options *o)
{
    const char *name = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : NULL;

    if (strcmp(name, "--ir") == 0) {
        o->with_ir = true;
        return true;
    }
    if (value == NULL)
        return false;
    ++*i;
    if (strcmp(name, "--invoke") == 0) {
        o->invoke = value;
        return true;
    }
    if (strcmp(name, "--bounds") == 0) {
        o->bounds = strcmp(value, "guard") == 0 ? WASM_BOUNDS_GUARD : WASM_BOUNDS_EXPLICIT;
        return o->bounds == WASM_BOUNDS_GUARD || strcmp(value, "explicit") == 0;
    }
    return strcmp(name, "--fuel") == 0 && parse_u64(value, &o->fuel);
}

static bool parse_options(int argc, char **argv, struct options *o)
{
    int i = 2;

    *o = (struct options){.command = argc > 1 ? argv[1] : "", .fuel = UINT64_MAX};
    for (; i < argc && o->file == NULL; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            o->file = argv[i];
        else if (!parse_option(argv, argc, &i, o))
            return complain(argv[i], "unknown option, or a wrong value") == 0;
    }
    o->args = argv + i;
    o->arg_count = argc - i;
    return o->file != NULL || complain(o->command, "a module's file is missing") == 0;
}

static void print_line(void *context, struct bytes text)
{
    (void)context;
    (void)fwrite(text.data, 1, text.size, stdout);
}

static bool parse_value(const char *text, uint8_t type, union wasm_value *out)
{
    char *end;

    memset(out, 0, sizeof *out);
    errno = 0;
    switch (type) {
    case WASM_I32:
    case WASM_I64:
        out->i64 = text[0] == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);
        if (type == WASM_I32) {
            if ((int64_t)out->i64 < INT32_MIN || (int64_t)out->i64 > UINT32_MAX)
                return false;
            out->i64 = (uint32_t)out->i64;
        }
        break;
    case WASM_F32: {
        float f = strtof(text, &end);
        memcpy(&out->f32, &f, sizeof f);
        break;
    }
    case WASM_F64: {
        double d = strtod(text, &end);
        memcpy(&out->f64, &d, sizeof d);
        break;
    }
    default:
        return false;
    }
    return errno == 0 && end != text && *end == '\0';
}

static void print_value(uint8_t type, const union wasm_value *v)
{
    char hex[32];
    float f;
    double d;

    switch (type) {
    case WASM_I32:
        printf("%" PRId32 "\n", (int32_t)v->i32);
        break;
    case WASM_I64:
        printf("%" PRId64 "\n", (int64_t)v->i64);
        break;
    case WASM_F32:
        memcpy(&f, &v->f32, sizeof f);
        printf("%.9g\n", (double)f);
        break;
    case WASM_F64:
        memcpy(&d, &v->f64, sizeof d);
        printf("%.17g\n", d);
        break;
    case WASM_V128:
        hex_encode(bytes_from(v->v128, 16), hex);
        printf("%.32s\n", hex);
        break;
    default:
        printf("%s\n", v->i64 == 0 ? "null" : wasm_type_name((enum wasm_type)type));
        break;
    }
}

/* A name of the module's, between two texts; what is too long is cut. */
static void print_name(const char *before, struct bytes name, const char *after)
{
    uint8_t text[256];
    struct writer w = writer_fixed(text, sizeof text);

    wasm_name_write(&w, name);
    (void)fprintf(stderr, "%s%.*s%s", before, (int)w.size, (const char *)text, after);
}

static int print_trap(const struct wasm_trap *trap)
{
    (void)fprintf(stderr, "broch-wasm: trap: %s\n", trap->message);
    for (uint32_t i = 0; i < trap->frame_count; i++) {
        const struct wasm_frame *f = &trap->frames[i];
        (void)fprintf(stderr, "  %s function %u", i == 0 ? "in" : "called by", f->func_index);
        if (f->name.size != 0)
            print_name(" (", f->name, ")");
        (void)fprintf(stderr, ", offset %u\n", f->offset);
    }
    if (trap->depth > trap->frame_count)
        (void)fprintf(stderr, "  and %u more calls\n", trap->depth - trap->frame_count);
    return 1;
}

static int call(const struct options *o, struct wasm_store *store, struct wasm_func *func)
{
    struct wasm_func_type type = wasm_func_type(func);
    union wasm_value *values = calloc(type.param_count + type.result_count + 1u, sizeof *values);
    struct wasm_trap trap;
    int status = 0;

    if (values == NULL)
        return complain(o->invoke, "no memory");
    if ((uint32_t)o->arg_count != type.param_count) {
        (void)fprintf(stderr, "broch-wasm: %s: takes %u arguments, not %d\n", o->invoke,
                      type.param_count, o->arg_count);
        free(values);
        return 2;
    }
    for (uint32_t i = 0; i < type.param_count && status == 0; i++) {
        if (!parse_value(o->args[i], type.params[i], &values[i])) {
            (void)fprintf(stderr, "broch-wasm: %s: not a value of type %s\n", o->args[i],
                          wasm_type_name((enum wasm_type)type.params[i]));
            status = 2;
        }
    }
    union wasm_value *results = values + type.param_count;
    wasm_store_set_fuel(store, o->fuel);
    if (status == 0 && !wasm_func_call(func, values, results, &trap))
        status = print_trap(&trap);
    for (uint32_t i = 0; i < type.result_count && status == 0; i++)
        print_value(type.results[i], &results[i]);
    free(values);
    return status;
}

static int instantiate_and_call(const struct options *o, struct wasm_module *module,
                                struct wasm_store *store, struct wasm_linker *linker)
{
    struct wasm_instance *instance;
    struct wasm_extern found;
    struct wasm_trap trap;
    struct err err;

    if (wasm_module_import_count(module) != 0) {
        struct bytes from, name;
        struct wasm_extern_type type;
        wasm_module_import(module, 0, &from, &name, &type);
        (void)fprintf(stderr, "broch-wasm: %s: imports ", o->file);
        print_name("\"", name, "\" from ");
        print_name("\"", from, "\"; only modules without imports can be run here\n");
        return 1;
    }
    wasm_store_set_fuel(store, o->fuel);
    if (!wasm_linker_instantiate(linker, module, &instance, &trap, &err))
        return trap.code != WASM_TRAP_NONE ? print_trap(&trap) : complain_err(o->file, &err);
    if (!wasm_instance_export(instance, bytes_of(o->invoke), &found) ||
        found.kind != WASM_EXTERN_FUNC)
        return complain(o->invoke, "the module exports no such function");
    return call(o, store, found.of.func);
}

static int run(const struct options *o, struct wasm_engine *engine, struct wasm_module *module)
{
    struct wasm_store *store = NULL;
    struct wasm_linker *linker = NULL;
    struct err err;
    int status;

    if (o->invoke == NULL) {
        (void)complain("run", "--invoke NAME is missing");
        return 2;
    }
    if (!wasm_store_new(engine, &store, &err) || !wasm_linker_new(store, &linker, &err))
        status = complain_err(o->file, &err);
    else
        status = instantiate_and_call(o, module, store, linker);
    wasm_linker_free(linker);
    wasm_store_free(store);
    return status;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Prints the median of some instantiations, each in a store of its own that is not counted. */
static void bench_instantiate(struct wasm_engine *engine, struct wasm_module *module)
{
    enum { RUNS = 21 };
    uint64_t taken[RUNS];
    struct wasm_store *store;
    struct wasm_linker *linker;
    struct wasm_instance *instance;
    struct wasm_trap trap;
    struct err err;

    for (size_t i = 0; i < RUNS; i++) {
        if (!wasm_store_new(engine, &store, &err))
            return;
        if (!wasm_linker_new(store, &linker, &err)) {
            wasm_store_free(store);
            return;
        }
        uint64_t start = os_monotonic_ns();
        bool ok = wasm_linker_instantiate(linker, module, &instance, &trap, &err);
        taken[i] = os_monotonic_ns() - start;
        wasm_linker_free(linker);
        wasm_store_free(store);
        if (!ok)
            return;
    }
    qsort(taken, RUNS, sizeof taken[0], compare_u64);
    printf(",\"instantiate_ns\":%" PRIu64, taken[RUNS / 2]);
}

static int bench_load(const struct options *o, struct wasm_engine *engine, struct bytes binary)
{
    struct wasm_module *module;
    struct err err;
    uint64_t start = os_monotonic_ns();

    if (!wasm_module_new(engine, binary, &module, &err))
        return complain_err(o->file, &err);
    uint64_t validated = os_monotonic_ns();
    if (!wasm_module_translate_all(module, &err)) {
        wasm_module_free(module);
        return complain_err(o->file, &err);
    }
    uint64_t translated = os_monotonic_ns();
    printf("{\"bytes\":%zu,\"validate_ns\":%" PRIu64 ",\"translate_ns\":%" PRIu64 ",\"memory\":%zu",
           binary.size, validated - start, translated - validated, wasm_module_memory(module));
    if (wasm_module_import_count(module) == 0)
        bench_instantiate(engine, module);
    puts("}");
    wasm_module_free(module);
    return 0;
}

static int do_command(const struct options *o, struct wasm_engine *engine, struct bytes binary)
{
    struct wasm_module *module;
    struct err err;
    int status = 0;

    if (strcmp(o->command, "bench-load") == 0)
        return bench_load(o, engine, binary);
    if (!wasm_module_new(engine, binary, &module, &err))
        return complain_err(o->file, &err);
    if (strcmp(o->command, "validate") == 0)
        printf("%s: valid\n", o->file);
    else if (strcmp(o->command, "run") == 0)
        status = run(o, engine, module);
    else if (!wasm_dump(module, o->with_ir, print_line, NULL, &err))
        status = complain_err(o->file, &err);
    wasm_module_free(module);
    return status;
}

int main(int argc, char **argv)
{
    static const char *const commands[] = {"validate", "dump", "run", "bench-load"};
    struct options o;
    struct wasm_engine *engine;
    struct arena arena;
    struct bytes binary;
    struct err err;
    bool known = false;
    int status;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        known |= argc > 1 && strcmp(argv[1], commands[i]) == 0;
    if (!known) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (!parse_options(argc, argv, &o))
        return 2;
    arena_init(&arena, arena_heap, SIZE_MAX);
    struct wasm_config config = {.platform = os_wasm_platform(), .bounds = o.bounds};
    if (!os_read_file(o.file, UINT32_MAX, &arena, &binary, &err) ||
        !wasm_engine_new(&config, &engine, &err)) {
        status = complain_err(o.file, &err);
    } else {
        status = do_command(&o, engine, binary);
        wasm_engine_free(engine);
    }
    arena_done(&arena);
    return status;
}
