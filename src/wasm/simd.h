/* 128-bit vectors: WebAssembly Core Specification 2.0, §4.3.4, by the compilers' vector extensions,
 * so for any machine. Private to src/wasm. A function for each line SIMD_… of ops.def. */
#pragma once

#include "wasm/numeric.h"

typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int16_t i16x8 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef int64_t i64x2 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
typedef u64x2 v128;

#define LANES(type) ((int)(16 / sizeof((type){0}[0])))

/* Operators that the extensions have for whole vectors; the result of a comparison is lanes of
 * ones. */
#define V_OP(name, type, op)                \
    static inline v128 name(v128 a, v128 b) \
    {                                       \
        return (v128)((type)a op(type) b);  \
    }
#define V_COMPARES(s, signed_type, unsigned_type) \
    V_OP(s##_eq, signed_type, ==)                 \
    V_OP(s##_ne, signed_type, !=)                 \
    V_OP(s##_lt_s, signed_type, <)                \
    V_OP(s##_gt_s, signed_type, >)                \
    V_OP(s##_le_s, signed_type, <=)               \
    V_OP(s##_ge_s, signed_type, >=)
#define V_UNSIGNED_COMPARES(s, type) \
    V_OP(s##_lt_u, type, <)          \
    V_OP(s##_gt_u, type, >)          \
    V_OP(s##_le_u, type, <=)         \
    V_OP(s##_ge_u, type, >=)

V_COMPARES(i8x16, i8x16, u8x16)
V_COMPARES(i16x8, i16x8, u16x8)
V_COMPARES(i32x4, i32x4, u32x4)
V_COMPARES(i64x2, i64x2, u64x2)
V_UNSIGNED_COMPARES(i8x16, u8x16)
V_UNSIGNED_COMPARES(i16x8, u16x8)
V_UNSIGNED_COMPARES(i32x4, u32x4)
#define V_FLOAT(s, type)   \
    V_OP(s##_eq, type, ==) \
    V_OP(s##_ne, type, !=) \
    V_OP(s##_lt, type, <)  \
    V_OP(s##_gt, type, >)  \
    V_OP(s##_le, type, <=) \
    V_OP(s##_ge, type, >=) \
    V_OP(s##_add, type, +) \
    V_OP(s##_sub, type, -) \
    V_OP(s##_mul, type, *) \
    V_OP(s##_div, type, /)
V_FLOAT(f32x4, f32x4)
V_FLOAT(f64x2, f64x2)
V_OP(i8x16_add, u8x16, +)
V_OP(i8x16_sub, u8x16, -)
V_OP(i16x8_add, u16x8, +)
V_OP(i16x8_sub, u16x8, -)
V_OP(i16x8_mul, u16x8, *)
V_OP(i32x4_add, u32x4, +)
V_OP(i32x4_sub, u32x4, -)
V_OP(i32x4_mul, u32x4, *)
V_OP(i64x2_add, u64x2, +)
V_OP(i64x2_sub, u64x2, -)
V_OP(i64x2_mul, u64x2, *)
V_OP(v128_and, u64x2, &)
V_OP(v128_or, u64x2, |)
V_OP(v128_xor, u64x2, ^)

static inline v128 v128_not(v128 a)
{
    return ~a;
}

static inline v128 v128_andnot(v128 a, v128 b)
{
    return a & ~b;
}

static inline v128 v128_bitselect(v128 a, v128 b, v128 c)
{
    return (a & c) | (b & ~c);
}

static inline uint32_t v128_any_true(v128 a)
{
    return (a[0] | a[1]) != 0;
}

/* Lane by lane: x (and y) are lanes of type `in`, the value is converted to lanes of type `out`. */
#define V_MAP(name, out, in, value)            \
    static inline v128 name(v128 a)            \
    {                                          \
        in va = (in)a;                         \
        out r = {0};                           \
        for (int i = 0; i < LANES(out); i++) { \
            __typeof__(va[0]) x = va[i];       \
            r[i] = (__typeof__(r[0]))(value);  \
        }                                      \
        return (v128)r;                        \
    }
#define V_MAP2(name, type, value)                   \
    static inline v128 name(v128 a, v128 b)         \
    {                                               \
        type va = (type)a, vb = (type)b, r = {0};   \
        for (int i = 0; i < LANES(type); i++) {     \
            __typeof__(va[0]) x = va[i], y = vb[i]; \
            r[i] = (__typeof__(va[0]))(value);      \
        }                                           \
        return (v128)r;                             \
    }

#define V_MIN_MAX(s, signed_type, unsigned_type)    \
    V_MAP2(s##_min_s, signed_type, x < y ? x : y)   \
    V_MAP2(s##_max_s, signed_type, x > y ? x : y)   \
    V_MAP2(s##_min_u, unsigned_type, x < y ? x : y) \
    V_MAP2(s##_max_u, unsigned_type, x > y ? x : y)
V_MIN_MAX(i8x16, i8x16, u8x16)
V_MIN_MAX(i16x8, i16x8, u16x8)
V_MIN_MAX(i32x4, i32x4, u32x4)

/* Of lanes up to 16 bits, whose sums and products fit an int. */
static inline int clamp(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

V_MAP2(i8x16_add_sat_s, i8x16, clamp(x + y, INT8_MIN, INT8_MAX))
V_MAP2(i8x16_sub_sat_s, i8x16, clamp(x - y, INT8_MIN, INT8_MAX))
V_MAP2(i8x16_add_sat_u, u8x16, clamp(x + y, 0, UINT8_MAX))
V_MAP2(i8x16_sub_sat_u, u8x16, clamp(x - y, 0, UINT8_MAX))
V_MAP2(i16x8_add_sat_s, i16x8, clamp(x + y, INT16_MIN, INT16_MAX))
V_MAP2(i16x8_sub_sat_s, i16x8, clamp(x - y, INT16_MIN, INT16_MAX))
V_MAP2(i16x8_add_sat_u, u16x8, clamp(x + y, 0, UINT16_MAX))
V_MAP2(i16x8_sub_sat_u, u16x8, clamp(x - y, 0, UINT16_MAX))
V_MAP2(i8x16_avgr_u, u8x16, (x + y + 1) / 2)
V_MAP2(i16x8_avgr_u, u16x8, (x + y + 1) / 2)
V_MAP2(i16x8_q15mulr_sat_s, i16x8, clamp((x * y + 0x4000) >> 15, INT16_MIN, INT16_MAX))

#define V_SIGNS(s, signed_type, unsigned_type)                                                   \
    static inline v128 s##_neg(v128 a)                                                           \
    {                                                                                            \
        return (v128)(-(unsigned_type)a);                                                        \
    }                                                                                            \
    static inline v128 s##_abs(v128 a)                                                           \
    {                                                                                            \
        unsigned_type negative = (unsigned_type)((signed_type)a < 0);                            \
        return (v128)(((unsigned_type)a ^ negative) - negative);                                 \
    }                                                                                            \
    static inline uint32_t s##_all_true(v128 a)                                                  \
    {                                                                                            \
        return !v128_any_true((v128)((signed_type)a == 0));                                      \
    }                                                                                            \
    static inline uint32_t s##_bitmask(v128 a)                                                   \
    {                                                                                            \
        signed_type va = (signed_type)a;                                                         \
        uint32_t mask = 0;                                                                       \
        for (int i = 0; i < LANES(signed_type); i++)                                             \
            mask |= (uint32_t)(va[i] < 0) << i;                                                  \
        return mask;                                                                             \
    }                                                                                            \
    static inline v128 s##_shl(v128 a, uint32_t count)                                           \
    {                                                                                            \
        return (v128)((unsigned_type)a << (int)(count & (8 * sizeof((signed_type){0}[0]) - 1))); \
    }                                                                                            \
    static inline v128 s##_shr_s(v128 a, uint32_t count)                                         \
    {                                                                                            \
        return (v128)((signed_type)a >> (int)(count & (8 * sizeof((signed_type){0}[0]) - 1)));   \
    }                                                                                            \
    static inline v128 s##_shr_u(v128 a, uint32_t count)                                         \
    {                                                                                            \
        return (v128)((unsigned_type)a >> (int)(count & (8 * sizeof((signed_type){0}[0]) - 1))); \
    }
V_SIGNS(i8x16, i8x16, u8x16)
V_SIGNS(i16x8, i16x8, u16x8)
V_SIGNS(i32x4, i32x4, u32x4)
V_SIGNS(i64x2, i64x2, u64x2)

V_MAP(i8x16_popcnt, u8x16, u8x16, __builtin_popcount(x))

/* Lanes outside 0 to 15 are zero. */
static inline v128 i8x16_swizzle(v128 a, v128 b)
{
    u8x16 va = (u8x16)a, vb = (u8x16)b, r = {0};

    for (int i = 0; i < 16; i++)
        r[i] = vb[i] < 16 ? va[vb[i] & 15] : 0;
    return (v128)r;
}

static inline v128 shuffle(v128 a, v128 b, v128 lanes)
{
    uint8_t both[32];
    u8x16 v = (u8x16)lanes, r = {0};

    memcpy(both, &a, 16);
    memcpy(both + 16, &b, 16);
    for (int i = 0; i < 16; i++)
        r[i] = both[v[i] & 31];
    return (v128)r;
}

/* Two vectors of wider lanes to one of narrower, saturating. */
#define V_NARROW(name, out, in, low, high)                                \
    static inline v128 name(v128 a, v128 b)                               \
    {                                                                     \
        in va = (in)a, vb = (in)b;                                        \
        out r = {0};                                                      \
        for (int i = 0; i < LANES(in); i++) {                             \
            r[i] = (__typeof__(r[0]))clamp(va[i], low, high);             \
            r[i + LANES(in)] = (__typeof__(r[0]))clamp(vb[i], low, high); \
        }                                                                 \
        return (v128)r;                                                   \
    }
V_NARROW(i8x16_narrow_i16x8_s, i8x16, i16x8, INT8_MIN, INT8_MAX)
V_NARROW(i8x16_narrow_i16x8_u, u8x16, i16x8, 0, UINT8_MAX)
V_NARROW(i16x8_narrow_i32x4_s, i16x8, i32x4, INT16_MIN, INT16_MAX)
V_NARROW(i16x8_narrow_i32x4_u, u16x8, i32x4, 0, UINT16_MAX)

/* Half of the lanes, widened; the products of widened halves; sums of widened neighbours. */
#define V_WIDEN(out_shape, in_shape, s, out, in)                                \
    static inline v128 out_shape##_extend_low_##in_shape##_##s(v128 a)          \
    {                                                                           \
        in va = (in)a;                                                          \
        out r = {0};                                                            \
        for (int i = 0; i < LANES(out); i++)                                    \
            r[i] = (__typeof__(r[0]))va[i];                                     \
        return (v128)r;                                                         \
    }                                                                           \
    static inline v128 out_shape##_extend_high_##in_shape##_##s(v128 a)         \
    {                                                                           \
        in va = (in)a;                                                          \
        out r = {0};                                                            \
        for (int i = 0; i < LANES(out); i++)                                    \
            r[i] = (__typeof__(r[0]))va[i + LANES(out)];                        \
        return (v128)r;                                                         \
    }                                                                           \
    static inline v128 out_shape##_extmul_low_##in_shape##_##s(v128 a, v128 b)  \
    {                                                                           \
        return (v128)((out)out_shape##_extend_low_##in_shape##_##s(a) *         \
                      (out)out_shape##_extend_low_##in_shape##_##s(b));         \
    }                                                                           \
    static inline v128 out_shape##_extmul_high_##in_shape##_##s(v128 a, v128 b) \
    {                                                                           \
        return (v128)((out)out_shape##_extend_high_##in_shape##_##s(a) *        \
                      (out)out_shape##_extend_high_##in_shape##_##s(b));        \
    }
#define V_PAIRWISE(out_shape, in_shape, s, out, in)                                 \
    static inline v128 out_shape##_extadd_pairwise_##in_shape##_##s(v128 a)         \
    {                                                                               \
        in va = (in)a;                                                              \
        out r = {0};                                                                \
        for (int i = 0; i < LANES(out); i++)                                        \
            r[i] = (__typeof__(r[0]))((__typeof__(r[0]))va[2 * i] + va[2 * i + 1]); \
        return (v128)r;                                                             \
    }
V_WIDEN(i16x8, i8x16, s, i16x8, i8x16)
V_WIDEN(i16x8, i8x16, u, u16x8, u8x16)
V_WIDEN(i32x4, i16x8, s, i32x4, i16x8)
V_WIDEN(i32x4, i16x8, u, u32x4, u16x8)
V_WIDEN(i64x2, i32x4, s, i64x2, i32x4)
V_WIDEN(i64x2, i32x4, u, u64x2, u32x4)
V_PAIRWISE(i16x8, i8x16, s, i16x8, i8x16)
V_PAIRWISE(i16x8, i8x16, u, u16x8, u8x16)
V_PAIRWISE(i32x4, i16x8, s, i32x4, i16x8)
V_PAIRWISE(i32x4, i16x8, u, u32x4, u16x8)

static inline v128 i32x4_dot_i16x8_s(v128 a, v128 b)
{
    i16x8 va = (i16x8)a, vb = (i16x8)b;
    u32x4 r = {0};

    for (int i = 0; i < 4; i++) /* the sum of two products of -2^15 wraps */
        r[i] = (uint32_t)(va[2 * i] * vb[2 * i]) + (uint32_t)(va[2 * i + 1] * vb[2 * i + 1]);
    return (v128)r;
}

#define V_FLOAT_MAPS(s, type, name)                   \
    V_MAP(s##_abs, type, type, abs_##name(x))         \
    V_MAP(s##_neg, type, type, neg_##name(x))         \
    V_MAP(s##_ceil, type, type, ceil_##name(x))       \
    V_MAP(s##_floor, type, type, floor_##name(x))     \
    V_MAP(s##_trunc, type, type, trunc_##name(x))     \
    V_MAP(s##_nearest, type, type, nearest_##name(x)) \
    V_MAP(s##_sqrt, type, type, sqrt_##name(x))       \
    V_MAP2(s##_min, type, min_##name(x, y))           \
    V_MAP2(s##_max, type, max_##name(x, y))           \
    V_MAP2(s##_pmin, type, y < x ? y : x)             \
    V_MAP2(s##_pmax, type, x < y ? y : x)
V_FLOAT_MAPS(f32x4, f32x4, f32)
V_FLOAT_MAPS(f64x2, f64x2, f64)

#define SAT_S32(x)                      \
    ((x) != (x)             ? 0         \
     : (x) <= -2147483648.0 ? INT32_MIN \
     : (x) >= 2147483648.0  ? INT32_MAX \
                            : (int32_t)(x))
#define SAT_U32(x) (!((x) > 0) ? 0 : (x) >= 4294967295.0 ? UINT32_MAX : (uint32_t)(x))
V_MAP(i32x4_trunc_sat_f32x4_s, i32x4, f32x4, SAT_S32((double)x))
V_MAP(i32x4_trunc_sat_f32x4_u, u32x4, f32x4, SAT_U32((double)x))
V_MAP(f32x4_convert_i32x4_s, f32x4, i32x4, x)
V_MAP(f32x4_convert_i32x4_u, f32x4, u32x4, x)

static inline v128 i32x4_trunc_sat_f64x2_s_zero(v128 a)
{
    f64x2 va = (f64x2)a;
    i32x4 r = {SAT_S32(va[0]), SAT_S32(va[1]), 0, 0};
    return (v128)r;
}

static inline v128 i32x4_trunc_sat_f64x2_u_zero(v128 a)
{
    f64x2 va = (f64x2)a;
    u32x4 r = {SAT_U32(va[0]), SAT_U32(va[1]), 0, 0};
    return (v128)r;
}

static inline v128 f64x2_convert_low_i32x4_s(v128 a)
{
    i32x4 va = (i32x4)a;
    f64x2 r = {(double)va[0], (double)va[1]};
    return (v128)r;
}

static inline v128 f64x2_convert_low_i32x4_u(v128 a)
{
    u32x4 va = (u32x4)a;
    f64x2 r = {(double)va[0], (double)va[1]};
    return (v128)r;
}

static inline v128 f32x4_demote_f64x2_zero(v128 a)
{
    f64x2 va = (f64x2)a;
    f32x4 r = {(float)va[0], (float)va[1], 0, 0};
    return (v128)r;
}

static inline v128 f64x2_promote_low_f32x4(v128 a)
{
    f32x4 va = (f32x4)a;
    f64x2 r = {(double)va[0], (double)va[1]};
    return (v128)r;
}

#define V_SPLAT(s, type, scalar, lane)                                 \
    static inline v128 s##_splat(scalar a)                             \
    {                                                                  \
        type r = {0};                                                  \
        for (int i = 0; i < LANES(type); i++)                          \
            r[i] = (lane)a;                                            \
        return (v128)r;                                                \
    }                                                                  \
    static inline v128 s##_replace_lane(v128 a, scalar b, uint32_t at) \
    {                                                                  \
        type r = (type)a;                                              \
        r[at] = (lane)b;                                               \
        return (v128)r;                                                \
    }
V_SPLAT(i8x16, u8x16, uint32_t, uint8_t)
V_SPLAT(i16x8, u16x8, uint32_t, uint16_t)
V_SPLAT(i32x4, u32x4, uint32_t, uint32_t)
V_SPLAT(i64x2, u64x2, uint64_t, uint64_t)
V_SPLAT(f32x4, f32x4, float, float)
V_SPLAT(f64x2, f64x2, double, double)

#define V_EXTRACT(name, type, scalar, lane)        \
    static inline scalar name(v128 a, uint32_t at) \
    {                                              \
        return (scalar)(lane)((type)a)[at];        \
    }
V_EXTRACT(i8x16_extract_lane_s, i8x16, uint32_t, int32_t)
V_EXTRACT(i8x16_extract_lane_u, u8x16, uint32_t, uint32_t)
V_EXTRACT(i16x8_extract_lane_s, i16x8, uint32_t, int32_t)
V_EXTRACT(i16x8_extract_lane_u, u16x8, uint32_t, uint32_t)
V_EXTRACT(i32x4_extract_lane, u32x4, uint32_t, uint32_t)
V_EXTRACT(i64x2_extract_lane, u64x2, uint64_t, uint64_t)
V_EXTRACT(f32x4_extract_lane, f32x4, float, float)
V_EXTRACT(f64x2_extract_lane, f64x2, double, double)

/* Loads: p points to as many bytes as ops.def says. */
static inline v128 load_half(const uint8_t *p)
{
    v128 r = {0};
    memcpy(&r, p, 8);
    return r;
}

#define V_LOAD(name, type, value)             \
    static inline v128 name(const uint8_t *p) \
    {                                         \
        type x;                               \
        memcpy(&x, p, sizeof x);              \
        return value;                         \
    }
V_LOAD(v128_load, v128, x)
V_LOAD(v128_load8_splat, uint8_t, i8x16_splat(x))
V_LOAD(v128_load16_splat, uint16_t, i16x8_splat(x))
V_LOAD(v128_load32_splat, uint32_t, i32x4_splat(x))
V_LOAD(v128_load64_splat, uint64_t, i64x2_splat(x))
V_LOAD(v128_load32_zero, uint32_t, ((v128){x, 0}))
V_LOAD(v128_load64_zero, uint64_t, ((v128){x, 0}))

#define V_LOAD_HALF(name, widen)              \
    static inline v128 name(const uint8_t *p) \
    {                                         \
        return widen(load_half(p));           \
    }
V_LOAD_HALF(v128_load8x8_s, i16x8_extend_low_i8x16_s)
V_LOAD_HALF(v128_load8x8_u, i16x8_extend_low_i8x16_u)
V_LOAD_HALF(v128_load16x4_s, i32x4_extend_low_i16x8_s)
V_LOAD_HALF(v128_load16x4_u, i32x4_extend_low_i16x8_u)
V_LOAD_HALF(v128_load32x2_s, i64x2_extend_low_i32x4_s)
V_LOAD_HALF(v128_load32x2_u, i64x2_extend_low_i32x4_u)
