/* The fields of a module: WebAssembly Core Specification 2.0, §6.6. They are read twice: first for
 * names and indices, which may be used before they are defined, then for what they say. */
#include "assemble.h"

#include "assembler.h"
#include "wasm/wasm.h"
#include "base/banned.h"

enum {
    PAGE_SIZE = 65536,
};

/* Functions, tables, memories and globals: by their kinds in the binary. */
static const char *const kind_names[] = {"func", "table", "memory", "global"};

/* The kind of (func …), (table …), (memory …) or (global …); false when it is none. */
static bool kind_of(const struct sexpr *e, enum space_kind *out)
{
    for (enum space_kind kind = SPACE_FUNC; kind <= SPACE_GLOBAL; kind++) {
        if (sexpr_is_list(e, kind_names[kind])) {
            *out = kind;
            return true;
        }
    }
    return false;
}

/* ---- first: names ---- */

static bool collect_type(struct assembler *a, const struct sexpr *at)
{
    struct space param_names = {.what = "parameter"};
    struct func_type type;
    const struct sexpr *func;
    struct bytes id;

    (void)sexpr_take_id(&at, &id);
    if (!space_add(a, &a->spaces[SPACE_TYPE], id))
        return false;
    if (!sexpr_take_list(&at, "func", &func) || at != NULL)
        return assembler_unexpected(a, at);
    return take_func_type(a, &func, &param_names, &type) &&
           (func == NULL || assembler_unexpected(a, func)) && type_add(a, &type);
}

/* defined: the kind of a definition before it, which must not be (§6.6.13), or NULL. */
static bool collect_import(struct assembler *a, enum space_kind kind, struct bytes id,
                           const char *defined)
{
    if (defined != NULL)
        return text_error_set(a->error, a->line, 0, "import after %s", defined);
    return space_add(a, &a->spaces[kind], id);
}

static const struct sexpr *find_list(const struct sexpr *at, const char *head)
{
    while (at != NULL && !sexpr_is_list(at, head))
        at = at->next;
    return at;
}

/* *defined is the kind of the last definition that is no import, NULL when there was none. */
static bool collect_field(struct assembler *a, const struct sexpr *field, const char **defined)
{
    const struct sexpr *at = field->first->next, *description;
    enum space_kind kind;
    struct bytes id;

    a->line = field->line;
    if (sexpr_is_list(field, "type"))
        return collect_type(a, at);
    if (sexpr_is_list(field, "import")) {
        description = at != NULL && at->next != NULL ? at->next->next : NULL;
        if (description == NULL || !kind_of(description, &kind))
            return assembler_unexpected(a, description);
        at = description->first->next;
        (void)sexpr_take_id(&at, &id);
        return collect_import(a, kind, id, *defined);
    }
    (void)sexpr_take_id(&at, &id);
    if (sexpr_is_list(field, "elem"))
        return space_add(a, &a->spaces[SPACE_ELEM], id);
    if (sexpr_is_list(field, "data"))
        return space_add(a, &a->spaces[SPACE_DATA], id);
    if (!kind_of(field, &kind))
        return true;
    while (sexpr_is_list(at, "export"))
        at = at->next;
    if (sexpr_is_list(at, "import"))
        return collect_import(a, kind, id, *defined);
    *defined = kind_names[kind];
    a->spaces[SPACE_ELEM].count += kind == SPACE_TABLE && find_list(at, "elem") != NULL;
    a->spaces[SPACE_DATA].count += kind == SPACE_MEMORY && find_list(at, "data") != NULL;
    return space_add(a, &a->spaces[kind], id);
}

/* ---- then: what they are ---- */

static void put_limits(struct writer *out, bool has_max, uint64_t min, uint64_t max)
{
    writer_u8(out, has_max);
    writer_leb128_u64(out, min);
    if (has_max)
        writer_leb128_u64(out, max);
}

