/* The interpreter: direct-threaded over the internal form (ir.h).
 *
 * What is hot lives in locals: the place in the code, the frame, and memory 0 or the one that
 * use_memory chose. Frames overlap: a call's arguments are the callee's first slots, and its
 * results come back there. No access leaves its memory: either it is compared with the size, or
 * (guard forms) the memory lies in a reservation that no 33-bit address leaves, and the fault is
 * caught outside. */
#include <assert.h>
#include <string.h>

#include "wasm/runtime.h"
#include "wasm/simd.h"
#include "base/banned.h"

/* The C types of values. */
#define C_i32 uint32_t
#define C_i64 uint64_t
#define C_f32 float
#define C_f64 double

static inline v128 get_v128(const union slot *slot)
{
    v128 v;
    memcpy(&v, slot, sizeof v);
    return v;
}

static inline void set_v128(union slot *slot, v128 v)
{
    memcpy(slot, &v, sizeof v);
}

#define GET_i32(slot) ((slot)->i32)
#define GET_i64(slot) ((slot)->i64)
#define GET_f32(slot) ((slot)->f32)
#define GET_f64(slot) ((slot)->f64)
#define GET_v128(slot) get_v128(slot)
#define SET_i32(slot, v)                                                     \
    ((slot)->i64 = (uint64_t)(uint32_t)(v)) /* the upper half is always zero \
                                             */
#define SET_i64(slot, v) ((slot)->i64 = (v))
#define SET_f32(slot, v) ((slot)->f32 = (v))
#define SET_f64(slot, v) ((slot)->f64 = (v))
#define SET_v128(slot, v) set_v128((slot), (v))

#define CONST_i32(word) ((uint32_t)(word))
#define CONST_i64(word) (word)
#define CONST_f32(word) f32_of_bits((uint32_t)(word))
#define CONST_f64(word) f64_of_bits(word)

/* The fields of the word at pc, each loaded by itself: cheaper than taking a whole word apart. */
typedef uint16_t __attribute__((may_alias)) field16;
typedef uint32_t __attribute__((may_alias)) field32;
#define FIELD(n) (((const field16 *)pc)[n])
#define WIDE (((const field32 *)pc)[1])
#define SLOT_A (fp + FIELD(1))
#define SLOT_B (fp + FIELD(2))
#define SLOT_C (fp + FIELD(3))

/* gcc dispatches at the end of each instruction. To clang that would be a branch from every
 * instruction to every other, on which its sanitizers spend minutes; it copies the one dispatch
 * itself when it optimises. */
#ifdef __clang__
#define NEXT goto dispatch
#else
#define NEXT goto *labels[FIELD(0)]
#endif
#define NEXT_AFTER(words) \
    do {                  \
        pc += (words);    \
        NEXT;             \
    } while (0)
#define TRAP(code)                    \
    do {                              \
        trap_code = WASM_TRAP_##code; \
        goto trapped;                 \
    } while (0)
#define TRAP_IF(condition, code) \
    if (UNLIKELY(condition))     \
        TRAP(code);

/* Every branch that is taken costs a step. */
#define BRANCH(from, offset)             \
    do {                                 \
        pc = (from) + (int32_t)(offset); \
        if (UNLIKELY(--s->budget < 0))   \
            goto refill;                 \
        NEXT;                            \
    } while (0)

/* `size` bytes at a 32-bit address and a 32-bit offset: the sum has 33 bits and does not wrap. */
#define CHECKED(address, size)                           \
    uint64_t at = (uint64_t)(address) + (uint32_t)pc[1]; \
    if (UNLIKELY(at + (size) > memory_size))             \
        TRAP(MEMORY_OUT_OF_BOUNDS);                      \
    uint8_t *p = memory_base + at
/* The compiler may not move the access before the note of where it is. */
#define GUARDED(address, size)                                          \
    uint8_t *p = memory_base + ((uint64_t)(address) + (uint32_t)pc[1]); \
    s->guard_pc = pc;                                                   \
    __asm__ volatile("" : "+r"(p) : : "memory")

static void select_memory(const struct wasm_memory *memory, uint8_t **base, uint64_t *size)
{
    *base = memory->base;
    *size = memory->size;
}

