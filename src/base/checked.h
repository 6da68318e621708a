/* Arithmetic that says when the result does not fit, instead of wrapping. Fit for shims. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Each stores the result and returns true, or returns false; *out is then not to be used.
 * The types of a, b and *out may differ: the result is that of unbounded arithmetic. */
#define checked_add(a, b, out) (!__builtin_add_overflow((a), (b), (out)))
#define checked_sub(a, b, out) (!__builtin_sub_overflow((a), (b), (out)))
#define checked_mul(a, b, out) (!__builtin_mul_overflow((a), (b), (out)))

/* size rounded up to a multiple of align (a power of two). */
MUST_CHECK static inline bool checked_align_up(size_t size, size_t align, size_t *out)
{
    size_t sum;
    if (!checked_add(size, align - 1, &sum))
        return false;
    *out = sum & ~(align - 1);
    return true;
}
