/* Actions on modules, instances and their exports. */
#include "action.h"

#include <stdarg.h>
#include <stdlib.h>

#include "assemble.h"
#include "os/os.h"
#include "os/wasm_platform.h"
#include "spectest.h"
#include "base/banned.h"

/* Modules live as long as the store, which may run their code. */
struct kept_module {
    struct wasm_module *module;
    struct kept_module *next;
};

/* A module of the script by its name, which may be empty. */
struct unit {
    struct bytes id;
    struct wasm_instance *instance; /* NULL when it could not be made */
    enum feature missing;           /* why, when that is why */
    struct unit *next;
};

/* What could be imported if the engine had a feature. */
struct absent {
    struct bytes module_name;
    struct bytes name; /* empty: anything of the module */
    enum feature missing;
    const struct absent *next;
};

bool session_init(struct session *s, enum wasm_bounds bounds, struct arena *arena, struct err *err)
{
    struct wasm_config config = {.platform = os_wasm_platform(), .bounds = bounds};
    struct absent *absent = ARENA_NEW(arena, struct absent);

    *s = (struct session){.arena = arena, .absent = absent};
    if (absent == NULL)
        return err_set(err, ERR_MEMORY, "no memory", ERR_NO_AT);
    *absent = (struct absent){.module_name = bytes_of("spectest"),
                              .name = bytes_of("shared_memory"),
                              .missing = FEATURE_THREADS};
    return wasm_engine_new(&config, &s->engine, err) && wasm_store_new(s->engine, &s->store, err) &&
           wasm_linker_new(s->store, &s->linker, err) && spectest_define(s->store, s->linker, err);
}

void session_done(struct session *s)
{
    wasm_linker_free(s->linker);
    wasm_store_free(s->store);
    for (struct kept_module *kept = s->modules; kept != NULL; kept = kept->next)
        wasm_module_free(kept->module);
    wasm_engine_free(s->engine);
}

/* ---- outcomes ---- */

PRINTF_LIKE(3, 4)
static struct outcome outcome(struct session *s, enum outcome_kind kind, const char *format, ...)
{
    struct outcome o = {.kind = kind, .text = bytes_of("no memory for the message")};
    char text[ERR_TEXT_SIZE + 40];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t size = strlen(text);
    char *copy = arena_alloc(s->arena, size + 1, 1);
    if (copy != NULL)
        o.text = bytes_from(memcpy(copy, text, size + 1), size);
    return o;
}

static struct outcome unsupported(struct session *s, enum feature feature)
{
    struct outcome o = outcome(s, OUTCOME_UNSUPPORTED, "not supported: %s", feature_name(feature));
    o.feature = feature;
    return o;
}

static struct outcome broken(struct session *s, const char *why)
{
    return outcome(s, OUTCOME_BROKEN, "%s", why);
}

static struct outcome engine_refusal(struct session *s, const struct err *err)
{
    char text[ERR_TEXT_SIZE];
    (void)err_text(err, os_strerror, text);
    switch (err->code) {
    case ERR_FORMAT:
        return outcome(s, OUTCOME_MALFORMED, "%s", text);
    case ERR_INVALID:
        return outcome(s, OUTCOME_INVALID, "%s", text);
    case ERR_UNSUPPORTED:
        if (feature_missing(err->msg) != FEATURE_NONE)
            return unsupported(s, feature_missing(err->msg));
        return broken(s, text);
    default:
        return broken(s, text);
    }
}

/* ---- modules ---- */

static bool join_strings(const struct sexpr *at, struct arena *arena, struct bytes *out,
                         struct text_error *error)
{
    struct writer joined = writer_growable(arena, SIZE_MAX);
    struct bytes string;
    struct err err;

    while (sexpr_take_string(&at, &string))
        writer_bytes(&joined, string);
    if (at == NULL && writer_done(&joined, out, &err))
        return true;
    (void)text_error_set(error, at != NULL ? at->line : 0, 0, "not a string, or no memory");
    return false;
}

/* The binary of what stands behind "(module" and its name. *missing is the feature that its text
 * uses; then there is no binary. */
static bool make_binary(const struct sexpr *at, struct arena *arena, struct bytes *out,
                        enum feature *missing, struct text_error *error)
{
    struct bytes text;

