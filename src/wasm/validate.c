/* Validation of function bodies and constant expressions: WebAssembly Core Specification 2.0, §3.3,
 * by the algorithm of its appendix (§7.3): one pass, a stack of operand types and one of control
 * frames. Linear in the body's size. Input is hostile. */
#include "wasm/module.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* The type of an operand that unreachable code may be taken to have. */
enum { UNKNOWN = 0 };

enum { CONST_DEPTH_MAX = 64 }; /* operands of a constant expression; code.h evaluates on as many */

struct frame {
    uint16_t op; /* block, loop, if, else; OP_nop for the function itself */
    bool unreachable;
    uint32_t height;
    struct wasm_func_type type;
};

struct validator {
    const struct wasm_module *m;
    uint8_t *types; /* the operand stack */
    size_t size, capacity;
    struct frame *frames;
    size_t depth, frame_capacity;
    uint8_t *locals; /* the type of each */
    uint32_t local_count;
    struct err *err;
    struct insn insn; /* the one at hand */
};

bool validator_new(const struct wasm_module *m, struct validator **out, struct err *err)
{
    struct validator *v = calloc(1, sizeof *v);

    if (v != NULL) {
        v->m = m;
        v->capacity = 1024;
        v->frame_capacity = 64;
        v->types = malloc(v->capacity);
        v->frames = malloc(v->frame_capacity * sizeof *v->frames);
        v->locals = malloc(WASM_LOCALS_MAX);
    }
    if (v == NULL || v->types == NULL || v->frames == NULL || v->locals == NULL) {
        validator_free(v);
        return err_set(err, ERR_MEMORY, "no memory for validation", ERR_NO_AT);
    }
    *out = v;
    return true;
}

void validator_free(struct validator *v)
{
    if (v == NULL)
        return;
    free(v->types);
    free(v->frames);
    free(v->locals);
    free(v);
}

static bool invalid(struct validator *v, const char *msg)
{
    return err_set(v->err, ERR_INVALID, msg, v->insn.at);
}

static bool mismatch(struct validator *v)
{
    return invalid(v, "type mismatch, at offset");
}

static struct frame *top(struct validator *v)
{
    return &v->frames[v->depth - 1];
}

/* Room for `count` more operands. */
static bool reserve(struct validator *v, size_t count)
{
    if (LIKELY(v->capacity - v->size >= count))
        return true;
    if (v->size + count > WASM_OPERANDS_MAX)
        return err_set(v->err, ERR_LIMIT, "too many operands on the stack:", v->size + count);
    size_t capacity = v->capacity * 2 + count;
    assert(capacity > v->size); /* no overflow: both are small */
    uint8_t *types = realloc(v->types, capacity);
    if (types == NULL)
        return err_set(v->err, ERR_MEMORY, "no memory for validation", ERR_NO_AT);
    v->types = types;
    v->capacity = capacity;
    return true;
}

static bool push(struct validator *v, uint8_t type)
{
    if (!reserve(v, 1))
        return false;
    v->types[v->size++] = type;
    return true;
}

static bool push_all(struct validator *v, const uint8_t *types, uint32_t count)
{
    if (!reserve(v, count))
        return false;
    if (count != 0)
        memcpy(v->types + v->size, types, count);
    v->size += count;
    return true;
}

static bool pop_any(struct validator *v, uint8_t *type)
{
    if (UNLIKELY(v->size == top(v)->height)) {
        *type = UNKNOWN;
        return top(v)->unreachable || mismatch(v);
    }
    *type = v->types[--v->size];
    return true;
}

static bool pop(struct validator *v, uint8_t expected)
{
    uint8_t type;

    if (!pop_any(v, &type))
        return false;
    return LIKELY(type == expected) || type == UNKNOWN || mismatch(v);
}

static bool pop_all(struct validator *v, const uint8_t *types, uint32_t count)
{
    while (count-- > 0) {
        if (!pop(v, types[count]))
            return false;
    }
    return true;
}

static void set_unreachable(struct validator *v)
{
    v->size = top(v)->height;
    top(v)->unreachable = true;
}

/* The one type of a vector of one: for block types and constant expressions. */
static const uint8_t *single_type(uint8_t type)
{
    static const uint8_t types[256] = {
        [WASM_I32] = WASM_I32,
        [WASM_I64] = WASM_I64,
        [WASM_F32] = WASM_F32,
        [WASM_F64] = WASM_F64,
        [WASM_V128] = WASM_V128,
        [WASM_FUNCREF] = WASM_FUNCREF,
        [WASM_EXTERNREF] = WASM_EXTERNREF,
    };

    return &types[type];
}

