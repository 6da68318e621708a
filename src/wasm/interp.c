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
/* What is written to a slot goes to the accumulator too: ir.def counts on it. The upper half of an
 * i32 is always zero. */
#define SET_i32(slot, v) ((slot)->i64 = acc = (uint64_t)(uint32_t)(v))
#define SET_i64(slot, v) ((slot)->i64 = acc = (v))
#define SET_f32(slot, v) ((slot)->f32 = acc_f32 = (v))
#define SET_f64(slot, v) ((slot)->f64 = acc_f64 = (v))
#define SET_v128(slot, v) set_v128((slot), (v))

/* The accumulator alone. */
#define ACC_i32 ((uint32_t)acc)
#define ACC_i64 acc
#define ACC_f32 acc_f32
#define ACC_f64 acc_f64
#define TO_ACC_i32(slot, v) (acc = (uint64_t)(uint32_t)(v))
#define TO_ACC_i64(slot, v) (acc = (v))
#define TO_ACC_f32(slot, v) (acc_f32 = (v))
#define TO_ACC_f64(slot, v) (acc_f64 = (v))

/* The fields of the word at pc, each loaded by itself: cheaper than taking a whole word apart. */
typedef uint16_t __attribute__((may_alias)) field16;
typedef uint32_t __attribute__((may_alias)) field32;
#define FIELD(n) (((const field16 *)pc)[n])
#define WIDE (((const field32 *)pc)[1])
#define SLOT_A (fp + FIELD(1))
#define SLOT_B (fp + FIELD(2))
#define SLOT_C (fp + FIELD(3))