    *missing = FEATURE_NONE;
    if (sexpr_take_word(&at, "binary"))
        return join_strings(at, arena, out, error);
    if (sexpr_take_word(&at, "quote")) {
        if (!join_strings(at, arena, &text, error) || !sexpr_parse(text, arena, &at, error))
            return false;
        if (at != NULL && at->next == NULL)
            (void)sexpr_take_list(&at, "module", &at);
    }
    for (const struct sexpr *field = at; field != NULL && *missing == FEATURE_NONE;
         field = field->next)
        *missing = feature_used(field);
    return *missing != FEATURE_NONE || assemble(at, arena, out, error);
}

/* The engine gets a block of exactly the module's size, so that a sanitizer sees if it reads
 * beyond. */
static bool new_module(struct session *s, struct bytes binary, struct wasm_module **out,
                       struct err *err)
{
    struct kept_module *kept = ARENA_NEW(s->arena, struct kept_module);
    uint8_t *copy = malloc(binary.size);
    bool ok = false;

    if (kept == NULL || (copy == NULL && binary.size != 0)) {
        free(copy);
        return err_set(err, ERR_MEMORY, "no memory for a module, in bytes", binary.size);
    }
    if (binary.size != 0)
        memcpy(copy, binary.data, binary.size);
    ok = wasm_module_new(s->engine, bytes_from(copy, binary.size), out, err);
    free(copy);
    if (ok) {
        *kept = (struct kept_module){.module = *out, .next = s->modules};
        s->modules = kept;
    }
    return ok;
}

/* Whether the module cannot be linked because what it imports is not supported. */
static enum feature missing_import(const struct session *s, const struct wasm_module *module,
                                   const struct err *err)
{
    struct bytes module_name, name;
    struct wasm_extern_type type;

    if (err->code != ERR_NOT_FOUND)
        return FEATURE_NONE;
    wasm_module_import(module, (uint32_t)err->at, &module_name, &name, &type);
    for (const struct absent *absent = s->absent; absent != NULL; absent = absent->next)
        if (bytes_equal(absent->module_name, module_name) &&
            (absent->name.size == 0 || bytes_equal(absent->name, name)))
            return absent->missing;
    return FEATURE_NONE;
}

static struct outcome instantiate(struct session *s, struct wasm_module *module,
                                  struct wasm_instance **out)
{
    struct wasm_trap trap;
    struct err err;

    if (wasm_linker_instantiate(s->linker, module, out, &trap, &err))
        return (struct outcome){.kind = OUTCOME_DONE};
    if (trap.code != WASM_TRAP_NONE)
        return outcome(s, OUTCOME_TRAP, "%s", trap.message);
    enum feature missing = missing_import(s, module, &err);
    if (missing != FEATURE_NONE)
        return unsupported(s, missing);
    if (err.code == ERR_NOT_FOUND || err.code == ERR_INVALID)
        return outcome(s, OUTCOME_UNLINKABLE, "%s", err.msg);
    return broken(s, err.msg);
}

static struct outcome load(struct session *s, const struct sexpr *fields, enum depth depth,
                           struct wasm_instance **out)
{
    struct wasm_module *module = NULL;
    struct text_error error;
    struct arena arena;
    struct bytes binary;
    struct outcome o = {.kind = OUTCOME_DONE};
    struct err err;
    enum feature missing;

    arena_init(&arena, arena_heap, SIZE_MAX);
    if (!make_binary(fields, &arena, &binary, &missing, &error))
        o = outcome(s, OUTCOME_MALFORMED, "%s (in line %u)", error.text, error.line);
    else if (missing != FEATURE_NONE)
        o = unsupported(s, missing);
    else if (!new_module(s, binary, &module, &err))
        o = engine_refusal(s, &err);
    arena_done(&arena);
    return o.kind == OUTCOME_DONE && depth == DEPTH_RUN ? instantiate(s, module, out) : o;
}

struct outcome action_module(struct session *s, const struct sexpr *fields, struct bytes id)
{
    struct unit *unit = ARENA_NEW(s->arena, struct unit);

    if (unit == NULL)
        return broken(s, "no memory");
    struct outcome o = load(s, fields, DEPTH_RUN, &unit->instance);
    unit->id = id;
    unit->missing = o.feature;
    unit->next = s->units;
    s->units = unit;
    return o;
}

