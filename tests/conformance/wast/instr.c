/* Instructions of the text format: WebAssembly Core Specification 2.0, §6.5. */
#include "assembler.h"

#include "number.h"
#include "wasm/wasm.h"
#include "base/banned.h"

static bool instr(struct assembler *a, const struct sexpr **at, struct writer *out);
static bool folded(struct assembler *a, const struct sexpr *list, struct writer *out);

/* ---- immediates ---- */

/* *out is the space's first index when none is written. */
static bool optional_index(struct assembler *a, const struct sexpr **at, enum space_kind kind,
                           uint32_t *out)
{
    *out = 0;
    return !is_index(*at) || take_index(a, at, &a->spaces[kind], out);
}

static bool put_optional(struct assembler *a, const struct sexpr **at, enum space_kind kind,
                         struct writer *out)
{
    uint32_t index;

    if (!optional_index(a, at, kind, &index))
        return false;
    writer_leb128_u64(out, index);
    return true;
}

static bool put_index(struct assembler *a, const struct sexpr **at, const struct space *space,
                      struct writer *out)
{
    uint32_t index;

    if (!take_index(a, at, space, &index))
        return false;
    writer_leb128_u64(out, index);
    return true;
}

/* Two indices of a space, or none. */
static bool put_pair(struct assembler *a, const struct sexpr **at, enum space_kind kind,
                     struct writer *out)
{
    if (!is_index(*at)) {
        writer_bytes(out, bytes_from("\0", 2));
        return true;
    }
    return put_index(a, at, &a->spaces[kind], out) && put_index(a, at, &a->spaces[kind], out);
}

/* memory.init and table.init: a segment, before which a memory or table may stand; the binary has
 * them the other way round. */
static bool put_segment(struct assembler *a, const struct sexpr **at, enum space_kind segment,
                        enum space_kind target, struct writer *out)
{
    uint32_t target_index = 0;

    if (*at != NULL && is_index((*at)->next) &&
        !take_index(a, at, &a->spaces[target], &target_index))
        return false;
    if (!put_index(a, at, &a->spaces[segment], out))
        return false;
    writer_leb128_u64(out, target_index);
    return true;
}

/* A label by its name or depth: §6.5.1. */
static bool put_label(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    const struct label *label = a->labels;
    struct bytes id;
    uint32_t depth = 0;

    if (sexpr_take_id(at, &id)) {
        while (label != NULL && !bytes_equal(label->id, id)) {
            label = label->outer;
            depth++;
        }
        if (label == NULL)
            return assembler_fail(a, "unknown label");
    } else if (!take_u32(a, at, &depth)) {
        return false;
    }
    writer_leb128_u64(out, depth);
    return true;
}

static bool put_br_table(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    struct writer labels = assembler_scratch(a);
    uint32_t count = 0;

    do {
        if (!put_label(a, at, &labels))
            return false;
        count++;
    } while (is_index(*at));
    writer_leb128_u64(out, count - 1); /* the last is the default */
    return assembler_append(a, out, &labels);
}

static bool put_call_indirect(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    struct type_use use;
    uint32_t table, type;

    if (!optional_index(a, at, SPACE_TABLE, &table) || !take_type_use(a, at, NULL, &use) ||
        !type_use_index(a, &use, &type))
        return false;
    writer_leb128_u64(out, type);
    writer_leb128_u64(out, table);
    return true;
}

static bool is_keyed(const struct sexpr *e, const char *keyword)
{
    return e != NULL && e->kind == SEXPR_WORD && bytes_starts_with(e->text, bytes_of(keyword));
}

/* keyword=N, when it stands there; *out keeps its value otherwise. */
static bool take_keyed(struct assembler *a, const struct sexpr **at, const char *keyword,
                       uint64_t *out)
{
    struct err err;

    if (!is_keyed(*at, keyword))
        return true;
    if (!number_unsigned(bytes_after((*at)->text, strlen(keyword)), 32, out, &err))
        return assembler_fail(a, err.msg);
    *at = (*at)->next;
    return true;
}

/* §6.5.5; the binary form is §5.4.6, where bit 6 of the alignment says that a memory follows. */
static bool put_memarg(struct assembler *a, const struct op *op, const struct sexpr **at,
                       struct writer *out)
{
    uint64_t offset = 0, align = op->natural_size;
    uint32_t memory = 0;
    /* One number alone is the lane of a lane instruction. */
    bool has_memory = op->immediate == IMM_MEMARG || sexpr_is_id(*at) ||
                      (*at != NULL && (is_index((*at)->next) || is_keyed((*at)->next, "offset=") ||
                                       is_keyed((*at)->next, "align=")));