static void first_memory(const struct wasm_instance *i, uint8_t **base, uint64_t *size)
{
    *base = NULL;
    *size = 0;
    if (i->module->memory_count != 0)
        select_memory(i->memories[0], base, size);
}

/* The callee of an indirect call; NULL with *code set. */
static struct wasm_func *indirect_callee(const struct wasm_instance *i, uint32_t table,
                                         uint32_t index, uint32_t type, enum wasm_trap_code *code)
{
    const struct wasm_table *t = i->tables[table];
    const struct wasm_func_type *expected = &i->module->types[type];

    if (index >= t->size) {
        *code = WASM_TRAP_UNDEFINED_ELEMENT;
        return NULL;
    }
    struct wasm_func *func = t->elements[index].func;
    if (func == NULL) {
        *code = WASM_TRAP_UNINITIALIZED_ELEMENT;
        return NULL;
    }
    if (func->type.params != expected->params && !func_types_equal(&func->type, expected)) {
        *code = WASM_TRAP_INDIRECT_CALL_TYPE;
        return NULL;
    }
    return func;
}

/* Fuel for bulk operations: a step for each 64 bytes or elements. */
static inline void use_bulk_fuel(struct wasm_store *s, uint32_t count)
{
    s->budget -= count / 64;
}

/* gcc merges the dispatches of all instructions into one without these. */
/* clang's sanitizers take minutes for this one function; gcc's, which the tests run under, do not.
 */
#ifdef __clang__
#define DISPATCH_LOOP __attribute__((no_sanitize("address", "undefined", "coverage")))
#else
#define DISPATCH_LOOP __attribute__((optimize("no-gcse", "no-crossjumping")))
#endif

DISPATCH_LOOP bool interpret(struct wasm_store *s, struct wasm_func *func, union slot *fp,
                             struct wasm_trap *trap)
{
    static const void *const labels[IR_COUNT] = {
#define X(id) &&L_##id,
        IR_MISC(X)
#undef X
#define UNARY(code, id, result, a, value) &&L_##id,
#define UNARY_TRAP UNARY
#define BINARY(code, id, result, a, value) &&L_##id, &&L_##id##_k,
#define BINARY_TRAP BINARY
#define LOAD(code, id, type, memory) &&L_##id, &&L_##id##_x, &&L_##id##_guard, &&L_##id##_x_guard,
#define STORE LOAD
#define SIMD_LOAD(code, id, size) &&L_##id, &&L_##id##_x, &&L_##id##_guard, &&L_##id##_x_guard,
#define SIMD_LOAD_LANE(code, id, size) &&L_##id, &&L_##id##_guard,
#define SIMD_STORE_LANE SIMD_LOAD_LANE
#define SIMD_SPLAT(code, id, a) &&L_##id,
#define SIMD_EXTRACT(code, id, result, lanes) &&L_##id,
#define SIMD_REPLACE SIMD_EXTRACT
#define SIMD_UNARY(code, id) &&L_##id,
#define SIMD_BINARY SIMD_UNARY
#define SIMD_TERNARY SIMD_UNARY
#define SIMD_SHIFT SIMD_UNARY
#define SIMD_TEST SIMD_UNARY
#include "wasm/ops.def"
#define X(id, type, op, opposite) &&L_br_##id, &&L_br_##id##_k,
            IR_INT_COMPARES(X)
#undef X
#define X(id, type, op) &&L_br_##id, &&L_br_not_##id,
                IR_FLOAT_COMPARES(X)
#undef X
    };
    struct call_frame *outermost = s->frame;
    struct wasm_instance *instance = func->instance;
    const uint64_t *pc = NULL, *return_pc = NULL;
    uint8_t *memory_base = NULL;
    uint64_t memory_size = 0;
    union slot *callee_fp = fp;
    struct wasm_func *callee = func;
    enum wasm_trap_code trap_code;
    struct err err;