bool block_type_of(const struct wasm_module *m, int64_t block_type, struct wasm_func_type *out)
{
    *out = (struct wasm_func_type){.params = NULL};
    if (block_type >= 0) {
        if ((uint64_t)block_type >= m->type_count)
            return false;
        *out = m->types[block_type];
        return true;
    }
    uint8_t type = (uint8_t)(block_type & 0x7f);
    if (block_type == -64) /* 0x40: empty */
        return true;
    out->results = single_type(type);
    out->result_count = 1;
    return block_type > -64 && is_value_type(type);
}

static bool push_frame(struct validator *v, uint16_t op, const struct wasm_func_type *type)
{
    if (v->depth == WASM_NESTING_MAX)
        return err_set(v->err, ERR_LIMIT, "blocks nest too deep:", v->depth);
    if (v->depth == v->frame_capacity) {
        size_t capacity = v->frame_capacity * 2 + 1;
        struct frame *frames = realloc(v->frames, capacity * sizeof *frames);
        if (frames == NULL)
            return err_set(v->err, ERR_MEMORY, "no memory for validation", ERR_NO_AT);
        v->frames = frames;
        v->frame_capacity = capacity;
    }
    v->frames[v->depth++] = (struct frame){.op = op, .height = (uint32_t)v->size, .type = *type};
    return true;
}

/* The types that a branch to a frame carries. */
static void label_types(struct frame *f, const uint8_t **types, uint32_t *count)
{
    *types = f->op == OP_loop ? f->type.params : f->type.results;
    *count = f->op == OP_loop ? f->type.param_count : f->type.result_count;
}

static bool find_label(struct validator *v, uint32_t label, struct frame **out)
{
    if (label >= v->depth)
        return invalid(v, "unknown label, at offset");
    *out = &v->frames[v->depth - 1 - label];
    return true;
}

static bool check_block(struct validator *v)
{
    struct wasm_func_type type;

    if (v->insn.op == OP_if && !pop(v, WASM_I32))
        return false;
    if (!block_type_of(v->m, v->insn.block_type, &type)) {
        if (v->insn.block_type >= 0)
            return invalid(v, "unknown type, at offset");
        return err_set(v->err, ERR_FORMAT, "malformed block type, at offset", v->insn.at + 1);
    }
    return pop_all(v, type.params, type.param_count) && push_frame(v, v->insn.op, &type) &&
           push_all(v, type.params, type.param_count);
}

/* Leaves a frame: its results must be there and nothing else. */
static bool pop_frame(struct validator *v, struct frame *out)
{
    struct frame *f = top(v);

    if (!pop_all(v, f->type.results, f->type.result_count))
        return false;
    if (v->size != f->height)
        return mismatch(v);
    *out = *f;
    v->depth--;
    return true;
}

static bool check_else(struct validator *v)
{
    struct frame f;

    if (top(v)->op != OP_if)
        return err_set(v->err, ERR_FORMAT, "else without if, at offset", v->insn.at);
    return pop_frame(v, &f) && push_frame(v, OP_else, &f.type) &&
           push_all(v, f.type.params, f.type.param_count);
}

static bool check_end(struct validator *v)
{
    struct frame f;

    if (!pop_frame(v, &f))
        return false;
    /* an if without else must leave the stack as it is: its params are its results */
    if (f.op == OP_if && !bytes_equal(bytes_from(f.type.params, f.type.param_count),
                                      bytes_from(f.type.results, f.type.result_count)))
        return mismatch(v);
    return v->depth == 0 || push_all(v, f.type.results, f.type.result_count);
}

static bool check_branch(struct validator *v)
{
    const uint8_t *types;
    uint32_t count;
    struct frame *f;

    if (v->insn.op == OP_br_if && !pop(v, WASM_I32))
        return false;
    if (!find_label(v, v->insn.a, &f))
        return false;
    label_types(f, &types, &count);
    if (!pop_all(v, types, count))
        return false;
    if (v->insn.op == OP_br_if)
        return push_all(v, types, count);
    set_unreachable(v);
    return true;
}

/* Looks at the operands of one label and leaves them there. In unreachable code each label may take
 * the missing ones for what it likes. */