    if ((has_memory && !optional_index(a, at, SPACE_MEMORY, &memory)) ||
        !take_keyed(a, at, "offset=", &offset) || !take_keyed(a, at, "align=", &align))
        return false;
    if (align == 0 || (align & (align - 1)) != 0)
        return assembler_fail(a, "alignment must be a power of two");
    writer_leb128_u64(out, (uint64_t)__builtin_ctzll(align) | (memory != 0 ? 0x40 : 0));
    if (memory != 0)
        writer_leb128_u64(out, memory);
    writer_leb128_u64(out, offset);
    return true;
}

static bool put_lanes(struct assembler *a, const struct sexpr **at, unsigned count,
                      struct writer *out)
{
    uint64_t lane;
    struct err err;

    for (; count != 0; count--, *at = (*at)->next) {
        if (*at == NULL || (*at)->kind != SEXPR_WORD)
            return assembler_fail(a, "invalid lane length");
        if (!number_unsigned((*at)->text, 8, &lane, &err))
            return assembler_fail(a, err.msg);
        writer_u8(out, (uint8_t)lane);
    }
    return true;
}

/* Numbers of a type, as their bytes. */
static bool take_numbers(struct assembler *a, const struct sexpr **at,
                         const struct number_type *type, uint8_t *out)
{
    struct err err;

    for (unsigned i = 0; i < type->lanes; i++, *at = (*at)->next, out += type->bits / 8) {
        if (*at == NULL || (*at)->kind != SEXPR_WORD)
            return assembler_fail(a, "wrong number of lane literals");
        if (!number_parse(type, (*at)->text, out, &err))
            return assembler_fail(a, err.msg);
    }
    return true;
}

static bool put_float(struct assembler *a, const struct sexpr **at, const char *name, size_t size,
                      struct writer *out)
{
    uint8_t bits[8];

    if (!take_numbers(a, at, number_type_find(bytes_of(name)), bits))
        return false;
    writer_bytes(out, bytes_from(bits, size));
    return true;
}

static bool put_i32(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    int32_t value;

    if (!take_numbers(a, at, number_type_find(bytes_of("i32")), (uint8_t *)&value))
        return false;
    writer_leb128_s64(out, value);
    return true;
}

static bool put_i64(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    int64_t value;

    if (!take_numbers(a, at, number_type_find(bytes_of("i64")), (uint8_t *)&value))
        return false;
    writer_leb128_s64(out, value);
    return true;
}

static bool put_v128(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    const struct number_type *type =
        *at != NULL && (*at)->kind == SEXPR_WORD ? number_type_find((*at)->text) : NULL;
    uint8_t bits[16];

    if (type == NULL || type->lanes == 1)
        return assembler_unexpected(a, *at);
    *at = (*at)->next;
    if (!take_numbers(a, at, type, bits))
        return false;
    writer_bytes(out, bytes_from(bits, sizeof bits));
    return true;
}

static bool put_heap_type(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    if (sexpr_take_word(at, "func"))
        writer_u8(out, WASM_FUNCREF);
    else if (sexpr_take_word(at, "extern"))
        writer_u8(out, WASM_EXTERNREF);
    else
        return assembler_unexpected(a, *at);
    return true;
}

