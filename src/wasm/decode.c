/* Decoding modules: WebAssembly Core Specification 2.0, §5.5. Input is hostile: every count is
 * compared with its limit and with the bytes that are left before anything is taken for it. */
#include "wasm/module.h"

#include <string.h>

#include "base/banned.h"

enum section {
    SECTION_CUSTOM,
    SECTION_TYPE,
    SECTION_IMPORT,
    SECTION_FUNCTION,
    SECTION_TABLE,
    SECTION_MEMORY,
    SECTION_GLOBAL,
    SECTION_EXPORT,
    SECTION_START,
    SECTION_ELEMENT,
    SECTION_CODE,
    SECTION_DATA,
    SECTION_DATA_COUNT,
    SECTION_COUNT
};

/* The order in which sections come, §5.5.2. */
static const uint8_t section_order[SECTION_COUNT] = {
    [SECTION_TYPE] = 1,    [SECTION_IMPORT] = 2,      [SECTION_FUNCTION] = 3, [SECTION_TABLE] = 4,
    [SECTION_MEMORY] = 5,  [SECTION_GLOBAL] = 6,      [SECTION_EXPORT] = 7,   [SECTION_START] = 8,
    [SECTION_ELEMENT] = 9, [SECTION_DATA_COUNT] = 10, [SECTION_CODE] = 11,    [SECTION_DATA] = 12,
};

struct decoder {
    struct wasm_module *m;
    struct reader r; /* over the module's bytes, up to the end of the section */
    struct err *err;
    struct validator *validator;
    uint32_t code_count; /* bodies seen */
    uint32_t data_seen;
    struct reader names; /* the name section; empty when there is none */
};

static bool malformed(struct decoder *d, const char *msg, size_t at)
{
    return err_set(d->err, ERR_FORMAT, msg, at);
}

static bool invalid(struct decoder *d, const char *msg, size_t at)
{
    return err_set(d->err, ERR_INVALID, msg, at);
}

static bool no_memory(struct decoder *d)
{
    return err_set(d->err, ERR_MEMORY, "no memory for the module, at offset", d->r.at);
}

static bool read_byte(struct decoder *d, uint8_t *out)
{
    return reader_u8(&d->r, out) || malformed(d, "unexpected end, at offset", d->r.in.size);
}

/* The count of a vector whose items take a byte at least. */
static bool read_count(struct decoder *d, uint32_t limit, const char *what, uint32_t *out)
{
    size_t at = d->r.at;

    if (!read_u32(&d->r, out, d->err))
        return false;
    if (*out > reader_left(&d->r))
        return malformed(d, "unexpected end: a vector is longer than its section, at offset", at);
    if (*out > limit)
        return err_set(d->err, ERR_LIMIT, what, *out);
    return true;
}

/* An array for `count` more items behind the `had` that there are; had is 0 or those of imports. */
#define GROW_ARRAY(d, array, had, count)                                 \
    ((array) = grow_array((d), (array), (had), (count), sizeof *(array), \
                          _Alignof(__typeof__(*(array)))))

static void *grow_array(struct decoder *d, void *array, size_t had, size_t count, size_t size,
                        size_t align)
{
    void *larger = arena_alloc_array(&d->m->arena, had + count, size, align);

    if (larger == NULL)
        (void)no_memory(d);
    else if (had != 0)
        memcpy(larger, array, had * size);
    return larger;
}

static bool read_name(struct decoder *d, struct bytes *out)
{
    uint32_t size;
    size_t at;

    if (!read_u32(&d->r, &size, d->err))
        return false;
    at = d->r.at;
    if (!reader_bytes(&d->r, size, out))
        return malformed(d, "unexpected end of a name, at offset", at);
    if (!utf8_is_valid(*out))
        return malformed(d, "malformed UTF-8 encoding, at offset", at);
    return true;
}

static bool read_value_type(struct decoder *d, uint8_t *out)
{
    size_t at = d->r.at;

    if (!read_byte(d, out))
        return false;
    if (*out == 0x63 || *out == 0x64)
        return feature_absent(d->err, "typed function references are not supported, at offset", at);
    return is_value_type(*out) || malformed(d, "malformed value type, at offset", at);
}

