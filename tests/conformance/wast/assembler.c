/* Names, indices and types of the text format. */
#include "assembler.h"

#include "number.h"
#include "wasm/wasm.h"
#include "base/banned.h"

bool assembler_fail(struct assembler *a, const char *why)
{
    return text_error_set(a->error, a->line, 0, "%s", why);
}

bool assembler_unexpected(struct assembler *a, const struct sexpr *at)
{
    if (at != NULL)
        a->line = at->line;
    return assembler_fail(a, "unexpected token");
}

struct writer assembler_scratch(struct assembler *a)
{
    return writer_growable(a->arena, SIZE_MAX);
}

bool assembler_append(struct assembler *a, struct writer *out, const struct writer *from)
{
    struct bytes written;
    struct err err;

    if (!writer_done(from, &written, &err))
        return assembler_fail(a, err.msg);
    writer_bytes(out, written);
    return true;
}

bool assembler_append_sized(struct assembler *a, struct writer *out, const struct writer *from)
{
    writer_leb128_u64(out, from->size);
    return assembler_append(a, out, from);
}

struct writer *assembler_item(struct assembler *a, enum section_id id)
{
    a->sections[id].count++;
    return &a->sections[id].items;
}

/* ---- names and numbers ---- */

struct name {
    struct bytes id;
    uint32_t index;
    struct name *next;
};

static const struct name *find(const struct space *space, struct bytes id)
{
    const struct name *name = space->names;

    while (name != NULL && !bytes_equal(name->id, id))
        name = name->next;
    return name;
}

bool space_add(struct assembler *a, struct space *space, struct bytes id)
{
    uint32_t index = space->count++;

    if (id.size == 0)
        return true;
    if (find(space, id) != NULL)
        return text_error_set(a->error, a->line, 0, "duplicate %s", space->what);
    struct name *name = ARENA_NEW(a->arena, struct name);
    if (name == NULL)
        return assembler_fail(a, "no memory");
    *name = (struct name){.id = id, .index = index, .next = space->names};
    space->names = name;
    return true;
}

bool is_index(const struct sexpr *e)
{
    return sexpr_is_id(e) ||
           (e != NULL && e->kind == SEXPR_WORD && e->text.data[0] >= '0' && e->text.data[0] <= '9');
}

bool take_u32(struct assembler *a, const struct sexpr **at, uint32_t *out)
{
    uint64_t value;
    struct err err;

    if (*at == NULL || (*at)->kind != SEXPR_WORD)
        return assembler_unexpected(a, *at);
    if (!number_unsigned((*at)->text, 32, &value, &err))
        return assembler_fail(a, err.msg);
    *out = (uint32_t)value;
    *at = (*at)->next;
    return true;
}

bool take_index(struct assembler *a, const struct sexpr **at, const struct space *space,
                uint32_t *out)
{
    struct bytes id;

    if (!sexpr_take_id(at, &id))
        return take_u32(a, at, out);
    const struct name *name = find(space, id);
    if (name == NULL)
        return text_error_set(a->error, a->line, 0, "unknown %s %.*s", space->what, (int)id.size,
                              (const char *)id.data);
    *out = name->index;
    return true;
}

bool take_name(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    struct bytes name;

    if (!sexpr_take_string(at, &name))
        return assembler_unexpected(a, *at);
    if (!utf8_is_valid(name))
        return assembler_fail(a, "malformed UTF-8 encoding");
    writer_leb128_u64(out, name.size);
    writer_bytes(out, name);
    return true;
}

/* ---- types ---- */

static bool value_type(const struct sexpr *e, uint8_t *out)
{
    static const enum wasm_type types[] = {WASM_I32,  WASM_I64,     WASM_F32,      WASM_F64,
                                           WASM_V128, WASM_FUNCREF, WASM_EXTERNREF};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (sexpr_is_word(e, wasm_type_name(types[i]))) {
            *out = (uint8_t)types[i];
            return true;
        }
    }
    return false;
}

bool is_ref_type(const struct sexpr *e)
{
    uint8_t type;
    return value_type(e, &type) && (type == WASM_FUNCREF || type == WASM_EXTERNREF);
}

