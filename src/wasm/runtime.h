/* What lives in a store. Private to src/wasm. */
#pragma once

#include "wasm/ir.h"
#include "wasm/module.h"

/* A slot of a frame. A v128 takes two. */
union slot {
    uint32_t i32;
    uint64_t i64;
    float f32;
    double f64;
    struct wasm_func *func;
    void *extern_ref;
};

struct wasm_engine {
    struct wasm_config config;
};

static inline bool engine_has_guard(const struct wasm_engine *e)
{
    return e->config.bounds == WASM_BOUNDS_GUARD;
}

/* A function of the host. */
struct host_func {
    struct wasm_store *store;
    wasm_host_func *code;
    void *context;
};

/* A function: of a module, or of the host. */
struct wasm_func {
    const struct wasm_func_type *type;
    struct wasm_instance *instance; /* NULL of a host function */
    struct func *decl;              /* of the module; NULL of a host function */
    struct host_func *host;         /* NULL of a module's */
};

struct wasm_table {
    union slot *elements;
    uint32_t size, capacity;
    uint8_t type;
    struct wasm_limits limits;
    struct wasm_store *store;
    struct wasm_table *next; /* of the store */
};

struct wasm_memory {
    uint8_t *base;
    uint64_t size;     /* bytes that may be used */
    uint64_t reserved; /* bytes of address space */
    struct wasm_limits limits;
    struct wasm_store *store;
    struct wasm_memory *next;
};

struct wasm_global {
    union {
        union slot slots[2];
        uint8_t v128[16];
    } value;
    uint8_t type;
    bool is_mutable;
};

struct wasm_instance {
    struct wasm_store *store;
    struct wasm_module *module;
    struct wasm_func **funcs;    /* NULL: one of own_funcs that nobody has asked for yet */
    struct wasm_func *own_funcs; /* those of the module itself; zero until asked for */
    size_t funcs_size;           /* bytes from funcs, for both */
    struct wasm_table **tables;
    struct wasm_memory **memories;
    struct wasm_global **globals;
    union slot **elem_values; /* of each segment; NULL when it is dropped */
    bool *data_dropped;
    struct wasm_instance *next; /* of the store */
};

/* instance.c: fills in a function of the module itself. Takes no memory. */
struct wasm_func *instance_make_func(struct wasm_instance *i, uint32_t index);

/* The function with an index. They are made when first asked for, so that instantiating a module of
 * many functions costs nothing for them. */
static inline struct wasm_func *instance_func(struct wasm_instance *i, uint32_t index)
{
    struct wasm_func *f = i->funcs[index];

    return LIKELY(f != NULL) ? f : instance_make_func(i, index);
}

static inline uint32_t func_index(const struct wasm_func *f)
{
    return (uint32_t)(f->decl - f->instance->module->funcs);
}

static inline struct wasm_store *func_store(const struct wasm_func *f)
{
    return f->host != NULL ? f->host->store : f->instance->store;
}

/* An active call of a function of a module. */
struct call_frame {
    struct wasm_func *func;
    const uint64_t *return_pc; /* in the caller's code; NULL: the caller is the host */
    union slot *caller_fp;
    const uint64_t *pc; /* while the function calls a host function: where it is */
};

struct wasm_store {
    struct wasm_engine *engine;
    struct arena arena; /* instances, functions, globals */
    struct wasm_instance *instances;
    struct wasm_table *tables;
    struct wasm_memory *memories;

    union slot *stack, *stack_end;
    struct call_frame *frames, *frames_end; /* frames[0] is never used */
    struct call_frame *frame;               /* the innermost active call */
    union slot *sp;                         /* first slot that a call by the host may use */
    unsigned host_depth;                    /* calls by the host in each other */

    int64_t budget; /* steps until the next look at fuel and interrupt */
    uint64_t fuel;  /* steps beyond the budget; UINT64_MAX: endless */
    int interrupted;
    const uint64_t *volatile guard_pc; /* the last access without a check of its own */
};

/* Calls by the host in each other: each takes some of the machine's own stack. */
enum { HOST_DEPTH_MAX = 200 };

/* interp.c: runs a function of a module, whose parameters are at fp; its results will be there. */
MUST_CHECK bool interpret(struct wasm_store *s, struct wasm_func *func, union slot *fp,
                          struct wasm_trap *trap);

/* Fills a trap with the store's active calls, the innermost at pc. */
void trap_fill(struct wasm_store *s, struct wasm_trap *trap, enum wasm_trap_code code,
               const uint64_t *pc);

/* Translates a function if it has not been. */
MUST_CHECK bool func_prepare(struct wasm_func *func, struct err *err);

/* Takes the next slice of fuel. WASM_TRAP_NONE: go on. */
enum wasm_trap_code store_refill(struct wasm_store *s);

/* Calls a host function with arguments and results in slots. */
MUST_CHECK bool call_host(struct wasm_func *func, struct wasm_instance *caller, union slot *slots,
                          struct wasm_trap *trap);

/* Values to slots and back; a v128 takes two. Return how many. */
uint32_t slots_set(union slot *slots, uint8_t type, const union wasm_value *value);
uint32_t slots_get(const union slot *slots, uint8_t type, union wasm_value *value);

/* The bulk operations, shared by instructions and instantiation. False: out of bounds, and nothing
 * has been written. Counts and addresses are 32 bits. */
MUST_CHECK bool bulk_memory_init(struct wasm_instance *i, uint32_t segment, uint32_t memory,
                                 uint32_t to, uint32_t from, uint32_t count);
MUST_CHECK bool bulk_memory_copy(struct wasm_memory *to_memory, struct wasm_memory *from_memory,
                                 uint32_t to, uint32_t from, uint32_t count);
MUST_CHECK bool bulk_memory_fill(struct wasm_memory *memory, uint32_t to, uint8_t value,
                                 uint32_t count);
MUST_CHECK bool bulk_table_init(struct wasm_instance *i, uint32_t segment, uint32_t table,
                                uint32_t to, uint32_t from, uint32_t count);
MUST_CHECK bool bulk_table_copy(struct wasm_table *to_table, struct wasm_table *from_table,
                                uint32_t to, uint32_t from, uint32_t count);
MUST_CHECK bool bulk_table_fill(struct wasm_table *table, uint32_t to, union slot value,
                                uint32_t count);
MUST_CHECK bool table_grow(struct wasm_table *table, uint32_t count, union slot value);

void instance_drop_elem(struct wasm_instance *i, uint32_t segment);
