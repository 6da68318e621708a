/* Instructions: opcodes, immediates, and the one reader of them. Private to src/wasm. */
#pragma once

#include "base/base.h"
#include "wasm/engine_limits.h"
#include "wasm/wasm.h"

enum wasm_op {
#define ANY(code, id) OP_##id = (code),
#include "wasm/ops.def"
    OP_UNKNOWN = 0x300, /* stands for every opcode that no byte or prefix above can hold */
    OP_COUNT
};

enum wasm_immediate {
    IMM_UNKNOWN, /* no such instruction */
    IMM_NONE,
    IMM_LABEL, /* from here to IMM_ELEM: one index */
    IMM_BR_TABLE,
    IMM_FUNC,
    IMM_LOCAL,
    IMM_GLOBAL,
    IMM_TABLE,
    IMM_MEMORY,
    IMM_DATA,
    IMM_ELEM,
    IMM_BLOCK,
    IMM_CALL_INDIRECT,
    IMM_TYPES,
    IMM_I32,
    IMM_I64,
    IMM_F32,
    IMM_F64,
    IMM_REF_TYPE,
    IMM_DATA_MEMORY,
    IMM_MEMORY_MEMORY,
    IMM_ELEM_TABLE,
    IMM_TABLE_TABLE,
    IMM_V128,
    IMM_SHUFFLE,
    IMM_MEMARG,
    IMM_MEMARG_LANE,
    IMM_LANE
};

/* What an instruction of the simple kinds does to the operand stack. */
struct op_shape {
    uint8_t immediate; /* enum wasm_immediate */
    uint8_t operand_count;
    uint8_t operands[3]; /* enum wasm_type, the first pushed first */
    uint8_t result;      /* 0: none */
    uint8_t log2_size;   /* of a memory access: the largest alignment that may be claimed */
    uint8_t lanes;       /* of an instruction with a lane: how many there are */
    bool is_simple;      /* what stands here is all there is to its validation */
};

extern const struct op_shape op_shapes[OP_COUNT];

/* The id of ops.def, "i32_add"; NULL when there is none. */
const char *op_id(uint16_t op);

/* The instruction's name as the text format has it, "i32.add". Writes at most 40 bytes. */
void op_name(uint16_t op, char name[40]);

struct insn {
    size_t at; /* offset of the opcode in the module */
    uint16_t op;
    uint8_t align; /* log2, of a memory access */
    uint8_t lane;
    uint32_t a, b;        /* indices, the first read first; a block's or label's; reference type */
    int64_t block_type;   /* s33: §5.4.1 */
    uint64_t value;       /* constant, or offset of a memory access */
    const uint8_t *bytes; /* 16 of v128.const and i8x16.shuffle; the types of a select */
};

MUST_CHECK bool insn_read_any(struct reader *r, struct insn *out, struct err *err);

/* Reads one instruction with its immediates. Of br_table only the count is read, into a: a + 1
 * labels follow. */
MUST_CHECK static inline bool insn_read(struct reader *r, struct insn *out, struct err *err)
{
    if (LIKELY(r->in.size - r->at >= 2)) { /* the most common are read here */
        const uint8_t *p = r->in.data + r->at;
        uint8_t immediate = op_shapes[p[0]].immediate;
        bool has_index = immediate >= IMM_LABEL && immediate <= IMM_ELEM && p[1] < 0x80;
        if (immediate == IMM_NONE || has_index) {
            out->at = r->at;
            out->op = p[0];
            out->a = p[1];
            r->at += has_index ? 2 : 1;
            return true;
        }
    }
    return insn_read_any(r, out, err);
}

/* Why an integer cannot be read at r->at: fills err, returns false. */
bool leb128_fail(const struct reader *r, unsigned bits, bool is_signed, struct err *err);

MUST_CHECK static inline bool read_u32(struct reader *r, uint32_t *out, struct err *err)
{
    if (LIKELY(leb128_u32(r, out)))
        return true;
    (void)leb128_fail(r, 32, false, err);
    return false;
}

/* Names a feature that this version does not have. Returns false. */
static inline bool feature_absent(struct err *err, const char *feature, size_t at)
{
    return err_set(err, ERR_UNSUPPORTED, feature, at);
}