static bool check_label_operands(struct validator *v, const uint8_t *types, uint32_t count)
{
    struct frame *f = top(v);

    for (uint32_t i = 0; i < count; i++) {
        if (v->size - f->height <= i)
            return f->unreachable || mismatch(v);
        uint8_t type = v->types[v->size - 1 - i];
        if (type != types[count - 1 - i] && type != UNKNOWN)
            return mismatch(v);
    }
    return true;
}

static bool check_br_table(struct validator *v, struct reader *r)
{
    uint32_t count = v->insn.a, arity = 0;

    if (count > WASM_BR_TABLE_MAX)
        return err_set(v->err, ERR_LIMIT, "br_table has too many labels:", count);
    if (!pop(v, WASM_I32))
        return false;
    for (uint32_t i = 0; i <= count; i++) {
        const uint8_t *types;
        uint32_t label, label_arity;
        struct frame *f;
        if (!read_u32(r, &label, v->err) || !find_label(v, label, &f))
            return false;
        label_types(f, &types, &label_arity);
        if (i != 0 && label_arity != arity)
            return mismatch(v);
        arity = label_arity;
        if (!check_label_operands(v, types, arity))
            return false;
    }
    set_unreachable(v);
    return true;
}

static bool check_call_type(struct validator *v, const struct wasm_func_type *type, bool is_tail)
{
    if (!pop_all(v, type->params, type->param_count))
        return false;
    if (!is_tail)
        return push_all(v, type->results, type->result_count);
    const struct wasm_func_type *own = &v->frames[0].type;
    if (!bytes_equal(bytes_from(type->results, type->result_count),
                     bytes_from(own->results, own->result_count)))
        return mismatch(v);
    set_unreachable(v);
    return true;
}

static bool check_call(struct validator *v)
{
    if (v->insn.a >= v->m->func_count)
        return invalid(v, "unknown function, at offset");
    return check_call_type(v, func_type_of(v->m, v->insn.a), v->insn.op == OP_return_call);
}

static bool find_table(struct validator *v, uint32_t index, uint8_t *type)
{
    if (index >= v->m->table_count)
        return invalid(v, "unknown table, at offset");
    *type = v->m->tables[index].type;
    return true;
}

static bool check_call_indirect(struct validator *v)
{
    uint8_t type;

    if (!find_table(v, v->insn.b, &type))
        return false;
    if (type != WASM_FUNCREF)
        return mismatch(v);
    if (v->insn.a >= v->m->type_count)
        return invalid(v, "unknown type, at offset");
    return pop(v, WASM_I32) &&
           check_call_type(v, &v->m->types[v->insn.a], v->insn.op == OP_return_call_indirect);
}

static bool check_return(struct validator *v)
{
    const struct wasm_func_type *own = &v->frames[0].type;

    if (!pop_all(v, own->results, own->result_count))
        return false;
    set_unreachable(v);
    return true;
}

static bool check_select(struct validator *v)
{
    uint8_t a, b;

    if (!pop(v, WASM_I32))
        return false;
    if (v->insn.op == OP_select_t) {
        if (v->insn.a != 1)
            return invalid(v, "invalid result arity, at offset");
        uint8_t type = v->insn.bytes[0];
        if (!is_value_type(type))
            return err_set(v->err, ERR_FORMAT, "malformed value type, at offset", v->insn.at + 2);
        return pop(v, type) && pop(v, type) && push(v, type);
    }
    if (!pop_any(v, &a) || !pop_any(v, &b))
        return false;
    if (is_reference_type(a) || is_reference_type(b))
        return mismatch(v);
    if (a != b && a != UNKNOWN && b != UNKNOWN)
        return mismatch(v);
    return push(v, a != UNKNOWN ? a : b);
}

static bool check_local(struct validator *v)
{
    if (v->insn.a >= v->local_count)
        return invalid(v, "unknown local, at offset");
    uint8_t type = v->locals[v->insn.a];
    if (v->insn.op == OP_local_get)
        return push(v, type);
    return pop(v, type) && (v->insn.op == OP_local_set || push(v, type));
}

static bool check_global(struct validator *v)
{
    if (v->insn.a >= v->m->global_count)
        return invalid(v, "unknown global, at offset");
    const struct global *g = &v->m->globals[v->insn.a];
    if (v->insn.op == OP_global_get)
        return push(v, g->type);
    return g->is_mutable ? pop(v, g->type) : invalid(v, "global is immutable, at offset");
}

static bool find_memory(struct validator *v, uint32_t index)
{
    return index < v->m->memory_count || invalid(v, "unknown memory, at offset");
}

