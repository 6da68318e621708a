/* Element and data segments of the text format: WebAssembly Core Specification 2.0, §6.6.5 and
 * §6.6.6. Their binary forms are §5.5.12 and §5.5.14. */
#include "assembler.h"

#include "wasm/wasm.h"
#include "base/banned.h"

/* Bits of an element segment's first number. */
enum {
    ELEM_ACTIVE = 0,
    ELEM_PASSIVE = 1,
    ELEM_DECLARED = 3,
    ELEM_KIND_MASK = 3,
    ELEM_EXPLICIT_TABLE = 2, /* of an active one */
    ELEM_EXPRESSIONS = 4,
};

enum {
    DATA_ACTIVE = 0,
    DATA_PASSIVE = 1,
    DATA_EXPLICIT_MEMORY = 2,
};

struct elem {
    unsigned flags;
    uint32_t table;
    struct writer offset;
    uint8_t type;
    uint32_t count;
    struct writer items;
};

static bool put_elem(struct assembler *a, struct elem *e)
{
    struct writer *out = assembler_item(a, SECTION_ELEM);
    bool is_active = (e->flags & ELEM_KIND_MASK) == ELEM_ACTIVE;
    bool has_expressions = (e->flags & ELEM_EXPRESSIONS) != 0;

    if (is_active && (e->table != 0 || (has_expressions && e->type != WASM_FUNCREF)))
        e->flags |= ELEM_EXPLICIT_TABLE;
    writer_leb128_u64(out, e->flags);
    if (is_active && (e->flags & ELEM_EXPLICIT_TABLE) != 0)
        writer_leb128_u64(out, e->table);
    if (is_active && !assembler_append(a, out, &e->offset))
        return false;
    if ((e->flags & ELEM_KIND_MASK) != 0)
        writer_u8(out, has_expressions ? e->type : 0x00); /* 0x00 is elemkind's only value */
    writer_leb128_u64(out, e->count);
    return assembler_append(a, out, &e->items);
}

/* (keyword instr*), or one folded instruction. */
static bool take_expression(struct assembler *a, const struct sexpr **at, const char *keyword,
                            struct writer *out)
{
    const struct sexpr *list = *at, *body;

    if (sexpr_take_list(at, keyword, &body))
        return assemble_expression(a, body, out);
    if (!assemble_folded(a, list, out))
        return false;
    *at = list->next;
    return true;
}

static bool func_items(struct assembler *a, const struct sexpr *at, struct elem *e)
{
    uint32_t index;

    for (; at != NULL; e->count++) {
        if (!take_index(a, &at, &a->spaces[SPACE_FUNC], &index))
            return false;
        writer_leb128_u64(&e->items, index);
    }
    return true;
}

static bool expression_items(struct assembler *a, const struct sexpr *at, struct elem *e)
{
    e->flags |= ELEM_EXPRESSIONS;
    for (; at != NULL; e->count++)
        if (!take_expression(a, &at, "item", &e->items))
            return false;
    return true;
}

/* (keyword x), or in older scripts x alone. *is_there: one of them is, or else *out is 0. */
static bool take_target(struct assembler *a, const struct sexpr **at, const char *keyword,
                        enum space_kind kind, bool *is_there, uint32_t *out)
{
    const struct sexpr *use;

    *out = 0;
    *is_there = true;
    if (sexpr_take_list(at, keyword, &use))
        return take_index(a, &use, &a->spaces[kind], out) &&
               (use == NULL || assembler_unexpected(a, use));
    *is_there = is_index(*at);
    return !*is_there || take_index(a, at, &a->spaces[kind], out);
}

bool assemble_elem(struct assembler *a, const struct sexpr *at)
{
    struct elem e = {.offset = assembler_scratch(a), .items = assembler_scratch(a)};
    bool has_table;

    if (!take_target(a, &at, "table", SPACE_TABLE, &has_table, &e.table))
        return false;
    if (has_table || (at != NULL && at->kind == SEXPR_LIST)) {
        if (!take_expression(a, &at, "offset", &e.offset))
            return false;
    } else {
        e.flags = sexpr_take_word(&at, "declare") ? ELEM_DECLARED : ELEM_PASSIVE;
    }
    if (is_ref_type(at)) {
        if (!take_ref_type(a, &at, &e.type) || !expression_items(a, at, &e))
            return false;
    } else {
        /* Active segments of functions may go without "func", as they did when there was nothing
         * else. */
        bool may_omit = e.flags == ELEM_ACTIVE;
        if (!sexpr_take_word(&at, "func") && !may_omit)
            return assembler_unexpected(a, at);
        if (!func_items(a, at, &e))
            return false;
    }
    return put_elem(a, &e);
}

/* Where segments within a table or memory begin. */
static void put_zero_offset(struct writer *out)
{
    writer_bytes(out, bytes_from("\x41\x00\x0b", 3)); /* i32.const 0, end */
}

bool assemble_inline_elem(struct assembler *a, const struct sexpr *items, uint32_t table,
                          uint8_t type, uint32_t *count)
{
    struct elem e = {.table = table,
                     .type = type,
                     .offset = assembler_scratch(a),
                     .items = assembler_scratch(a)};

    put_zero_offset(&e.offset);
    if (!(is_index(items) ? func_items : expression_items)(a, items, &e) || !put_elem(a, &e))
        return false;
    *count = e.count;
    return true;
}

/* Strings, one after the other, with their size before them. */
static bool put_strings(struct assembler *a, const struct sexpr *at, struct writer *out,
                        uint64_t *size)
{
    struct writer contents = assembler_scratch(a);
    struct bytes string;

    while (sexpr_take_string(&at, &string))
        writer_bytes(&contents, string);
    *size = contents.size;
    return (at == NULL || assembler_unexpected(a, at)) && assembler_append_sized(a, out, &contents);
}

static void put_data_target(struct writer *out, uint32_t memory)
{
    writer_leb128_u64(out, memory != 0 ? DATA_EXPLICIT_MEMORY : DATA_ACTIVE);
    if (memory != 0)
        writer_leb128_u64(out, memory);
}

bool assemble_data(struct assembler *a, const struct sexpr *at)
{
    struct writer *out = assembler_item(a, SECTION_DATA);
    uint32_t memory;
    uint64_t size;
    bool has_memory;

    if (!take_target(a, &at, "memory", SPACE_MEMORY, &has_memory, &memory))
        return false;
    if (has_memory || (at != NULL && at->kind == SEXPR_LIST)) {
        put_data_target(out, memory);
        if (!take_expression(a, &at, "offset", out))
            return false;
    } else {
        writer_u8(out, DATA_PASSIVE);
    }
    return put_strings(a, at, out, &size);
}

bool assemble_inline_data(struct assembler *a, const struct sexpr *strings, uint32_t memory,
                          uint64_t *size)
{
    struct writer *out = assembler_item(a, SECTION_DATA);

    put_data_target(out, memory);
    put_zero_offset(out);
    return put_strings(a, strings, out, size);
}