static bool read_reference_type(struct decoder *d, uint8_t *out)
{
    size_t at = d->r.at;

    if (!read_byte(d, out))
        return false;
    if (*out == 0x63 || *out == 0x64)
        return feature_absent(d->err, "typed function references are not supported, at offset", at);
    if (*out == 0x69)
        return feature_absent(d->err, "exception handling is not supported, at offset", at);
    return is_reference_type(*out) || malformed(d, "malformed reference type, at offset", at);
}

/* §5.3.7; range is the largest minimum and maximum. */
static bool read_limits(struct decoder *d, bool is_memory, uint64_t range, const char *too_large,
                        struct wasm_limits *out)
{
    uint8_t flags;
    uint32_t min, max = 0;
    size_t at = d->r.at;

    if (!read_byte(d, &flags))
        return false;
    if (is_memory && (flags == 2 || flags == 3))
        return feature_absent(d->err, "threads (shared memory) are not supported, at offset", at);
    if (flags == 4 || flags == 5)
        return feature_absent(d->err, "memory64 is not supported, at offset", at);
    if (flags > 1)
        return malformed(d, "malformed limits flags, at offset", at);
    if (!read_u32(&d->r, &min, d->err) || (flags == 1 && !read_u32(&d->r, &max, d->err)))
        return false;
    if (min > range || max > range)
        return invalid(d, too_large, at);
    if (flags == 1 && min > max)
        return invalid(d, "size minimum must not be greater than maximum, at offset", at);
    *out = (struct wasm_limits){.min = min, .max = flags == 1 ? max : UINT64_MAX};
    return true;
}

static bool read_table_type(struct decoder *d, struct table *out)
{
    return read_reference_type(d, &out->type) &&
           read_limits(d, false, UINT32_MAX, "table size is too large, at offset", &out->limits);
}

static bool read_memory_type(struct decoder *d, struct wasm_limits *out)
{
    return read_limits(d, true, WASM_PAGES_MAX,
                       "memory size must be at most 65536 pages (4GiB), at offset", out);
}

static bool read_global_type(struct decoder *d, struct global *out)
{
    uint8_t mutability;
    size_t at;

    if (!read_value_type(d, &out->type))
        return false;
    at = d->r.at;
    if (!read_byte(d, &mutability))
        return false;
    if (mutability > 1)
        return malformed(d, "malformed mutability, at offset", at);
    out->is_mutable = mutability == 1;
    return true;
}

static bool read_types(struct decoder *d, uint32_t limit, const char *too_many,
                       const uint8_t **types, uint32_t *count)
{
    if (!read_count(d, limit, too_many, count))
        return false;
    *types = d->r.in.data + d->r.at;
    for (uint32_t i = 0; i < *count; i++) {
        uint8_t type;
        if (!read_value_type(d, &type))
            return false;
    }
    return true;
}

static bool decode_types(struct decoder *d)
{
    struct wasm_module *m = d->m;

    if (!read_count(d, WASM_TYPES_MAX, "too many types:", &m->type_count))
        return false;
    if (GROW_ARRAY(d, m->types, 0, m->type_count) == NULL)
        return false;
    for (uint32_t i = 0; i < m->type_count; i++) {
        struct wasm_func_type *t = &m->types[i];
        size_t at = d->r.at;
        uint8_t form;
        if (!read_byte(d, &form))
            return false;
        if (form == 0x50 || form == 0x4e || form == 0x5e || form == 0x5f || form == 0x4f)
            return feature_absent(d->err, "garbage collection is not supported, at offset", at);
        if (form != 0x60)
            return malformed(d, "malformed function type, at offset", at);
        if (!read_types(d, WASM_PARAMS_MAX, "too many parameters:", &t->params, &t->param_count) ||
            !read_types(d, WASM_RESULTS_MAX, "too many results:", &t->results, &t->result_count))
            return false;
    }
    return true;
}

