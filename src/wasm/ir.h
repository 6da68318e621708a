/* The internal form of functions. Private to src/wasm.
 *
 * A function is a row of 64-bit words. An instruction is a word with four fields of 16 bits, from
 * the lowest: operation, a, b, c; some have further words. Fields a, b, c are slots of the
 * function's frame (8 bytes each, a v128 takes two; locals first, then the operand stack) unless
 * noted; a value that is made goes to slot a, always, so that a local.set can redirect it. Branch
 * offsets count words from the word that holds them.
 *
 *   value        op dst a b              numbers and vectors; op_k: constant in the next word, for
 * b load         op dst address b | offset (32 bits)      address, or with _x address + b in 32
 * bits store        op address value b | offset (32 bits)    the same branch       op condition
 * offset (32 bits, in b and c) compare and branch   op a b | offset (32 bits) constant (32 bits)
 * _k: constant instead of b
 */
#pragma once

#include "wasm/module.h"

/* Comparisons of integers: name, type, operator on operands as cast, the opposite. */
#define IR_INT_COMPARES(X)              \
    X(i32_eq, uint32_t, ==, i32_ne)     \
    X(i32_ne, uint32_t, !=, i32_eq)     \
    X(i32_lt_s, int32_t, <, i32_ge_s)   \
    X(i32_lt_u, uint32_t, <, i32_ge_u)  \
    X(i32_gt_s, int32_t, >, i32_le_s)   \
    X(i32_gt_u, uint32_t, >, i32_le_u)  \
    X(i32_le_s, int32_t, <=, i32_gt_s)  \
    X(i32_le_u, uint32_t, <=, i32_gt_u) \
    X(i32_ge_s, int32_t, >=, i32_lt_s)  \
    X(i32_ge_u, uint32_t, >=, i32_lt_u) \
    X(i64_eq, uint64_t, ==, i64_ne)     \
    X(i64_ne, uint64_t, !=, i64_eq)     \
    X(i64_lt_s, int64_t, <, i64_ge_s)   \
    X(i64_lt_u, uint64_t, <, i64_ge_u)  \
    X(i64_gt_s, int64_t, >, i64_le_s)   \
    X(i64_gt_u, uint64_t, >, i64_le_u)  \
    X(i64_le_s, int64_t, <=, i64_gt_s)  \
    X(i64_le_u, uint64_t, <=, i64_gt_u) \
    X(i64_ge_s, int64_t, >=, i64_lt_s)  \
    X(i64_ge_u, uint64_t, >=, i64_lt_u)

/* Of floats: their opposites are not comparisons, because of NaN. */
#define IR_FLOAT_COMPARES(X) \
    X(f32_eq, float, ==)     \
    X(f32_ne, float, !=)     \
    X(f32_lt, float, <)      \
    X(f32_gt, float, >)      \
    X(f32_le, float, <=)     \
    X(f32_ge, float, >=)     \
    X(f64_eq, double, ==)    \
    X(f64_ne, double, !=)    \
    X(f64_lt, double, <)     \
    X(f64_gt, double, >)     \
    X(f64_le, double, <=)    \
    X(f64_ge, double, >=)

/* What has no line in ops.def of its own, or another form here. */
#define IR_MISC(X)                                                                    \
    X(unreachable)                                                                    \
    X(move)               /* dst a */                                                 \
    X(move_v128)          /* dst a */                                                 \
    X(const32)            /* dst, 32 bits in b and c, extended with zeroes */         \
    X(const64)            /* dst | 64 bits */                                         \
    X(const_v128)         /* dst | 128 bits */                                        \
    X(select)             /* dst a b | condition */                                   \
    X(select_v128)        /* the same */                                              \
    X(jump)               /* -, offset */                                             \
    X(br_if)              /* condition, offset */                                     \
    X(br_unless)          /* condition, offset */                                     \
    X(br_table)           /* index, count (32 bits) | offset, count + 1 times */      \
    X(return )            /* nothing to return */                                     \
    X(return_1)           /* a */                                                     \
    X(return_n)           /* slots from a, count (32 bits) */                         \
    X(call)               /* first argument's slot, function (32 bits) */             \
    X(call_indirect)      /* first argument's slot, index's slot, table | type */     \
    X(tail_call)          /* as call | slots of arguments */                          \
    X(tail_call_indirect) /* as call_indirect | type, slots of arguments (32 bits) */ \
    X(use_memory)         /* -, memory: what loads and stores mean until the next */  \
    X(global_get)         /* dst, global (32 bits) */                                 \
    X(global_get_v128)                                                                \
    X(global_set) /* a, global (32 bits) */                                           \
    X(global_set_v128)                                                                \
    X(table_get)     /* dst index table */                                            \
    X(table_set)     /* index value table */                                          \
    X(table_size)    /* dst, table (32 bits) */                                       \
    X(table_grow)    /* dst value count | table */                                    \
    X(table_fill)    /* index value count | table */                                  \
    X(table_copy)    /* to from count | table to, table from (32 bits) */             \
    X(table_init)    /* to from count | segment, table (32 bits) */                   \
    X(elem_drop)     /* -, segment (32 bits) */                                       \
    X(memory_size)   /* dst, memory (32 bits) */                                      \
    X(memory_grow)   /* dst count | memory */                                         \
    X(memory_fill)   /* to value count | memory */                                    \
    X(memory_copy)   /* to from count | memory to, memory from (32 bits) */           \
    X(memory_init)   /* to from count | segment, memory (32 bits) */                  \
    X(data_drop)     /* -, segment (32 bits) */                                       \
    X(ref_func)      /* dst, function (32 bits) */                                    \
    X(ref_is_null)   /* dst a */                                                      \
    X(i8x16_shuffle) /* dst a b | 16 lanes */                                         \
    X(i32_shl_add)   /* dst a b | count: (a << count) + b */                          \
    X(i32_mul_add)   /* dst a b | slot c: a * b + c */                                \
    X(f64_mul_add)   /* the same, rounded twice as two instructions round */          \
    X(f32_mul_add)

