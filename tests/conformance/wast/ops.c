/* The table is src/wasm/ops.def, seen with macros of our own. */
#include "ops.h"

#include "base/banned.h"

#define ENTRY(code, id, immediate, size) {#id, sizeof #id - 1, size, code, immediate},
#define ANY(code, id) ENTRY(code, id, IMM_NONE, 0)
#define MISC(code, id, immediate) ENTRY(code, id, IMM_##immediate, 0)
#define LOAD(code, id, type, memory) ENTRY(code, id, IMM_MEMARG, sizeof(memory))
#define STORE(code, id, type, memory) ENTRY(code, id, IMM_MEMARG, sizeof(memory))
#define SIMD_LOAD(code, id, size) ENTRY(code, id, IMM_MEMARG, size)
#define SIMD_STORE SIMD_LOAD
#define SIMD_LOAD_LANE(code, id, size) ENTRY(code, id, IMM_MEMARG_LANE, size)
#define SIMD_STORE_LANE(code, id, size) ENTRY(code, id, IMM_MEMARG_LANE, size)
#define SIMD_EXTRACT(code, id, result, lanes) ENTRY(code, id, IMM_LANE, 0)
#define SIMD_REPLACE(code, id, b, lanes) ENTRY(code, id, IMM_LANE, 0)

static const struct op ops[] = {
#include "wasm/ops.def"
};

enum {
    NAME_MAX_SIZE = 64, /* longer than any instruction's name */
};

/* A name has a dot where its id has the first underscore: i32.load8_s is i32_load8_s. The control
 * instructions br_…, call_… and return_… have none. */
const struct op *op_find(struct bytes name)
{
    uint8_t id[NAME_MAX_SIZE];
    size_t separator = 0;

    if (name.size > sizeof id)
        return NULL;
    memcpy(id, name.data, name.size);
    while (separator < name.size && id[separator] != '.' && id[separator] != '_')
        separator++;
    struct bytes head = bytes_before(name, separator);
    bool has_dot = !bytes_is(head, "br") && !bytes_is(head, "call") && !bytes_is(head, "return");
    if (separator < name.size) {
        if ((id[separator] == '.') != has_dot)
            return NULL;
        id[separator] = '_';
    }
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        if (ops[i].id_size == name.size && memcmp(ops[i].id, id, name.size) == 0)
            return ops[i].code != OP_SELECT_TYPED ? &ops[i] : NULL; /* written as select, too */
    return NULL;
}