static bool take_limits(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    uint32_t min, max = 0;

    if (!take_u32(a, at, &min))
        return false;
    bool has_max = is_index(*at);
    if (has_max && !take_u32(a, at, &max))
        return false;
    put_limits(out, has_max, min, max);
    return true;
}

static bool take_global_type(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    const struct sexpr *type = *at;
    bool is_mutable = sexpr_take_list(at, "mut", &type);
    uint8_t value_type;

    if (!take_value_type(a, &type, &value_type))
        return false;
    if (!is_mutable)
        *at = type;
    else if (type != NULL)
        return assembler_unexpected(a, type);
    writer_u8(out, value_type);
    writer_u8(out, is_mutable);
    return true;
}

/* The type of an import or definition, as in the binary. Parameters get names in a->locals. */
static bool take_extern_type(struct assembler *a, enum space_kind kind, const struct sexpr **at,
                             struct writer *out)
{
    struct writer limits = assembler_scratch(a);
    struct type_use use;
    uint32_t index;
    uint8_t type;

    switch (kind) {
    case SPACE_FUNC:
        a->locals = (struct space){.what = "local"};
        if (!take_type_use(a, at, &a->locals, &use) || !type_use_index(a, &use, &index))
            return false;
        writer_leb128_u64(out, index);
        return true;
    case SPACE_TABLE:
        if (!take_limits(a, at, &limits) || !take_ref_type(a, at, &type))
            return false;
        writer_u8(out, type);
        return assembler_append(a, out, &limits);
    case SPACE_MEMORY:
        return take_limits(a, at, out);
    default:
        return take_global_type(a, at, out);
    }
}

/* "module" "name", and the type of what is imported. */
static bool put_import(struct assembler *a, const struct sexpr *names, enum space_kind kind,
                       const struct sexpr *type)
{
    struct writer *out = assembler_item(a, SECTION_IMPORT);

    if (!take_name(a, &names, out) || !take_name(a, &names, out))
        return false;
    if (names != NULL)
        return assembler_unexpected(a, names);
    writer_u8(out, (uint8_t)kind);
    return take_extern_type(a, kind, &type, out) && (type == NULL || assembler_unexpected(a, type));
}

static bool assemble_import(struct assembler *a, const struct sexpr *at)
{
    struct writer *out = assembler_item(a, SECTION_IMPORT);
    enum space_kind kind = SPACE_FUNC;
    struct bytes id;

    if (!take_name(a, &at, out) || !take_name(a, &at, out))
        return false;
    if (!kind_of(at, &kind) || at->next != NULL)
        return assembler_unexpected(a, at);
    a->next[kind]++;
    at = at->first->next;
    (void)sexpr_take_id(&at, &id);
    writer_u8(out, (uint8_t)kind);
    return take_extern_type(a, kind, &at, out) && (at == NULL || assembler_unexpected(a, at));
}

/* ---- definitions; at stands behind the name and the inline exports ---- */

/* The locals of a function, and how many runs of one type they are. */
static bool take_locals(struct assembler *a, const struct sexpr **at, struct writer *out)
{
    const struct sexpr *list;
    struct bytes id;
    uint8_t type, last = 0;
    struct writer runs = assembler_scratch(a);
    uint32_t run_count = 0, run_size = 0;

    while (sexpr_take_list(at, "local", &list)) {
        bool has_id = sexpr_take_id(&list, &id);
        while (list != NULL || has_id) {
            if (!take_value_type(a, &list, &type) || !space_add(a, &a->locals, id))
                return false;
            if (has_id && list != NULL)
                return assembler_unexpected(a, list);
            has_id = false;
            if (run_size != 0 && type != last) {
                writer_leb128_u64(&runs, run_size);
                writer_u8(&runs, last);
                run_size = 0;
            }
            run_count += run_size == 0;
            run_size++;
            last = type;
        }
    }
    if (run_size != 0) {
        writer_leb128_u64(&runs, run_size);
        writer_u8(&runs, last);
    }
    writer_leb128_u64(out, run_count);
    return assembler_append(a, out, &runs);
}