static bool read_type_index(struct decoder *d, uint32_t *out)
{
    size_t at = d->r.at;

    if (!read_u32(&d->r, out, d->err))
        return false;
    return *out < d->m->type_count || invalid(d, "unknown type, at offset", at);
}

static bool decode_import(struct decoder *d, struct import *import)
{
    struct wasm_module *m = d->m;
    uint8_t kind;
    size_t at;

    if (!read_name(d, &import->module) || !read_name(d, &import->name))
        return false;
    at = d->r.at;
    if (!read_byte(d, &kind))
        return false;
    import->kind = (enum wasm_extern_kind)kind;
    switch (kind) {
    case WASM_EXTERN_FUNC:
        import->index = m->func_import_count++;
        return read_type_index(d, &m->funcs[import->index].type);
    case WASM_EXTERN_TABLE:
        import->index = m->table_import_count++;
        return read_table_type(d, &m->tables[import->index]);
    case WASM_EXTERN_MEMORY:
        import->index = m->memory_import_count++;
        return read_memory_type(d, &m->memories[import->index]);
    case WASM_EXTERN_GLOBAL:
        import->index = m->global_import_count++;
        return read_global_type(d, &m->globals[import->index]);
    case 4:
        return feature_absent(d->err, "exception handling is not supported, at offset", at);
    default:
        return malformed(d, "malformed import kind, at offset", at);
    }
}

static bool decode_imports(struct decoder *d)
{
    struct wasm_module *m = d->m;
    uint32_t count;

    if (!read_count(d, WASM_IMPORTS_MAX, "too many imports:", &count))
        return false;
    /* any import may be of any kind: the spaces' own counts are known only afterwards */
    if (GROW_ARRAY(d, m->imports, 0, count) == NULL || GROW_ARRAY(d, m->funcs, 0, count) == NULL ||
        GROW_ARRAY(d, m->tables, 0, count) == NULL ||
        GROW_ARRAY(d, m->memories, 0, count) == NULL || GROW_ARRAY(d, m->globals, 0, count) == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct import *import = &m->imports[i];
        if (!decode_import(d, import))
            return false;
        m->import_count++;
    }
    m->func_count = m->func_import_count;
    m->table_count = m->table_import_count;
    m->memory_count = m->memory_import_count;
    m->global_count = m->global_import_count;
    return true;
}

static bool decode_functions(struct decoder *d)
{
    struct wasm_module *m = d->m;
    uint32_t count;

    if (!read_count(d, WASM_FUNCS_MAX, "too many functions:", &count))
        return false;
    if (GROW_ARRAY(d, m->funcs, m->func_count, count) == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_type_index(d, &m->funcs[m->func_count].type))
            return false;
        m->func_count++;
    }
    return true;
}

static bool decode_tables(struct decoder *d)
{
    struct wasm_module *m = d->m;
    uint32_t count;

    if (!read_count(d, WASM_TABLES_MAX, "too many tables:", &count))
        return false;
    if (GROW_ARRAY(d, m->tables, m->table_count, count) == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++, m->table_count++) {
        if (!read_table_type(d, &m->tables[m->table_count]))
            return false;
    }
    return true;
}

static bool decode_memories(struct decoder *d)
{
    struct wasm_module *m = d->m;
    uint32_t count;

    if (!read_count(d, WASM_MEMORIES_MAX, "too many memories:", &count))
        return false;
    if (GROW_ARRAY(d, m->memories, m->memory_count, count) == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++, m->memory_count++) {
        if (!read_memory_type(d, &m->memories[m->memory_count]))
            return false;
    }
    return true;
}

/* The functions are all known when the first constant expression comes: what it may name. */
static bool need_validator(struct decoder *d)
{
    struct wasm_module *m = d->m;

    if (d->validator != NULL)
        return true;
    m->is_declared = arena_alloc_array(&m->arena, m->func_count / 8 + 1, 1, 1);
    if (m->is_declared == NULL)
        return no_memory(d);
    return validator_new(m, &d->validator, d->err);
}

