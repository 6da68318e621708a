/* Reading instructions: WebAssembly Core Specification 2.0, §5.4. Input is untrusted. */
#include "wasm/insn.h"

#include <string.h>

#include "base/banned.h"

#define T_i32 WASM_I32
#define T_i64 WASM_I64
#define T_f32 WASM_F32
#define T_f64 WASM_F64
#define T_v128 WASM_V128
#define LOG2(size) \
    (uint8_t)((size) == 1 ? 0 : (size) == 2 ? 1 : (size) == 4 ? 2 : (size) == 8 ? 3 : 4)

const struct op_shape op_shapes[OP_COUNT] = {
#define MISC(code, id, imm) [code] = {.immediate = IMM_##imm},
#define LOAD(code, id, type, memory)             \
    [code] = {.immediate = IMM_MEMARG,           \
              .operand_count = 1,                \
              .operands = {WASM_I32},            \
              .result = T_##type,                \
              .log2_size = LOG2(sizeof(memory)), \
              .is_simple = true},
#define STORE(code, id, type, memory)            \
    [code] = {.immediate = IMM_MEMARG,           \
              .operand_count = 2,                \
              .operands = {WASM_I32, T_##type},  \
              .log2_size = LOG2(sizeof(memory)), \
              .is_simple = true},
#define SHAPE(code, imm, out, count, ...) \
    [code] = {.immediate = IMM_##imm,     \
              .operand_count = (count),   \
              .operands = {__VA_ARGS__},  \
              .result = (out),            \
              .is_simple = true},
#define UNARY(code, id, out, a, value) SHAPE(code, NONE, T_##out, 1, T_##a)
#define BINARY(code, id, out, a, value) SHAPE(code, NONE, T_##out, 2, T_##a, T_##a)
#define UNARY_TRAP UNARY
#define BINARY_TRAP BINARY
#define SIMD_LOAD(code, id, size)      \
    [code] = {.immediate = IMM_MEMARG, \
              .operand_count = 1,      \
              .operands = {WASM_I32},  \
              .result = WASM_V128,     \
              .log2_size = LOG2(size), \
              .is_simple = true},
#define SIMD_STORE(code, id, size)               \
    [code] = {.immediate = IMM_MEMARG,           \
              .operand_count = 2,                \
              .operands = {WASM_I32, WASM_V128}, \
              .log2_size = LOG2(size),           \
              .is_simple = true},
#define SIMD_LOAD_LANE(code, id, size)           \
    [code] = {.immediate = IMM_MEMARG_LANE,      \
              .operand_count = 2,                \
              .operands = {WASM_I32, WASM_V128}, \
              .result = WASM_V128,               \
              .log2_size = LOG2(size),           \
              .lanes = 16 / (size),              \
              .is_simple = true},
#define SIMD_STORE_LANE(code, id, size)          \
    [code] = {.immediate = IMM_MEMARG_LANE,      \
              .operand_count = 2,                \
              .operands = {WASM_I32, WASM_V128}, \
              .log2_size = LOG2(size),           \
              .lanes = 16 / (size),              \
              .is_simple = true},
#define SIMD_SPLAT(code, id, a) SHAPE(code, NONE, WASM_V128, 1, T_##a)
#define SIMD_EXTRACT(code, id, out, lane_count) \
    [code] = {.immediate = IMM_LANE,            \
              .operand_count = 1,               \
              .operands = {WASM_V128},          \
              .result = T_##out,                \
              .lanes = (lane_count),            \
              .is_simple = true},
#define SIMD_REPLACE(code, id, b, lane_count) \
    [code] = {.immediate = IMM_LANE,          \
              .operand_count = 2,             \
              .operands = {WASM_V128, T_##b}, \
              .result = WASM_V128,            \
              .lanes = (lane_count),          \
              .is_simple = true},
#define SIMD_UNARY(code, id) SHAPE(code, NONE, WASM_V128, 1, WASM_V128)
#define SIMD_BINARY(code, id) SHAPE(code, NONE, WASM_V128, 2, WASM_V128, WASM_V128)
#define SIMD_TERNARY(code, id) SHAPE(code, NONE, WASM_V128, 3, WASM_V128, WASM_V128, WASM_V128)
#define SIMD_SHIFT(code, id) SHAPE(code, NONE, WASM_V128, 2, WASM_V128, WASM_I32)
#define SIMD_TEST(code, id) SHAPE(code, NONE, WASM_I32, 1, WASM_V128)
#include "wasm/ops.def"
};

const char *op_id(uint16_t op)
{
    static const char *const ids[OP_COUNT] = {
#define ANY(code, id) [code] = #id,
#include "wasm/ops.def"
    };

    return op < OP_COUNT ? ids[op] : NULL;
}

void op_name(uint16_t op, char name[40])
{
    /* words whose first part is not a type or a space of indices */
    static const char *const plain[] = {"br_", "call_", "return_", "select_"};
    const char *id = op_id(op);
    struct writer w = writer_fixed(name, 39);

    if (id == NULL)
        id = "?";
    writer_text(&w, id);
    name[w.size] = '\0';
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        if (strncmp(id, plain[i], strlen(plain[i])) == 0)
            return;
    }
    char *underscore = strchr(name, '_');
    if (underscore != NULL)
        *underscore = '.';
}

bool leb128_fail(const struct reader *r, unsigned bits, bool is_signed, struct err *err)
{
    switch (leb128_diagnose(r, bits, is_signed)) {
    case LEB128_SHORT:
        return err_set(err, ERR_FORMAT, "unexpected end, at offset", r->in.size);
    case LEB128_TOO_LONG:
        return err_set(err, ERR_FORMAT, "integer representation too long, at offset", r->at);
    default:
        return err_set(err, ERR_FORMAT, "integer too large, at offset", r->at);
    }
}

static bool ends(const struct reader *r, struct err *err)
{
    return err_set(err, ERR_FORMAT, "unexpected end, at offset", r->in.size);
}

/* The feature that an opcode outside our table belongs to. */
static bool unknown_opcode(uint8_t first, uint32_t second, size_t at, struct err *err)
{
    if ((first >= 0x06 && first <= 0x0a) || first == 0x18 || first == 0x19 || first == 0x1f)
        return feature_absent(err, "exception handling is not supported, at offset", at);
    if (first == 0x14 || first == 0x15 || (first >= 0xd3 && first <= 0xd6))
        return feature_absent(err, "typed function references are not supported, at offset", at);
    if (first == 0xfb)
        return feature_absent(err, "garbage collection is not supported, at offset", at);
    if (first == 0xfe)
        return feature_absent(err, "threads are not supported, at offset", at);
    if (first == 0xfd && second >= 0x100 && second < 0x120)
        return feature_absent(err, "relaxed SIMD is not supported, at offset", at);
    return err_set(err, ERR_FORMAT, "illegal opcode, at offset", at);
}

static bool read_opcode(struct reader *r, struct insn *out, struct err *err)
{
    uint8_t first;
    uint32_t second = 0;

    out->at = r->at;
    if (!reader_u8(r, &first))
        return ends(r, err);
    out->op = first;
    if (UNLIKELY(first >= 0xfb)) {
        if (first == 0xff)
            return unknown_opcode(first, 0, out->at, err);
        if (!read_u32(r, &second, err))
            return false;
        bool known = (first == 0xfc || first == 0xfd) && second < 0x100;
        out->op = (uint16_t)(known ? (first == 0xfc ? 0x100 : 0x200) + second : OP_UNKNOWN);
    }
    if (UNLIKELY(op_shapes[out->op].immediate == IMM_UNKNOWN))
        return unknown_opcode(first, second, out->at, err);
    return true;
}

/* §5.4.6. Bit 6 of the alignment says that a memory index follows (multi-memory). */
static bool read_memarg(struct reader *r, struct insn *out, struct err *err)
{
    uint32_t align, offset;
    size_t at = r->at;

    if (!read_u32(r, &align, err))
        return false;
    out->a = 0;
    if (UNLIKELY(align >= 64)) {
        if (align >= 128)
            return err_set(err, ERR_FORMAT, "malformed memop flags, at offset", at);
        align &= 63;
        if (!read_u32(r, &out->a, err))
            return false;
    }
    if (!read_u32(r, &offset, err))
        return false;
    if (align >= 32)
        return err_set(err, ERR_FORMAT, "malformed memop alignment, at offset", at);
    out->align = (uint8_t)align;
    out->value = offset;
    return true;
}

static bool read_bytes(struct reader *r, size_t size, struct insn *out, struct err *err)
{
    struct bytes found;

    if (!reader_bytes(r, size, &found))
        return ends(r, err);
    out->bytes = found.data;
    return true;
}

/* The instructions' types, of a select: how many in a. */
static bool read_types(struct reader *r, struct insn *out, struct err *err)
{
    return read_u32(r, &out->a, err) && read_bytes(r, out->a, out, err);
}

static bool read_lane(struct reader *r, struct insn *out, struct err *err)
{
    return reader_u8(r, &out->lane) || ends(r, err);
}

bool insn_read_any(struct reader *r, struct insn *out, struct err *err)
{
    int32_t number;
    uint32_t u32;
    uint8_t byte;

    if (!read_opcode(r, out, err))
        return false;
    switch ((enum wasm_immediate)op_shapes[out->op].immediate) {
    case IMM_UNKNOWN:
    case IMM_NONE:
        return true;
    case IMM_LABEL:
    case IMM_BR_TABLE:
    case IMM_FUNC:
    case IMM_LOCAL:
    case IMM_GLOBAL:
    case IMM_TABLE:
    case IMM_MEMORY:
    case IMM_DATA:
    case IMM_ELEM:
        return read_u32(r, &out->a, err);
    case IMM_BLOCK:
        return leb128_s33(r, &out->block_type) || leb128_fail(r, 33, true, err);
    case IMM_CALL_INDIRECT:
    case IMM_DATA_MEMORY:
    case IMM_MEMORY_MEMORY:
    case IMM_ELEM_TABLE:
    case IMM_TABLE_TABLE:
        return read_u32(r, &out->a, err) && read_u32(r, &out->b, err);
    case IMM_TYPES:
        return read_types(r, out, err);
    case IMM_I32:
        if (!leb128_s32(r, &number))
            return leb128_fail(r, 32, true, err);
        out->value = (uint32_t)number;
        return true;
    case IMM_I64: {
        int64_t wide;
        if (!leb128_s64(r, &wide))
            return leb128_fail(r, 64, true, err);
        out->value = (uint64_t)wide;
        return true;
    }
    case IMM_F32:
        if (!reader_u32le(r, &u32))
            return ends(r, err);
        out->value = u32;
        return true;
    case IMM_F64:
        return reader_u64le(r, &out->value) || ends(r, err);
    case IMM_REF_TYPE:
        if (!reader_u8(r, &byte))
            return ends(r, err);
        out->a = byte;
        return true;
    case IMM_V128:
    case IMM_SHUFFLE:
        return read_bytes(r, 16, out, err);
    case IMM_MEMARG:
        return read_memarg(r, out, err);
    case IMM_MEMARG_LANE:
        return read_memarg(r, out, err) && read_lane(r, out, err);
    case IMM_LANE:
        return read_lane(r, out, err);
    }
    return false;
}
