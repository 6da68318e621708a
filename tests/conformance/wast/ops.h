/* The names of the instructions, from the engine's own list of them. */
#pragma once

#include "base/base.h"

/* What follows an instruction's name. */
enum immediate {
    IMM_NONE,
    IMM_BLOCK,
    IMM_LABEL,
    IMM_BR_TABLE,
    IMM_FUNC,
    IMM_CALL_INDIRECT,
    IMM_TYPES,
    IMM_LOCAL,
    IMM_GLOBAL,
    IMM_TABLE,
    IMM_TABLE_TABLE,
    IMM_MEMORY,
    IMM_MEMORY_MEMORY,
    IMM_DATA,
    IMM_DATA_MEMORY,
    IMM_ELEM,
    IMM_ELEM_TABLE,
    IMM_REF_TYPE,
    IMM_I32,
    IMM_I64,
    IMM_F32,
    IMM_F64,
    IMM_V128,
    IMM_SHUFFLE,
    IMM_LANE,
    IMM_MEMARG,
    IMM_MEMARG_LANE
};

/* Opcodes as src/wasm/ops.def has them: 0x100 more behind the prefix 0xfc, 0x200 behind 0xfd. */
enum {
    OP_IF = 0x04,
    OP_ELSE = 0x05,
    OP_END = 0x0b,
    OP_SELECT = 0x1b,
    OP_SELECT_TYPED = 0x1c,
    OP_MEMORY_INIT = 0x108,
    OP_DATA_DROP = 0x109,
};

struct op {
    const char *id; /* the name, with _ for its dot */
    uint8_t id_size;
    uint8_t natural_size; /* of the memory access, in bytes */
    uint16_t code;
    enum immediate immediate;
};

/* NULL when there is no such instruction. */
const struct op *op_find(struct bytes name);
