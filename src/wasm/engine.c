/* Engines, modules, and what can be asked of them. */
#include <stdlib.h>
#include <string.h>

#include "wasm/runtime.h"
#include "base/banned.h"

enum {
    STACK_SIZE_DEFAULT = 1 << 20,
    TABLE_ELEMENTS_DEFAULT = 10000000,
};

const char *wasm_type_name(enum wasm_type type)
{
    switch (type) {
    case WASM_I32:
        return "i32";
    case WASM_I64:
        return "i64";
    case WASM_F32:
        return "f32";
    case WASM_F64:
        return "f64";
    case WASM_V128:
        return "v128";
    case WASM_FUNCREF:
        return "funcref";
    case WASM_EXTERNREF:
        return "externref";
    }
    return "?";
}

const char *wasm_trap_message(enum wasm_trap_code code)
{
    static const char *const messages[WASM_TRAP_CODE_COUNT] = {
        [WASM_TRAP_NONE] = "no trap",
        [WASM_TRAP_UNREACHABLE] = "unreachable",
        [WASM_TRAP_MEMORY_OUT_OF_BOUNDS] = "out of bounds memory access",
        [WASM_TRAP_TABLE_OUT_OF_BOUNDS] = "out of bounds table access",
        [WASM_TRAP_UNDEFINED_ELEMENT] = "undefined element",
        [WASM_TRAP_UNINITIALIZED_ELEMENT] = "uninitialized element",
        [WASM_TRAP_INDIRECT_CALL_TYPE] = "indirect call type mismatch",
        [WASM_TRAP_INTEGER_DIVIDE_BY_ZERO] = "integer divide by zero",
        [WASM_TRAP_INTEGER_OVERFLOW] = "integer overflow",
        [WASM_TRAP_INVALID_CONVERSION] = "invalid conversion to integer",
        [WASM_TRAP_STACK_EXHAUSTED] = "call stack exhausted",
        [WASM_TRAP_OUT_OF_FUEL] = "out of fuel",
        [WASM_TRAP_INTERRUPTED] = "interrupted",
        [WASM_TRAP_OUT_OF_MEMORY] = "no memory to translate a function",
        [WASM_TRAP_HOST] = "host function failed",
    };

    return messages[code];
}

bool wasm_engine_new(const struct wasm_config *config, struct wasm_engine **out, struct err *err)
{
    if (config->bounds == WASM_BOUNDS_GUARD && config->platform.run_guarded == NULL)
        return err_set(err, ERR_UNSUPPORTED, "the platform has no guard pages", ERR_NO_AT);
    struct wasm_engine *e = malloc(sizeof *e);
    if (e == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the engine", ERR_NO_AT);
    e->config = *config;
    if (e->config.stack_size == 0)
        e->config.stack_size = STACK_SIZE_DEFAULT;
    if (e->config.memory_pages_max == 0 || e->config.memory_pages_max > WASM_PAGES_MAX)
        e->config.memory_pages_max = WASM_PAGES_MAX;
    if (e->config.table_elements_max == 0 || e->config.table_elements_max > UINT32_MAX)
        e->config.table_elements_max = TABLE_ELEMENTS_DEFAULT;
    *out = e;
    return true;
}

void wasm_engine_free(struct wasm_engine *engine)
{
    free(engine);
}

bool wasm_module_new(struct wasm_engine *engine, struct bytes binary, struct wasm_module **out,
                     struct err *err)
{
    struct wasm_module *m = calloc(1, sizeof *m);

    if (m == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the module", ERR_NO_AT);
    m->engine = engine;
    arena_init(&m->arena, arena_heap, SIZE_MAX);
    uint8_t *copy = arena_alloc(&m->arena, binary.size, 1);
    if (copy == NULL) {
        wasm_module_free(m);
        return err_set(err, ERR_MEMORY, "no memory for the module, in bytes", binary.size);
    }
    if (binary.size != 0)
        memcpy(copy, binary.data, binary.size);
    m->binary = bytes_from(copy, binary.size);
    if (!module_decode(m, err)) {
        wasm_module_free(m);
        return false;
    }
    *out = m;
    return true;
}

bool wasm_validate(struct wasm_engine *engine, struct bytes binary, struct err *err)
{
    struct wasm_module *m;

    if (!wasm_module_new(engine, binary, &m, err))
        return false;
    wasm_module_free(m);
    return true;
}

void wasm_module_free(struct wasm_module *module)
{
    if (module == NULL)
        return;
    for (uint32_t i = module->func_import_count; i < module->func_count; i++)
        free(module->funcs[i].code);
    arena_done(&module->arena);
    free(module);
}

static bool prepare(struct wasm_module *m, uint32_t func, struct err *err)
{
    struct func *f = &m->funcs[func];

    if (f->code != NULL)
        return true;
    if (!translate(m, func, &f->code, err))
        return false;
    m->code_size += sizeof *f->code + f->code->word_count * sizeof f->code->words[0];
    return true;
}

bool func_prepare(struct wasm_func *func, struct err *err)
{
    return prepare(func->instance->module, func_index(func), err);
}

bool wasm_module_translate_all(struct wasm_module *module, struct err *err)
{
    for (uint32_t i = module->func_import_count; i < module->func_count; i++) {
        if (!prepare(module, i, err))
            return false;
    }
    return true;
}

size_t wasm_module_memory(const struct wasm_module *module)
{
    return sizeof *module + arena_taken(&module->arena) + module->code_size;
}

uint32_t wasm_module_import_count(const struct wasm_module *module)
{
    return module->import_count;
}

uint32_t wasm_module_export_count(const struct wasm_module *module)
{
    return module->export_count;
}

static struct wasm_extern_type extern_type(const struct wasm_module *m, enum wasm_extern_kind kind,
                                           uint32_t index)
{
    struct wasm_extern_type t = {.kind = kind};

    switch (kind) {
    case WASM_EXTERN_FUNC:
        t.func = *func_type_of(m, index);
        break;
    case WASM_EXTERN_TABLE:
        t.type = (enum wasm_type)m->tables[index].type;
        t.limits = m->tables[index].limits;
        break;
    case WASM_EXTERN_MEMORY:
        t.limits = m->memories[index];
        break;
    case WASM_EXTERN_GLOBAL:
        t.type = (enum wasm_type)m->globals[index].type;
        t.is_mutable = m->globals[index].is_mutable;
        break;
    }
    return t;
}

void wasm_module_import(const struct wasm_module *module, uint32_t index, struct bytes *module_name,
                        struct bytes *name, struct wasm_extern_type *type)
{
    const struct import *import = &module->imports[index];

    *module_name = import->module;
    *name = import->name;
    *type = extern_type(module, import->kind, import->index);
}

void wasm_module_export(const struct wasm_module *module, uint32_t index, struct bytes *name,
                        struct wasm_extern_type *type)
{
    const struct export *e = &module->exports[index];

    *name = e->name;
    *type = extern_type(module, e->kind, e->index);
}