static bool put_immediate(struct assembler *a, const struct op *op, const struct sexpr **at,
                          struct writer *out)
{
    switch (op->immediate) {
    case IMM_LABEL:
        return put_label(a, at, out);
    case IMM_BR_TABLE:
        return put_br_table(a, at, out);
    case IMM_FUNC:
        return put_index(a, at, &a->spaces[SPACE_FUNC], out);
    case IMM_CALL_INDIRECT:
        return put_call_indirect(a, at, out);
    case IMM_LOCAL:
        return put_index(a, at, &a->locals, out);
    case IMM_GLOBAL:
        return put_index(a, at, &a->spaces[SPACE_GLOBAL], out);
    case IMM_TABLE:
        return put_optional(a, at, SPACE_TABLE, out);
    case IMM_TABLE_TABLE:
        return put_pair(a, at, SPACE_TABLE, out);
    case IMM_MEMORY:
        return put_optional(a, at, SPACE_MEMORY, out);
    case IMM_MEMORY_MEMORY:
        return put_pair(a, at, SPACE_MEMORY, out);
    case IMM_DATA:
        return put_index(a, at, &a->spaces[SPACE_DATA], out);
    case IMM_DATA_MEMORY:
        return put_segment(a, at, SPACE_DATA, SPACE_MEMORY, out);
    case IMM_ELEM:
        return put_index(a, at, &a->spaces[SPACE_ELEM], out);
    case IMM_ELEM_TABLE:
        return put_segment(a, at, SPACE_ELEM, SPACE_TABLE, out);
    case IMM_REF_TYPE:
        return put_heap_type(a, at, out);
    case IMM_I32:
        return put_i32(a, at, out);
    case IMM_I64:
        return put_i64(a, at, out);
    case IMM_F32:
        return put_float(a, at, "f32", 4, out);
    case IMM_F64:
        return put_float(a, at, "f64", 8, out);
    case IMM_V128:
        return put_v128(a, at, out);
    case IMM_SHUFFLE:
        return put_lanes(a, at, 16, out);
    case IMM_LANE:
        return put_lanes(a, at, 1, out);
    case IMM_MEMARG:
        return put_memarg(a, op, at, out);
    case IMM_MEMARG_LANE:
        return put_memarg(a, op, at, out) && put_lanes(a, at, 1, out);
    case IMM_NONE:
    case IMM_BLOCK: /* see block */
    case IMM_TYPES: /* see select */
        return true;
    }
    return false;
}

/* ---- instructions ---- */

static void put_opcode(struct writer *out, uint32_t code)
{
    if (code < 0x100) {
        writer_u8(out, (uint8_t)code);
        return;
    }
    writer_u8(out, code < 0x200 ? 0xfc : 0xfd);
    writer_leb128_u64(out, code & 0xff);
}

/* The types of select, of which several lists may stand one after the other. */
static bool put_select(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    bool is_typed = sexpr_is_list(*at, "result");
    struct func_type type;

    if (sexpr_is_list(*at, "param"))
        return assembler_unexpected(a, *at);
    put_opcode(out, is_typed ? OP_SELECT_TYPED : OP_SELECT);
    if (!is_typed)
        return true;
    if (!take_func_type(a, at, NULL, &type))
        return false;
    writer_leb128_u64(out, type.results.size);
    writer_bytes(out, type.results);
    return true;
}

/* An instruction that is no block, with what follows its name. */
static bool put_plain(struct assembler *a, const struct op *op, const struct sexpr **at,
                      struct writer *out)
{
    a->needs_data_count |= op->code == OP_MEMORY_INIT || op->code == OP_DATA_DROP;
    if (op->code == OP_SELECT)
        return put_select(a, at, out);
    put_opcode(out, op->code);
    return put_immediate(a, op, at, out);
}

/* block, loop or if, with its type: §6.5.1. The label is not in force yet. */
static bool put_block_head(struct assembler *a, const struct op *op, const struct sexpr **at,
                           struct label *label, struct writer *out)
{
    struct type_use use;
    uint32_t index;

    label->outer = a->labels;
    (void)sexpr_take_id(at, &label->id);
    put_opcode(out, op->code);
    if (!take_type_use(a, at, NULL, &use))
        return false;
    if (use.is_inline && use.type.params.size == 0 && use.type.results.size < 2) {
        writer_u8(out, use.type.results.size == 0 ? 0x40 : use.type.results.data[0]);
        return true;
    }
    if (!type_use_index(a, &use, &index))
        return false;
    writer_leb128_s64(out, index);
    return true;
}

static bool instrs(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    while (*at != NULL && !sexpr_is_word(*at, "end") && !sexpr_is_word(*at, "else"))
        if (!instr(a, at, out))
            return false;
    return true;
}

/* Takes end or else, and the label that may be repeated there. */
static bool take_block_word(struct assembler *a, const struct sexpr **at, const char *word,
                            const struct label *label)
{
    struct bytes id;

    if (!sexpr_take_word(at, word))
        return assembler_unexpected(a, *at);
    if (sexpr_take_id(at, &id) && !bytes_equal(id, label->id))
        return assembler_fail(a, "mismatching label");
    return true;
}

