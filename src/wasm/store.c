/* Stores, functions, tables, memories, globals, and the bulk operations on them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wasm/runtime.h"
#include "base/banned.h"

enum {
    FRAME_SLOTS_MEAN = 8, /* frames are as many as would fit with this many slots each */
    HOST_VALUES_FEW = 24, /* arguments and results that need no heap */
    BUDGET_SLICE = 20000, /* steps from one look at the interrupt flag to the next */
};

/* A memory in guard mode: any 32-bit address and any 32-bit offset, and 16 bytes, lie inside. */
#define GUARD_RESERVATION ((UINT64_C(8) << 30) + WASM_PAGE_SIZE)

/* ---- stores ---- */

bool wasm_store_new(struct wasm_engine *engine, struct wasm_store **out, struct err *err)
{
    struct wasm_store *s = calloc(1, sizeof *s);
    size_t slots = engine->config.stack_size / sizeof(union slot);
    size_t frames = slots / FRAME_SLOTS_MEAN + 2;

    if (s != NULL) {
        s->engine = engine;
        s->fuel = UINT64_MAX;
        arena_init(&s->arena, arena_heap, SIZE_MAX);
        s->stack = malloc(slots * sizeof *s->stack);
        s->frames = malloc(frames * sizeof *s->frames);
    }
    if (s == NULL || s->stack == NULL || s->frames == NULL) {
        wasm_store_free(s);
        return err_set(err, ERR_MEMORY, "no memory for the store, in bytes",
                       engine->config.stack_size);
    }
    s->stack_end = s->stack + slots;
    s->sp = s->stack;
    s->frame = s->frames;
    s->frames_end = s->frames + frames;
    s->frames[0] = (struct call_frame){.func = NULL};
    *out = s;
    return true;
}

void wasm_store_free(struct wasm_store *store)
{
    if (store == NULL)
        return;
    const struct wasm_platform *p = &store->engine->config.platform;
    for (struct wasm_memory *m = store->memories; m != NULL; m = m->next)
        p->release(p->context, m->base, m->reserved);
    for (struct wasm_table *t = store->tables; t != NULL; t = t->next)
        free(t->elements);
    for (struct wasm_instance *i = store->instances; i != NULL; i = i->next) {
        if (i->funcs != NULL)
            p->release(p->context, i->funcs, i->funcs_size);
    }
    arena_done(&store->arena);
    free(store->stack);
    free(store->frames);
    free(store);
}

void wasm_store_set_fuel(struct wasm_store *store, uint64_t fuel)
{
    store->fuel = fuel;
    store->budget = 0;
}

uint64_t wasm_store_fuel(const struct wasm_store *store)
{
    if (store->fuel == UINT64_MAX)
        return UINT64_MAX;
    return store->fuel + (store->budget > 0 ? (uint64_t)store->budget : 0);
}

void wasm_store_interrupt(struct wasm_store *store)
{
    __atomic_store_n(&store->interrupted, 1, __ATOMIC_RELAXED);
}

enum wasm_trap_code store_refill(struct wasm_store *s)
{
    uint64_t owed = (uint64_t)-s->budget; /* steps taken that were not paid for: one at least */
    const struct wasm_config *config = &s->engine->config;

    if (config->tick != NULL)
        config->tick(config->tick_context);
    if (__atomic_exchange_n(&s->interrupted, 0, __ATOMIC_RELAXED) != 0)
        return WASM_TRAP_INTERRUPTED;
    if (s->fuel == UINT64_MAX) {
        s->budget = BUDGET_SLICE;
        return WASM_TRAP_NONE;
    }
    if (s->fuel < owed) {
        s->fuel = 0;
        s->budget = 0;
        return WASM_TRAP_OUT_OF_FUEL;
    }
    s->fuel -= owed;
    uint64_t slice = s->fuel < BUDGET_SLICE ? s->fuel : BUDGET_SLICE;
    s->fuel -= slice;
    s->budget = (int64_t)slice;
    return WASM_TRAP_NONE;
}

/* ---- traps ---- */

