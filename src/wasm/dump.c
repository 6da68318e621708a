/* Listings of the internal form. */
#include "wasm/dump.h"

#include "wasm/ir.h"

#include <assert.h>

#include "base/banned.h"

/* The names lie one behind the other: a pointer to each would take more room than they do. */
static const struct names {
#define IR(id, words, value) char name_##id[sizeof(#id)];
#include "wasm/ir.def"
} names = {
#define IR(id, words, value) #id,
#include "wasm/ir.def"
};

static const struct {
    uint16_t name; /* offset in names */
    uint8_t words;
} infos[IR_COUNT] = {
#define IR(id, words, value) {offsetof(struct names, name_##id), (words)},
#include "wasm/ir.def"
};

static_assert(sizeof names <= UINT16_MAX, "offsets of names have 16 bits");

static uint32_t word_count(const uint64_t *words)
{
    uint32_t op = IR_OP(words[0]);

    return op == IR_br_table ? 2 + IR_WIDE(words[0]) : infos[op].words;
}

uint32_t ir_print(const uint64_t *words, struct writer *w)
{
    uint64_t word = words[0];
    uint32_t count = word_count(words);

    writer_format(w, "%-24s %5u %5u %5u", (const char *)&names + infos[IR_OP(word)].name,
                  IR_A(word), IR_B(word), IR_C(word));
    for (uint32_t i = 1; i < count; i++)
        writer_format(w, " | %d %d", (int32_t)IR_LOW(words[i]), (int32_t)IR_WIDE(words[i]));
    return count;
}

/* ---- the listing of a module ---- */

enum { LISTING_LINE_MAX = 4096 }; /* a longer line is cut */

struct listing {
    const struct wasm_module *m;
    void (*line)(void *context, struct bytes text);
    void *context;
    uint8_t text[LISTING_LINE_MAX];
    struct writer w;
};

static void begin(struct listing *l)
{
    l->w = writer_fixed(l->text, sizeof l->text - 1); /* room for the end of the line */
}

static void end(struct listing *l)
{
    l->text[l->w.size] = '\n';
    l->line(l->context, bytes_from(l->text, l->w.size + 1));
}

void wasm_name_write(struct writer *w, struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        /* U+0080 to U+009F are control characters too, in two bytes */
        bool is_c1 = c == 0xc2 && i + 1 < name.size && name.data[i + 1] < 0xa0;
        writer_u8(w, c < 0x20 || c == 0x7f || is_c1 ? '.' : c);
        i += is_c1;
    }
}

static void write_name(struct listing *l, struct bytes name)
{
    writer_u8(&l->w, '"');
    wasm_name_write(&l->w, name);
    writer_u8(&l->w, '"');
}

static void write_types(struct listing *l, const uint8_t *types, uint32_t count)
{
    writer_u8(&l->w, '(');
    for (uint32_t i = 0; i < count; i++)
        writer_format(&l->w, "%s%s", i != 0 ? " " : "", wasm_type_name((enum wasm_type)types[i]));
    writer_u8(&l->w, ')');
}

static void write_func_type(struct listing *l, const struct wasm_func_type *t)
{
    write_types(l, t->params, t->param_count);
    writer_text(&l->w, " -> ");
    write_types(l, t->results, t->result_count);
}

static void write_limits(struct listing *l, const struct wasm_limits *limits)
{
    writer_format(&l->w, " min %llu", (unsigned long long)limits->min);
    if (limits->max != UINT64_MAX)
        writer_format(&l->w, " max %llu", (unsigned long long)limits->max);
}