static bool assemble_func(struct assembler *a, const struct sexpr *at)
{
    struct writer body = assembler_scratch(a);

    return take_extern_type(a, SPACE_FUNC, &at, assembler_item(a, SECTION_FUNC)) &&
           take_locals(a, &at, &body) && assemble_expression(a, at, &body) &&
           assembler_append_sized(a, assembler_item(a, SECTION_CODE), &body);
}

static bool assemble_table(struct assembler *a, const struct sexpr *at, uint32_t index)
{
    struct writer *out = assembler_item(a, SECTION_TABLE);
    const struct sexpr *items;
    uint32_t count;
    uint8_t type;

    if (!is_ref_type(at))
        return take_extern_type(a, SPACE_TABLE, &at, out) &&
               (at == NULL || assembler_unexpected(a, at));
    if (!take_ref_type(a, &at, &type))
        return false;
    if (!sexpr_take_list(&at, "elem", &items) || at != NULL)
        return assembler_unexpected(a, at);
    if (!assemble_inline_elem(a, items, index, type, &count))
        return false;
    writer_u8(out, type);
    put_limits(out, true, count, count);
    return true;
}

static bool assemble_memory(struct assembler *a, const struct sexpr *at, uint32_t index)
{
    struct writer *out = assembler_item(a, SECTION_MEMORY);
    const struct sexpr *strings;
    uint64_t size;

    if (sexpr_take_list(&at, "data", &strings)) {
        if (!assemble_inline_data(a, strings, index, &size))
            return false;
        size = (size + PAGE_SIZE - 1) / PAGE_SIZE;
        put_limits(out, true, size, size);
    } else if (!take_limits(a, &at, out)) {
        return false;
    }
    return at == NULL || assembler_unexpected(a, at);
}

static bool assemble_global(struct assembler *a, const struct sexpr *at)
{
    struct writer *out = assembler_item(a, SECTION_GLOBAL);

    return take_global_type(a, &at, out) && assemble_expression(a, at, out);
}

/* A function, table, memory or global: its exports, then an import or a definition. */
static bool assemble_extern(struct assembler *a, const struct sexpr *at, enum space_kind kind)
{
    uint32_t index = a->next[kind]++;
    const struct sexpr *names;
    struct bytes id;

    (void)sexpr_take_id(&at, &id);
    while (sexpr_take_list(&at, "export", &names)) {
        struct writer *out = assembler_item(a, SECTION_EXPORT);
        if (!take_name(a, &names, out) || names != NULL)
            return names == NULL ? false : assembler_unexpected(a, names);
        writer_u8(out, (uint8_t)kind);
        writer_leb128_u64(out, index);
    }
    if (sexpr_take_list(&at, "import", &names))
        return put_import(a, names, kind, at);
    switch (kind) {
    case SPACE_FUNC:
        return assemble_func(a, at);
    case SPACE_TABLE:
        return assemble_table(a, at, index);
    case SPACE_MEMORY:
        return assemble_memory(a, at, index);
    default:
        return assemble_global(a, at);
    }
}

/* ---- other fields ---- */

static bool assemble_export(struct assembler *a, const struct sexpr *at)
{
    struct writer *out = assembler_item(a, SECTION_EXPORT);
    enum space_kind kind = SPACE_FUNC;
    uint32_t index;

    if (!take_name(a, &at, out))
        return false;
    if (!kind_of(at, &kind) || at->next != NULL)
        return assembler_unexpected(a, at);
    at = at->first->next;
    if (!take_index(a, &at, &a->spaces[kind], &index))
        return false;
    writer_u8(out, (uint8_t)kind);
    writer_leb128_u64(out, index);
    return at == NULL || assembler_unexpected(a, at);
}

