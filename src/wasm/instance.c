/* Linking and instantiation: WebAssembly Core Specification 2.0, §4.5.3 and §4.5.4. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wasm/runtime.h"
#include "base/banned.h"

/* ---- linker ---- */

struct definition {
    struct bytes module, name;
    struct wasm_extern what;
    struct definition *next;
};

struct wasm_linker {
    struct wasm_store *store;
    struct arena arena;
    struct definition *definitions; /* the newest first */
};

bool wasm_linker_new(struct wasm_store *store, struct wasm_linker **out, struct err *err)
{
    struct wasm_linker *l = calloc(1, sizeof *l);

    if (l == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the linker", ERR_NO_AT);
    l->store = store;
    arena_init(&l->arena, arena_heap, SIZE_MAX);
    *out = l;
    return true;
}

void wasm_linker_free(struct wasm_linker *linker)
{
    if (linker == NULL)
        return;
    arena_done(&linker->arena);
    free(linker);
}

static bool copy_name(struct arena *a, struct bytes name, struct bytes *out)
{
    uint8_t *copy = arena_alloc(a, name.size, 1);

    if (copy == NULL)
        return false;
    if (name.size != 0)
        memcpy(copy, name.data, name.size);
    *out = bytes_from(copy, name.size);
    return true;
}

bool wasm_linker_define(struct wasm_linker *linker, struct bytes module_name, struct bytes name,
                        struct wasm_extern what, struct err *err)
{
    struct definition *d = ARENA_NEW(&linker->arena, struct definition);

    if (d == NULL || !copy_name(&linker->arena, module_name, &d->module) ||
        !copy_name(&linker->arena, name, &d->name))
        return err_set(err, ERR_MEMORY, "no memory for a definition", ERR_NO_AT);
    d->what = what;
    d->next = linker->definitions;
    linker->definitions = d;
    return true;
}

static struct wasm_extern export_of(struct wasm_instance *i, const struct export *e)
{
    struct wasm_extern x = {.kind = e->kind};

    switch (e->kind) {
    case WASM_EXTERN_FUNC:
        x.of.func = instance_func(i, e->index);
        break;
    case WASM_EXTERN_TABLE:
        x.of.table = i->tables[e->index];
        break;
    case WASM_EXTERN_MEMORY:
        x.of.memory = i->memories[e->index];
        break;
    case WASM_EXTERN_GLOBAL:
        x.of.global = i->globals[e->index];
        break;
    }
    return x;
}

bool wasm_linker_define_instance(struct wasm_linker *linker, struct bytes module_name,
                                 struct wasm_instance *instance, struct err *err)
{
    const struct wasm_module *m = instance->module;

    for (uint32_t i = 0; i < m->export_count; i++) {
        if (!wasm_linker_define(linker, module_name, m->exports[i].name,
                                export_of(instance, &m->exports[i]), err))
            return false;
    }
    return true;
}

bool wasm_instance_export(struct wasm_instance *instance, struct bytes name,
                          struct wasm_extern *out)
{
    uint32_t index;

    if (!module_find_export(instance->module, name, &index))
        return false;
    *out = export_of(instance, &instance->module->exports[index]);
    return true;
}

/* ---- imports ---- */

/* §3.4.12: what is there must have at least the minimum, and not grow beyond the maximum. */
static bool limits_match(uint64_t size, const struct wasm_limits *have,
                         const struct wasm_limits *want)
{
    return size >= want->min && (want->max == UINT64_MAX || have->max <= want->max);
}

static bool resolve(struct wasm_instance *i, const struct import *import,
                    const struct wasm_extern *x)
{
    const struct wasm_module *m = i->module;
    uint32_t at = import->index;

    if (x->kind != import->kind)
        return false;
    switch (import->kind) {
    case WASM_EXTERN_FUNC:
        i->funcs[at] = x->of.func;
        return func_types_equal(x->of.func->type, func_type_of(m, at));
    case WASM_EXTERN_TABLE:
        i->tables[at] = x->of.table;
        return x->of.table->type == m->tables[at].type &&
               limits_match(x->of.table->size, &x->of.table->limits, &m->tables[at].limits);
    case WASM_EXTERN_MEMORY:
        i->memories[at] = x->of.memory;
        return limits_match(wasm_memory_pages(x->of.memory), &x->of.memory->limits,
                            &m->memories[at]);
    case WASM_EXTERN_GLOBAL:
        i->globals[at] = x->of.global;
        return x->of.global->type == m->globals[at].type &&
               x->of.global->is_mutable == m->globals[at].is_mutable;
    }
    return false;
}

static bool resolve_imports(const struct wasm_linker *linker, struct wasm_instance *i,
                            struct err *err)
{
    const struct wasm_module *m = i->module;

    for (uint32_t k = 0; k < m->import_count; k++) {
        const struct import *import = &m->imports[k];
        const struct definition *d = linker->definitions;
        while (d != NULL &&
               !(bytes_equal(d->module, import->module) && bytes_equal(d->name, import->name)))
            d = d->next;
        if (d == NULL)
            return err_set(err, ERR_NOT_FOUND, "unknown import: number", k);
        if (!resolve(i, import, &d->what))
            return err_set(err, ERR_INVALID, "incompatible import type: number", k);
    }
    return true;
}

/* ---- constant expressions ---- */

enum { CONST_STACK = 64 }; /* validate.c holds them to as many */

static union wasm_value i32_value(uint32_t value)
{
    return (union wasm_value){.i64 = value};
}

/* The value of an expression that validation has seen. */
static union wasm_value evaluate(struct wasm_instance *i, const struct const_expr *e)
{
    struct reader r = {.in = bytes_before(i->module->binary, e->end), .at = e->at};
    union wasm_value stack[CONST_STACK + 1];
    size_t size = 0;
    struct insn insn = {.at = 0};
    struct err ignored;

    memset(stack, 0, sizeof stack);
    while (insn_read(&r, &insn, &ignored) && insn.op != OP_end) {
        union wasm_value *top = &stack[size], *a = size >= 2 ? top - 2 : stack;
        const union wasm_value *b = a + 1;
        switch (insn.op) {
        case OP_v128_const:
            assert(insn.bytes != NULL);
            memcpy(top->v128, insn.bytes, 16);
            size++;
            break;
        case OP_global_get:
            *top = wasm_global_get(i->globals[insn.a]);
            size++;
            break;
        case OP_ref_null:
            top->i64 = 0;
            size++;
            break;
        case OP_ref_func:
            top->funcref = instance_func(i, insn.a);
            size++;
            break;
        case OP_i32_add:
            *a = i32_value(a->i32 + b->i32);
            size--;
            break;
        case OP_i32_sub:
            *a = i32_value(a->i32 - b->i32);
            size--;
            break;
        case OP_i32_mul:
            *a = i32_value(a->i32 * b->i32);
            size--;
            break;
        case OP_i64_add:
            a->i64 += b->i64;
            size--;
            break;
        case OP_i64_sub:
            a->i64 -= b->i64;
            size--;
            break;
        case OP_i64_mul:
            a->i64 *= b->i64;
            size--;
            break;
        default: /* the constants */
            top->i64 = insn.value;
            size++;
            break;
        }
    }
    return stack[0];
}

/* The items of an element segment, which is read again from the module's bytes. */
static bool evaluate_elems(struct wasm_instance *i, uint32_t segment)
{
    const struct elem_segment *s = &i->module->elems[segment];
    struct reader r = {.in = i->module->binary, .at = s->items_at};
    union slot *values = ARENA_ARRAY(&i->store->arena, union slot, s->count);
    struct err ignored;

    if (values == NULL)
        return false;
    i->elem_values[segment] = values;
    for (uint32_t k = 0; k < s->count; k++) {
        uint32_t func = 0;
        if (!s->has_exprs) {
            if (!read_u32(&r, &func, &ignored))
                return false;
            values[k].i64 = 0;
            values[k].func = instance_func(i, func);
            continue;
        }
        struct const_expr e = {.at = (uint32_t)r.at, .end = (uint32_t)r.in.size};
        union wasm_value value = evaluate(i, &e);
        values[k].i64 = value.i64;
        struct insn insn = {.at = 0};
        do {
            if (!insn_read(&r, &insn, &ignored))
                return false;
        } while (insn.op != OP_end);
    }
    return true;
}

/* The memory stays with the store. */
void instance_drop_elem(struct wasm_instance *i, uint32_t segment)
{
    i->elem_values[segment] = NULL;
}

/* ---- instantiation ---- */

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "no memory for the instance", ERR_NO_AT);
}