static void declare(struct wasm_module *m, uint32_t func)
{
    m->is_declared[func / 8] |= (uint8_t)(1u << func % 8);
}

static bool decode_globals(struct decoder *d)
{
    struct wasm_module *m = d->m;
    uint32_t count;

    if (!read_count(d, WASM_GLOBALS_MAX, "too many globals:", &count))
        return false;
    if (GROW_ARRAY(d, m->globals, m->global_count, count) == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct global *g = &m->globals[m->global_count];
        if (!read_global_type(d, g) ||
            !validate_const_expr(d->validator, &d->r, g->type, &g->init, d->err))
            return false;
        m->global_count++;
    }
    return true;
}

static bool read_index(struct decoder *d, uint32_t count, const char *unknown, uint32_t *out)
{
    size_t at = d->r.at;

    if (!read_u32(&d->r, out, d->err))
        return false;
    return *out < count || invalid(d, unknown, at);
}

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter != 0 ? memcmp(a.data, b.data, shorter) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Heap sort: in place, and never worse than n log n. */
static void sort_exports(const struct export *exports, uint32_t *order, uint32_t count)
{
    for (uint32_t start = count / 2, end = count; end > 1;) {
        uint32_t moved;
        if (start > 0) {
            moved = order[--start];
        } else {
            moved = order[--end];
            order[end] = order[0];
        }
        uint32_t hole = start;
        for (uint32_t child; (child = 2 * hole + 1) < end; hole = child) {
            if (child + 1 < end &&
                compare_bytes(exports[order[child]].name, exports[order[child + 1]].name) < 0)
                child++;
            if (compare_bytes(exports[moved].name, exports[order[child]].name) >= 0)
                break;
            order[hole] = order[child];
        }
        order[hole] = moved;
    }
}

static bool decode_export(struct decoder *d, struct export *e)
{
    struct wasm_module *m = d->m;
    uint8_t kind;
    size_t at;

    if (!read_name(d, &e->name))
        return false;
    at = d->r.at;
    if (!read_byte(d, &kind))
        return false;
    e->kind = (enum wasm_extern_kind)kind;
    switch (kind) {
    case WASM_EXTERN_FUNC:
        if (!read_index(d, m->func_count, "unknown function, at offset", &e->index))
            return false;
        declare(m, e->index);
        return true;
    case WASM_EXTERN_TABLE:
        return read_index(d, m->table_count, "unknown table, at offset", &e->index);
    case WASM_EXTERN_MEMORY:
        return read_index(d, m->memory_count, "unknown memory, at offset", &e->index);
    case WASM_EXTERN_GLOBAL:
        return read_index(d, m->global_count, "unknown global, at offset", &e->index);
    case 4:
        return feature_absent(d->err, "exception handling is not supported, at offset", at);
    default:
        return malformed(d, "malformed export kind, at offset", at);
    }
}

static bool decode_exports(struct decoder *d)
{
    struct wasm_module *m = d->m;
    size_t at = d->r.at;

    if (!read_count(d, WASM_EXPORTS_MAX, "too many exports:", &m->export_count))
        return false;
    if (GROW_ARRAY(d, m->exports, 0, m->export_count) == NULL ||
        GROW_ARRAY(d, m->exports_by_name, 0, m->export_count) == NULL)
        return false;
    for (uint32_t i = 0; i < m->export_count; i++) {
        if (!decode_export(d, &m->exports[i]))
            return false;
        m->exports_by_name[i] = i;
    }
    sort_exports(m->exports, m->exports_by_name, m->export_count);
    for (uint32_t i = 1; i < m->export_count; i++) {
        if (bytes_equal(m->exports[m->exports_by_name[i - 1]].name,
                        m->exports[m->exports_by_name[i]].name))
            return invalid(d, "duplicate export name, in the section at offset", at);
    }
    return true;
}

static bool decode_start(struct decoder *d)
{
    struct wasm_module *m = d->m;
    size_t at = d->r.at;

    if (!read_index(d, m->func_count, "unknown function, at offset", &m->start))
        return false;
    const struct wasm_func_type *t = func_type_of(m, m->start);
    if (t->param_count != 0 || t->result_count != 0)
        return invalid(d, "start function has parameters or results, at offset", at);
    m->has_start = true;
    return true;
}

