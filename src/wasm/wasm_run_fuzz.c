/* A valid module without imports is translated and run under fuel in both bounds modes, and without
 * anything fused, which must agree on every result, trap and on the memory left behind. What any
 * other bytes are for is in wasm_decode_fuzz.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "os/wasm_platform.h"
#include "wasm/dump.h"
#include "wasm/wasm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUEL = 20000, CALLS_MAX = 16, VALUES_MAX = 16, PAGES_MAX = 16 };

struct outcome {
    uint64_t sum;    /* of everything that can be seen */
    bool has_floats; /* which of two NaNs an operation makes depends on how it was fused */
};

static void add(struct outcome *o, uint64_t value)
{
    o->sum = (o->sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    o->sum ^= o->sum >> 29;
}

/* Sees listings of the internal form; context: bool. */
static void look_for_floats(void *context, struct bytes line)
{
    bool *found = context;

    for (size_t i = 0; i + 3 <= line.size && !*found; i++)
        *found = memcmp(line.data + i, "f32", 3) == 0 || memcmp(line.data + i, "f64", 3) == 0;
}

static bool is_reference(uint8_t type)
{
    return type == WASM_FUNCREF || type == WASM_EXTERNREF;
}

static void call_export(struct wasm_store *store, struct wasm_func *func, struct outcome *o)
{
    struct wasm_func_type t = wasm_func_type(func);
    union wasm_value args[VALUES_MAX] = {{.i64 = 0}}, results[VALUES_MAX] = {{.i64 = 0}};
    struct wasm_trap trap;

    if (t.param_count > VALUES_MAX || t.result_count > VALUES_MAX)
        return;
    for (uint32_t i = 0; i < t.param_count; i++) {
        if (!is_reference(t.params[i]))
            args[i].i64 = 3 + i * 1000;
    }
    bool ok = wasm_func_call(func, args, results, &trap);
    add(o, ok ? 0 : trap.code);
    add(o, wasm_store_fuel(store));
    if (!ok) {
        add(o, trap.depth);
        /* fuel runs out at a label, whose first instruction depends on what was fused */
        bool is_exact = trap.frame_count != 0 && trap.code != WASM_TRAP_OUT_OF_FUEL;
        add(o, is_exact ? trap.frames[0].offset : 0);
        return;
    }
    for (uint32_t i = 0; i < t.result_count; i++) {
        if (is_reference(t.results[i]))
            add(o, results[i].i64 != 0);
        else
            for (size_t b = 0; b < 16; b++)
                add(o, results[i].v128[b]);
    }
}

static void look_at_memory(struct wasm_memory *memory, struct outcome *o)
{
    uint64_t size = wasm_memory_pages(memory) * 65536;
    const uint8_t *p = wasm_memory_at(memory, 0, size);

    add(o, size);
    for (uint64_t i = 0; p != NULL && i < size; i += 61)
        add(o, p[i]);
}

static void run(struct wasm_engine *engine, struct wasm_module *module, struct outcome *o)
{
    struct wasm_store *store;
    struct wasm_linker *linker;
    struct wasm_instance *instance;
    struct wasm_trap trap;
    struct err err = {.code = ERR_NONE};

    bool ok = wasm_store_new(engine, &store, &err) && wasm_linker_new(store, &linker, &err);
    assert(ok);
    wasm_store_set_fuel(store, FUEL);
    if (wasm_linker_instantiate(linker, module, &instance, &trap, &err)) {
        uint32_t count = wasm_module_export_count(module);
        for (uint32_t i = 0; i < count && i < CALLS_MAX; i++) {
            struct bytes name;
            struct wasm_extern_type type;
            struct wasm_extern found;
            wasm_module_export(module, i, &name, &type);
            ok = wasm_instance_export(instance, name, &found);
            assert(ok && found.kind == type.kind);
            if (found.kind == WASM_EXTERN_FUNC)
                call_export(store, found.of.func, o);
            else if (found.kind == WASM_EXTERN_MEMORY)
                look_at_memory(found.of.memory, o);
        }
    } else {
        assert(err.code != ERR_NONE && err.msg != NULL);
        add(o, trap.code);
    }
    wasm_linker_free(linker);
    wasm_store_free(store);
}

static bool load_and_run(enum wasm_bounds bounds, bool is_plain, struct bytes binary,
                         struct outcome *o)
{
    struct wasm_config config = {
        .platform = os_wasm_platform(),
        .bounds = bounds,
        .stack_size = 65536,
        .memory_pages_max = PAGES_MAX,
        .table_elements_max = 10000,
        .is_plain = is_plain,
    };
    struct wasm_engine *engine;
    struct wasm_module *module;
    struct err err = {.code = ERR_NONE};

    bool ok = wasm_engine_new(&config, &engine, &err);
    assert(ok);
    ok = wasm_module_new(engine, binary, &module, &err);
    if (ok) {
        bool translated = wasm_module_translate_all(module, &err) &&
                          wasm_dump(module, true, look_for_floats, &o->has_floats, &err);
        assert(translated);
        if (wasm_module_import_count(module) == 0)
            run(engine, module, o);
        wasm_module_free(module);
    } else {
        assert(err.code != ERR_NONE && err.msg != NULL);
    }
    wasm_engine_free(engine);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome explicit = {.sum = 1}, guard = {.sum = 1}, plain = {.sum = 1};
    struct bytes binary = bytes_from(data, size);

    bool valid = load_and_run(WASM_BOUNDS_EXPLICIT, false, binary, &explicit);
    if (valid) {
        valid = load_and_run(WASM_BOUNDS_GUARD, false, binary, &guard);
        assert(valid && explicit.sum == guard.sum);
        valid = load_and_run(WASM_BOUNDS_EXPLICIT, true, binary, &plain);
        assert(valid && (explicit.has_floats || explicit.sum == plain.sum));
    }
    return 0;
}