/* Memory for the functions, from the platform: its zeroes cost nothing until they are touched. */
static bool reserve_funcs(struct wasm_instance *i)
{
    const struct wasm_platform *p = &i->store->engine->config.platform;
    size_t own = i->module->func_count - i->module->func_import_count;
    size_t size = i->module->func_count * sizeof(struct wasm_func *) + own * sizeof *i->own_funcs;
    size_t rounded = size / WASM_PAGE_SIZE * WASM_PAGE_SIZE + WASM_PAGE_SIZE;
    void *memory = p->reserve(p->context, rounded);

    if (memory == NULL)
        return false;
    i->funcs = memory;
    i->own_funcs = (struct wasm_func *)(i->funcs + i->module->func_count);
    i->funcs_size = rounded;
    return p->commit(p->context, memory, rounded);
}

static struct wasm_instance *new_instance(struct wasm_store *store, struct wasm_module *m)
{
    struct arena *a = &store->arena;
    struct wasm_instance *i = ARENA_NEW(a, struct wasm_instance);

    if (i == NULL)
        return NULL;
    i->store = store;
    i->module = m;
    i->tables = ARENA_ARRAY(a, struct wasm_table *, m->table_count);
    i->memories = ARENA_ARRAY(a, struct wasm_memory *, m->memory_count);
    i->globals = ARENA_ARRAY(a, struct wasm_global *, m->global_count);
    i->elem_values = ARENA_ARRAY(a, union slot *, m->elem_count);
    i->data_dropped = ARENA_ARRAY(a, bool, m->data_count);
    if (i->tables == NULL || i->memories == NULL || i->globals == NULL || i->elem_values == NULL ||
        i->data_dropped == NULL)
        return NULL;
    i->next = store->instances;
    store->instances = i;
    return reserve_funcs(i) ? i : NULL;
}

