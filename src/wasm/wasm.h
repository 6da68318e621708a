/* The engine: WebAssembly modules decoded, validated, and run by an interpreter.
 *
 * WebAssembly Core Specification 2.0, with tail calls, extended constant expressions and multiple
 * memories. Module bytes are hostile: nothing in them can crash the process, read or write outside
 * what they were given, or run beyond their fuel, stack, memory and table limits. The engine knows
 * no operating system: memory comes from a `struct wasm_platform`. There is no global state.
 *
 * An engine makes modules and stores. A module is immutable and may be instantiated many times, in
 * many stores of its engine. A store holds instances, functions, tables, memories and globals,
 * which live until it is freed; pointers to them are valid as long as the store. A store, and
 * everything in it, is used by one thread at a time (but for wasm_store_interrupt). An engine and
 * its modules may not be used by two threads at once, since functions are translated at their first
 * call. */
#pragma once

#include "base/base.h"

struct wasm_engine;
struct wasm_module;
struct wasm_store;
struct wasm_instance;
struct wasm_func;
struct wasm_table;
struct wasm_memory;
struct wasm_global;
struct wasm_linker;

/* ---- types and values ---- */

/* The encodings of the binary format, §5.3.1 to §5.3.4. */
enum wasm_type {
    WASM_I32 = 0x7f,
    WASM_I64 = 0x7e,
    WASM_F32 = 0x7d,
    WASM_F64 = 0x7c,
    WASM_V128 = 0x7b,
    WASM_FUNCREF = 0x70,
    WASM_EXTERNREF = 0x6f
};

/* "i32", "funcref", … */
const char *wasm_type_name(enum wasm_type type);

/* A value of any type. Floats are bits, so that every NaN keeps its own. A null reference is NULL;
 * an external reference is any other pointer that its owner likes, never looked at. */
union wasm_value {
    uint32_t i32;
    uint64_t i64;
    uint32_t f32;
    uint64_t f64;
    uint8_t v128[16];
    struct wasm_func *funcref;
    void *externref;
};

struct wasm_func_type {
    const uint8_t *params; /* enum wasm_type each */
    const uint8_t *results;
    uint32_t param_count, result_count;
};

struct wasm_limits {
    uint64_t min, max; /* pages of 64 KiB, or elements; max is UINT64_MAX when there is none */
};

enum wasm_extern_kind {
    WASM_EXTERN_FUNC,
    WASM_EXTERN_TABLE,
    WASM_EXTERN_MEMORY,
    WASM_EXTERN_GLOBAL
};

/* The type of an import or export. Borrowed from the module. */
struct wasm_extern_type {
    enum wasm_extern_kind kind;
    struct wasm_func_type func;
    struct wasm_limits limits; /* of a table or memory */
    enum wasm_type type;       /* of a table's elements or a global */
    bool is_mutable;           /* of a global */
};

/* ---- the platform ---- */

/* Where memory comes from. All sizes are multiples of the platform's page. context is passed
 * through. A platform without guard pages leaves run_guarded NULL; memories then have explicit
 * checks. */
struct wasm_platform {
    void *context;
    /* Address space without access; NULL when there is none. */
    void *(*reserve)(void *context, size_t size);
    /* Makes bytes of a reservation readable, writable and zero. */
    bool (*commit)(void *context, void *address, size_t size);
    void (*release)(void *context, void *address, size_t size);
    /* Calls work(argument). When meanwhile an access faults at an address that owns() knows,
     * abandons the work and returns false; the stack is unwound, nothing else is undone. owns is
     * called from where the fault is handled. May be nested. */
    bool (*run_guarded)(void *context, bool (*owns)(void *argument, const void *address),
                        void (*work)(void *argument), void *argument);
};

/* ---- engine ---- */

enum wasm_bounds {
    WASM_BOUNDS_EXPLICIT, /* every access is compared with the memory's size */
    WASM_BOUNDS_GUARD     /* memories lie in 8 GiB reservations; an access outside faults */
};

struct wasm_config {
    struct wasm_platform platform;
    enum wasm_bounds bounds;
    size_t stack_size;           /* bytes for the frames of one store's calls; 0: 1 MiB */
    uint64_t memory_pages_max;   /* of one memory; 0: 65536, all that 32 bits can address */
    uint64_t table_elements_max; /* of one table; 0: ten million */
    bool is_plain;               /* nothing is fused or folded: slower, for tests to compare with */
    /* Called by running calls every twenty thousand steps of fuel or so, whether they have a limit
     * of it or not; NULL: never. What it does must not touch the engine, but for
     * wasm_store_interrupt. */
    void (*tick)(void *context);
    void *tick_context;
};

/* ERR_UNSUPPORTED when the platform has no guard pages and the configuration wants them. */
MUST_CHECK bool wasm_engine_new(const struct wasm_config *config, struct wasm_engine **out,
                                struct err *err);