static bool decode_elem_items(struct decoder *d, struct elem_segment *s)
{
    struct wasm_module *m = d->m;

    if (!read_count(d, WASM_TABLE_INIT_MAX, "too many elements in a segment:", &s->count))
        return false;
    s->items_at = (uint32_t)d->r.at;
    for (uint32_t i = 0; i < s->count; i++) {
        struct const_expr ignored;
        uint32_t func;
        if (s->has_exprs) {
            if (!validate_const_expr(d->validator, &d->r, s->type, &ignored, d->err))
                return false;
        } else {
            if (!read_index(d, m->func_count, "unknown function, at offset", &func))
                return false;
            declare(m, func);
        }
    }
    return true;
}

/* §5.5.12: bit 0 passive or declared, bit 1 explicit table or declared, bit 2 expressions. */
static bool decode_elem(struct decoder *d, struct elem_segment *s)
{
    struct wasm_module *m = d->m;
    uint32_t flags;
    size_t at = d->r.at;
    uint8_t kind;

    if (!read_u32(&d->r, &flags, d->err))
        return false;
    if (flags > 7)
        return malformed(d, "malformed elements segment kind, at offset", at);
    s->mode = (flags & 1) == 0   ? SEGMENT_ACTIVE
              : (flags & 2) == 0 ? SEGMENT_PASSIVE
                                 : SEGMENT_DECLARED;
    s->has_exprs = (flags & 4) != 0;
    s->type = WASM_FUNCREF;
    if (s->mode == SEGMENT_ACTIVE) {
        at = d->r.at;
        if ((flags & 2) != 0 && !read_u32(&d->r, &s->table, d->err))
            return false;
        if (s->table >= m->table_count)
            return invalid(d, "unknown table, at offset", at);
        if (!validate_const_expr(d->validator, &d->r, WASM_I32, &s->offset, d->err))
            return false;
    }
    if ((flags & 3) != 0) {
        at = d->r.at;
        if (s->has_exprs) {
            if (!read_reference_type(d, &s->type))
                return false;
        } else if (!read_byte(d, &kind)) {
            return false;
        } else if (kind != 0) {
            return malformed(d, "malformed element kind, at offset", at);
        }
    }
    if (s->mode == SEGMENT_ACTIVE && m->tables[s->table].type != s->type)
        return invalid(d, "type mismatch: the segment's type is not the table's, at offset", at);
    return decode_elem_items(d, s);
}

static bool decode_elems(struct decoder *d)
{
    struct wasm_module *m = d->m;
    uint32_t count;

    if (!read_count(d, WASM_SEGMENTS_MAX, "too many element segments:", &count))
        return false;
    if (GROW_ARRAY(d, m->elems, 0, count) == NULL)
        return false;
    for (; m->elem_count < count; m->elem_count++) {
        if (!decode_elem(d, &m->elems[m->elem_count]))
            return false;
    }
    return true;
}

static bool decode_data_count(struct decoder *d)
{
    d->m->has_data_count = true;
    if (!read_u32(&d->r, &d->m->data_count, d->err))
        return false;
    return d->m->data_count <= WASM_SEGMENTS_MAX ||
           err_set(d->err, ERR_LIMIT, "too many data segments:", d->m->data_count);
}

static bool decode_code(struct decoder *d)
{
    struct wasm_module *m = d->m;
    size_t at = d->r.at;

    if (!read_count(d, WASM_FUNCS_MAX, "too many function bodies:", &d->code_count))
        return false;
    if (d->code_count != m->func_count - m->func_import_count)
        return malformed(d, "function and code section have inconsistent lengths, at offset", at);
    for (uint32_t i = m->func_import_count; i < m->func_count; i++) {
        uint32_t size;
        if (!read_u32(&d->r, &size, d->err))
            return false;
        if (size > reader_left(&d->r))
            return malformed(d, "unexpected end of a function body, at offset", d->r.at);
        if (size > WASM_BODY_SIZE_MAX)
            return err_set(d->err, ERR_LIMIT, "function body too large, in bytes", size);
        m->funcs[i].body_at = (uint32_t)d->r.at;
        m->funcs[i].body_end = (uint32_t)(d->r.at + size);
        struct reader body = {.in = bytes_before(d->r.in, d->r.at + size), .at = d->r.at};
        if (!validate_body(d->validator, i, &body, d->err))
            return false;
        d->r.at += size;
    }
    return true;
}

