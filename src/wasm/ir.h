/* The internal form of functions. Private to src/wasm.
 *
 * A function is a row of 64-bit words. An instruction is a word with four fields of 16 bits, from
 * the lowest: operation, a, b, c; some have further words. Fields a, b, c are slots of the
 * function's frame (8 bytes each, a v128 takes two; locals first, then the operand stack) unless
 * noted; a value that is made goes to slot a, always, so that a local.set can redirect it. Branch
 * offsets count words from the word that holds them.
 *
 * Beside the frame there is the accumulator (one for integers, one for each kind of float), which
 * holds the value of the instruction just done: an operand that is used at once is read from there,
 * and need not go through its slot. It holds nothing after a label or a branch.
 *
 *   value    op dst a b                        numbers and vectors
 *            op_k dst a | constant
 *   load     op dst address | offset (32 bits), k (32 bits)
 *   store    op address value | the same
 *            of _x, in place of k: index (16 bits), its shift (16 bits); of _s, c is the shift of
 *            the address
 *   arithmetic with memory      op_m dst a address | as load
 *   arithmetic into memory      op_s a address | as load | constant of _ak
 *   axpy       op a x y | as load, of x | the same of y: y in memory += a * x in memory
 *   add2       op dst x y | the same: dst = accumulator + x in memory + y in memory
 *   branch   op condition, offset (32 bits, in b and c)
 *   compare and branch   op a b | offset (32 bits), constant (32 bits) of _k
 *
 * The operations and their forms are listed in ir.def. */
#pragma once

#include "wasm/module.h"

/* Comparisons of integers: name, type, operator on operands as cast, the opposite, and what the
 * operands mean the other way round. */
#define IR_I32_COMPARES(X)                        \
    X(i32_eq, uint32_t, ==, i32_ne, i32_eq)       \
    X(i32_ne, uint32_t, !=, i32_eq, i32_ne)       \
    X(i32_lt_s, int32_t, <, i32_ge_s, i32_gt_s)   \
    X(i32_lt_u, uint32_t, <, i32_ge_u, i32_gt_u)  \
    X(i32_gt_s, int32_t, >, i32_le_s, i32_lt_s)   \
    X(i32_gt_u, uint32_t, >, i32_le_u, i32_lt_u)  \
    X(i32_le_s, int32_t, <=, i32_gt_s, i32_ge_s)  \
    X(i32_le_u, uint32_t, <=, i32_gt_u, i32_ge_u) \
    X(i32_ge_s, int32_t, >=, i32_lt_s, i32_le_s)  \
    X(i32_ge_u, uint32_t, >=, i32_lt_u, i32_le_u)
#define IR_I64_COMPARES(X)                        \
    X(i64_eq, uint64_t, ==, i64_ne, i64_eq)       \
    X(i64_ne, uint64_t, !=, i64_eq, i64_ne)       \
    X(i64_lt_s, int64_t, <, i64_ge_s, i64_gt_s)   \
    X(i64_lt_u, uint64_t, <, i64_ge_u, i64_gt_u)  \
    X(i64_gt_s, int64_t, >, i64_le_s, i64_lt_s)   \
    X(i64_gt_u, uint64_t, >, i64_le_u, i64_lt_u)  \
    X(i64_le_s, int64_t, <=, i64_gt_s, i64_ge_s)  \
    X(i64_le_u, uint64_t, <=, i64_gt_u, i64_ge_u) \
    X(i64_ge_s, int64_t, >=, i64_lt_s, i64_le_s)  \
    X(i64_ge_u, uint64_t, >=, i64_lt_u, i64_le_u)
#define IR_INT_COMPARES(X) IR_I32_COMPARES(X) IR_I64_COMPARES(X)

/* Of floats: their opposites are not comparisons, because of NaN. */
#define IR_FLOAT_COMPARES(X)      \
    X(f32_eq, float, ==, f32_eq)  \
    X(f32_ne, float, !=, f32_ne)  \
    X(f32_lt, float, <, f32_gt)   \
    X(f32_gt, float, >, f32_lt)   \
    X(f32_le, float, <=, f32_ge)  \
    X(f32_ge, float, >=, f32_le)  \
    X(f64_eq, double, ==, f64_eq) \
    X(f64_ne, double, !=, f64_ne) \
    X(f64_lt, double, <, f64_gt)  \
    X(f64_gt, double, >, f64_lt)  \
    X(f64_le, double, <=, f64_ge) \
    X(f64_ge, double, >=, f64_le)