enum ir_op {
#define X(id) IR_##id,
    IR_MISC(X)
#undef X
#define UNARY(code, id, result, a, value) IR_##id,
#define UNARY_TRAP UNARY
#define BINARY(code, id, result, a, value) IR_##id, IR_##id##_k,
#define BINARY_TRAP BINARY
#define LOAD(code, id, type, memory) IR_##id, IR_##id##_x, IR_##id##_guard, IR_##id##_x_guard,
#define STORE LOAD
#define SIMD_LOAD(code, id, size) IR_##id, IR_##id##_x, IR_##id##_guard, IR_##id##_x_guard,
#define SIMD_LOAD_LANE(code, id, size) IR_##id, IR_##id##_guard,
#define SIMD_STORE_LANE SIMD_LOAD_LANE
#define SIMD_SPLAT(code, id, a) IR_##id,
#define SIMD_EXTRACT(code, id, result, lanes) IR_##id,
#define SIMD_REPLACE(code, id, b, lanes) IR_##id,
#define SIMD_UNARY(code, id) IR_##id,
#define SIMD_BINARY SIMD_UNARY
#define SIMD_TERNARY SIMD_UNARY
#define SIMD_SHIFT SIMD_UNARY
#define SIMD_TEST SIMD_UNARY
#include "wasm/ops.def"
#define X(id, type, op, opposite) IR_br_##id, IR_br_##id##_k,
        IR_INT_COMPARES(X)
#undef X
#define X(id, type, op) IR_br_##id, IR_br_not_##id,
            IR_FLOAT_COMPARES(X)
#undef X
                IR_COUNT
};

static inline uint64_t ir_word(unsigned op, uint32_t a, uint32_t b, uint32_t c)
{
    return (uint64_t)op | (uint64_t)(a & 0xffff) << 16 | (uint64_t)(b & 0xffff) << 32 |
           (uint64_t)(c & 0xffff) << 48;
}

static inline uint64_t ir_wide(unsigned op, uint32_t a, uint32_t wide)
{
    return (uint64_t)op | (uint64_t)(a & 0xffff) << 16 | (uint64_t)wide << 32;
}

static inline uint64_t ir_pair(uint32_t low, uint32_t high)
{
    return (uint64_t)high * (UINT64_C(1) << 32) + low;
}

#define IR_OP(word) ((uint16_t)(word))
#define IR_A(word) ((uint16_t)((word) >> 16))
#define IR_B(word) ((uint16_t)((word) >> 32))
#define IR_C(word) ((uint16_t)((word) >> 48))
#define IR_WIDE(word) ((uint32_t)((word) >> 32))
#define IR_LOW(word) ((uint32_t)(word))

/* A translated function. */
struct engine_code {
    uint32_t word_count;
    uint32_t frame_slots; /* all that the function uses, but for its callees */
    uint32_t param_slots;
    uint32_t local_slots; /* with the parameters */
    uint32_t result_slots;
    uint64_t words[];
};

static inline uint32_t slots_of(uint8_t type)
{
    return type == WASM_V128 ? 2 : 1;
}

static inline uint32_t slots_of_all(const uint8_t *types, uint32_t count)
{
    uint32_t slots = count;

    for (uint32_t i = 0; i < count; i++)
        slots += types[i] == WASM_V128;
    return slots;
}

/* translate.c: the code of function `func`, which has passed validation. The caller frees it.
 * ERR_MEMORY. */
MUST_CHECK bool translate(const struct wasm_module *m, uint32_t func, struct engine_code **out,
                          struct err *err);

/* The offset in the module of the instruction whose code holds word `word`: by translating again,
 * so that no table is kept. 0 without memory. */
uint32_t translate_locate(const struct wasm_module *m, uint32_t func, uint32_t word);

/* dump.c: one instruction as a line of text, and how many words it takes. */
uint32_t ir_print(const uint64_t *words, struct writer *w);