void wasm_engine_free(struct wasm_engine *engine);

/* ---- modules ---- */

/* Decodes and validates. The bytes are copied. err->at is the offset of the fault in them:
 * ERR_FORMAT, the binary is malformed; ERR_INVALID, it breaks a rule of validation;
 * ERR_UNSUPPORTED, it uses a feature that is absent, which msg names. Or it is the number that msg
 * speaks of: ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool wasm_module_new(struct wasm_engine *engine, struct bytes binary,
                                struct wasm_module **out, struct err *err);

/* The same verdict without keeping anything. */
MUST_CHECK bool wasm_validate(struct wasm_engine *engine, struct bytes binary, struct err *err);

/* No instance of it may be in use any more. */
void wasm_module_free(struct wasm_module *module);

/* Translates every function now, not at its first call. ERR_MEMORY. */
MUST_CHECK bool wasm_module_translate_all(struct wasm_module *module, struct err *err);

/* Bytes that the module takes: its copy of the binary, its tables, its translated code. */
size_t wasm_module_memory(const struct wasm_module *module);

uint32_t wasm_module_import_count(const struct wasm_module *module);
uint32_t wasm_module_export_count(const struct wasm_module *module);

/* index below the count. Names are UTF-8, borrowed from the module. */
void wasm_module_import(const struct wasm_module *module, uint32_t index, struct bytes *module_name,
                        struct bytes *name, struct wasm_extern_type *type);
void wasm_module_export(const struct wasm_module *module, uint32_t index, struct bytes *name,
                        struct wasm_extern_type *type);

/* ---- traps ---- */

enum wasm_trap_code {
    WASM_TRAP_NONE,
    WASM_TRAP_UNREACHABLE,
    WASM_TRAP_MEMORY_OUT_OF_BOUNDS,
    WASM_TRAP_TABLE_OUT_OF_BOUNDS,   /* table.get, table.set, table.fill, … */
    WASM_TRAP_UNDEFINED_ELEMENT,     /* call_indirect beyond the table */
    WASM_TRAP_UNINITIALIZED_ELEMENT, /* call_indirect of null */
    WASM_TRAP_INDIRECT_CALL_TYPE,
    WASM_TRAP_INTEGER_DIVIDE_BY_ZERO,
    WASM_TRAP_INTEGER_OVERFLOW,
    WASM_TRAP_INVALID_CONVERSION, /* to integer, of a NaN */
    WASM_TRAP_STACK_EXHAUSTED,
    WASM_TRAP_OUT_OF_FUEL,
    WASM_TRAP_INTERRUPTED,
    WASM_TRAP_OUT_OF_MEMORY, /* a function could not be translated */
    WASM_TRAP_HOST,          /* a host function said so; message and host_code are its own */
    WASM_TRAP_CODE_COUNT
};

/* The words of the specification's tests: "integer divide by zero", … */
const char *wasm_trap_message(enum wasm_trap_code code);

/* A place in a function. */
struct wasm_frame {
    const struct wasm_module *module;
    uint32_t func_index; /* in the module's index space */
    uint32_t offset;     /* of the instruction, in the module's bytes */
    struct bytes name;   /* from the name section or an export; empty when there is none */
};

/* How many frames of the innermost calls a trap keeps. */
#define WASM_TRAP_FRAMES_MAX 32

struct wasm_trap {
    enum wasm_trap_code code;
    const char *message; /* a literal */
    int64_t host_code;   /* of WASM_TRAP_HOST: whatever the host function put there */
    uint32_t depth;      /* how many calls were active, kept or not */
    uint32_t frame_count;
    struct wasm_frame frames[WASM_TRAP_FRAMES_MAX]; /* the innermost first */
};

/* ---- stores ---- */

MUST_CHECK bool wasm_store_new(struct wasm_engine *engine, struct wasm_store **out,
                               struct err *err);
void wasm_store_free(struct wasm_store *store);

/* From now on calls use fuel: one unit for each function entered and each branch taken, and one for
 * each 64 bytes or elements of a bulk operation; the same run takes the same fuel always. A call
 * that has none left traps. UINT64_MAX, the initial state, is endless. */
void wasm_store_set_fuel(struct wasm_store *store, uint64_t fuel);
uint64_t wasm_store_fuel(const struct wasm_store *store);

/* Makes the running call, or the next one, trap within some thousand steps of fuel. May be called
 * from any thread and from a signal handler. */
void wasm_store_interrupt(struct wasm_store *store);

/* ---- functions ---- */

/* What a host function gets. */
struct wasm_caller {
    struct wasm_store *store;
    struct wasm_instance *instance; /* the instance whose code calls; NULL when the host does */
};

/* A host function: args as its type has them, results to fill. False traps, with *trap filled by
 * wasm_trap_set. */
