/* A decoded module. Private to src/wasm. Everything here is checked: who reads a module trusts its
 * indices, types and offsets. */
#pragma once

#include "base/base.h"
#include "wasm/insn.h"
#include "wasm/engine_limits.h"
#include "wasm/wasm.h"

struct engine_code; /* translated code of a function: code.h */

/* A place in the module's bytes, up to and with the end opcode. */
struct const_expr {
    uint32_t at, end;
};

struct import {
    struct bytes module, name;
    enum wasm_extern_kind kind;
    uint32_t index; /* in the index space of its kind */
};

struct export
{
    struct bytes name;
    enum wasm_extern_kind kind;
    uint32_t index;
};

struct func {
    uint32_t type;
    uint32_t body_at, body_end; /* the locals and the code; 0, 0 of an import */
    struct engine_code *code;   /* NULL until it is translated */
};

struct table {
    uint8_t type;
    struct wasm_limits limits;
};

struct global {
    uint8_t type;
    bool is_mutable;
    struct const_expr init; /* not of an import */
};

enum segment_mode { SEGMENT_PASSIVE, SEGMENT_ACTIVE, SEGMENT_DECLARED };

struct elem_segment {
    enum segment_mode mode;
    uint8_t type;
    bool has_exprs; /* items are constant expressions; else function indices */
    uint32_t table;
    uint32_t count;
    struct const_expr offset;
    uint32_t items_at; /* offset of the first item */
};

struct data_segment {
    enum segment_mode mode;
    uint32_t memory;
    struct const_expr offset;
    struct bytes data;
};

struct wasm_module {
    struct wasm_engine *engine;
    struct arena arena;  /* everything but translated code */
    struct bytes binary; /* our copy */

    struct wasm_func_type *types;
    struct import *imports;
    struct export *exports;
    uint32_t *exports_by_name; /* indices of exports, sorted */
    struct func *funcs;        /* imported ones first, as in all index spaces */
    struct table *tables;
    struct wasm_limits *memories;
    struct global *globals;
    struct elem_segment *elems;
    struct data_segment *datas;
    struct bytes *func_names; /* by function index; NULL without a name section */
    uint8_t *is_declared;     /* bit by function index: ref.func may name it */

    uint32_t type_count, import_count, export_count;
    uint32_t func_count, func_import_count;
    uint32_t table_count, table_import_count;
    uint32_t memory_count, memory_import_count;
    uint32_t global_count, global_import_count;
    uint32_t elem_count, data_count;
    bool has_data_count;
    bool has_start;
    uint32_t start;

    size_t code_size; /* bytes of translated code */
};

static inline const struct wasm_func_type *func_type_of(const struct wasm_module *m, uint32_t func)
{
    return &m->types[m->funcs[func].type];
}

static inline bool func_types_equal(const struct wasm_func_type *a, const struct wasm_func_type *b)
{
    return bytes_equal(bytes_from(a->params, a->param_count),
                       bytes_from(b->params, b->param_count)) &&
           bytes_equal(bytes_from(a->results, a->result_count),
                       bytes_from(b->results, b->result_count));
}

static inline bool is_reference_type(uint8_t type)
{
    return type == WASM_FUNCREF || type == WASM_EXTERNREF;
}

static inline bool is_value_type(uint8_t type)
{
    return (type >= WASM_V128 && type <= WASM_I32) || is_reference_type(type);
}

static inline bool func_is_declared(const struct wasm_module *m, uint32_t func)
{
    return (m->is_declared[func / 8] >> func % 8 & 1) != 0;
}

/* decode.c: the whole module, into m, whose binary and arena are set. */
MUST_CHECK bool module_decode(struct wasm_module *m, struct err *err);

/* The index of an export among m->exports, by binary search; false when there is none. */
MUST_CHECK bool module_find_export(const struct wasm_module *m, struct bytes name, uint32_t *index);

/* The name of a function, from the name section or else from an export; may be empty. */
struct bytes module_func_name(const struct wasm_module *m, uint32_t func);

/* The types of a block, §5.4.1: a type index, or one result or none. False when there is no such
 * type. */
MUST_CHECK bool block_type_of(const struct wasm_module *m, int64_t block_type,
                              struct wasm_func_type *out);

/* validate.c: a validator keeps its stacks from one function to the next. */
struct validator;
MUST_CHECK bool validator_new(const struct wasm_module *m, struct validator **out, struct err *err);
void validator_free(struct validator *v);

/* One function body; the reader is at its locals and ends with it. */
MUST_CHECK bool validate_body(struct validator *v, uint32_t func, struct reader *body,
                              struct err *err);

/* A constant expression of a type, at r; reads it up to and with its end. Of globals it may name
 * the imported. Functions that it names are marked as declared. */
MUST_CHECK bool validate_const_expr(struct validator *v, struct reader *r, uint8_t type,
                                    struct const_expr *out, struct err *err);