/* block … end, loop … end, if … else … end; *at stands behind the first word. */
static bool plain_block(struct assembler *a, const struct op *op, const struct sexpr **at,
                        struct writer *out)
{
    struct label label;

    if (!put_block_head(a, op, at, &label, out))
        return false;
    a->labels = &label;
    bool ok = instrs(a, at, out);
    if (ok && op->code == OP_IF && sexpr_is_word(*at, "else")) {
        put_opcode(out, OP_ELSE);
        ok = take_block_word(a, at, "else", &label) && instrs(a, at, out);
    }
    a->labels = label.outer;
    put_opcode(out, OP_END);
    return ok && take_block_word(a, at, "end", &label);
}

/* What stands before (then …). */
static bool condition(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    for (; *at != NULL && !sexpr_is_list(*at, "then"); *at = (*at)->next) {
        if ((*at)->kind != SEXPR_LIST)
            return assembler_unexpected(a, *at);
        if (!folded(a, (*at)->first, out))
            return false;
    }
    return true;
}

/* (then …) (else …)? */
static bool arms(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    const struct sexpr *arm;

    if (!sexpr_take_list(at, "then", &arm))
        return assembler_unexpected(a, *at);
    if (!instrs(a, &arm, out))
        return false;
    if (arm == NULL && sexpr_take_list(at, "else", &arm)) {
        put_opcode(out, OP_ELSE);
        if (!instrs(a, &arm, out))
            return false;
    }
    return arm == NULL || assembler_unexpected(a, arm);
}

/* (block …), (loop …), (if … condition (then …) (else …)); at stands behind the first word. */
static bool folded_block(struct assembler *a, const struct op *op, const struct sexpr *at,
                         struct writer *out)
{
    struct writer head = assembler_scratch(a);
    struct label label;

    if (!put_block_head(a, op, &at, &label, &head))
        return false;
    if ((op->code == OP_IF && !condition(a, &at, out)) || !assembler_append(a, out, &head))
        return false;
    a->labels = &label;
    bool ok = op->code == OP_IF ? arms(a, &at, out) : instrs(a, &at, out);
    a->labels = label.outer;
    put_opcode(out, OP_END);
    return ok && (at == NULL || assembler_unexpected(a, at));
}

static const struct op *take_op(struct assembler *a, const struct sexpr **at)
{
    const struct sexpr *e = *at;
    const struct op *op = e != NULL && e->kind == SEXPR_WORD ? op_find(e->text) : NULL;

    if (e != NULL)
        a->line = e->line;
    if (op == NULL || op->code == OP_ELSE || op->code == OP_END) {
        (void)assembler_fail(a, "unknown operator");
        return NULL;
    }
    *at = e->next;
    return op;
}

/* (op immediate… operand…): the operands come first in the binary. */
static bool folded(struct assembler *a, const struct sexpr *at, struct writer *out)
{
    struct writer plain = assembler_scratch(a);
    const struct op *op = take_op(a, &at);

    if (op == NULL)
        return false;
    if (op->immediate == IMM_BLOCK)
        return folded_block(a, op, at, out);
    if (!put_plain(a, op, &at, &plain))
        return false;
    for (; at != NULL; at = at->next) {
        if (at->kind != SEXPR_LIST)
            return assembler_unexpected(a, at);
        if (!folded(a, at->first, out))
            return false;
    }
    return assembler_append(a, out, &plain);
}

static bool instr(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    if ((*at)->kind == SEXPR_LIST) {
        const struct sexpr *list = *at;
        *at = list->next;
        a->line = list->line;
        return folded(a, list->first, out);
    }
    const struct op *op = take_op(a, at);
    if (op == NULL)
        return false;
    return op->immediate == IMM_BLOCK ? plain_block(a, op, at, out) : put_plain(a, op, at, out);
}

bool assemble_expression(struct assembler *a, const struct sexpr *at, struct writer *out)
{
    if (!instrs(a, &at, out))
        return false;
    put_opcode(out, OP_END);
    return at == NULL || assembler_unexpected(a, at);
}

bool assemble_folded(struct assembler *a, const struct sexpr *list, struct writer *out)
{
    if (list == NULL || list->kind != SEXPR_LIST)
        return assembler_unexpected(a, list);
    if (!folded(a, list->first, out))
        return false;
    put_opcode(out, OP_END);
    return true;
}
