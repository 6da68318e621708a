/* The engine by its public face, in both bounds modes. The module is tests/data/sample.wat. What
 * instructions compute is for the specification's own tests. */
#include "support.h"

#include <stdio.h>

#include "os/os.h"
#include "os/wasm_platform.h"
#include "wasm/dump.h"
#include "wasm/insn.h"
#include "wasm/wasm.h"

static struct arena arena;
static struct bytes sample;

/* An engine, a store and an instance of the sample. */
struct fixture {
    struct wasm_engine *engine;
    struct wasm_module *module;
    struct wasm_store *store;
    struct wasm_linker *linker;
    struct wasm_instance *instance;
    struct wasm_trap trap;
};

static bool twice(void *context, const struct wasm_caller *caller, const union wasm_value *args,
                  union wasm_value *results, struct wasm_trap *trap)
{
    assert_non_null(caller->instance);
    assert_ptr_equal(context, &sample);
    if (args[0].i32 == 13)
        return wasm_trap_set(trap, "no luck", 77);
    results[0].i32 = args[0].i32 * 2;
    return true;
}

static struct wasm_config config_of(enum wasm_bounds bounds)
{
    return (struct wasm_config){.platform = os_wasm_platform(), .bounds = bounds};
}

static void open_fixture(struct fixture *f, const struct wasm_config *config)
{
    const uint8_t i32 = WASM_I32;
    const struct wasm_func_type unary = {&i32, &i32, 1, 1};
    struct wasm_extern host = {.kind = WASM_EXTERN_FUNC};
    struct err err;

    *f = (struct fixture){.engine = NULL};
    assert_true(wasm_engine_new(config, &f->engine, &err));
    assert_true(wasm_module_new(f->engine, sample, &f->module, &err));
    assert_true(wasm_store_new(f->engine, &f->store, &err));
    assert_true(wasm_linker_new(f->store, &f->linker, &err));
    assert_true(wasm_func_new(f->store, &unary, twice, &sample, &host.of.func, &err));
    assert_true(wasm_linker_define(f->linker, bytes_of("host"), bytes_of("twice"), host, &err));
    assert_true(wasm_linker_instantiate(f->linker, f->module, &f->instance, &f->trap, &err));
}

static void close_fixture(struct fixture *f)
{
    wasm_linker_free(f->linker);
    wasm_store_free(f->store);
    wasm_module_free(f->module);
    wasm_engine_free(f->engine);
}

static struct wasm_extern export_of(struct fixture *f, const char *name)
{
    struct wasm_extern found = {.kind = WASM_EXTERN_FUNC};
    assert_true(wasm_instance_export(f->instance, bytes_of(name), &found));
    return found;
}

/* Calls an export with up to two i32; WASM_TRAP_NONE and *result, or the trap's code. */
static enum wasm_trap_code call(struct fixture *f, const char *name, uint32_t a, uint32_t b,
                                uint32_t *result)
{
    union wasm_value args[2] = {{.i64 = a}, {.i64 = b}}, results[1] = {{.i64 = 0}};
    if (!wasm_func_call(export_of(f, name).of.func, args, results, &f->trap))
        return f->trap.code;
    if (result != NULL)
        *result = results[0].i32;
    return WASM_TRAP_NONE;
}

#define BOTH_MODES(f)                                                           \
    for (int mode = WASM_BOUNDS_EXPLICIT; mode <= WASM_BOUNDS_GUARD; mode++)    \
        for (struct wasm_config config = config_of((enum wasm_bounds)mode),     \
                                *once = (open_fixture(&(f), &config), &config); \
             once != NULL; once = (close_fixture(&(f)), NULL))

static void functions_compute(void **state)
{
    struct fixture f;
    uint32_t r = 0;
    (void)state;
    BOTH_MODES(f)
    {
        assert_int_equal(call(&f, "fib", 20, 0, &r), WASM_TRAP_NONE);
        assert_int_equal(r, 6765);
        assert_int_equal(call(&f, "indirect", 0, 10, &r), WASM_TRAP_NONE);
        assert_int_equal(r, 55);
        assert_int_equal(call(&f, "tail", 1000000, 0, &r), WASM_TRAP_NONE);
        assert_int_equal(r, 42);
        assert_int_equal(call(&f, "host", 21, 0, &r), WASM_TRAP_NONE);
        assert_int_equal(r, 42);
        assert_int_equal(call(&f, "old_value", 100, 0, &r), WASM_TRAP_NONE);
        assert_int_equal(r, 91); /* 100 - 9 */
        const uint32_t expected[] = {11, 10, 11, 11};
        for (uint32_t i = 0; i < 4; i++) {
            assert_int_equal(call(&f, "select_label", i, 0, &r), WASM_TRAP_NONE);
            assert_int_equal(r, expected[i]);
        }
        assert_int_equal(wasm_global_get(export_of(&f, "count").of.global).i64, 1);
    }
}