bool wasm_trap_set(struct wasm_trap *trap, const char *message, int64_t host_code)
{
    *trap = (struct wasm_trap){.code = WASM_TRAP_HOST, .message = message, .host_code = host_code};
    return false;
}

static struct wasm_frame frame_of(const struct wasm_func *func, const uint64_t *pc)
{
    const struct wasm_module *m = func->instance->module;
    const struct engine_code *code = func->decl->code;
    struct wasm_frame f = {
        .module = m, .func_index = func_index(func), .name = module_func_name(m, func_index(func))};

    if (code != NULL && pc >= code->words && pc < code->words + code->word_count)
        f.offset = translate_locate(m, func_index(func), (uint32_t)(pc - code->words));
    return f;
}

void trap_fill(struct wasm_store *s, struct wasm_trap *trap, enum wasm_trap_code code,
               const uint64_t *pc)
{
    *trap = (struct wasm_trap){.code = code, .message = wasm_trap_message(code)};
    trap->depth = (uint32_t)(s->frame - s->frames);
    for (const struct call_frame *f = s->frame; f != s->frames; f--) {
        if (trap->frame_count == WASM_TRAP_FRAMES_MAX)
            break;
        trap->frames[trap->frame_count++] = frame_of(f->func, pc);
        /* where the caller is: behind its call, or, with the host between, where it called the host
         */
        pc = f->return_pc != NULL ? f->return_pc - 1 : (f - 1)->pc;
    }
}

/* ---- functions ---- */

uint32_t slots_set(union slot *slots, uint8_t type, const union wasm_value *value)
{
    switch (type) {
    case WASM_I32:
    case WASM_F32:
        slots->i64 = value->i32;
        return 1;
    case WASM_V128:
        memcpy(slots, value->v128, 16);
        return 2;
    default:
        slots->i64 = value->i64;
        return 1;
    }
}

uint32_t slots_get(const union slot *slots, uint8_t type, union wasm_value *value)
{
    memset(value, 0, sizeof *value);
    switch (type) {
    case WASM_I32:
    case WASM_F32:
        value->i32 = slots->i32;
        return 1;
    case WASM_V128:
        memcpy(value->v128, slots, 16);
        return 2;
    default:
        value->i64 = slots->i64;
        return 1;
    }
}