static bool find_data(struct validator *v)
{
    if (!v->m->has_data_count)
        return err_set(v->err, ERR_FORMAT, "data count section required, at offset", v->insn.at);
    return v->insn.a < v->m->data_count || invalid(v, "unknown data segment, at offset");
}

static bool find_elem(struct validator *v)
{
    return v->insn.a < v->m->elem_count || invalid(v, "unknown elem segment, at offset");
}

static bool pop_three_i32(struct validator *v)
{
    return pop(v, WASM_I32) && pop(v, WASM_I32) && pop(v, WASM_I32);
}

static bool check_table(struct validator *v)
{
    uint8_t type, other;

    switch (v->insn.op) {
    case OP_table_get:
        return find_table(v, v->insn.a, &type) && pop(v, WASM_I32) && push(v, type);
    case OP_table_set:
        return find_table(v, v->insn.a, &type) && pop(v, type) && pop(v, WASM_I32);
    case OP_table_size:
        return find_table(v, v->insn.a, &type) && push(v, WASM_I32);
    case OP_table_grow:
        return find_table(v, v->insn.a, &type) && pop(v, WASM_I32) && pop(v, type) &&
               push(v, WASM_I32);
    case OP_table_fill:
        return find_table(v, v->insn.a, &type) && pop(v, WASM_I32) && pop(v, type) &&
               pop(v, WASM_I32);
    case OP_table_copy:
        if (!find_table(v, v->insn.a, &type) || !find_table(v, v->insn.b, &other))
            return false;
        return type == other ? pop_three_i32(v) : mismatch(v);
    default: /* table.init: segment a into table b */
        if (!find_table(v, v->insn.b, &type) || !find_elem(v))
            return false;
        return type == v->m->elems[v->insn.a].type ? pop_three_i32(v) : mismatch(v);
    }
}

static bool check_bulk_memory(struct validator *v)
{
    switch (v->insn.op) {
    case OP_memory_size:
        return find_memory(v, v->insn.a) && push(v, WASM_I32);
    case OP_memory_grow:
        return find_memory(v, v->insn.a) && pop(v, WASM_I32) && push(v, WASM_I32);
    case OP_memory_fill:
        return find_memory(v, v->insn.a) && pop_three_i32(v);
    case OP_memory_copy:
        return find_memory(v, v->insn.a) && find_memory(v, v->insn.b) && pop_three_i32(v);
    case OP_memory_init:
        return find_data(v) && find_memory(v, v->insn.b) && pop_three_i32(v);
    default:
        return find_data(v); /* data.drop */
    }
}

static bool check_reference(struct validator *v)
{
    uint8_t type;

    switch (v->insn.op) {
    case OP_ref_null:
        if (!is_reference_type((uint8_t)v->insn.a))
            return err_set(v->err, ERR_FORMAT, "malformed reference type, at offset",
                           v->insn.at + 1);
        return push(v, (uint8_t)v->insn.a);
    case OP_ref_is_null:
        if (!pop_any(v, &type))
            return false;
        if (type != UNKNOWN && !is_reference_type(type))
            return mismatch(v);
        return push(v, WASM_I32);
    default: /* ref.func */
        if (v->insn.a >= v->m->func_count)
            return invalid(v, "unknown function, at offset");
        if (!func_is_declared(v->m, v->insn.a))
            return invalid(v, "undeclared function reference, at offset");
        return push(v, WASM_FUNCREF);
    }
}

/* Everything whose shape says it all: numbers, memory, vectors. */
static bool check_simple(struct validator *v, const struct op_shape *shape)
{
    if (shape->immediate >= IMM_MEMARG) {
        if (shape->immediate != IMM_LANE) {
            if (!find_memory(v, v->insn.a))
                return false;
            if (v->insn.align > shape->log2_size)
                return invalid(v, "alignment must not be larger than natural, at offset");
        }
        if (shape->immediate != IMM_MEMARG && v->insn.lane >= shape->lanes)
            return invalid(v, "invalid lane index, at offset");
    }
    for (unsigned i = shape->operand_count; i-- > 0;) {
        if (!pop(v, shape->operands[i]))
            return false;
    }
    return shape->result == 0 || push(v, shape->result);
}

static bool check_shuffle(struct validator *v)
{
    for (unsigned i = 0; i < 16; i++) {
        if (v->insn.bytes[i] >= 32)
            return invalid(v, "invalid lane index, at offset");
    }
    return pop(v, WASM_V128) && pop(v, WASM_V128) && push(v, WASM_V128);
}