static void many_results_come_back_in_order(void **state)
{
    struct fixture f;
    union wasm_value args[4] = {{.i64 = 1}, {.i64 = 2}, {.i64 = 3}, {.v128 = {4, 5, [15] = 6}}};
    union wasm_value results[4];
    (void)state;
    BOTH_MODES(f)
    {
        assert_true(wasm_func_call(export_of(&f, "swap").of.func, args, results, &f.trap));
        assert_memory_equal(results[0].v128, args[3].v128, 16);
        assert_int_equal(results[1].f64, 3);
        assert_int_equal(results[2].i64, 2);
        assert_int_equal(results[3].i32, 1);
    }
}

static void traps_say_what_and_where(void **state)
{
    struct fixture f;
    (void)state;
    BOTH_MODES(f)
    {
        assert_int_equal(call(&f, "caller", 0, 0, NULL), WASM_TRAP_INTEGER_DIVIDE_BY_ZERO);
        assert_string_equal(f.trap.message, "integer divide by zero");
        assert_int_equal(f.trap.depth, 2);
        assert_int_equal(f.trap.frame_count, 2);
        assert_true(bytes_is(f.trap.frames[0].name, "divide"));
        assert_true(bytes_is(f.trap.frames[1].name, "caller"));
        assert_ptr_equal(f.trap.frames[0].module, f.module);
        /* the offsets are those of i32.div_s and of call */
        assert_int_equal(sample.data[f.trap.frames[0].offset], 0x6d);
        assert_int_equal(sample.data[f.trap.frames[1].offset], 0x10);

        assert_int_equal(call(&f, "divide", 0x80000000u, UINT32_MAX, NULL),
                         WASM_TRAP_INTEGER_OVERFLOW);
        assert_int_equal(call(&f, "indirect", 4, 0, NULL), WASM_TRAP_UNDEFINED_ELEMENT);
        assert_int_equal(call(&f, "indirect", 3, 0, NULL), WASM_TRAP_UNINITIALIZED_ELEMENT);
        assert_int_equal(call(&f, "indirect", 1, 0, NULL), WASM_TRAP_INDIRECT_CALL_TYPE);
        assert_int_equal(call(&f, "host", 13, 0, NULL), WASM_TRAP_HOST);
        assert_string_equal(f.trap.message, "no luck");
        assert_int_equal(f.trap.host_code, 77);
        assert_true(bytes_is(f.trap.frames[0].name, "host"));
    }
}