bool wasm_func_new(struct wasm_store *store, const struct wasm_func_type *type,
                   wasm_host_func *code, void *context, struct wasm_func **out, struct err *err)
{
    if (type->param_count > WASM_PARAMS_MAX || type->result_count > WASM_RESULTS_MAX)
        return err_set(err, ERR_LIMIT, "too many parameters or results:",
                       type->param_count > type->result_count ? type->param_count
                                                              : type->result_count);
    struct wasm_func *f = ARENA_NEW(&store->arena, struct wasm_func);
    struct host_func *host = ARENA_NEW(&store->arena, struct host_func);
    struct wasm_func_type *own = ARENA_NEW(&store->arena, struct wasm_func_type);
    uint8_t *types = arena_alloc(&store->arena, type->param_count + type->result_count + 1u, 1);
    if (f == NULL || host == NULL || own == NULL || types == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a function", ERR_NO_AT);
    if (type->param_count != 0)
        memcpy(types, type->params, type->param_count);
    if (type->result_count != 0)
        memcpy(types + type->param_count, type->results, type->result_count);
    *own = (struct wasm_func_type){.params = types,
                                   .results = types + type->param_count,
                                   .param_count = type->param_count,
                                   .result_count = type->result_count};
    *host = (struct host_func){.store = store, .code = code, .context = context};
    *f = (struct wasm_func){.type = own, .host = host};
    *out = f;
    return true;
}

struct wasm_func_type wasm_func_type(const struct wasm_func *func)
{
    return *func->type;
}

static bool call_host_with(struct wasm_func *func, struct wasm_instance *caller, union slot *slots,
                           union wasm_value *args, union wasm_value *results,
                           struct wasm_trap *trap)
{
    const struct wasm_func_type *t = func->type;
    struct wasm_caller c = {.store = func->host->store, .instance = caller};
    union slot *at = slots;

    for (uint32_t i = 0; i < t->param_count; i++)
        at += slots_get(at, t->params[i], &args[i]);
    if (t->result_count != 0)
        memset(results, 0, t->result_count * sizeof results[0]);
    if (!func->host->code(func->host->context, &c, args, results, trap)) {
        if (trap->code == WASM_TRAP_HOST && trap->frame_count == 0) {
            struct wasm_trap told = *trap;
            struct wasm_store *s = func->host->store;
            trap_fill(s, trap, WASM_TRAP_HOST, s->frame->pc);
            trap->message = told.message;
            trap->host_code = told.host_code;
        }
        return false;
    }
    at = slots;
    for (uint32_t i = 0; i < t->result_count; i++)
        at += slots_set(at, t->results[i], &results[i]);
    return true;
}

bool call_host(struct wasm_func *func, struct wasm_instance *caller, union slot *slots,
               struct wasm_trap *trap)
{
    union wasm_value few[HOST_VALUES_FEW], *values = few;
    uint32_t params = func->type->param_count, count = params + func->type->result_count;
    struct wasm_store *s = func->host->store;

    if (count > HOST_VALUES_FEW)
        values = malloc(count * sizeof *values);
    if (values == NULL) {
        trap_fill(s, trap, WASM_TRAP_OUT_OF_MEMORY, s->frame->pc);
        return false;
    }
    bool ok = call_host_with(func, caller, slots, values, values + params, trap);
    if (values != few)
        free(values);
    return ok;
}

/* A call by the host, for run_guarded. */
struct host_call {
    struct wasm_store *store;
    struct wasm_func *func;
    union slot *fp;
    struct wasm_trap *trap;
    bool ok;
};

static void run_host_call(void *argument)
{
    struct host_call *c = argument;
    c->ok = interpret(c->store, c->func, c->fp, c->trap);
}

static bool owns(void *argument, const void *address)
{
    const struct host_call *c = argument;

    for (const struct wasm_memory *m = c->store->memories; m != NULL; m = m->next) {
        const uint8_t *a = address;
        if (a >= m->base && a < m->base + m->reserved)
            return true;
    }
    return false;
}

static bool run(struct host_call *c)
{
    const struct wasm_platform *p = &c->store->engine->config.platform;
    struct wasm_store *s = c->store;
    struct call_frame *frame = s->frame;

    if (!engine_has_guard(s->engine)) {
        run_host_call(c);
        return c->ok;
    }
    if (p->run_guarded(p->context, owns, run_host_call, c))
        return c->ok;
    trap_fill(s, c->trap, WASM_TRAP_MEMORY_OUT_OF_BOUNDS, s->guard_pc);
    s->frame = frame;
    return false;
}

bool wasm_func_call(struct wasm_func *func, const union wasm_value *args, union wasm_value *results,
                    struct wasm_trap *trap)
{
    struct wasm_store *s = func_store(func);
    union slot *fp = s->sp, *at = fp;
    const struct wasm_func_type *t = func->type;
    uint32_t params = slots_of_all(t->params, t->param_count);
    uint32_t yields = slots_of_all(t->results, t->result_count);
    uint32_t need = params > yields ? params : yields;

    *trap = (struct wasm_trap){.code = WASM_TRAP_NONE};
    if ((size_t)(s->stack_end - fp) < need || s->host_depth == HOST_DEPTH_MAX) {
        trap_fill(s, trap, WASM_TRAP_STACK_EXHAUSTED, s->frame->pc);
        return false;
    }
    for (uint32_t i = 0; i < t->param_count; i++)
        at += slots_set(at, t->params[i], &args[i]);
    s->host_depth++;
    bool ok;
    if (func->decl == NULL) {
        s->sp = fp + need;
        ok = call_host(func, NULL, fp, trap);
    } else {
        struct host_call c = {.store = s, .func = func, .fp = fp, .trap = trap};
        ok = run(&c);
    }
    s->host_depth--;
    s->sp = fp;
    if (!ok)
        return false;
    at = fp;
    for (uint32_t i = 0; i < t->result_count; i++)
        at += slots_get(at, t->results[i], &results[i]);
    return true;
}

/* ---- tables ---- */

bool wasm_table_new(struct wasm_store *store, enum wasm_type type, struct wasm_limits limits,
                    union wasm_value init, struct wasm_table **out, struct err *err)
{
    if (limits.min > store->engine->config.table_elements_max)
        return err_set(err, ERR_LIMIT, "table is larger than may be, in elements", limits.min);
    struct wasm_table *t = ARENA_NEW(&store->arena, struct wasm_table);
    if (t == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a table", ERR_NO_AT);
    t->type = (uint8_t)type;
    t->limits = limits;
    t->store = store;
    t->next = store->tables;
    store->tables = t;
    if (!wasm_table_grow(t, limits.min, init))
        return err_set(err, ERR_MEMORY, "no memory for a table, in elements", limits.min);
    *out = t;
    return true;
}

enum wasm_type wasm_table_type(const struct wasm_table *table)
{
    return (enum wasm_type)table->type;
}

uint64_t wasm_table_size(const struct wasm_table *table)
{
    return table->size;
}

bool wasm_table_get(const struct wasm_table *table, uint64_t index, union wasm_value *out)
{
    if (index >= table->size)
        return false;
    *out = (union wasm_value){.i64 = table->elements[index].i64};
    return true;
}

bool wasm_table_set(struct wasm_table *table, uint64_t index, union wasm_value value)
{
    if (index >= table->size)
        return false;
    table->elements[index].i64 = value.i64;
    return true;
}

bool table_grow(struct wasm_table *table, uint32_t count, union slot value)
{
    uint64_t size = (uint64_t)table->size + count;

    if (size > table->limits.max || size > table->store->engine->config.table_elements_max)
        return false;
    if (size > table->capacity) {
        uint64_t capacity =
            (uint64_t)table->capacity * 2 > size ? (uint64_t)table->capacity * 2 : size;
        union slot *elements = realloc(table->elements, capacity * sizeof *elements);
        if (elements == NULL)
            return false;
        table->elements = elements;
        table->capacity = (uint32_t)capacity;
    }
    for (uint64_t i = table->size; i < size; i++)
        table->elements[i] = value;
    table->size = (uint32_t)size;
    return true;
}

bool wasm_table_grow(struct wasm_table *table, uint64_t count, union wasm_value init)
{
    return count <= UINT32_MAX && table_grow(table, (uint32_t)count, (union slot){.i64 = init.i64});
}

bool bulk_table_fill(struct wasm_table *table, uint32_t to, union slot value, uint32_t count)
{
    if ((uint64_t)to + count > table->size)
        return false;
    for (uint32_t i = 0; i < count; i++)
        table->elements[to + i] = value;
    return true;
}

bool bulk_table_copy(struct wasm_table *to_table, struct wasm_table *from_table, uint32_t to,
                     uint32_t from, uint32_t count)
{
    if ((uint64_t)to + count > to_table->size || (uint64_t)from + count > from_table->size)
        return false;
    if (count != 0)
        memmove(to_table->elements + to, from_table->elements + from, count * sizeof(union slot));
    return true;
}

bool bulk_table_init(struct wasm_instance *i, uint32_t segment, uint32_t table, uint32_t to,
                     uint32_t from, uint32_t count)
{
    struct wasm_table *t = i->tables[table];
    const union slot *values = i->elem_values[segment];
    uint32_t size = values != NULL ? i->module->elems[segment].count : 0;

    if ((uint64_t)to + count > t->size || (uint64_t)from + count > size)
        return false;
    if (count != 0 && values != NULL)
        memcpy(t->elements + to, values + from, count * sizeof *values);
    return true;
}

/* ---- memories ---- */

/* The most pages that a memory may have. */
static uint64_t pages_max(const struct wasm_engine *e, const struct wasm_limits *limits)
{
    uint64_t max = e->config.memory_pages_max;
    return limits->max < max ? limits->max : max;
}

bool wasm_memory_new(struct wasm_store *store, struct wasm_limits limits, struct wasm_memory **out,
                     struct err *err)
{
    const struct wasm_platform *p = &store->engine->config.platform;
    uint64_t most = pages_max(store->engine, &limits);

    if (limits.min > most)
        return err_set(err, ERR_LIMIT, "memory is larger than may be, in pages", limits.min);
    struct wasm_memory *m = ARENA_NEW(&store->arena, struct wasm_memory);
    if (m == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a memory", ERR_NO_AT);
    m->reserved = engine_has_guard(store->engine) ? GUARD_RESERVATION : most * WASM_PAGE_SIZE;
    if (m->reserved == 0)
        m->reserved = WASM_PAGE_SIZE;
    m->base = p->reserve(p->context, m->reserved);
    if (m->base == NULL)
        return err_set(err, ERR_MEMORY, "no address space for a memory, in bytes", m->reserved);
    m->limits = limits;
    m->store = store;
    m->next = store->memories;
    store->memories = m;
    if (!wasm_memory_grow(m, limits.min))
        return err_set(err, ERR_MEMORY, "no memory for a memory, in pages", limits.min);
    *out = m;
    return true;
}

uint64_t wasm_memory_pages(const struct wasm_memory *memory)
{
    return memory->size / WASM_PAGE_SIZE;
}

bool wasm_memory_grow(struct wasm_memory *memory, uint64_t pages)
{
    const struct wasm_platform *p = &memory->store->engine->config.platform;
    uint64_t had = wasm_memory_pages(memory);

    if (pages > pages_max(memory->store->engine, &memory->limits) - had)
        return false;
    if (pages != 0 && !p->commit(p->context, memory->base + memory->size, pages * WASM_PAGE_SIZE))
        return false;
    memory->size += pages * WASM_PAGE_SIZE;
    return true;
}

uint8_t *wasm_memory_at(struct wasm_memory *memory, uint64_t address, uint64_t size)
{
    if (size > memory->size || address > memory->size - size)
        return NULL;
    return memory->base + address;
}

bool bulk_memory_fill(struct wasm_memory *memory, uint32_t to, uint8_t value, uint32_t count)
{
    uint8_t *p = wasm_memory_at(memory, to, count);

    if (p == NULL)
        return false;
    memset(p, value, count);
    return true;
}

bool bulk_memory_copy(struct wasm_memory *to_memory, struct wasm_memory *from_memory, uint32_t to,
                      uint32_t from, uint32_t count)
{
    uint8_t *p = wasm_memory_at(to_memory, to, count);
    const uint8_t *q = wasm_memory_at(from_memory, from, count);

    if (p == NULL || q == NULL)
        return false;
    memmove(p, q, count);
    return true;
}

bool bulk_memory_init(struct wasm_instance *i, uint32_t segment, uint32_t memory, uint32_t to,
                      uint32_t from, uint32_t count)
{
    uint8_t *p = wasm_memory_at(i->memories[memory], to, count);
    struct bytes data = i->module->datas[segment].data;

    if (i->data_dropped[segment])
        data.size = 0;
    if (p == NULL || (uint64_t)from + count > data.size)
        return false;
    if (count != 0)
        memcpy(p, data.data + from, count);
    return true;
}

/* ---- globals ---- */

bool wasm_global_new(struct wasm_store *store, enum wasm_type type, bool is_mutable,
                     union wasm_value init, struct wasm_global **out, struct err *err)
{
    struct wasm_global *g = ARENA_NEW(&store->arena, struct wasm_global);

    if (g == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a global", ERR_NO_AT);
    g->type = (uint8_t)type;
    g->is_mutable = is_mutable;
    (void)slots_set(g->value.slots, g->type, &init);
    *out = g;
    return true;
}

enum wasm_type wasm_global_type(const struct wasm_global *global, bool *is_mutable)
{
    *is_mutable = global->is_mutable;
    return (enum wasm_type)global->type;
}

union wasm_value wasm_global_get(const struct wasm_global *global)
{
    union wasm_value value;

    (void)slots_get(global->value.slots, global->type, &value);
    return value;
}

void wasm_global_set(struct wasm_global *global, union wasm_value value)
{
    assert(global->is_mutable);
    (void)slots_set(global->value.slots, global->type, &value);
}