struct wasm_func *instance_make_func(struct wasm_instance *i, uint32_t index)
{
    struct wasm_func *f = &i->own_funcs[index - i->module->func_import_count];

    *f = (struct wasm_func){
        .type = func_type_of(i->module, index),
        .instance = i,
        .decl = &i->module->funcs[index],
    };
    i->funcs[index] = f;
    return f;
}

static bool make_own(struct wasm_instance *i, struct err *err)
{
    struct wasm_module *m = i->module;
    struct wasm_store *s = i->store;
    for (uint32_t k = m->table_import_count; k < m->table_count; k++) {
        if (!wasm_table_new(s, (enum wasm_type)m->tables[k].type, m->tables[k].limits,
                            (union wasm_value){.i64 = 0}, &i->tables[k], err))
            return false;
    }
    for (uint32_t k = m->memory_import_count; k < m->memory_count; k++) {
        if (!wasm_memory_new(s, m->memories[k], &i->memories[k], err))
            return false;
    }
    for (uint32_t k = m->global_import_count; k < m->global_count; k++) {
        const struct global *g = &m->globals[k];
        if (!wasm_global_new(s, (enum wasm_type)g->type, g->is_mutable, evaluate(i, &g->init),
                             &i->globals[k], err))
            return false;
    }
    for (uint32_t k = 0; k < m->elem_count; k++) {
        if (!evaluate_elems(i, k))
            return no_memory(err);
    }
    return true;
}

static bool segment_trap(struct wasm_trap *trap, enum wasm_trap_code code, struct err *err)
{
    *trap = (struct wasm_trap){.code = code, .message = wasm_trap_message(code)};
    return err_set(err, ERR_POLICY, "instantiation trapped", ERR_NO_AT);
}

static bool copy_segments(struct wasm_instance *i, struct wasm_trap *trap, struct err *err)
{
    const struct wasm_module *m = i->module;

    for (uint32_t k = 0; k < m->elem_count; k++) {
        const struct elem_segment *s = &m->elems[k];
        if (s->mode == SEGMENT_ACTIVE &&
            !bulk_table_init(i, k, s->table, evaluate(i, &s->offset).i32, 0, s->count))
            return segment_trap(trap, WASM_TRAP_TABLE_OUT_OF_BOUNDS, err);
        if (s->mode != SEGMENT_PASSIVE)
            instance_drop_elem(i, k);
    }
    for (uint32_t k = 0; k < m->data_count; k++) {
        const struct data_segment *s = &m->datas[k];
        if (s->mode != SEGMENT_ACTIVE)
            continue;
        if (s->data.size > UINT32_MAX ||
            !bulk_memory_init(i, k, s->memory, evaluate(i, &s->offset).i32, 0,
                              (uint32_t)s->data.size))
            return segment_trap(trap, WASM_TRAP_MEMORY_OUT_OF_BOUNDS, err);
        i->data_dropped[k] = true;
    }
    return true;
}

bool wasm_linker_instantiate(struct wasm_linker *linker, struct wasm_module *module,
                             struct wasm_instance **out, struct wasm_trap *trap, struct err *err)
{
    *trap = (struct wasm_trap){.code = WASM_TRAP_NONE};
    struct wasm_instance *i = new_instance(linker->store, module);
    if (i == NULL)
        return no_memory(err);
    if (!resolve_imports(linker, i, err) || !make_own(i, err) || !copy_segments(i, trap, err))
        return false;
    if (module->has_start && !wasm_func_call(instance_func(i, module->start), NULL, NULL, trap))
        return err_set(err, ERR_POLICY, "the start function trapped", ERR_NO_AT);
    *out = i;
    return true;
}