static void memory_ends_where_it_ends(void **state)
{
    struct fixture f;
    uint32_t r = 0;
    (void)state;
    BOTH_MODES(f)
    {
        struct wasm_memory *memory = export_of(&f, "memory").of.memory;
        assert_memory_equal(wasm_memory_at(memory, 16, 5), "broch", 5);
        assert_int_equal(call(&f, "load", 65536 - 8, 0, &r), WASM_TRAP_NONE);
        for (uint32_t i = 65536 - 7; i < 65536 + 8; i++)
            assert_int_equal(call(&f, "load", i, 0, &r), WASM_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_true(bytes_is(f.trap.frames[0].name, "load"));
        assert_int_equal(sample.data[f.trap.frames[0].offset], 0x28);
        assert_int_equal(call(&f, "load", UINT32_MAX, 0, &r), WASM_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_int_equal(call(&f, "store", 65533, 1, NULL), WASM_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_int_equal(call(&f, "init", 65533, 0, NULL), WASM_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_int_equal(call(&f, "fill", 65000, 537, NULL), WASM_TRAP_MEMORY_OUT_OF_BOUNDS);
        assert_int_equal(*wasm_memory_at(memory, 65000, 1), 0); /* nothing was written */

        assert_int_equal(call(&f, "grow", 2, 0, &r), WASM_TRAP_NONE);
        assert_int_equal(r, 1);
        assert_int_equal(call(&f, "load", 65536 * 3 - 8, 0, &r), WASM_TRAP_NONE);
        assert_int_equal(call(&f, "grow", 2, 0, &r), WASM_TRAP_NONE); /* beyond the maximum */
        assert_int_equal(r, UINT32_MAX);
        assert_null(wasm_memory_at(memory, UINT64_C(65536) * 3, 1));
        assert_non_null(wasm_memory_at(memory, UINT64_C(65536) * 3, 0));
        assert_null(wasm_memory_at(memory, UINT64_MAX, 2));
        assert_null(wasm_memory_at(memory, 0, UINT64_MAX));
    }
}

static void fuel_is_deterministic(void **state)
{
    struct fixture f;
    (void)state;
    BOTH_MODES(f)
    {
        uint64_t used[2];
        for (int i = 0; i < 2; i++) {
            wasm_store_set_fuel(f.store, 1000000);
            assert_int_equal(call(&f, "fib", 15, 0, NULL), WASM_TRAP_NONE);
            used[i] = 1000000 - wasm_store_fuel(f.store);
        }
        assert_int_equal(used[0], used[1]);
        assert_true(used[0] > 1000);
        wasm_store_set_fuel(f.store, used[0]);
        assert_int_equal(call(&f, "fib", 15, 0, NULL), WASM_TRAP_NONE);
        assert_int_equal(wasm_store_fuel(f.store), 0);
        wasm_store_set_fuel(f.store, used[0] - 1);
        assert_int_equal(call(&f, "fib", 15, 0, NULL), WASM_TRAP_OUT_OF_FUEL);
        wasm_store_set_fuel(f.store, 12345678);
        assert_int_equal(call(&f, "forever", 0, 0, NULL), WASM_TRAP_OUT_OF_FUEL);
    }
}

static void an_interrupt_ends_a_loop(void **state)
{
    struct fixture f;
    (void)state;
    BOTH_MODES(f)
    {
        wasm_store_interrupt(f.store);
        assert_int_equal(call(&f, "forever", 0, 0, NULL), WASM_TRAP_INTERRUPTED);
        assert_int_equal(call(&f, "fib", 5, 0, NULL), WASM_TRAP_NONE); /* it is over */
    }
}

struct ticks {
    struct fixture f;
    unsigned count, last;
};

static void tick(void *context)
{
    struct ticks *ticks = context;

    if (++ticks->count == ticks->last)
        wasm_store_interrupt(ticks->f.store);
}

/* A loop that makes no call is looked after all the same, and ends when its host says so; the fuel
 * of a call does not change by it. */
static void a_loop_ticks(void **state)
{
    struct ticks ticks = {.last = 5};
    struct wasm_config config = config_of(WASM_BOUNDS_EXPLICIT);
    (void)state;
    config.tick = tick;
    config.tick_context = &ticks;
    open_fixture(&ticks.f, &config);
    assert_int_equal(call(&ticks.f, "forever", 0, 0, NULL), WASM_TRAP_INTERRUPTED);
    assert_int_equal(ticks.count, 5);
    wasm_store_set_fuel(ticks.f.store, 1000000);
    assert_int_equal(call(&ticks.f, "forever", 0, 0, NULL), WASM_TRAP_OUT_OF_FUEL);
    assert_in_range(ticks.count, 5 + 10, 5 + 100);
    close_fixture(&ticks.f);
}

static void endless_recursion_is_a_trap(void **state)
{
    struct fixture f;
    uint32_t r = 0;
    (void)state;
    BOTH_MODES(f)
    {
        assert_int_equal(call(&f, "deep", 1, 0, NULL), WASM_TRAP_STACK_EXHAUSTED);
        assert_int_equal(f.trap.frame_count, WASM_TRAP_FRAMES_MAX);
        assert_true(f.trap.depth > 1000);
        assert_int_equal(call(&f, "fib", 10, 0, &r), WASM_TRAP_NONE); /* the store is sound */
        assert_int_equal(r, 55);
    }
}

static void instances_live_side_by_side(void **state)
{
    struct fixture f;
    struct wasm_instance *other = NULL;
    struct wasm_extern x = {.kind = WASM_EXTERN_MEMORY};
    struct err err;
    uint32_t r = 0;
    (void)state;
    BOTH_MODES(f)
    {
        assert_true(wasm_linker_instantiate(f.linker, f.module, &other, &f.trap, &err));
        assert_int_equal(call(&f, "store", 0, 99, NULL), WASM_TRAP_NONE);
        assert_true(wasm_instance_export(other, bytes_of("memory"), &x));
        assert_int_equal(*wasm_memory_at(x.of.memory, 0, 1), 0);
        assert_int_equal(call(&f, "fib", 10, 0, &r), WASM_TRAP_NONE);
    }
}

static void imports_must_fit(void **state)
{
    struct fixture f;
    struct wasm_linker *empty = NULL;
    struct wasm_instance *instance;
    struct err err;
    (void)state;
    BOTH_MODES(f)
    {
        assert_true(wasm_linker_new(f.store, &empty, &err));
        assert_false(wasm_linker_instantiate(empty, f.module, &instance, &f.trap, &err));
        assert_int_equal(err.code, ERR_NOT_FOUND);
        assert_true(wasm_linker_define(empty, bytes_of("host"), bytes_of("twice"),
                                       export_of(&f, "memory"), &err));
        assert_false(wasm_linker_instantiate(empty, f.module, &instance, &f.trap, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_true(wasm_linker_define(empty, bytes_of("host"), bytes_of("twice"),
                                       export_of(&f, "divide"), &err));
        assert_false(wasm_linker_instantiate(empty, f.module, &instance, &f.trap, &err));
        assert_int_equal(err.code, ERR_INVALID);
        assert_true(wasm_linker_define_instance(empty, bytes_of("host"), f.instance, &err));
        assert_true(wasm_linker_define(empty, bytes_of("host"), bytes_of("twice"),
                                       export_of(&f, "fib"), &err));
        assert_true(wasm_linker_instantiate(empty, f.module, &instance, &f.trap, &err));
        wasm_linker_free(empty);
    }
}

static void configured_limits_hold(void **state)
{
    struct wasm_config config = config_of(WASM_BOUNDS_EXPLICIT);
    struct fixture f;
    uint32_t r = 0;
    (void)state;
    config.memory_pages_max = 2;
    config.stack_size = 4096;
    open_fixture(&f, &config);
    assert_int_equal(call(&f, "grow", 1, 0, &r), WASM_TRAP_NONE);
    assert_int_equal(r, 1);
    assert_int_equal(call(&f, "grow", 1, 0, &r), WASM_TRAP_NONE);
    assert_int_equal(r, UINT32_MAX);
    assert_int_equal(call(&f, "deep", 0, 0, &r), WASM_TRAP_STACK_EXHAUSTED);
    assert_true(f.trap.depth < 100);
    struct wasm_table *table = export_of(&f, "table").of.table;
    assert_false(wasm_table_grow(table, 5, (union wasm_value){.i64 = 0}));
    assert_true(wasm_table_grow(table, 4, (union wasm_value){.i64 = 0}));
    assert_int_equal(wasm_table_size(table), 8);
    close_fixture(&f);
}

static void guard_mode_needs_guard_pages(void **state)
{
    struct wasm_config config = config_of(WASM_BOUNDS_GUARD);
    struct wasm_engine *engine = NULL;
    struct err err;
    (void)state;
    config.platform.run_guarded = NULL;
    assert_false(wasm_engine_new(&config, &engine, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

/* Whatever is done to the bytes, there is a verdict, with an offset inside. */
static void check_damaged(struct bytes damaged)
{
    struct wasm_config config = config_of(WASM_BOUNDS_EXPLICIT);
    struct wasm_engine *engine = NULL;
    struct wasm_module *module;
    struct err err;
    assert_true(wasm_engine_new(&config, &engine, &err));
    if (wasm_module_new(engine, damaged, &module, &err)) {
        assert_true(wasm_module_translate_all(module, &err));
        wasm_module_free(module);
    } else {
        assert_non_null(err.msg);
        if (err.code == ERR_FORMAT || err.code == ERR_INVALID)
            assert_true(err.at <= damaged.size);
    }
    wasm_engine_free(engine);
}

static void damage_never_crashes(void **state)
{
    (void)state;
    for_each_damage(sample, check_damaged);
}

static void absent_features_are_named(void **state)
{
    const struct {
        const char *section; /* behind the header */
        size_t size;
        const char *name;
    } cases[] = {
        {"\x05\x03\x01\x03\x01", 5, "threads"},
        {"\x05\x03\x01\x04\x01", 5, "memory64"},
        {"\x0d\x01\x00", 3, "exception handling"},
        {"\x01\x03\x01\x5f\x00", 5, "garbage collection"},
        {"\x01\x06\x01\x60\x01\x63\x70\x00", 8, "typed function references"},
        {"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x08\x01\x06\x00\xfd\x80\x02\x1a\x0b", 20,
         "relaxed SIMD"},
    };
    struct wasm_config config = config_of(WASM_BOUNDS_EXPLICIT);
    struct wasm_engine *engine = NULL;
    struct err err;
    (void)state;
    assert_true(wasm_engine_new(&config, &engine, &err));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t module[64] = "\0asm\1\0\0";
        memcpy(module + 8, cases[i].section, cases[i].size);
        assert_false(wasm_validate(engine, bytes_from(module, 8 + cases[i].size), &err));
        assert_int_equal(err.code, ERR_UNSUPPORTED);
        assert_non_null(strstr(err.msg, cases[i].name));
    }
    wasm_engine_free(engine);
}

static size_t listed;

static void count_line(void *context, struct bytes text)
{
    (void)context;
    assert_int_equal(text.data[text.size - 1], '\n');
    listed++;
}

static void modules_can_be_listed(void **state)
{
    struct fixture f;
    struct err err;
    (void)state;
    BOTH_MODES(f)
    {
        listed = 0;
        assert_true(wasm_dump(f.module, false, count_line, NULL, &err));
        size_t without = listed;
        assert_true(without > 30);
        assert_true(wasm_dump(f.module, true, count_line, NULL, &err));
        assert_true(listed > 2 * without);
        assert_true(wasm_module_memory(f.module) > sample.size);
    }
}

static int read_sample(void **state)
{
    struct err err;
    (void)state;
    arena_init(&arena, arena_heap, 1 << 20);
    return os_read_file(SAMPLE, 1 << 20, &arena, &sample, &err) ? 0 : -1;
}

static int drop_sample(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* ---- constants folded ---- */

enum { MODULE_SIZE = 128 };

static void write_const(struct writer *w, uint8_t type, uint64_t bits)
{
    switch (type) {
    case WASM_I32:
        writer_u8(w, OP_i32_const);
        writer_leb128_s64(w, (int32_t)bits);
        break;
    case WASM_I64:
        writer_u8(w, OP_i64_const);
        writer_leb128_s64(w, (int64_t)bits);
        break;
    case WASM_F32:
        writer_u8(w, OP_f32_const);
        writer_u32le(w, (uint32_t)bits);
        break;
    default:
        writer_u8(w, OP_f64_const);
        writer_u64le(w, bits);
        break;
    }
}

/* A module whose function "f" does op to constants. */
static struct bytes op_module(uint16_t op, const uint64_t *bits, uint8_t memory[MODULE_SIZE])
{
    const struct op_shape *shape = &op_shapes[op];
    static const uint8_t head[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1};
    static const uint8_t rest[] = {3, 2, 1, 0, 7, 5, 1, 1, 'f', 0, 0, 10};
    uint8_t code[MODULE_SIZE / 2];
    struct writer body = writer_fixed(code, sizeof code), w = writer_fixed(memory, MODULE_SIZE);
    struct bytes out;
    struct err err;

    for (unsigned i = 0; i < 2 && i < shape->operand_count; i++)
        write_const(&body, shape->operands[i], bits[i]);
    if (op < 0x100) {
        writer_u8(&body, (uint8_t)op);
    } else {
        writer_u8(&body, 0xfc);
        writer_u8(&body, (uint8_t)(op - 0x100));
    }
    writer_u8(&body, OP_end);
    writer_bytes(&w, bytes_from(head, sizeof head));
    writer_u8(&w, shape->result);
    writer_bytes(&w, bytes_from(rest, sizeof rest));
    writer_u8(&w, (uint8_t)(body.size + 3));
    writer_u8(&w, 1);
    writer_u8(&w, (uint8_t)(body.size + 1));
    writer_u8(&w, 0);
    writer_bytes(&w, bytes_from(code, body.size));
    assert_true(writer_done(&w, &out, &err));
    return out;
}

static uint64_t run_op(struct wasm_engine *engine, struct bytes binary)
{
    struct wasm_module *module;
    struct wasm_store *store;
    struct wasm_linker *linker;
    struct wasm_instance *instance;
    struct wasm_extern f = {.kind = WASM_EXTERN_FUNC};
    struct wasm_trap trap;
    union wasm_value result = {.i64 = 0};
    struct err err;

    assert_true(wasm_module_new(engine, binary, &module, &err));
    assert_true(wasm_store_new(engine, &store, &err));
    assert_true(wasm_linker_new(store, &linker, &err));
    assert_true(wasm_linker_instantiate(linker, module, &instance, &trap, &err));
    assert_true(wasm_instance_export(instance, bytes_of("f"), &f));
    bool ok = wasm_func_call(f.of.func, NULL, &result, &trap);
    wasm_linker_free(linker);
    wasm_store_free(store);
    wasm_module_free(module);
    return ok ? result.i64 : UINT64_C(0xdead0000) + trap.code;
}

static bool is_nan(uint8_t type, uint64_t bits)
{
    return type == WASM_F32 ? (bits & 0x7fffffff) > 0x7f800000
                            : (bits & INT64_MAX) > UINT64_C(0x7ff0000000000000);
}

/* What is folded is what would have been computed. Which of two NaNs is made may differ. */
static void constants_fold_to_what_runs(void **state)
{
    static const uint64_t samples[] = {0,
                                       3,
                                       UINT64_C(0xffffffff80000000),
                                       UINT64_C(0x3ff8000000000000),
                                       0x40490fdb,
                                       UINT64_C(0xc1e0000000200000),
                                       0xff800001,
                                       UINT64_MAX};
    struct wasm_config folding = config_of(WASM_BOUNDS_EXPLICIT), plain = folding;
    struct wasm_engine *engines[2];
    uint8_t memory[MODULE_SIZE];
    struct err err;
    unsigned ops = 0;
    (void)state;
    plain.is_plain = true;
    folding.stack_size = plain.stack_size = 4096;
    assert_true(wasm_engine_new(&folding, &engines[0], &err));
    assert_true(wasm_engine_new(&plain, &engines[1], &err));
    for (uint16_t op = 0; op < 0x200; op++) {
        const struct op_shape *shape = &op_shapes[op];
        if (!shape->is_simple || shape->immediate != IMM_NONE)
            continue;
        ops++;
        for (size_t i = 0; i < COUNT_OF(samples) * COUNT_OF(samples); i++) {
            uint64_t bits[2] = {samples[i / COUNT_OF(samples)], samples[i % COUNT_OF(samples)]};
            struct bytes binary = op_module(op, bits, memory);
            uint64_t folded = run_op(engines[0], binary), run = run_op(engines[1], binary);
            bool is_float = shape->result == WASM_F32 || shape->result == WASM_F64;
            if (is_float && is_nan(shape->result, folded) && is_nan(shape->result, run))
                continue;
            assert_int_equal(folded, run);
            if (shape->operand_count == 1 && i % COUNT_OF(samples) == 0)
                i += COUNT_OF(samples) - 1;
        }
    }
    assert_int_equal(ops, 136);
    wasm_engine_free(engines[0]);
    wasm_engine_free(engines[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_compute),
        cmocka_unit_test(many_results_come_back_in_order),
        cmocka_unit_test(traps_say_what_and_where),
        cmocka_unit_test(memory_ends_where_it_ends),
        cmocka_unit_test(fuel_is_deterministic),
        cmocka_unit_test(an_interrupt_ends_a_loop),
        cmocka_unit_test(a_loop_ticks),
        cmocka_unit_test(endless_recursion_is_a_trap),
        cmocka_unit_test(instances_live_side_by_side),
        cmocka_unit_test(imports_must_fit),
        cmocka_unit_test(configured_limits_hold),
        cmocka_unit_test(guard_mode_needs_guard_pages),
        cmocka_unit_test(damage_never_crashes),
        cmocka_unit_test(absent_features_are_named),
        cmocka_unit_test(modules_can_be_listed),
        cmocka_unit_test(constants_fold_to_what_runs),
    };
    return cmocka_run_group_tests(tests, read_sample, drop_sample);
}
