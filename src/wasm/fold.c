/* Constant folding: instructions whose operands are constants are computed at translation. */
#include "wasm/ir.h"

#include "wasm/numeric.h"
#include "base/banned.h"

/* Those that may trap are left to run. */
bool fold(uint16_t op, uint64_t a_word, uint64_t b_word, uint64_t *out)
{
    switch (op) {
#define UNARY(code, id, result, type, value)       \
    case code: {                                   \
        C_##type a = CONST_##type(a_word);         \
        *out = BITS_##result((C_##result)(value)); \
        return true;                               \
    }
#define BINARY(code, id, result, type, value)                        \
    case code: {                                                     \
        C_##type a = CONST_##type(a_word), b = CONST_##type(b_word); \
        *out = BITS_##result((C_##result)(value));                   \
        return true;                                                 \
    }
#define UNARY_TRAP(code, id, result, type, value)
#define BINARY_TRAP(code, id, result, type, value)
#include "wasm/ops.def"
    default:
        return false;
    }
}