typedef bool wasm_host_func(void *context, const struct wasm_caller *caller,
                            const union wasm_value *args, union wasm_value *results,
                            struct wasm_trap *trap);

/* Fills *trap with WASM_TRAP_HOST and returns false. message is a literal. */
bool wasm_trap_set(struct wasm_trap *trap, const char *message, int64_t host_code);

/* type is copied. ERR_MEMORY, ERR_LIMIT. */
MUST_CHECK bool wasm_func_new(struct wasm_store *store, const struct wasm_func_type *type,
                              wasm_host_func *code, void *context, struct wasm_func **out,
                              struct err *err);

/* Borrowed from the store. */
struct wasm_func_type wasm_func_type(const struct wasm_func *func);

/* Calls a function with as many args, and room for as many results, as its type has. False: it
 * trapped. May be called from a host function. */
MUST_CHECK bool wasm_func_call(struct wasm_func *func, const union wasm_value *args,
                               union wasm_value *results, struct wasm_trap *trap);

/* ---- tables, memories, globals ---- */

/* init fills every element: a funcref or externref. */
MUST_CHECK bool wasm_table_new(struct wasm_store *store, enum wasm_type type,
                               struct wasm_limits limits, union wasm_value init,
                               struct wasm_table **out, struct err *err);
enum wasm_type wasm_table_type(const struct wasm_table *table);
uint64_t wasm_table_size(const struct wasm_table *table);
/* False when there is no such element. */
MUST_CHECK bool wasm_table_get(const struct wasm_table *table, uint64_t index,
                               union wasm_value *out);
MUST_CHECK bool wasm_table_set(struct wasm_table *table, uint64_t index, union wasm_value value);
/* False when the limits or the platform forbid it; nothing has changed then. */
MUST_CHECK bool wasm_table_grow(struct wasm_table *table, uint64_t count, union wasm_value init);

MUST_CHECK bool wasm_memory_new(struct wasm_store *store, struct wasm_limits limits,
                                struct wasm_memory **out, struct err *err);
/* In pages of 64 KiB. */
uint64_t wasm_memory_pages(const struct wasm_memory *memory);
MUST_CHECK bool wasm_memory_grow(struct wasm_memory *memory, uint64_t pages);
/* The address of `size` bytes at `address`, or NULL when they are not all inside. Valid until the
 * memory grows. This is the one place where a guest's pointer becomes a host's. */
MUST_CHECK uint8_t *wasm_memory_at(struct wasm_memory *memory, uint64_t address, uint64_t size);

MUST_CHECK bool wasm_global_new(struct wasm_store *store, enum wasm_type type, bool is_mutable,
                                union wasm_value init, struct wasm_global **out, struct err *err);
enum wasm_type wasm_global_type(const struct wasm_global *global, bool *is_mutable);
union wasm_value wasm_global_get(const struct wasm_global *global);
/* The value must be of the global's type, and the global mutable. */
void wasm_global_set(struct wasm_global *global, union wasm_value value);

/* Something that is imported or exported. */
struct wasm_extern {
    enum wasm_extern_kind kind;
    union {
        struct wasm_func *func;
        struct wasm_table *table;
        struct wasm_memory *memory;
        struct wasm_global *global;
    } of;
};

/* ---- linking and instances ---- */

/* Names for imports. Belongs to one store, which outlives it. */
MUST_CHECK bool wasm_linker_new(struct wasm_store *store, struct wasm_linker **out,
                                struct err *err);
void wasm_linker_free(struct wasm_linker *linker);

/* Names are copied. A later definition of the same name takes the place of the earlier. */
MUST_CHECK bool wasm_linker_define(struct wasm_linker *linker, struct bytes module_name,
                                   struct bytes name, struct wasm_extern what, struct err *err);
/* Defines all exports of an instance under module_name. */
MUST_CHECK bool wasm_linker_define_instance(struct wasm_linker *linker, struct bytes module_name,
                                            struct wasm_instance *instance, struct err *err);

/* Instantiates: resolves imports, copies segments, runs the start function. On failure err says
 * why: ERR_NOT_FOUND "unknown import", or ERR_INVALID "incompatible import type", at = the import's
 * index; ERR_LIMIT, ERR_MEMORY; or, with trap->code other than WASM_TRAP_NONE, ERR_POLICY when a
 * segment or the start function trapped (what was written to imported memories and tables before it
 * stays). */
MUST_CHECK bool wasm_linker_instantiate(struct wasm_linker *linker, struct wasm_module *module,
                                        struct wasm_instance **out, struct wasm_trap *trap,
                                        struct err *err);

/* False when there is no such export. */
MUST_CHECK bool wasm_instance_export(struct wasm_instance *instance, struct bytes name,
                                     struct wasm_extern *out);