/* Arithmetic that has forms whose right operand is in memory, and forms that go back there: name,
 * type, operator, the load of the operand, the store of the result. */
#define IR_MEMORY_ARITH(X)                  \
    X(i32_add, i32, +, i32_load, i32_store) \
    X(i32_sub, i32, -, i32_load, i32_store) \
    X(i32_and, i32, &, i32_load, i32_store) \
    X(i32_or, i32, |, i32_load, i32_store)  \
    X(i32_xor, i32, ^, i32_load, i32_store) \
    X(i64_add, i64, +, i64_load, i64_store) \
    X(i64_xor, i64, ^, i64_load, i64_store) \
    X(f32_add, f32, +, f32_load, f32_store) \
    X(f32_sub, f32, -, f32_load, f32_store) \
    X(f32_mul, f32, *, f32_load, f32_store) \
    X(f64_add, f64, +, f64_load, f64_store) \
    X(f64_sub, f64, -, f64_load, f64_store) \
    X(f64_mul, f64, *, f64_load, f64_store)

/* Arithmetic of floats, whose value may go to memory at once. */
#define IR_FLOAT_ARITH(X)         \
    X(f32_add, f32, +, f32_store) \
    X(f32_sub, f32, -, f32_store) \
    X(f32_mul, f32, *, f32_store) \
    X(f64_add, f64, +, f64_store) \
    X(f64_sub, f64, -, f64_store) \
    X(f64_mul, f64, *, f64_store)

/* A shift by a constant, and what is done with its value and another: name, type, shift, operation,
 * value of a, count n and b. */
#define IR_SHIFT_PAIRS(X)                                     \
    X(i32_shl_add, i32, i32_shl, i32_add, (a << n) + b)       \
    X(i32_shl_or, i32, i32_shl, i32_or, (a << n) | b)         \
    X(i32_shl_xor, i32, i32_shl, i32_xor, (a << n) ^ b)       \
    X(i32_shr_u_or, i32, i32_shr_u, i32_or, (a >> n) | b)     \
    X(i32_shr_u_xor, i32, i32_shr_u, i32_xor, (a >> n) ^ b)   \
    X(i32_shr_u_add, i32, i32_shr_u, i32_add, (a >> n) + b)   \
    X(i32_rotl_add, i32, i32_rotl, i32_add, rotl32(a, n) + b) \
    X(i32_rotl_xor, i32, i32_rotl, i32_xor, rotl32(a, n) ^ b) \
    X(i64_shl_add, i64, i64_shl, i64_add, (a << n) + b)       \
    X(i64_shl_or, i64, i64_shl, i64_or, (a << n) | b)         \
    X(i64_shl_xor, i64, i64_shl, i64_xor, (a << n) ^ b)       \
    X(i64_shr_u_xor, i64, i64_shr_u, i64_xor, (a >> n) ^ b)   \
    X(i64_rotl_add, i64, i64_rotl, i64_add, rotl64(a, n) + b) \
    X(i64_rotl_xor, i64, i64_rotl, i64_xor, rotl64(a, n) ^ b)

/* Products that are added: name, type, of which the multiplication and addition have the names. The
 * floats are rounded twice, as two instructions round. */
#define IR_MUL_ADDS(X)  \
    X(i32_mul_add, i32) \
    X(f64_mul_add, f64) \
    X(f32_mul_add, f32)

enum ir_op {
#define IR(id, words, value) IR_##id,
#include "wasm/ir.def"
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

/* fold.c: what an instruction that cannot trap makes of constants: the bits of its operands and of
 * its result, a 32-bit value in the lower half. False when it is of another kind. */
MUST_CHECK bool fold(uint16_t op, uint64_t a_word, uint64_t b_word, uint64_t *out);

/* dump.c: one instruction as a line of text, and how many words it takes. */
uint32_t ir_print(const uint64_t *words, struct writer *w);