    assert(func->decl != NULL);
    first_memory(instance, &memory_base, &memory_size);

#ifdef __clang__
    if (false) {
    dispatch:
        goto *labels[FIELD(0)];
    }
#endif
    /* callee, callee_fp and return_pc say what to call; fp is the caller's frame */
call : {
    if (UNLIKELY(callee->decl == NULL)) {
        s->frame->pc = pc;
        s->sp = callee_fp + slots_of_all(callee->type.params, callee->type.param_count);
        union slot *results_end =
            callee_fp + slots_of_all(callee->type.results, callee->type.result_count);
        if (s->sp < results_end)
            s->sp = results_end;
        if (s->sp > s->stack_end)
            TRAP(STACK_EXHAUSTED);
        if (!call_host(callee, instance, callee_fp, trap))
            goto host_trapped;
        first_memory(instance, &memory_base, &memory_size);
        pc = return_pc;
        NEXT;
    }
    struct engine_code *code = callee->decl->code;
    if (UNLIKELY(code == NULL)) {
        if (!func_prepare(callee, &err))
            TRAP(OUT_OF_MEMORY);
        code = callee->decl->code;
    }
    if (UNLIKELY((size_t)(s->stack_end - callee_fp) < code->frame_slots ||
                 s->frame + 1 == s->frames_end))
        TRAP(STACK_EXHAUSTED);
    struct call_frame *frame = ++s->frame;
    frame->func = callee;
    frame->return_pc = return_pc;
    frame->caller_fp = fp;
    fp = callee_fp;
    for (uint32_t i = code->param_slots; i < code->local_slots; i++)
        fp[i].i64 = 0;
    if (instance != callee->instance) {
        instance = callee->instance;
        first_memory(instance, &memory_base, &memory_size);
    }
    pc = code->words;
    if (UNLIKELY(--s->budget < 0))
        goto refill;
    NEXT;
}

leave : {
    struct call_frame *frame = s->frame--;
    pc = frame->return_pc;
    fp = frame->caller_fp;
    if (UNLIKELY(pc == NULL))
        return true;
    struct wasm_instance *caller = s->frame->func->instance;
    if (UNLIKELY(caller != instance)) {
        instance = caller;
        first_memory(instance, &memory_base, &memory_size);
    }
    NEXT;
}

L_return:
    goto leave;
L_return_1 : {
    fp[0] = *SLOT_A;
    goto leave;
}
L_return_n : {
    memmove(fp, SLOT_A, (size_t)WIDE * sizeof *fp);
    goto leave;
}
L_call : {
    callee = instance->funcs[WIDE];
    callee_fp = SLOT_A;
    return_pc = pc + 1;
    goto call;
}
L_call_indirect : {
    callee = indirect_callee(instance, FIELD(3), SLOT_B->i32, (uint32_t)pc[1], &trap_code);
    if (UNLIKELY(callee == NULL))
        goto trapped;
    callee_fp = SLOT_A;
    return_pc = pc + 2;
    goto call;
}
L_tail_call_indirect : {
    callee = indirect_callee(instance, FIELD(3), SLOT_B->i32, (uint32_t)pc[1], &trap_code);
    if (UNLIKELY(callee == NULL))
        goto trapped;
    memmove(fp, SLOT_A, (size_t)IR_WIDE(pc[1]) * sizeof *fp);
    goto tail_call;
}
L_tail_call : {
    callee = instance->funcs[WIDE];
    memmove(fp, SLOT_A, (size_t)pc[1] * sizeof *fp);
    goto tail_call;
}

tail_call:
    /* the frame is left before the callee is entered: its results are where ours would be */
    callee_fp = fp;
    if (UNLIKELY(callee->decl == NULL)) {
        s->frame->pc = pc;
        s->sp = fp + s->frame->func->decl->code->frame_slots;
        if (!call_host(callee, instance, callee_fp, trap))
            goto host_trapped;
        goto leave;
    }
    return_pc = s->frame->return_pc;
    fp = s->frame->caller_fp;
    s->frame--;
    goto call;

L_unreachable:
    TRAP(UNREACHABLE);
L_move : {
    *SLOT_A = *SLOT_B;
    NEXT_AFTER(1);
}
L_move_v128 : {
    set_v128(SLOT_A, get_v128(SLOT_B));
    NEXT_AFTER(1);
}
L_const32 : {
    SLOT_A->i64 = WIDE;
    NEXT_AFTER(1);
}
L_const64 : {
    SLOT_A->i64 = pc[1];
    NEXT_AFTER(2);
}
L_const_v128 : {
    memcpy(SLOT_A, pc + 1, 16);
    NEXT_AFTER(3);
}
L_select : {
    *SLOT_A = fp[pc[1]].i32 != 0 ? *SLOT_B : *SLOT_C;
    NEXT_AFTER(2);
}
L_select_v128 : {
    set_v128(SLOT_A, get_v128(fp[pc[1]].i32 != 0 ? SLOT_B : SLOT_C));
    NEXT_AFTER(2);
}
L_jump:
    BRANCH(pc, WIDE);
L_br_if : {
    if (SLOT_A->i32 != 0)
        BRANCH(pc, WIDE);
    NEXT_AFTER(1);
}
L_br_unless : {
    if (SLOT_A->i32 == 0)
        BRANCH(pc, WIDE);
    NEXT_AFTER(1);
}
L_br_table : {
    uint32_t index = SLOT_A->i32, count = WIDE;
    pc += 1 + (index < count ? index : count);
    BRANCH(pc, (uint32_t)*pc);
}
#define X(id, type, op, opposite)                                 \
    L_br_##id:                                                    \
    {                                                             \
        if ((type)(*SLOT_A).i64 op(type)(*SLOT_B).i64)            \
            BRANCH(pc + 1, (uint32_t)pc[1]);                      \
        NEXT_AFTER(2);                                            \
    }                                                             \
    L_br_##id##_k:                                                \
    {                                                             \
        if ((type)(*SLOT_A).i64 op(type)(int32_t) IR_WIDE(pc[1])) \
            BRANCH(pc + 1, (uint32_t)pc[1]);                      \
        NEXT_AFTER(2);                                            \
    }
    IR_INT_COMPARES(X)
#undef X
#define GET_float(slot) ((slot)->f32)
#define GET_double(slot) ((slot)->f64)
#define X(id, type, op)                                  \
    L_br_##id:                                           \
    {                                                    \
        if (GET_##type(SLOT_A) op GET_##type(SLOT_B))    \
            BRANCH(pc + 1, (uint32_t)pc[1]);             \
        NEXT_AFTER(2);                                   \
    }                                                    \
    L_br_not_##id:                                       \
    {                                                    \
        if (!(GET_##type(SLOT_A) op GET_##type(SLOT_B))) \
            BRANCH(pc + 1, (uint32_t)pc[1]);             \
        NEXT_AFTER(2);                                   \
    }
    IR_FLOAT_COMPARES(X)
#undef X

    /* numbers */
#define UNARY(code, id, result, type, value)       \
    L_##id:                                        \
    {                                              \
        C_##type a = GET_##type(SLOT_B);           \
        SET_##result(SLOT_A, (C_##result)(value)); \
        NEXT_AFTER(1);                             \
    }
#define UNARY_TRAP(code, id, result, type, value)   \
    L_##id:                                         \
    {                                               \
        C_##type a = GET_##type(SLOT_B);            \
        C_##result r = (__extension__({ value; })); \
        SET_##result(SLOT_A, r);                    \
        NEXT_AFTER(1);                              \
    }
#define BINARY(code, id, result, type, value)                     \
    L_##id:                                                       \
    {                                                             \
        C_##type a = GET_##type(SLOT_B), b = GET_##type(SLOT_C);  \
        SET_##result(SLOT_A, (C_##result)(value));                \
        NEXT_AFTER(1);                                            \
    }                                                             \
    L_##id##_k:                                                   \
    {                                                             \
        C_##type a = GET_##type(SLOT_B), b = CONST_##type(pc[1]); \
        SET_##result(SLOT_A, (C_##result)(value));                \
        NEXT_AFTER(2);                                            \
    }
#define BINARY_TRAP(code, id, result, type, value)                \
    L_##id:                                                       \
    {                                                             \
        C_##type a = GET_##type(SLOT_B), b = GET_##type(SLOT_C);  \
        C_##result r = (__extension__({ value; }));               \
        SET_##result(SLOT_A, r);                                  \
        NEXT_AFTER(1);                                            \
    }                                                             \
    L_##id##_k:                                                   \
    {                                                             \
        C_##type a = GET_##type(SLOT_B), b = CONST_##type(pc[1]); \
        C_##result r = (__extension__({ value; }));               \
        SET_##result(SLOT_A, r);                                  \
        NEXT_AFTER(2);                                            \
    }
#include "wasm/ops.def"
L_i32_shl_add : {
    SET_i32(SLOT_A, (SLOT_B->i32 << (uint32_t)pc[1]) + SLOT_C->i32);
    NEXT_AFTER(2);
}
L_i32_mul_add : {
    SET_i32(SLOT_A, SLOT_B->i32 * SLOT_C->i32 + fp[pc[1]].i32);
    NEXT_AFTER(2);
}
L_f64_mul_add : {
    SLOT_A->f64 = SLOT_B->f64 * SLOT_C->f64 + fp[pc[1]].f64;
    NEXT_AFTER(2);
}
L_f32_mul_add : {
    SLOT_A->f32 = SLOT_B->f32 * SLOT_C->f32 + fp[pc[1]].f32;
    NEXT_AFTER(2);
}

/* memory */
L_use_memory : {
    select_memory(instance->memories[WIDE], &memory_base, &memory_size);
    NEXT_AFTER(1);
}
#define LOAD_FORM(label, access, address, type, memory) \
    label : {                                           \
        access(address, sizeof(memory));                \
        memory v;                                       \
        memcpy(&v, p, sizeof v);                        \
        SET_##type(SLOT_A, (C_##type)v);                \
        NEXT_AFTER(2);                                  \
    }
#define LOAD(code, id, type, memory)                                        \
    LOAD_FORM(L_##id, CHECKED, SLOT_B->i32, type, memory)                   \
    LOAD_FORM(L_##id##_x, CHECKED, SLOT_B->i32 + SLOT_C->i32, type, memory) \
    LOAD_FORM(L_##id##_guard, GUARDED, SLOT_B->i32, type, memory)           \
    LOAD_FORM(L_##id##_x_guard, GUARDED, SLOT_B->i32 + SLOT_C->i32, type, memory)
#define STORE_FORM(label, access, address, type, memory) \
    label : {                                            \
        access(address, sizeof(memory));                 \
        memory v = (memory)GET_##type(SLOT_B);           \
        memcpy(p, &v, sizeof v);                         \
        NEXT_AFTER(2);                                   \
    }
#define STORE(code, id, type, memory)                                        \
    STORE_FORM(L_##id, CHECKED, SLOT_A->i32, type, memory)                   \
    STORE_FORM(L_##id##_x, CHECKED, SLOT_A->i32 + SLOT_C->i32, type, memory) \
    STORE_FORM(L_##id##_guard, GUARDED, SLOT_A->i32, type, memory)           \
    STORE_FORM(L_##id##_x_guard, GUARDED, SLOT_A->i32 + SLOT_C->i32, type, memory)
#define SIMD_LOAD_FORM(label, access, address, id, size) \
    label : {                                            \
        access(address, size);                           \
        set_v128(SLOT_A, id(p));                         \
        NEXT_AFTER(2);                                   \
    }
#define SIMD_LOAD(code, id, size)                                            \
    SIMD_LOAD_FORM(L_##id, CHECKED, SLOT_B->i32, id, size)                   \
    SIMD_LOAD_FORM(L_##id##_x, CHECKED, SLOT_B->i32 + SLOT_C->i32, id, size) \
    SIMD_LOAD_FORM(L_##id##_guard, GUARDED, SLOT_B->i32, id, size)           \
    SIMD_LOAD_FORM(L_##id##_x_guard, GUARDED, SLOT_B->i32 + SLOT_C->i32, id, size)
/* the vector is copied lane and all: the lanes are in the order of memory */
#define LANE_OF(v, size) ((uint8_t *)&(v) + (size_t)IR_WIDE(pc[1]) * (size))
#define SIMD_LOAD_LANE_FORM(label, access, size) \
    label : {                                    \
        access(SLOT_B->i32, size);               \
        v128 v = get_v128(SLOT_C);               \
        memcpy(LANE_OF(v, size), p, size);       \
        set_v128(SLOT_A, v);                     \
        NEXT_AFTER(2);                           \
    }
#define SIMD_LOAD_LANE(code, id, size)         \
    SIMD_LOAD_LANE_FORM(L_##id, CHECKED, size) \
    SIMD_LOAD_LANE_FORM(L_##id##_guard, GUARDED, size)
#define SIMD_STORE_LANE_FORM(label, access, size) \
    label : {                                     \
        access(SLOT_B->i32, size);                \
        v128 v = get_v128(SLOT_C);                \
        memcpy(p, LANE_OF(v, size), size);        \
        NEXT_AFTER(2);                            \
    }
#define SIMD_STORE_LANE(code, id, size)         \
    SIMD_STORE_LANE_FORM(L_##id, CHECKED, size) \
    SIMD_STORE_LANE_FORM(L_##id##_guard, GUARDED, size)

/* vectors */
#define SIMD_SPLAT(code, id, type)                \
    L_##id:                                       \
    {                                             \
        set_v128(SLOT_A, id(GET_##type(SLOT_B))); \
        NEXT_AFTER(1);                            \
    }
#define SIMD_EXTRACT(code, id, result, lanes)                 \
    L_##id:                                                   \
    {                                                         \
        SET_##result(SLOT_A, id(get_v128(SLOT_B), FIELD(3))); \
        NEXT_AFTER(1);                                        \
    }
#define SIMD_REPLACE(code, id, type, lanes)                                          \
    L_##id:                                                                          \
    {                                                                                \
        set_v128(SLOT_A, id(get_v128(SLOT_B), GET_##type(SLOT_C), (uint32_t)pc[1])); \
        NEXT_AFTER(2);                                                               \
    }
#define SIMD_UNARY(code, id)                    \
    L_##id:                                     \
    {                                           \
        set_v128(SLOT_A, id(get_v128(SLOT_B))); \
        NEXT_AFTER(1);                          \
    }
#define SIMD_BINARY(code, id)                                     \
    L_##id:                                                       \
    {                                                             \
        set_v128(SLOT_A, id(get_v128(SLOT_B), get_v128(SLOT_C))); \
        NEXT_AFTER(1);                                            \
    }
#define SIMD_TERNARY(code, id)                                                          \
    L_##id:                                                                             \
    {                                                                                   \
        set_v128(SLOT_A, id(get_v128(SLOT_B), get_v128(SLOT_C), get_v128(fp + pc[1]))); \
        NEXT_AFTER(2);                                                                  \
    }
#define SIMD_SHIFT(code, id)                                 \
    L_##id:                                                  \
    {                                                        \
        set_v128(SLOT_A, id(get_v128(SLOT_B), SLOT_C->i32)); \
        NEXT_AFTER(1);                                       \
    }
#define SIMD_TEST(code, id)                 \
    L_##id:                                 \
    {                                       \
        SLOT_A->i64 = id(get_v128(SLOT_B)); \
        NEXT_AFTER(1);                      \
    }
#define C_v128 v128
#include "wasm/ops.def"
L_i8x16_shuffle : {
    v128 lanes;
    memcpy(&lanes, pc + 1, sizeof lanes);
    set_v128(SLOT_A, shuffle(get_v128(SLOT_B), get_v128(SLOT_C), lanes));
    NEXT_AFTER(3);
}

/* globals, tables, bulk memory */
L_global_get : {
    *SLOT_A = instance->globals[WIDE]->value.slots[0];
    NEXT_AFTER(1);
}
L_global_set : {
    instance->globals[WIDE]->value.slots[0] = *SLOT_A;
    NEXT_AFTER(1);
}
L_global_get_v128 : {
    memcpy(SLOT_A, instance->globals[WIDE]->value.v128, 16);
    NEXT_AFTER(1);
}
L_global_set_v128 : {
    memcpy(instance->globals[WIDE]->value.v128, SLOT_A, 16);
    NEXT_AFTER(1);
}
L_table_get : {
    const struct wasm_table *t = instance->tables[FIELD(3)];
    uint32_t index = SLOT_B->i32;
    TRAP_IF(index >= t->size, TABLE_OUT_OF_BOUNDS)
    *SLOT_A = t->elements[index];
    NEXT_AFTER(1);
}
L_table_set : {
    const struct wasm_table *t = instance->tables[FIELD(3)];
    uint32_t index = SLOT_A->i32;
    TRAP_IF(index >= t->size, TABLE_OUT_OF_BOUNDS)
    t->elements[index] = *SLOT_B;
    NEXT_AFTER(1);
}
L_table_size : {
    SLOT_A->i64 = instance->tables[WIDE]->size;
    NEXT_AFTER(1);
}
L_table_grow : {
    struct wasm_table *t = instance->tables[pc[1]];
    uint32_t size = t->size;
    use_bulk_fuel(s, SLOT_C->i32 < t->capacity ? SLOT_C->i32 : 0);
    SLOT_A->i64 = table_grow(t, SLOT_C->i32, *SLOT_B) ? size : UINT32_MAX;
    NEXT_AFTER(2);
}
L_table_fill : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_table_fill(instance->tables[pc[1]], SLOT_A->i32, *SLOT_B, SLOT_C->i32),
            TABLE_OUT_OF_BOUNDS)
    NEXT_AFTER(2);
}
L_table_copy : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_table_copy(instance->tables[(uint32_t)pc[1]], instance->tables[IR_WIDE(pc[1])],
                             SLOT_A->i32, SLOT_B->i32, SLOT_C->i32),
            TABLE_OUT_OF_BOUNDS)
    NEXT_AFTER(2);
}
L_table_init : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_table_init(instance, (uint32_t)pc[1], IR_WIDE(pc[1]), SLOT_A->i32, SLOT_B->i32,
                             SLOT_C->i32),
            TABLE_OUT_OF_BOUNDS)
    NEXT_AFTER(2);
}
L_elem_drop : {
    instance_drop_elem(instance, WIDE);
    NEXT_AFTER(1);
}
L_memory_size : {
    SLOT_A->i64 = wasm_memory_pages(instance->memories[WIDE]);
    NEXT_AFTER(1);
}
L_memory_grow : {
    struct wasm_memory *memory = instance->memories[pc[1]];
    uint64_t pages = wasm_memory_pages(memory);
    SLOT_A->i64 = wasm_memory_grow(memory, SLOT_B->i32) ? pages : UINT32_MAX;
    first_memory(instance, &memory_base, &memory_size);
    NEXT_AFTER(2);
}
L_memory_fill : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_memory_fill(instance->memories[pc[1]], SLOT_A->i32, (uint8_t)SLOT_B->i32,
                              SLOT_C->i32),
            MEMORY_OUT_OF_BOUNDS)
    NEXT_AFTER(2);
}
L_memory_copy : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_memory_copy(instance->memories[(uint32_t)pc[1]],
                              instance->memories[IR_WIDE(pc[1])], SLOT_A->i32, SLOT_B->i32,
                              SLOT_C->i32),
            MEMORY_OUT_OF_BOUNDS)
    NEXT_AFTER(2);
}
L_memory_init : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_memory_init(instance, (uint32_t)pc[1], IR_WIDE(pc[1]), SLOT_A->i32, SLOT_B->i32,
                              SLOT_C->i32),
            MEMORY_OUT_OF_BOUNDS)
    NEXT_AFTER(2);
}
L_data_drop : {
    instance->data_dropped[WIDE] = true;
    NEXT_AFTER(1);
}
L_ref_func : {
    SLOT_A->func = instance->funcs[WIDE];
    NEXT_AFTER(1);
}
L_ref_is_null : {
    SLOT_A->i64 = SLOT_B->i64 == 0;
    NEXT_AFTER(1);
}

refill:
    trap_code = store_refill(s);
    if (LIKELY(trap_code == WASM_TRAP_NONE))
        NEXT;
trapped:
    trap_fill(s, trap, trap_code, pc);
host_trapped:
    s->frame = outermost;
    return false;
}