bool take_value_type(struct assembler *a, const struct sexpr **at, uint8_t *out)
{
    if (*at == NULL || !value_type(*at, out))
        return assembler_unexpected(a, *at);
    *at = (*at)->next;
    return true;
}

bool take_ref_type(struct assembler *a, const struct sexpr **at, uint8_t *out)
{
    if (!is_ref_type(*at))
        return assembler_unexpected(a, *at);
    return take_value_type(a, at, out);
}

/* What is in (param …) or (result …): one type with a name, or any number without. */
static bool take_types(struct assembler *a, const struct sexpr *at, struct space *names,
                       struct writer *out)
{
    struct bytes id = {0};
    uint8_t type = 0;
    bool has_id = names != NULL && sexpr_take_id(&at, &id);

    while (at != NULL || has_id) {
        if (!take_value_type(a, &at, &type))
            return false;
        writer_u8(out, type);
        if (names != NULL && !space_add(a, names, id))
            return false;
        if (has_id)
            return at == NULL || assembler_unexpected(a, at);
    }
    return true;
}

bool take_func_type(struct assembler *a, const struct sexpr **at, struct space *params,
                    struct func_type *out)
{
    struct writer param_types = assembler_scratch(a), result_types = assembler_scratch(a);
    const struct sexpr *list;
    struct err err;

    *out = (struct func_type){0};
    while (sexpr_take_list(at, "param", &list))
        if (!take_types(a, list, params, &param_types))
            return false;
    while (sexpr_take_list(at, "result", &list))
        if (!take_types(a, list, NULL, &result_types))
            return false;
    return (writer_done(&param_types, &out->params, &err) &&
            writer_done(&result_types, &out->results, &err)) ||
           assembler_fail(a, err.msg);
}

static bool same_type(const struct func_type *x, const struct func_type *y)
{
    return bytes_equal(x->params, y->params) && bytes_equal(x->results, y->results);
}

bool take_type_use(struct assembler *a, const struct sexpr **at, struct space *params,
                   struct type_use *out)
{
    const struct sexpr *list;
    const struct func_type *type = a->types;

    *out = (struct type_use){.is_inline = !sexpr_take_list(at, "type", &list)};
    if (!out->is_inline) {
        if (!take_index(a, &list, &a->spaces[SPACE_TYPE], &out->index))
            return false;
        if (list != NULL)
            return assembler_unexpected(a, list);
    }
    if (!take_func_type(a, at, params, &out->type))
        return false;
    if (out->is_inline)
        return true;
    for (uint32_t i = 0; type != NULL && i < out->index; i++)
        type = type->next;
    if (out->type.params.size + out->type.results.size != 0) {
        if (type == NULL)
            return assembler_fail(a, "unknown type");
        return same_type(type, &out->type) || assembler_fail(a, "inline function type");
    }
    if (type != NULL) {
        out->type = *type;
        if (params != NULL)
            params->count += (uint32_t)type->params.size;
    }
    return true;
}

bool type_add(struct assembler *a, const struct func_type *type)
{
    struct func_type *copy = ARENA_NEW(a->arena, struct func_type);
    struct writer *out = assembler_item(a, SECTION_TYPE);

    if (copy == NULL)
        return assembler_fail(a, "no memory");
    *copy = (struct func_type){.params = type->params, .results = type->results};
    *a->types_end = copy;
    a->types_end = &copy->next;
    writer_u8(out, 0x60);
    writer_leb128_u64(out, type->params.size);
    writer_bytes(out, type->params);
    writer_leb128_u64(out, type->results.size);
    writer_bytes(out, type->results);
    return true;
}

bool type_use_index(struct assembler *a, const struct type_use *use, uint32_t *out)
{
    uint32_t index = 0;
    const struct func_type *type = a->types;

    *out = use->index;
    if (!use->is_inline)
        return true;
    while (type != NULL && !same_type(type, &use->type)) {
        type = type->next;
        index++;
    }
    *out = index;
    return type != NULL || type_add(a, &use->type);
}