static bool check(struct validator *v, struct reader *r)
{
    const struct op_shape *shape = &op_shapes[v->insn.op];

    if (LIKELY(shape->is_simple))
        return check_simple(v, shape);
    switch (v->insn.op) {
    case OP_local_get:
    case OP_local_set:
    case OP_local_tee:
        return check_local(v);
    case OP_i32_const:
        return push(v, WASM_I32);
    case OP_i64_const:
        return push(v, WASM_I64);
    case OP_f32_const:
        return push(v, WASM_F32);
    case OP_f64_const:
        return push(v, WASM_F64);
    case OP_v128_const:
        return push(v, WASM_V128);
    case OP_nop:
        return true;
    case OP_unreachable:
        set_unreachable(v);
        return true;
    case OP_block:
    case OP_loop:
    case OP_if:
        return check_block(v);
    case OP_else:
        return check_else(v);
    case OP_end:
        return check_end(v);
    case OP_br:
    case OP_br_if:
        return check_branch(v);
    case OP_br_table:
        return check_br_table(v, r);
    case OP_return:
        return check_return(v);
    case OP_call:
    case OP_return_call:
        return check_call(v);
    case OP_call_indirect:
    case OP_return_call_indirect:
        return check_call_indirect(v);
    case OP_drop: {
        uint8_t ignored;
        return pop_any(v, &ignored);
    }
    case OP_select:
    case OP_select_t:
        return check_select(v);
    case OP_global_get:
    case OP_global_set:
        return check_global(v);
    case OP_ref_null:
    case OP_ref_is_null:
    case OP_ref_func:
        return check_reference(v);
    case OP_elem_drop:
        return find_elem(v);
    case OP_i8x16_shuffle:
        return check_shuffle(v);
    case OP_memory_size:
    case OP_memory_grow:
    case OP_memory_fill:
    case OP_memory_copy:
    case OP_memory_init:
    case OP_data_drop:
        return check_bulk_memory(v);
    default:
        return check_table(v);
    }
}

/* The bytes of a LEB128 integer at p, when there are at most four, so that no bit is unused; else
 * 0. Four bytes must be readable. */
static size_t short_leb128(const uint8_t *p)
{
    return p[0] < 0x80 ? 1 : p[1] < 0x80 ? 2 : p[2] < 0x80 ? 3 : p[3] < 0x80 ? 4 : 0;
}

/* Checks as many as it can of the instructions that make up most of a body: locals, constants,
 * numbers, loads and stores, in short encodings. Stops before any other, and before any that is
 * wrong: those go the general way, which alone says what is wrong. */
static void check_common(struct validator *v, struct reader *r)
{
    enum { LONGEST = 10 }; /* bytes: opcode, alignment, four bytes of offset, and to spare */
    const uint8_t *p = r->in.data + r->at, *end = r->in.data + r->in.size;
    const uint8_t *locals = v->locals;
    uint8_t *floor = v->types + top(v)->height, *at = v->types + v->size;
    const uint8_t *ceiling = v->types + v->capacity;

    while (end - p >= LONGEST && at < ceiling) {
        const struct op_shape *shape = &op_shapes[p[0]];
        size_t size = 1;
        if (shape->is_simple) {
            if (shape->immediate == IMM_MEMARG) {
                size_t offset = short_leb128(p + 2);
                if (p[1] > shape->log2_size || offset == 0 || v->m->memory_count == 0)
                    break;
                size = 2 + offset;
            } else if (shape->immediate != IMM_NONE) {
                break;
            }
            unsigned count = shape->operand_count;
            if (at - floor < count || count > 2 || at[-1] != shape->operands[count - 1] ||
                at[-(int)count] != shape->operands[0])
                break;
            at -= count;
            *at = shape->result;
            at += shape->result != 0;
        } else if (p[0] >= OP_local_get && p[0] <= OP_local_tee) {
            size_t index_size = short_leb128(p + 1);
            if (index_size == 0 || index_size > 2)
                break;
            uint32_t local = index_size == 1 ? p[1] : (p[1] & 0x7f) | (uint32_t)p[2] << 7;
            if (local >= v->local_count)
                break;
            if (p[0] == OP_local_get)
                *at++ = locals[local];
            else if (at == floor || at[-1] != locals[local])
                break;
            else
                at -= p[0] == OP_local_set;
            size = 1 + index_size;
        } else if (p[0] == OP_i32_const) {
            size_t value = short_leb128(p + 1);
            if (value == 0)
                break;
            *at++ = WASM_I32;
            size = 1 + value;
        } else {
            break;
        }
        p += size;
    }
    r->at = (size_t)(p - r->in.data);
    v->size = (size_t)(at - v->types);
}

