/* What numeric instructions compute beyond C's operators: WebAssembly Core Specification 2.0, §4.3.
 * Private to src/wasm. Compiled without contraction of floating-point expressions. */
#pragma once

#include <stdint.h>
#include <string.h>

/* Operands are unsigned; S() makes them signed. */
#define S(x) _Generic((x), uint32_t : (int32_t)(x), uint64_t : (int64_t)(x))

static inline uint32_t clz32(uint32_t a)
{
    return a != 0 ? (uint32_t)__builtin_clz(a) : 32;
}

static inline uint32_t ctz32(uint32_t a)
{
    return a != 0 ? (uint32_t)__builtin_ctz(a) : 32;
}

static inline uint32_t popcnt32(uint32_t a)
{
    return (uint32_t)__builtin_popcount(a);
}

static inline uint64_t clz64(uint64_t a)
{
    return a != 0 ? (uint64_t)__builtin_clzll(a) : 64;
}

static inline uint64_t ctz64(uint64_t a)
{
    return a != 0 ? (uint64_t)__builtin_ctzll(a) : 64;
}

static inline uint64_t popcnt64(uint64_t a)
{
    return (uint64_t)__builtin_popcountll(a);
}

static inline uint32_t rotl32(uint32_t a, uint32_t b)
{
    return a << (b & 31) | a >> (-b & 31);
}

static inline uint32_t rotr32(uint32_t a, uint32_t b)
{
    return a >> (b & 31) | a << (-b & 31);
}

static inline uint64_t rotl64(uint64_t a, uint64_t b)
{
    return a << (b & 63) | a >> (-b & 63);
}

static inline uint64_t rotr64(uint64_t a, uint64_t b)
{
    return a >> (b & 63) | a << (-b & 63);
}

static inline uint32_t bits_f32(float a)
{
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}

static inline float f32_of_bits(uint32_t bits)
{
    float a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

static inline uint64_t bits_f64(double a)
{
    uint64_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}

static inline double f64_of_bits(uint64_t bits)
{
    double a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

#define F32_SIGN UINT32_C(0x80000000)
#define F64_SIGN UINT64_C(0x8000000000000000)

/* The sign operations change the sign bit and nothing else, of a NaN too (§4.3.3). */
static inline float abs_f32(float a)
{
    return f32_of_bits(bits_f32(a) & ~F32_SIGN);
}

static inline float neg_f32(float a)
{
    return f32_of_bits(bits_f32(a) ^ F32_SIGN);
}

static inline float copysign_f32(float a, float b)
{
    return f32_of_bits((bits_f32(a) & ~F32_SIGN) | (bits_f32(b) & F32_SIGN));
}

static inline double abs_f64(double a)
{
    return f64_of_bits(bits_f64(a) & ~F64_SIGN);
}

static inline double neg_f64(double a)
{
    return f64_of_bits(bits_f64(a) ^ F64_SIGN);
}

static inline double copysign_f64(double a, double b)
{
    return f64_of_bits((bits_f64(a) & ~F64_SIGN) | (bits_f64(b) & F64_SIGN));
}

/* Rounding by adding and taking away 2^52 (2^23), which keeps no fraction; round to nearest, ties
 * to even, is the mode that C programs start in. Larger values have no fraction. The sum with zero
 * makes a signalling NaN quiet. */
#define DEFINE_ROUNDING(type, name, big)                                                        \
    static inline type nearest_##name(type a)                                                   \
    {                                                                                           \
        type magnitude = abs_##name(a);                                                         \
        if (!(magnitude < (big)))                                                               \
            return a + 0;                                                                       \
        type rounded = magnitude + (big);                                                       \
        __asm__("" : "+m"(rounded)); /* the two steps are not to be simplified away */          \
        return copysign_##name(rounded - (big), a);                                             \
    }                                                                                           \
    static inline type trunc_##name(type a)                                                     \
    {                                                                                           \
        if (!(abs_##name(a) < (big)))                                                           \
            return a + 0;                                                                       \
        return copysign_##name((type)(int64_t)a, a);                                            \
    }                                                                                           \
    static inline type floor_##name(type a)                                                     \
    {                                                                                           \
        type t = trunc_##name(a);                                                               \
        return copysign_##name(t > a ? t - 1 : t, a);                                           \
    }                                                                                           \
    static inline type ceil_##name(type a)                                                      \
    {                                                                                           \
        type t = trunc_##name(a);                                                               \
        return copysign_##name(t < a ? t + 1 : t, a);                                           \
    }                                                                                           \
    static inline type sqrt_##name(type a);                                                     \
    /* NaN if either is, and -0 is below +0 */                                                  \
    static inline type min_##name(type a, type b)                                               \
    {                                                                                           \
        if (__builtin_expect(!(a < b || a > b), 0))                                             \
            return a != a || b != b ? a + b : copysign_##name(a, __builtin_signbit(a) ? a : b); \
        return a < b ? a : b;                                                                   \
    }                                                                                           \
    static inline type max_##name(type a, type b)                                               \
    {                                                                                           \
        if (__builtin_expect(!(a < b || a > b), 0))                                             \
            return a != a || b != b ? a + b : copysign_##name(a, __builtin_signbit(a) ? b : a); \
        return a > b ? a : b;                                                                   \
    }

DEFINE_ROUNDING(float, f32, 8388608.0f)
DEFINE_ROUNDING(double, f64, 4503599627370496.0)
#undef DEFINE_ROUNDING

/* One instruction on every machine that we run on (-fno-math-errno). */
static inline float sqrt_f32(float a)
{
    return __builtin_sqrtf(a);
}

static inline double sqrt_f64(double a)
{
    return __builtin_sqrt(a);
}

/* The C types of values, and values as the words of constants that hold them. */
#define C_i32 uint32_t
#define C_i64 uint64_t
#define C_f32 float
#define C_f64 double
#define CONST_i32(word) ((uint32_t)(word))
#define CONST_i64(word) (word)
#define CONST_f32(word) f32_of_bits((uint32_t)(word))
#define CONST_f64(word) f64_of_bits(word)
#define BITS_i32(value) ((uint64_t)(uint32_t)(value))
#define BITS_i64(value) (value)
#define BITS_f32(value) bits_f32(value)
#define BITS_f64(value) bits_f64(value)