/* §5.5.14 */
static bool decode_data(struct decoder *d, struct data_segment *s)
{
    struct wasm_module *m = d->m;
    uint32_t flags, size;
    size_t at = d->r.at;

    if (!read_u32(&d->r, &flags, d->err))
        return false;
    if (flags > 2)
        return malformed(d, "malformed data segment kind, at offset", at);
    s->mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
    if (s->mode == SEGMENT_ACTIVE) {
        at = d->r.at;
        if (flags == 2 && !read_u32(&d->r, &s->memory, d->err))
            return false;
        if (s->memory >= m->memory_count)
            return invalid(d, "unknown memory, at offset", at);
        if (!validate_const_expr(d->validator, &d->r, WASM_I32, &s->offset, d->err))
            return false;
    }
    if (!read_u32(&d->r, &size, d->err))
        return false;
    return reader_bytes(&d->r, size, &s->data) ||
           malformed(d, "unexpected end of a data segment, at offset", d->r.at);
}

static bool decode_datas(struct decoder *d)
{
    struct wasm_module *m = d->m;
    size_t at = d->r.at;

    if (!read_count(d, WASM_SEGMENTS_MAX, "too many data segments:", &d->data_seen))
        return false;
    if (m->has_data_count && d->data_seen != m->data_count)
        return malformed(d, "data count and data section have inconsistent lengths, at offset", at);
    m->data_count = 0;
    if (GROW_ARRAY(d, m->datas, 0, d->data_seen) == NULL)
        return false;
    for (; m->data_count < d->data_seen; m->data_count++) {
        if (!decode_data(d, &m->datas[m->data_count]))
            return false;
    }
    return true;
}

static bool decode_custom(struct decoder *d)
{
    struct bytes name;

    if (!read_name(d, &name))
        return false;
    if (bytes_is(name, "name"))
        d->names = d->r;
    d->r.at = d->r.in.size;
    return true;
}

static bool decode_section(struct decoder *d, enum section id)
{
    switch (id) {
    case SECTION_CUSTOM:
        return decode_custom(d);
    case SECTION_TYPE:
        return decode_types(d);
    case SECTION_IMPORT:
        return decode_imports(d);
    case SECTION_FUNCTION:
        return decode_functions(d);
    case SECTION_TABLE:
        return decode_tables(d);
    case SECTION_MEMORY:
        return decode_memories(d);
    case SECTION_GLOBAL:
        return need_validator(d) && decode_globals(d);
    case SECTION_EXPORT:
        return need_validator(d) && decode_exports(d);
    case SECTION_START:
        return decode_start(d);
    case SECTION_ELEMENT:
        return need_validator(d) && decode_elems(d);
    case SECTION_CODE:
        return need_validator(d) && decode_code(d);
    case SECTION_DATA:
        return need_validator(d) && decode_datas(d);
    case SECTION_DATA_COUNT:
        return decode_data_count(d);
    case SECTION_COUNT:
        break;
    }
    return false;
}

/* The function names of the name section (appendix A, §7.4.1). What is malformed there is no fault
 * of the module: it ends the names. */