/* §5.5.13: groups of locals of one type. */
static bool read_locals(struct validator *v, const struct wasm_func_type *type, struct reader *r)
{
    uint32_t groups;
    uint64_t total = type->param_count;

    v->insn.at = r->at;
    if (type->param_count != 0)
        memcpy(v->locals, type->params, type->param_count);
    if (!read_u32(r, &groups, v->err))
        return false;
    for (uint32_t i = 0; i < groups; i++) {
        uint32_t count;
        uint8_t local;
        size_t at = r->at;
        if (!read_u32(r, &count, v->err))
            return false;
        if (!reader_u8(r, &local))
            return err_set(v->err, ERR_FORMAT, "unexpected end, at offset", r->in.size);
        if (!is_value_type(local))
            return err_set(v->err, ERR_FORMAT, "malformed value type, at offset", r->at - 1);
        total += count;
        if (total > UINT32_MAX)
            return err_set(v->err, ERR_FORMAT, "too many locals, at offset", at);
        if (total <= WASM_LOCALS_MAX)
            memset(v->locals + total - count, local, count);
    }
    if (total > WASM_LOCALS_MAX)
        return err_set(v->err, ERR_LIMIT, "too many locals:", total);
    v->local_count = (uint32_t)total;
    uint64_t slots = total;
    for (uint32_t i = 0; i < total; i++)
        slots += v->locals[i] == WASM_V128;
    return slots <= WASM_LOCALS_MAX || err_set(v->err, ERR_LIMIT, "too many locals:", slots);
}

bool validate_body(struct validator *v, uint32_t func, struct reader *body, struct err *err)
{
    const struct wasm_func_type *type = func_type_of(v->m, func);

    v->err = err;
    v->size = v->depth = 0;
    if (!read_locals(v, type, body) || !push_frame(v, OP_nop, type))
        return false;
    while (v->depth != 0) {
        check_common(v, body);
        if (!insn_read(body, &v->insn, err))
            return false;
        if (UNLIKELY(!check(v, body)))
            return false;
    }
    return reader_at_end(body) ||
           err_set(err, ERR_FORMAT, "bytes follow the end of the function body, at offset",
                   body->at);
}

static bool check_const(struct validator *v)
{
    switch (v->insn.op) {
    case OP_i32_const:
        return push(v, WASM_I32);
    case OP_i64_const:
        return push(v, WASM_I64);
    case OP_f32_const:
        return push(v, WASM_F32);
    case OP_f64_const:
        return push(v, WASM_F64);
    case OP_v128_const:
        return push(v, WASM_V128);
    case OP_i32_add:
    case OP_i32_sub:
    case OP_i32_mul:
    case OP_i64_add:
    case OP_i64_sub:
    case OP_i64_mul:
        return check_simple(v, &op_shapes[v->insn.op]);
    case OP_end:
        return check_end(v);
    case OP_ref_null:
        return check_reference(v);
    case OP_ref_func:
        if (v->insn.a >= v->m->func_count)
            return invalid(v, "unknown function, at offset");
        v->m->is_declared[v->insn.a / 8] |= (uint8_t)(1u << v->insn.a % 8);
        return push(v, WASM_FUNCREF);
    case OP_global_get:
        if (v->insn.a >= v->m->global_import_count)
            return invalid(v, "unknown global, at offset");
        if (v->m->globals[v->insn.a].is_mutable)
            return invalid(v, "constant expression required, at offset");
        return push(v, v->m->globals[v->insn.a].type);
    default:
        return invalid(v, "constant expression required, at offset");
    }
}

bool validate_const_expr(struct validator *v, struct reader *r, uint8_t type,
                         struct const_expr *out, struct err *err)
{
    struct wasm_func_type yields = {.results = single_type(type), .result_count = 1};

    v->err = err;
    v->size = v->depth = 0;
    out->at = (uint32_t)r->at;
    if (!push_frame(v, OP_nop, &yields))
        return false;
    while (v->depth != 0) {
        if (!insn_read(r, &v->insn, err) || !check_const(v))
            return false;
        if (v->size > CONST_DEPTH_MAX)
            return err_set(err, ERR_LIMIT, "constant expression too deep, at offset", v->insn.at);
    }
    out->end = (uint32_t)r->at;
    return true;
}
