/* Any bytes: one verdict, whoever is asked. A module that is refused has a reason and a place in
 * the bytes; of one that is valid, everything can be listed and translated, and a listing is lines
 * that a terminal can be shown. Nothing is run; wasm_run_fuzz.c does that. */
#include <assert.h>
#include <string.h>

#include "os/wasm_platform.h"
#include "wasm/dump.h"
#include "wasm/wasm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct listing {
    size_t lines, bytes;
    uint64_t sum;
};

static void add_line(void *context, struct bytes text)
{
    struct listing *l = context;

    assert(text.size > 1 && text.data[text.size - 1] == '\n');
    for (size_t i = 0; i < text.size; i++) {
        assert(i == text.size - 1 || (text.data[i] >= 0x20 && text.data[i] != 0x7f));
        assert(i == 0 || text.data[i - 1] != 0xc2 || text.data[i] >= 0xa0);
        l->sum = (l->sum ^ text.data[i]) * UINT64_C(0x100000001b3);
    }
    l->lines++;
    l->bytes += text.size;
}

static struct listing list(struct wasm_module *module, bool with_ir)
{
    struct listing l = {.sum = 0};
    struct err err;

    bool listed = wasm_dump(module, with_ir, add_line, &l, &err);
    assert(listed);
    return l;
}

static bool is_type(uint8_t type)
{
    return strcmp(wasm_type_name((enum wasm_type)type), wasm_type_name((enum wasm_type)0)) != 0;
}

static void look_at_type(const struct wasm_extern_type *type)
{
    switch (type->kind) {
    case WASM_EXTERN_FUNC:
        for (uint32_t i = 0; i < type->func.param_count; i++)
            assert(is_type(type->func.params[i]));
        for (uint32_t i = 0; i < type->func.result_count; i++)
            assert(is_type(type->func.results[i]));
        break;
    case WASM_EXTERN_TABLE:
        assert(type->type == WASM_FUNCREF || type->type == WASM_EXTERNREF);
        assert(type->limits.min <= type->limits.max);
        break;
    case WASM_EXTERN_MEMORY:
        assert(type->limits.min <= type->limits.max && type->limits.min <= 65536);
        break;
    case WASM_EXTERN_GLOBAL:
        assert(is_type((uint8_t)type->type));
        break;
    }
}

static void look_at_module(struct wasm_module *module, size_t size)
{
    struct bytes from, name;
    struct wasm_extern_type type;
    struct err err;

    assert(wasm_module_memory(module) >= size);
    for (uint32_t i = 0; i < wasm_module_import_count(module); i++) {
        wasm_module_import(module, i, &from, &name, &type);
        assert(utf8_is_valid(from) && utf8_is_valid(name));
        look_at_type(&type);
    }
    for (uint32_t i = 0; i < wasm_module_export_count(module); i++) {
        wasm_module_export(module, i, &name, &type);
        assert(utf8_is_valid(name));
        look_at_type(&type);
    }
    struct listing before = list(module, false);
    bool translated = wasm_module_translate_all(module, &err);
    assert(translated);
    struct listing after = list(module, false), with_ir = list(module, true);
    assert(before.sum == after.sum && before.lines == after.lines && before.bytes == after.bytes);
    assert(with_ir.lines >= after.lines && with_ir.bytes >= after.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wasm_config config = {.platform = os_wasm_platform()};
    struct wasm_engine *engine;
    struct wasm_module *module;
    struct err err = {.code = ERR_NONE}, again = {.code = ERR_NONE};

    bool ok = wasm_engine_new(&config, &engine, &err);
    assert(ok);
    bool valid = wasm_validate(engine, bytes_from(data, size), &err);
    bool made = wasm_module_new(engine, bytes_from(data, size), &module, &again);
    assert(valid == made);
    if (made) {
        look_at_module(module, size);
        wasm_module_free(module);
    } else {
        assert(err.code != ERR_NONE && err.msg != NULL);
        assert(err.code == ERR_LIMIT || err.at <= size);
        assert(err.code == again.code && err.at == again.at && strcmp(err.msg, again.msg) == 0);
    }
    wasm_engine_free(engine);
    return 0;
}