/* gcc dispatches at the end of each instruction. To clang that would be a branch from every
 * instruction to every other, on which it spends minutes. */
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
/* After a call of a function: the accumulator need not be kept over it. */
#define NEXT_FORGETTING(words) \
    do {                       \
        acc = 0;               \
        acc_f32 = 0;           \
        acc_f64 = 0;           \
        NEXT_AFTER(words);     \
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

static const struct wasm_memory *first_memory(const struct wasm_instance *i)
{
    static const struct wasm_memory none;

    return i->module->memory_count != 0 ? i->memories[0] : &none;
}

#define USE_MEMORY(memory)                      \
    do {                                        \
        const struct wasm_memory *m = (memory); \
        memory_base = m->base;                  \
        memory_size = m->size;                  \
    } while (0)

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
    if (func->type != expected && !func_types_equal(func->type, expected)) {
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

/* gcc keeps what is hot in registers of its own choice, which in a function of this size is not a
 * good one. Calls preserve these; those of floats are forgotten over a call (NEXT_FORGETTING). */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define PINNED(type, name, place) register type name __asm__(place)
#else
#define PINNED(type, name, place) type name
#endif

/* Without these gcc merges the dispatches of all instructions into one. clang, with which only
 * checks are built, would take minutes to optimise this one function or to instrument it; gcc's
 * sanitizers, under which the tests run, do instrument it. */
#ifdef __clang__
#define DISPATCH_LOOP \
    __attribute__((optnone, noinline, no_sanitize("address", "undefined", "coverage")))
#else
#define DISPATCH_LOOP __attribute__((optimize("no-gcse", "no-crossjumping")))
#endif

DISPATCH_LOOP bool interpret(struct wasm_store *store, struct wasm_func *func, union slot *frame_at,
                             struct wasm_trap *trap)
{
    static const void *const table[IR_COUNT] = {
#define IR(id, words, value) &&L_##id,
#include "wasm/ir.def"
    };
    PINNED(const uint64_t *, pc, "rbx") = NULL;
    PINNED(union slot *, fp, "rbp") = frame_at;
    PINNED(uint64_t, acc, "r12") = 0;
    PINNED(const void *const *, labels, "r13") = table;
    PINNED(uint8_t *, memory_base, "r14") = NULL;
    PINNED(struct wasm_store *, s, "r15") = store;
    PINNED(float, acc_f32, "xmm14") = 0;
    PINNED(double, acc_f64, "xmm15") = 0;
    struct call_frame *outermost = s->frame;
    struct wasm_instance *instance = func->instance;
    const uint64_t *return_pc = NULL;
    uint64_t memory_size = 0;
    union slot *callee_fp = fp;
    struct wasm_func *callee = func;
    enum wasm_trap_code trap_code;
    struct err err;

    assert(func->decl != NULL);
    /* the table's address stays in a register: the compiler no longer knows that it is constant */
    __asm__("" : "+r"(labels));
    USE_MEMORY(first_memory(instance));

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
        s->sp = callee_fp + slots_of_all(callee->type->params, callee->type->param_count);
        union slot *results_end =
            callee_fp + slots_of_all(callee->type->results, callee->type->result_count);
        if (s->sp < results_end)
            s->sp = results_end;
        if (s->sp > s->stack_end)
            TRAP(STACK_EXHAUSTED);
        if (!call_host(callee, instance, callee_fp, trap))
            goto host_trapped;
        USE_MEMORY(first_memory(instance));
        pc = return_pc;
        NEXT_FORGETTING(0);
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
        USE_MEMORY(first_memory(instance));
    }
    pc = code->words;
    if (UNLIKELY(--s->budget < 0))
        goto refill;
    NEXT_FORGETTING(0);
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
        USE_MEMORY(first_memory(instance));
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
    callee = instance_func(instance, WIDE);
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
    callee = instance_func(instance, WIDE);
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
L_move2 : {
    *SLOT_A = *SLOT_B;
    pc++;
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
L_select_a : {
    *SLOT_A = ACC_i32 != 0 ? *SLOT_B : *SLOT_C;
    NEXT_AFTER(2);
}
L_select_v128 : {
    set_v128(SLOT_A, get_v128(fp[pc[1]].i32 != 0 ? SLOT_B : SLOT_C));
    NEXT_AFTER(2);
}
L_jump:
    BRANCH(pc, WIDE);
#define BRANCH_IF(label, words, from, condition, offset) \
    label : {                                            \
        if (condition)                                   \
            BRANCH(from, offset);                        \
        NEXT_AFTER(words);                               \
    }
    BRANCH_IF(L_br_if, 1, pc, SLOT_A->i32 != 0, WIDE)
    BRANCH_IF(L_br_if_a, 1, pc, ACC_i32 != 0, WIDE)
    BRANCH_IF(L_br_unless, 1, pc, SLOT_A->i32 == 0, WIDE)
    BRANCH_IF(L_br_unless_a, 1, pc, ACC_i32 == 0, WIDE)
L_br_table : {
    uint32_t index = SLOT_A->i32, count = WIDE;
    pc += 1 + (index < count ? index : count);
    BRANCH(pc, (uint32_t)*pc);
}
#define COMPARE(label, condition) BRANCH_IF(label, 2, pc + 1, condition, (uint32_t)pc[1])
#define X(id, type, op, opposite, mirror)                                      \
    COMPARE(L_br_##id, (type)SLOT_A->i64 op(type) SLOT_B->i64)                 \
    COMPARE(L_br_##id##_k, (type)SLOT_A->i64 op(type)(int32_t) IR_WIDE(pc[1])) \
    COMPARE(L_br_##id##_a, (type)acc op(type) SLOT_B->i64)                     \
    COMPARE(L_br_##id##_ak, (type)acc op(type)(int32_t) IR_WIDE(pc[1]))
    IR_INT_COMPARES(X)
#undef X
#define GET_float(slot) ((slot)->f32)
#define GET_double(slot) ((slot)->f64)
#define ACC_float acc_f32
#define ACC_double acc_f64
#define X(id, type, op, mirror)                                         \
    COMPARE(L_br_##id, GET_##type(SLOT_A) op GET_##type(SLOT_B))        \
    COMPARE(L_br_##id##_a, ACC_##type op GET_##type(SLOT_B))            \
    COMPARE(L_br_not_##id, !(GET_##type(SLOT_A) op GET_##type(SLOT_B))) \
    COMPARE(L_br_not_##id##_a, !(ACC_##type op GET_##type(SLOT_B)))
    IR_FLOAT_COMPARES(X)
#undef X

#define ADD_BRANCH(label, condition)                  \
    label : {                                         \
        uint32_t sum = SLOT_B->i32 + (uint32_t)pc[1]; \
        SET_i32(SLOT_A, sum);                         \
        if (condition)                                \
            BRANCH(pc + 2, (uint32_t)pc[2]);          \
        NEXT_AFTER(3);                                \
    }
#define X(id, type, op, opposite, mirror)                     \
    ADD_BRANCH(L_add_br_##id, (type)sum op(type) SLOT_C->i32) \
    ADD_BRANCH(L_add_br_##id##_k, (type)sum op(type) IR_WIDE(pc[1]))
    IR_I32_COMPARES(X)
#undef X

    /* numbers */
#define UNARY_FORM(label, result, type, operand, put, value) \
    label : {                                                \
        C_##type a = (operand);                              \
        put##_##result(SLOT_A, (C_##result)(value));         \
        NEXT_AFTER(1);                                       \
    }
#define UNARY(code, id, result, type, value)                                \
    UNARY_FORM(L_##id, result, type, GET_##type(SLOT_B), SET, value)        \
    UNARY_FORM(L_##id##_a, result, type, ACC_##type, SET, value)            \
    UNARY_FORM(L_##id##_t, result, type, GET_##type(SLOT_B), TO_ACC, value) \
    UNARY_FORM(L_##id##_a_t, result, type, ACC_##type, TO_ACC, value)
#define UNARY_TRAP(code, id, result, type, value)   \
    L_##id:                                         \
    {                                               \
        C_##type a = GET_##type(SLOT_B);            \
        C_##result r = (__extension__({ value; })); \
        SET_##result(SLOT_A, r);                    \
        NEXT_AFTER(1);                              \
    }
#define BINARY_FORM(label, words, result, type, left, right, put, value) \
    label : {                                                            \
        C_##type a = (left), b = (right);                                \
        put##_##result(SLOT_A, (C_##result)(value));                     \
        NEXT_AFTER(words);                                               \
    }
#define BINARY(code, id, result, type, value)                                                \
    BINARY_FORM(L_##id, 1, result, type, GET_##type(SLOT_B), GET_##type(SLOT_C), SET, value) \
    BINARY_FORM(L_##id##_k, 2, result, type, GET_##type(SLOT_B), CONST_##type(pc[1]), SET, value)
#define ARITH_FORMS(id, suffix, type, put, value)                                                  \
    BINARY_FORM(L_##id##suffix, 1, type, type, GET_##type(SLOT_B), GET_##type(SLOT_C), put, value) \
    BINARY_FORM(L_##id##_k##suffix, 2, type, type, GET_##type(SLOT_B), CONST_##type(pc[1]), put,   \
                value)                                                                             \
    BINARY_FORM(L_##id##_a##suffix, 1, type, type, ACC_##type, GET_##type(SLOT_C), put, value)     \
    BINARY_FORM(L_##id##_ak##suffix, 2, type, type, ACC_##type, CONST_##type(pc[1]), put, value)   \
    BINARY_FORM(L_##id##_b##suffix, 1, type, type, GET_##type(SLOT_B), ACC_##type, put, value)
#define ARITH(code, id, type, value)    \
    ARITH_FORMS(id, , type, SET, value) \
    ARITH_FORMS(id, _t, type, TO_ACC, value)
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
#define SHIFT_FORM(label, type, left, right, put, value) \
    label : {                                            \
        C_##type a = (left), b = (right);                \
        uint32_t n = (uint32_t)pc[1];                    \
        put##_##type(SLOT_A, value);                     \
        NEXT_AFTER(2);                                   \
    }
#define SHIFT_FORMS(id, suffix, type, put, value)                                        \
    SHIFT_FORM(L_##id##suffix, type, GET_##type(SLOT_B), GET_##type(SLOT_C), put, value) \
    SHIFT_FORM(L_##id##_a##suffix, type, ACC_##type, GET_##type(SLOT_C), put, value)     \
    SHIFT_FORM(L_##id##_b##suffix, type, GET_##type(SLOT_B), ACC_##type, put, value)
#define X(id, type, shift, op, value)   \
    SHIFT_FORMS(id, , type, SET, value) \
    SHIFT_FORMS(id, _t, type, TO_ACC, value)
    IR_SHIFT_PAIRS(X)
#undef X
L_i32_add_twice : {
    fp[FIELD(5)].i64 = fp[FIELD(6)].i32 + fp[FIELD(7)].i32;
    SET_i32(SLOT_A, SLOT_B->i32 + SLOT_C->i32);
    NEXT_AFTER(2);
}
#define MUL_ADD_FORM(label, type, c, put)                                    \
    label : {                                                                \
        put##_##type(SLOT_A, GET_##type(SLOT_B) * GET_##type(SLOT_C) + (c)); \
        NEXT_AFTER(2);                                                       \
    }
#define X(id, type)                                                \
    MUL_ADD_FORM(L_##id, type, GET_##type(fp + pc[1]), SET)        \
    MUL_ADD_FORM(L_##id##_c, type, ACC_##type, SET)                \
    MUL_ADD_FORM(L_##id##_t, type, GET_##type(fp + pc[1]), TO_ACC) \
    MUL_ADD_FORM(L_##id##_c_t, type, ACC_##type, TO_ACC)
    IR_MUL_ADDS(X)
#undef X

/* memory */
L_use_memory : {
    USE_MEMORY(instance->memories[WIDE]);
    NEXT_AFTER(1);
}
/* The address in slot n: alone, with an index, with a constant, shifted (all wrap at 32 bits). */
#define AT(n) (fp[FIELD(n)].i32)
#define AT_X(n) (AT(n) + (fp[FIELD(6)].i32 << FIELD(7)))
#define AT_K(n) (AT(n) + IR_WIDE(pc[1]))
#define AT_S(n) ((AT(n) << FIELD(3)) + IR_WIDE(pc[1]))
#define AT_A_S ((ACC_i32 << FIELD(3)) + IR_WIDE(pc[1]))
#define LOAD_FORM(label, access, address, put, type, memory) \
    label : {                                                \
        access(address, sizeof(memory));                     \
        memory v;                                            \
        memcpy(&v, p, sizeof v);                             \
        put##_##type(SLOT_A, (C_##type)v);                   \
        NEXT_AFTER(2);                                       \
    }
#define LOAD_FORMS(id, suffix, access, put, type, memory)             \
    LOAD_FORM(L_##id##suffix, access, AT(2), put, type, memory)       \
    LOAD_FORM(L_##id##_x##suffix, access, AT_X(2), put, type, memory) \
    LOAD_FORM(L_##id##_k##suffix, access, AT_K(2), put, type, memory) \
    LOAD_FORM(L_##id##_a##suffix, access, ACC_i32, put, type, memory) \
    LOAD_FORM(L_##id##_s##suffix, access, AT_S(2), put, type, memory) \
    LOAD_FORM(L_##id##_a_s##suffix, access, AT_A_S, put, type, memory)
#define LOAD(code, id, type, memory)                  \
    LOAD_FORMS(id, , CHECKED, SET, type, memory)      \
    LOAD_FORMS(id, _t, CHECKED, TO_ACC, type, memory) \
    LOAD_FORMS(id, _g, GUARDED, SET, type, memory)    \
    LOAD_FORMS(id, _t_g, GUARDED, TO_ACC, type, memory)
#define MEMORY_FORM(label, access, address, left, put, type, op) \
    label : {                                                    \
        access(address, sizeof(C_##type));                       \
        C_##type v;                                              \
        memcpy(&v, p, sizeof v);                                 \
        put##_##type(SLOT_A, (left)op v);                        \
        NEXT_AFTER(2);                                           \
    }
#define MEMORY_FORMS(id, suffix, access, put, type, op)                                   \
    MEMORY_FORM(L_##id##_m##suffix, access, AT(3), GET_##type(SLOT_B), put, type, op)     \
    MEMORY_FORM(L_##id##_m_x##suffix, access, AT_X(3), GET_##type(SLOT_B), put, type, op) \
    MEMORY_FORM(L_##id##_m_k##suffix, access, AT_K(3), GET_##type(SLOT_B), put, type, op) \
    MEMORY_FORM(L_##id##_m_a##suffix, access, ACC_i32, GET_##type(SLOT_B), put, type, op) \
    MEMORY_FORM(L_##id##_a_m##suffix, access, AT(3), ACC_##type, put, type, op)           \
    MEMORY_FORM(L_##id##_a_m_x##suffix, access, AT_X(3), ACC_##type, put, type, op)       \
    MEMORY_FORM(L_##id##_a_m_k##suffix, access, AT_K(3), ACC_##type, put, type, op)
#define UPDATE_FORM(label, access, left, type, op) \
    label : {                                      \
        access(AT_K(3), sizeof(C_##type));         \
        C_##type v;                                \
        memcpy(&v, p, sizeof v);                   \
        v = (left)op v;                            \
        memcpy(p, &v, sizeof v);                   \
        NEXT_AFTER(2);                             \
    }
#define X(id, type, op, load, store)                                 \
    MEMORY_FORMS(id, , CHECKED, SET, type, op)                       \
    MEMORY_FORMS(id, _t, CHECKED, TO_ACC, type, op)                  \
    MEMORY_FORMS(id, _g, GUARDED, SET, type, op)                     \
    MEMORY_FORMS(id, _t_g, GUARDED, TO_ACC, type, op)                \
    UPDATE_FORM(L_##id##_u, CHECKED, GET_##type(SLOT_B), type, op)   \
    UPDATE_FORM(L_##id##_a_u, CHECKED, ACC_##type, type, op)         \
    UPDATE_FORM(L_##id##_u_g, GUARDED, GET_##type(SLOT_B), type, op) \
    UPDATE_FORM(L_##id##_a_u_g, GUARDED, ACC_##type, type, op)
    IR_MEMORY_ARITH(X)
#undef X
#define ARITH_STORE_FORM(label, words, access, type, left, op, right) \
    label : {                                                         \
        access(AT_K(2), sizeof(C_##type));                            \
        C_##type v = (left)op(right);                                 \
        memcpy(p, &v, sizeof v);                                      \
        NEXT_AFTER(words);                                            \
    }
#define ARITH_STORE_FORMS(id, suffix, access, type, op)                                           \
    ARITH_STORE_FORM(L_##id##_a_s##suffix, 2, access, type, ACC_##type, op, GET_##type(SLOT_A))   \
    ARITH_STORE_FORM(L_##id##_ak_s##suffix, 3, access, type, ACC_##type, op, CONST_##type(pc[2])) \
    ARITH_STORE_FORM(L_##id##_b_s##suffix, 2, access, type, GET_##type(SLOT_A), op, ACC_##type)
#define X(id, type, op, store)                 \
    ARITH_STORE_FORMS(id, , CHECKED, type, op) \
    ARITH_STORE_FORMS(id, _g, GUARDED, type, op)
    IR_FLOAT_ARITH(X)
#undef X
/* Two accesses: the second's place is one word further, and a trap there says so. */
#define LOAD_TWICE(access, type)               \
    C_##type x, y;                             \
    uint32_t second = SLOT_C->i32;             \
    {                                          \
        access(AT_K(2), sizeof x);             \
        memcpy(&x, p, sizeof x);               \
    }                                          \
    pc++;                                      \
    access(second + IR_WIDE(pc[1]), sizeof y); \
    memcpy(&y, p, sizeof y)
#define AXPY_FORM(label, access, type)   \
    label : {                            \
        C_##type a = GET_##type(SLOT_A); \
        LOAD_TWICE(access, type);        \
        a *= x;                          \
        y = a + y;                       \
        memcpy(p, &y, sizeof y);         \
        NEXT_AFTER(2);                   \
    }
    AXPY_FORM(L_f32_axpy, CHECKED, f32)
    AXPY_FORM(L_f64_axpy, CHECKED, f64)
#define ADD2_FORM(label, access, put, type)   \
    label : {                                 \
        union slot *to = SLOT_A;              \
        LOAD_TWICE(access, type);             \
        put##_##type(to, ACC_##type + x + y); \
        (void)to;                             \
        NEXT_AFTER(2);                        \
    }
#define ADD2_FORMS(type)                                \
    ADD2_FORM(L_##type##_add2, CHECKED, SET, type)      \
    ADD2_FORM(L_##type##_add2_t, CHECKED, TO_ACC, type) \
    ADD2_FORM(L_##type##_add2_g, GUARDED, SET, type)    \
    ADD2_FORM(L_##type##_add2_t_g, GUARDED, TO_ACC, type)
    ADD2_FORMS(f32)
    ADD2_FORMS(f64)
#define STORE_FORM(label, access, address, from, memory) \
    label : {                                            \
        access(address, sizeof(memory));                 \
        memory v = (memory)(from);                       \
        memcpy(p, &v, sizeof v);                         \
        NEXT_AFTER(2);                                   \
    }
#define STORE_FORMS(id, suffix, access, type, memory)                           \
    STORE_FORM(L_##id##suffix, access, AT(1), GET_##type(SLOT_B), memory)       \
    STORE_FORM(L_##id##_x##suffix, access, AT_X(1), GET_##type(SLOT_B), memory) \
    STORE_FORM(L_##id##_k##suffix, access, AT_K(1), GET_##type(SLOT_B), memory) \
    STORE_FORM(L_##id##_a##suffix, access, ACC_i32, GET_##type(SLOT_B), memory) \
    STORE_FORM(L_##id##_v##suffix, access, AT(1), ACC_##type, memory)           \
    STORE_FORM(L_##id##_x_v##suffix, access, AT_X(1), ACC_##type, memory)       \
    STORE_FORM(L_##id##_k_v##suffix, access, AT_K(1), ACC_##type, memory)
#define STORE(code, id, type, memory)        \
    STORE_FORMS(id, , CHECKED, type, memory) \
    STORE_FORMS(id, _g, GUARDED, type, memory)
#define SIMD_LOAD_FORM(label, access, address, id, size) \
    label : {                                            \
        access(address, size);                           \
        set_v128(SLOT_A, id(p));                         \
        NEXT_AFTER(2);                                   \
    }
#define SIMD_STORE_FORM(label, access, address, id, size) \
    label : {                                             \
        access(address, size);                            \
        memcpy(p, SLOT_B, size);                          \
        NEXT_AFTER(2);                                    \
    }
#define SIMD_FORMS(form, access, slot, id, suffix, size)           \
    form(L_##id##suffix, access, AT(slot), id, size)               \
        form(L_##id##_x##suffix, access, AT_X(slot), id, size)     \
            form(L_##id##_k##suffix, access, AT_K(slot), id, size) \
                form(L_##id##_a##suffix, access, ACC_i32, id, size)
#define SIMD_LOAD(code, id, size)                      \
    SIMD_FORMS(SIMD_LOAD_FORM, CHECKED, 2, id, , size) \
    SIMD_FORMS(SIMD_LOAD_FORM, GUARDED, 2, id, _g, size)
#define SIMD_STORE(code, id, size)                      \
    SIMD_FORMS(SIMD_STORE_FORM, CHECKED, 1, id, , size) \
    SIMD_FORMS(SIMD_STORE_FORM, GUARDED, 1, id, _g, size)
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
    SIMD_LOAD_LANE_FORM(L_##id##_g, GUARDED, size)
#define SIMD_STORE_LANE_FORM(label, access, size) \
    label : {                                     \
        access(SLOT_B->i32, size);                \
        v128 v = get_v128(SLOT_C);                \
        memcpy(p, LANE_OF(v, size), size);        \
        NEXT_AFTER(2);                            \
    }
#define SIMD_STORE_LANE(code, id, size)         \
    SIMD_STORE_LANE_FORM(L_##id, CHECKED, size) \
    SIMD_STORE_LANE_FORM(L_##id##_g, GUARDED, size)

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
#define SIMD_TEST(code, id)                    \
    L_##id:                                    \
    {                                          \
        SET_i32(SLOT_A, id(get_v128(SLOT_B))); \
        NEXT_AFTER(1);                         \
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
    NEXT_FORGETTING(2);
}
L_table_fill : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_table_fill(instance->tables[pc[1]], SLOT_A->i32, *SLOT_B, SLOT_C->i32),
            TABLE_OUT_OF_BOUNDS)
    NEXT_FORGETTING(2);
}
L_table_copy : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_table_copy(instance->tables[(uint32_t)pc[1]], instance->tables[IR_WIDE(pc[1])],
                             SLOT_A->i32, SLOT_B->i32, SLOT_C->i32),
            TABLE_OUT_OF_BOUNDS)
    NEXT_FORGETTING(2);
}
L_table_init : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_table_init(instance, (uint32_t)pc[1], IR_WIDE(pc[1]), SLOT_A->i32, SLOT_B->i32,
                             SLOT_C->i32),
            TABLE_OUT_OF_BOUNDS)
    NEXT_FORGETTING(2);
}
L_elem_drop : {
    instance_drop_elem(instance, WIDE);
    NEXT_FORGETTING(1);
}
L_memory_size : {
    SLOT_A->i64 = wasm_memory_pages(instance->memories[WIDE]);
    NEXT_FORGETTING(1);
}
L_memory_grow : {
    struct wasm_memory *memory = instance->memories[pc[1]];
    uint64_t pages = wasm_memory_pages(memory);
    SLOT_A->i64 = wasm_memory_grow(memory, SLOT_B->i32) ? pages : UINT32_MAX;
    USE_MEMORY(first_memory(instance));
    NEXT_FORGETTING(2);
}
L_memory_fill : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_memory_fill(instance->memories[pc[1]], SLOT_A->i32, (uint8_t)SLOT_B->i32,
                              SLOT_C->i32),
            MEMORY_OUT_OF_BOUNDS)
    NEXT_FORGETTING(2);
}
L_memory_copy : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_memory_copy(instance->memories[(uint32_t)pc[1]],
                              instance->memories[IR_WIDE(pc[1])], SLOT_A->i32, SLOT_B->i32,
                              SLOT_C->i32),
            MEMORY_OUT_OF_BOUNDS)
    NEXT_FORGETTING(2);
}
L_memory_init : {
    use_bulk_fuel(s, SLOT_C->i32);
    TRAP_IF(!bulk_memory_init(instance, (uint32_t)pc[1], IR_WIDE(pc[1]), SLOT_A->i32, SLOT_B->i32,
                              SLOT_C->i32),
            MEMORY_OUT_OF_BOUNDS)
    NEXT_FORGETTING(2);
}
L_data_drop : {
    instance->data_dropped[WIDE] = true;
    NEXT_FORGETTING(1);
}
L_ref_func : {
    SLOT_A->func = instance_func(instance, WIDE);
    NEXT_AFTER(1);
}
L_ref_is_null : {
    SLOT_A->i64 = SLOT_B->i64 == 0;
    NEXT_AFTER(1);
}

refill:
    trap_code = store_refill(s);
    if (LIKELY(trap_code == WASM_TRAP_NONE))
        NEXT_FORGETTING(0);
trapped:
    trap_fill(s, trap, trap_code, pc);
host_trapped:
    s->frame = outermost;
    return false;
}
