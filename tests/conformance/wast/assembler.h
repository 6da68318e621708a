/* What the parts of the assembler share: its state, names and indices, types, instructions. */
#pragma once

#include "ops.h"
#include "sexpr.h"

/* An index space: what it holds, and which indices have names. */
struct space {
    const char *what;
    struct name *names;
    uint32_t count;
};

struct func_type {
    struct bytes params, results; /* a byte for each type, as in the binary format */
    struct func_type *next;
};

/* A block around the instruction. */
struct label {
    struct bytes id;
    const struct label *outer;
};

/* The index spaces of a module. The first four in the order of the binary's kinds of imports. */
enum space_kind {
    SPACE_FUNC,
    SPACE_TABLE,
    SPACE_MEMORY,
    SPACE_GLOBAL,
    SPACE_TYPE,
    SPACE_ELEM,
    SPACE_DATA,
    SPACE_COUNT
};

/* Section ids of the binary format: §5.5.2. */
enum section_id {
    SECTION_TYPE = 1,
    SECTION_IMPORT = 2,
    SECTION_FUNC = 3,
    SECTION_TABLE = 4,
    SECTION_MEMORY = 5,
    SECTION_GLOBAL = 6,
    SECTION_EXPORT = 7,
    SECTION_START = 8,
    SECTION_ELEM = 9,
    SECTION_CODE = 10,
    SECTION_DATA = 11,
    SECTION_DATA_COUNT = 12,
    SECTION_COUNT
};

struct section {
    struct writer items;
    uint32_t count;
};

struct assembler {
    struct arena *arena;
    struct text_error *error;
    uint32_t line; /* of what is being read */
    struct space spaces[SPACE_COUNT];
    uint32_t next[SPACE_GLOBAL + 1]; /* index of the next of each kind, when they are written */
    struct func_type *types, **types_end;
    struct section sections[SECTION_COUNT];
    bool needs_data_count;
    /* of the function being read */
    struct space locals;
    const struct label *labels;
};

/* Fills the error and returns false. */
bool assembler_fail(struct assembler *a, const char *why);

/* "unexpected token". */
bool assembler_unexpected(struct assembler *a, const struct sexpr *at);

/* A writer of bytes that are put somewhere else later. */
struct writer assembler_scratch(struct assembler *a);

/* Appends what was written elsewhere. */
MUST_CHECK bool assembler_append(struct assembler *a, struct writer *out,
                                 const struct writer *from);

/* As assembler_append, with the size before it. */
MUST_CHECK bool assembler_append_sized(struct assembler *a, struct writer *out,
                                       const struct writer *from);

/* A new item of a section. */
struct writer *assembler_item(struct assembler *a, enum section_id id);

/* ---- names and numbers ---- */

/* Gives the next index to id, which may be empty. */
MUST_CHECK bool space_add(struct assembler *a, struct space *space, struct bytes id);

bool is_index(const struct sexpr *e); /* a name or a number */

/* Takes an index, by name or number; whether there is such a thing is not asked of numbers. */
MUST_CHECK bool take_index(struct assembler *a, const struct sexpr **at, const struct space *space,
                           uint32_t *out);
MUST_CHECK bool take_u32(struct assembler *a, const struct sexpr **at, uint32_t *out);
/* A string that is UTF-8, written with its size. */
MUST_CHECK bool take_name(struct assembler *a, const struct sexpr **at, struct writer *out);

/* ---- types ---- */

/* Takes a value type or reference type. */
MUST_CHECK bool take_value_type(struct assembler *a, const struct sexpr **at, uint8_t *out);
MUST_CHECK bool take_ref_type(struct assembler *a, const struct sexpr **at, uint8_t *out);
bool is_ref_type(const struct sexpr *e);

/* (param …)* (result …)*. Parameters may have names when there is a space for them. */
MUST_CHECK bool take_func_type(struct assembler *a, const struct sexpr **at, struct space *params,
                               struct func_type *out);

/* (type x)? (param …)* (result …)*: §6.4.1. Parameters of the type that have no names are counted
 * in params, too. *is_inline: no (type x) is there. */
struct type_use {
    uint32_t index; /* not yet made when the type is inline */
    bool is_inline;
    struct func_type type;
};
MUST_CHECK bool take_type_use(struct assembler *a, const struct sexpr **at, struct space *params,
                              struct type_use *out);
/* The index of the use's type, which is added when there is none. */
MUST_CHECK bool type_use_index(struct assembler *a, const struct type_use *use, uint32_t *out);
MUST_CHECK bool type_add(struct assembler *a, const struct func_type *type);

/* ---- instructions ---- */

/* Instructions up to the end of the list, and the final end. */
MUST_CHECK bool assemble_expression(struct assembler *a, const struct sexpr *at,
                                    struct writer *out);
/* One folded instruction, then end: the short form of offsets and elements. */
MUST_CHECK bool assemble_folded(struct assembler *a, const struct sexpr *list, struct writer *out);

/* ---- segments; *at stands behind the name ---- */

MUST_CHECK bool assemble_elem(struct assembler *a, const struct sexpr *at);
MUST_CHECK bool assemble_data(struct assembler *a, const struct sexpr *at);
/* The elements or bytes within a table or memory; *count is how many. */
MUST_CHECK bool assemble_inline_elem(struct assembler *a, const struct sexpr *items, uint32_t table,
                                     uint8_t type, uint32_t *count);
MUST_CHECK bool assemble_inline_data(struct assembler *a, const struct sexpr *strings,
                                     uint32_t memory, uint64_t *size);
