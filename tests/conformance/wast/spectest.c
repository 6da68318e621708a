/* What the suite's own host gives to its modules. */
#include "spectest.h"

#include "base/banned.h"

static bool define(struct wasm_linker *linker, const char *name, struct wasm_extern what,
                   struct err *err)
{
    return wasm_linker_define(linker, bytes_of("spectest"), bytes_of(name), what, err);
}

/* What it would print is of no interest. */
static bool print(void *context, const struct wasm_caller *caller, const union wasm_value *args,
                  union wasm_value *results, struct wasm_trap *trap)
{
    (void)context;
    (void)caller;
    (void)args;
    (void)results;
    (void)trap;
    return true;
}

static bool define_prints(struct wasm_store *store, struct wasm_linker *linker, struct err *err)
{
    static const struct {
        const char *name;
        uint8_t param_count, params[2];
    } prints[] = {
        {"print", 0, {0}},
        {"print_i32", 1, {WASM_I32}},
        {"print_i64", 1, {WASM_I64}},
        {"print_f32", 1, {WASM_F32}},
        {"print_f64", 1, {WASM_F64}},
        {"print_i32_f32", 2, {WASM_I32, WASM_F32}},
        {"print_f64_f64", 2, {WASM_F64, WASM_F64}},
    };

    for (size_t i = 0; i < COUNT_OF(prints); i++) {
        struct wasm_func_type type = {.params = prints[i].params,
                                      .param_count = prints[i].param_count};
        struct wasm_extern what = {.kind = WASM_EXTERN_FUNC};
        if (!wasm_func_new(store, &type, print, NULL, &what.of.func, err) ||
            !define(linker, prints[i].name, what, err))
            return false;
    }
    return true;
}

static bool define_globals(struct wasm_store *store, struct wasm_linker *linker, struct err *err)
{
    static const struct {
        const char *name;
        enum wasm_type type;
        union wasm_value value;
    } globals[] = {
        {"global_i32", WASM_I32, {.i32 = 666}},
        {"global_i64", WASM_I64, {.i64 = 666}},
        {"global_f32", WASM_F32, {.f32 = 0x4426a666}},         /* 666.6 */
        {"global_f64", WASM_F64, {.f64 = 0x4084d4cccccccccd}}, /* 666.6 */
    };

    for (size_t i = 0; i < COUNT_OF(globals); i++) {
        struct wasm_extern what = {.kind = WASM_EXTERN_GLOBAL};
        if (!wasm_global_new(store, globals[i].type, false, globals[i].value, &what.of.global,
                             err) ||
            !define(linker, globals[i].name, what, err))
            return false;
    }
    return true;
}

bool spectest_define(struct wasm_store *store, struct wasm_linker *linker, struct err *err)
{
    struct wasm_extern table = {.kind = WASM_EXTERN_TABLE}, memory = {.kind = WASM_EXTERN_MEMORY};

    return define_prints(store, linker, err) && define_globals(store, linker, err) &&
           wasm_table_new(store, WASM_FUNCREF, (struct wasm_limits){.min = 10, .max = 20},
                          (union wasm_value){.funcref = NULL}, &table.of.table, err) &&
           define(linker, "table", table, err) &&
           wasm_memory_new(store, (struct wasm_limits){.min = 1, .max = 2}, &memory.of.memory,
                           err) &&
           define(linker, "memory", memory, err);
}