/* ---- instances and their exports ---- */

/* The unit that *at names, or the newest; NULL when there is none. */
static const struct unit *take_unit(const struct session *s, const struct sexpr **at)
{
    const struct unit *unit = s->units;
    struct bytes id;

    if (sexpr_take_id(at, &id))
        while (unit != NULL && !bytes_equal(unit->id, id))
            unit = unit->next;
    return unit;
}

struct outcome action_register(struct session *s, const struct sexpr *command)
{
    const struct sexpr *at = command->first->next;
    struct bytes name;
    struct err err;

    if (!sexpr_take_string(&at, &name))
        return broken(s, "no name to register");
    const struct unit *unit = take_unit(s, &at);
    if (unit == NULL || (unit->instance == NULL && unit->missing == FEATURE_NONE))
        return broken(s, "no such module");
    if (unit->instance != NULL) {
        if (!wasm_linker_define_instance(s->linker, name, unit->instance, &err))
            return broken(s, err.msg);
        return (struct outcome){.kind = OUTCOME_DONE};
    }
    struct absent *absent = ARENA_NEW(s->arena, struct absent);
    if (absent == NULL)
        return broken(s, "no memory");
    *absent = (struct absent){.module_name = name, .missing = unit->missing, .next = s->absent};
    s->absent = absent;
    return unsupported(s, unit->missing);
}

static struct outcome call(struct session *s, struct wasm_func *func, const struct sexpr *args)
{
    struct wasm_func_type type = wasm_func_type(func);
    union wasm_value *values =
        ARENA_ARRAY(s->arena, union wasm_value, type.param_count + type.result_count);
    struct outcome o = {.kind = OUTCOME_DONE, .result_count = type.result_count};
    struct wasm_trap trap;
    struct value value;
    struct err err;

    o.results = ARENA_ARRAY(s->arena, struct value, type.result_count);
    if (values == NULL || o.results == NULL)
        return broken(s, "no memory");
    for (uint32_t i = 0; i < type.param_count; i++, args = args->next) {
        if (args == NULL)
            return broken(s, "too few arguments");
        if (!value_parse(args, &value, &err))
            return broken(s, err.msg);
        if (value.type != (enum wasm_type)type.params[i])
            return broken(s, "an argument has the wrong type");
        values[i] = value.is;
    }
    if (args != NULL)
        return broken(s, "too many arguments");
    if (!wasm_func_call(func, values, values + type.param_count, &trap))
        return outcome(s, OUTCOME_TRAP, "%s", trap.message);
    for (uint32_t i = 0; i < type.result_count; i++)
        o.results[i] =
            (struct value){(enum wasm_type)type.results[i], values[type.param_count + i]};
    return o;
}

static struct outcome get(struct session *s, const struct wasm_global *global)
{
    struct outcome o = {.kind = OUTCOME_DONE, .result_count = 1};
    bool is_mutable;

    o.results = ARENA_NEW(s->arena, struct value);
    if (o.results == NULL)
        return broken(s, "no memory");
    *o.results = (struct value){wasm_global_type(global, &is_mutable), wasm_global_get(global)};
    return o;
}

struct outcome action_perform(struct session *s, const struct sexpr *action, enum depth depth)
{
    const struct sexpr *at;
    struct wasm_instance *instance;
    struct wasm_extern what;
    struct bytes name;

    if (sexpr_take_list(&action, "module", &at)) {
        (void)sexpr_take_id(&at, &name);
        return load(s, at, depth, &instance);
    }
    bool is_call = sexpr_take_list(&action, "invoke", &at);
    if (!is_call && !sexpr_take_list(&action, "get", &at))
        return broken(s, "no such action");
    const struct unit *unit = take_unit(s, &at);
    if (unit != NULL && unit->missing != FEATURE_NONE)
        return unsupported(s, unit->missing);
    if (unit == NULL || unit->instance == NULL)
        return broken(s, "no such module");
    if (!sexpr_take_string(&at, &name) || !wasm_instance_export(unit->instance, name, &what) ||
        what.kind != (is_call ? WASM_EXTERN_FUNC : WASM_EXTERN_GLOBAL))
        return broken(s, "no such export");
    return is_call ? call(s, what.of.func, at) : get(s, what.of.global);
}