/* A section that is one number, without a count before it. */
static bool assemble_start(struct assembler *a, const struct sexpr *at)
{
    struct writer *out = assembler_item(a, SECTION_START);
    uint32_t index;

    if (a->sections[SECTION_START].count > 1)
        return assembler_fail(a, "multiple start sections");
    if (!take_index(a, &at, &a->spaces[SPACE_FUNC], &index))
        return false;
    writer_leb128_u64(out, index);
    return at == NULL || assembler_unexpected(a, at);
}

static bool assemble_field(struct assembler *a, const struct sexpr *field)
{
    const struct sexpr *at = field->first->next;
    enum space_kind kind;
    struct bytes id;

    a->line = field->line;
    if (sexpr_is_list(field, "type"))
        return true;
    if (sexpr_is_list(field, "import"))
        return assemble_import(a, at);
    if (sexpr_is_list(field, "export"))
        return assemble_export(a, at);
    if (sexpr_is_list(field, "start"))
        return assemble_start(a, at);
    if (kind_of(field, &kind))
        return assemble_extern(a, at, kind);
    (void)sexpr_take_id(&at, &id);
    if (sexpr_is_list(field, "elem"))
        return assemble_elem(a, at);
    if (sexpr_is_list(field, "data"))
        return assemble_data(a, at);
    return assembler_unexpected(a, field);
}

/* ---- the whole ---- */

static bool put_sections(struct assembler *a, struct writer *out)
{
    /* §5.5.2; the count of data segments comes before the code that refers to them. */
    static const enum section_id order[] = {
        SECTION_TYPE,   SECTION_IMPORT,     SECTION_FUNC,   SECTION_TABLE,
        SECTION_MEMORY, SECTION_GLOBAL,     SECTION_EXPORT, SECTION_START,
        SECTION_ELEM,   SECTION_DATA_COUNT, SECTION_CODE,   SECTION_DATA,
    };

    writer_bytes(out, bytes_from("\0asm\1\0\0", 8));
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const struct section *section = &a->sections[order[i]];
        struct writer contents = assembler_scratch(a);
        if (order[i] == SECTION_DATA_COUNT ? !a->needs_data_count : section->count == 0)
            continue;
        if (order[i] == SECTION_DATA_COUNT)
            writer_leb128_u64(&contents, a->sections[SECTION_DATA].count);
        else if (order[i] != SECTION_START)
            writer_leb128_u64(&contents, section->count);
        writer_u8(out, (uint8_t)order[i]);
        if (!assembler_append(a, &contents, &section->items) ||
            !assembler_append_sized(a, out, &contents))
            return false;
    }
    return true;
}

bool assemble(const struct sexpr *fields, struct arena *arena, struct bytes *out,
              struct text_error *error)
{
    static const char *const space_names[SPACE_COUNT] = {
        "func", "table", "memory", "global", "type", "elem segment", "data segment"};
    struct assembler a = {.arena = arena, .error = error};
    struct writer binary = writer_growable(arena, SIZE_MAX);
    const char *defined = NULL;
    struct err err;

    a.types_end = &a.types;
    for (size_t i = 0; i < SPACE_COUNT; i++)
        a.spaces[i].what = space_names[i];
    for (size_t i = 0; i < SECTION_COUNT; i++)
        a.sections[i].items = assembler_scratch(&a);
    for (const struct sexpr *field = fields; field != NULL; field = field->next)
        if (field->kind != SEXPR_LIST || field->first == NULL)
            return assembler_unexpected(&a, field);
    for (const struct sexpr *field = fields; field != NULL; field = field->next)
        if (!collect_field(&a, field, &defined))
            return false;
    for (const struct sexpr *field = fields; field != NULL; field = field->next)
        if (!assemble_field(&a, field))
            return false;
    a.needs_data_count |= a.sections[SECTION_DATA].count != 0;
    return put_sections(&a, &binary) &&
           (writer_done(&binary, out, &err) || assembler_fail(&a, err.msg));
}