static void write_extern(struct listing *l, enum wasm_extern_kind kind, uint32_t index)
{
    const struct wasm_module *m = l->m;

    switch (kind) {
    case WASM_EXTERN_FUNC:
        writer_format(&l->w, " func %u ", index);
        write_func_type(l, func_type_of(m, index));
        break;
    case WASM_EXTERN_TABLE:
        writer_format(&l->w, " table %u %s", index,
                      wasm_type_name((enum wasm_type)m->tables[index].type));
        write_limits(l, &m->tables[index].limits);
        break;
    case WASM_EXTERN_MEMORY:
        writer_format(&l->w, " memory %u", index);
        write_limits(l, &m->memories[index]);
        break;
    case WASM_EXTERN_GLOBAL:
        writer_format(&l->w, " global %u %s%s", index, m->globals[index].is_mutable ? "mut " : "",
                      wasm_type_name((enum wasm_type)m->globals[index].type));
        break;
    }
}

static void list_space(struct listing *l, enum wasm_extern_kind kind, uint32_t first,
                       uint32_t count)
{
    for (uint32_t i = first; i < count; i++) {
        begin(l);
        writer_text(&l->w, "own");
        write_extern(l, kind, i);
        end(l);
    }
}

static void list_code(struct listing *l, uint32_t func)
{
    const struct engine_code *code = l->m->funcs[func].code;

    for (uint32_t at = 0; at < code->word_count;) {
        begin(l);
        writer_format(&l->w, "  %6u  ", at);
        at += ir_print(code->words + at, &l->w);
        end(l);
    }
}

static void list_funcs(struct listing *l, bool with_ir)
{
    const struct wasm_module *m = l->m;

    for (uint32_t i = m->func_import_count; i < m->func_count; i++) {
        begin(l);
        writer_text(&l->w, "own");
        write_extern(l, WASM_EXTERN_FUNC, i);
        writer_format(&l->w, " body at %u, %u bytes ", m->funcs[i].body_at,
                      m->funcs[i].body_end - m->funcs[i].body_at);
        write_name(l, module_func_name(m, i));
        end(l);
        if (with_ir)
            list_code(l, i);
    }
}

static void list_segments(struct listing *l)
{
    static const char *const modes[] = {"passive", "active", "declared"};
    const struct wasm_module *m = l->m;

    for (uint32_t i = 0; i < m->elem_count; i++) {
        begin(l);
        writer_format(&l->w, "elem %u %s, %u items", i, modes[m->elems[i].mode], m->elems[i].count);
        end(l);
    }
    for (uint32_t i = 0; i < m->data_count; i++) {
        begin(l);
        writer_format(&l->w, "data %u %s, %zu bytes", i, modes[m->datas[i].mode],
                      m->datas[i].data.size);
        end(l);
    }
}

bool wasm_dump(struct wasm_module *module, bool with_ir,
               void (*line)(void *context, struct bytes text), void *context, struct err *err)
{
    struct listing l = {.m = module, .line = line, .context = context};
    const struct wasm_module *m = module;

    if (with_ir && !wasm_module_translate_all(module, err))
        return false;
    for (uint32_t i = 0; i < m->type_count; i++) {
        begin(&l);
        writer_format(&l.w, "type %u ", i);
        write_func_type(&l, &m->types[i]);
        end(&l);
    }
    for (uint32_t i = 0; i < m->import_count; i++) {
        begin(&l);
        writer_text(&l.w, "import ");
        write_name(&l, m->imports[i].module);
        writer_u8(&l.w, ' ');
        write_name(&l, m->imports[i].name);
        write_extern(&l, m->imports[i].kind, m->imports[i].index);
        end(&l);
    }
    list_space(&l, WASM_EXTERN_TABLE, m->table_import_count, m->table_count);
    list_space(&l, WASM_EXTERN_MEMORY, m->memory_import_count, m->memory_count);
    list_space(&l, WASM_EXTERN_GLOBAL, m->global_import_count, m->global_count);
    for (uint32_t i = 0; i < m->export_count; i++) {
        begin(&l);
        writer_text(&l.w, "export ");
        write_name(&l, m->exports[i].name);
        write_extern(&l, m->exports[i].kind, m->exports[i].index);
        end(&l);
    }
    list_segments(&l);
    list_funcs(&l, with_ir);
    return true;
}