static void decode_names(struct wasm_module *m, struct reader names)
{
    struct err ignored;
    struct decoder names_only = {.m = m, .r = names, .err = &ignored}, *d = &names_only;
    uint8_t id;
    uint32_t size, count;

    while (reader_u8(&d->r, &id) && leb128_u32(&d->r, &size) && size <= reader_left(&d->r)) {
        size_t next = d->r.at + size;
        if (id == 1) {
            if (!leb128_u32(&d->r, &count) || m->func_names != NULL ||
                GROW_ARRAY(d, m->func_names, 0, m->func_count) == NULL)
                return;
            for (uint32_t i = 0; i < count; i++) {
                uint32_t index;
                struct bytes name;
                if (!leb128_u32(&d->r, &index) || index >= m->func_count || !read_name(d, &name))
                    return;
                m->func_names[index] = name;
            }
        }
        d->r.at = next;
    }
}

/* Magic and version, §5.5.16. */
static bool decode_header(struct decoder *d)
{
    struct bytes header;

    if (!reader_bytes(&d->r, 4, &header))
        return malformed(d, "unexpected end, at offset", d->r.in.size);
    if (!bytes_equal(header, bytes_from("\0asm", 4)))
        return malformed(d, "magic header not detected, at offset", 0);
    if (!reader_bytes(&d->r, 4, &header))
        return malformed(d, "unexpected end, at offset", d->r.in.size);
    if (bytes_equal(header, bytes_from("\x0d\0\x01\0", 4)))
        return feature_absent(d->err, "components are not supported, at offset", 4);
    if (!bytes_equal(header, bytes_from("\1\0\0\0", 4)))
        return malformed(d, "unknown binary version, at offset", 4);
    return true;
}

static bool decode_sections(struct decoder *d)
{
    struct bytes whole = d->m->binary;
    unsigned last = 0;

    while (d->r.at != whole.size) {
        size_t at = d->r.at;
        uint8_t id;
        uint32_t size;
        if (!read_byte(d, &id))
            return false;
        if (id == 13)
            return feature_absent(d->err, "exception handling is not supported, at offset", at);
        if (id >= SECTION_COUNT)
            return malformed(d, "malformed section id, at offset", at);
        if (!read_u32(&d->r, &size, d->err))
            return false;
        if (size > reader_left(&d->r))
            return malformed(d, "unexpected end: section longer than the module, at offset", at);
        if (id != SECTION_CUSTOM && section_order[id] <= last)
            return malformed(d, "unexpected content after last section, at offset", at);
        if (id != SECTION_CUSTOM)
            last = section_order[id];
        d->r.in = bytes_before(whole, d->r.at + size);
        if (!decode_section(d, (enum section)id))
            return false;
        if (!reader_at_end(&d->r))
            return malformed(d, "section size mismatch, at offset", d->r.at);
        d->r.in = whole;
    }
    return true;
}

static bool decode_all(struct decoder *d)
{
    struct wasm_module *m = d->m;

    if (!decode_header(d) || !decode_sections(d))
        return false;
    if (d->code_count != m->func_count - m->func_import_count)
        return malformed(d, "function and code section have inconsistent lengths, at offset",
                         d->r.at);
    if (m->has_data_count && d->data_seen != m->data_count)
        return malformed(d, "data count and data section have inconsistent lengths, at offset",
                         d->r.at);
    decode_names(m, d->names);
    return true;
}

bool module_decode(struct wasm_module *m, struct err *err)
{
    struct decoder d = {.m = m, .r = reader_of(m->binary), .err = err};
    bool ok;

    if (m->binary.size > WASM_MODULE_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "module too large, in bytes", m->binary.size);
    ok = decode_all(&d);
    validator_free(d.validator);
    return ok;
}

bool module_find_export(const struct wasm_module *m, struct bytes name, uint32_t *index)
{
    uint32_t low = 0, high = m->export_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_bytes(name, m->exports[m->exports_by_name[middle]].name);
        if (order == 0) {
            *index = m->exports_by_name[middle];
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

struct bytes module_func_name(const struct wasm_module *m, uint32_t func)
{
    if (m->func_names != NULL && m->func_names[func].size != 0)
        return m->func_names[func];
    for (uint32_t i = 0; i < m->export_count; i++) {
        if (m->exports[i].kind == WASM_EXTERN_FUNC && m->exports[i].index == func)
            return m->exports[i].name;
    }
    return (struct bytes){.size = 0};
}
