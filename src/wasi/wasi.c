/* The functions as the engine's host functions, and those that concern no file: arguments,
 * environment, clocks, randomness, the end. */
#include "wasi/wasi.h"

#include <stdlib.h>
#include <string.h>

#include "wasi/internal.h"

static const struct {
    const char *name, *params;
    enum vfs_error (*code)(struct call *c);
} functions[] = {
#define WASI(name, params) {#name, params, wasi_##name},
#include "wasi/wasi.def"
#undef WASI
};
_Static_assert(COUNT_OF(functions) == 46, "preview 1 has 46 functions");

/* What the engine hands back to us: which function of which wasi. */
struct wasi_function_context {
    struct wasi *wasi;
    size_t index;
};

/* host_code of the trap that ends a workload: the exit code, or with END_SIGNAL a signal. */
#define END_SIGNAL (INT64_C(1) << 32)
static const char end_message[] = "the workload ended itself";

static enum vfs_error end(struct call *c, int64_t code)
{
    (void)wasm_trap_set(c->trap, end_message, code);
    c->has_ended = true;
    return VFS_OK;
}

bool wasi_ended(const struct wasm_trap *trap, struct wasi_end *out)
{
    if (trap->code != WASM_TRAP_HOST || trap->message != end_message)
        return false;
    out->by_signal = (trap->host_code & END_SIGNAL) != 0;
    out->number = (uint32_t)trap->host_code;
    return true;
}

/* The memory that the calling instance exports. */
static struct wasm_memory *memory_of(struct wasi *wasi, struct wasm_instance *instance)
{
    struct wasm_extern found;

    if (instance == NULL)
        return NULL;
    if (instance != wasi->instance) {
        if (!wasm_instance_export(instance, bytes_of("memory"), &found) ||
            found.kind != WASM_EXTERN_MEMORY)
            return NULL;
        wasi->instance = instance;
        wasi->memory = found.of.memory;
    }
    return wasi->memory;
}

static bool dispatch(void *context, const struct wasm_caller *caller, const union wasm_value *args,
                     union wasm_value *results, struct wasm_trap *trap)
{
    const struct wasi_function_context *f = context;
    struct call c = {.wasi = f->wasi, .args = args, .trap = trap};

    c.memory = memory_of(f->wasi, caller->instance);
    if (c.memory == NULL)
        return wasm_trap_set(trap,
                             "the module exports no memory named \"memory\", which WASI needs", 0);
    enum vfs_error error = functions[f->index].code(&c);
    if (c.has_ended)
        return false;
    results[0].i32 = error;
    return true;
}

bool wasi_define(struct wasi *wasi, struct wasm_store *store, struct wasm_linker *linker,
                 struct err *err)
{
    static const uint8_t result = WASM_I32;

    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        uint8_t params[9];
        size_t count = strlen(functions[i].params);
        for (size_t k = 0; k < count; k++)
            params[k] = functions[i].params[k] == 'I' ? WASM_I64 : WASM_I32;
        struct wasm_func_type type = {.params = params,
                                      .results = &result,
                                      .param_count = (uint32_t)count,
                                      .result_count = functions[i].code != wasi_proc_exit};
        struct wasm_extern what = {.kind = WASM_EXTERN_FUNC};
        wasi->contexts[i] = (struct wasi_function_context){.wasi = wasi, .index = i};
        if (!wasm_func_new(store, &type, dispatch, &wasi->contexts[i], &what.of.func, err) ||
            !wasm_linker_define(linker, bytes_of("wasi_snapshot_preview1"),
                                bytes_of(functions[i].name), what, err))
            return false;
    }
    return true;
}

/* Bytes of a list with a NUL behind each. */
static uint64_t list_size(const struct bytes *list, size_t count)
{
    uint64_t size = count;

    for (size_t i = 0; i < count; i++)
        size += list[i].size;
    return size;
}

bool wasi_new(const struct wasi_config *config, struct wasi **out, struct err *err)
{
    if (list_size(config->args, config->arg_count) > INT32_MAX ||
        list_size(config->env, config->env_count) > INT32_MAX)
        return err_set(err, ERR_LIMIT, "arguments or environment are too long", ERR_NO_AT);
    struct wasi *wasi = calloc(1, sizeof *wasi);
    if (wasi != NULL) {
        wasi->config = *config;
        wasi->bounce = malloc(BOUNCE_SIZE);
        wasi->contexts = calloc(COUNT_OF(functions), sizeof *wasi->contexts);
    }
    if (wasi == NULL || wasi->bounce == NULL || wasi->contexts == NULL) {
        wasi_free(wasi);
        return err_set(err, ERR_MEMORY, "no memory for WASI", ERR_NO_AT);
    }
    *out = wasi;
    return true;
}

void wasi_free(struct wasi *wasi)
{
    if (wasi == NULL)
        return;
    for (uint32_t fd = 0; fd < wasi->descriptor_count; fd++) {
        if (wasi->descriptors[fd].node != NULL)
            descriptor_close(wasi, fd);
    }
    free(wasi->descriptors);
    free(wasi->bounce);
    free(wasi->items);
    free(wasi->waits);
    free(wasi->contexts);
    free(wasi);
}

/* ---- arguments and environment ---- */

static enum vfs_error list_sizes(struct call *c, const struct bytes *list, size_t count)
{
    uint8_t *count_at = guest_at(c, arg32(c, 0), 4), *size_at = guest_at(c, arg32(c, 1), 4);

    if (count_at == NULL || size_at == NULL)
        return VFS_FAULT;
    store_u32(count_at, (uint32_t)count);
    store_u32(size_at, (uint32_t)list_size(list, count));
    return VFS_OK;
}

static enum vfs_error list_get(struct call *c, const struct bytes *list, size_t count)
{
    uint32_t text_address = arg32(c, 1);
    uint8_t *pointers = guest_at(c, arg32(c, 0), (uint64_t)count * 4);
    uint8_t *text = guest_at(c, text_address, list_size(list, count));

    if (pointers == NULL || text == NULL)
        return VFS_FAULT;
    for (size_t i = 0; i < count; i++) {
        store_u32(pointers + 4 * i, text_address);
        if (list[i].size != 0)
            memcpy(text, list[i].data, list[i].size);
        text[list[i].size] = 0;
        text += list[i].size + 1;
        text_address += (uint32_t)list[i].size + 1;
    }
    return VFS_OK;
}

enum vfs_error wasi_args_get(struct call *c)
{
    return list_get(c, c->wasi->config.args, c->wasi->config.arg_count);
}

enum vfs_error wasi_args_sizes_get(struct call *c)
{
    return list_sizes(c, c->wasi->config.args, c->wasi->config.arg_count);
}

enum vfs_error wasi_environ_get(struct call *c)
{
    return list_get(c, c->wasi->config.env, c->wasi->config.env_count);
}

enum vfs_error wasi_environ_sizes_get(struct call *c)
{
    return list_sizes(c, c->wasi->config.env, c->wasi->config.env_count);
}

/* ---- clocks, randomness ---- */

/* There is one thread, and its processor time is nobody's business. */
static enum vfs_error check_clock(uint32_t id)
{
    if (id == CLOCK_REALTIME_ID || id == CLOCK_MONOTONIC_ID)
        return VFS_OK;
    return id <= 3 ? VFS_NOTSUP : VFS_INVAL;
}

enum vfs_error wasi_clock_res_get(struct call *c)
{
    uint8_t *at = guest_at(c, arg32(c, 1), 8);
    enum vfs_error error = check_clock(arg32(c, 0));

    if (error != VFS_OK)
        return error;
    if (at == NULL)
        return VFS_FAULT;
    store_u64(at, 1);
    return VFS_OK;
}

enum vfs_error wasi_clock_time_get(struct call *c)
{
    const struct vfs_platform *p = vfs_platform(c->wasi->config.vfs);
    uint8_t *at = guest_at(c, arg32(c, 2), 8);
    enum vfs_error error = check_clock(arg32(c, 0));

    if (error != VFS_OK)
        return error;
    if (at == NULL)
        return VFS_FAULT;
    store_u64(at, arg32(c, 0) == CLOCK_REALTIME_ID ? p->realtime_ns(p->context)
                                                   : p->monotonic_ns(p->context));
    return VFS_OK;
}

enum vfs_error wasi_random_get(struct call *c)
{
    const struct vfs_platform *p = vfs_platform(c->wasi->config.vfs);
    uint8_t *at = guest_at(c, arg32(c, 0), arg32(c, 1));

    if (at == NULL)
        return VFS_FAULT;
    return p->random(p->context, at, arg32(c, 1)) ? VFS_OK : VFS_IO;
}

/* ---- the end ---- */

enum vfs_error wasi_proc_exit(struct call *c)
{
    return end(c, arg32(c, 0));
}

/* Signals of the specification, by their numbers. There are no handlers: a signal ends the
 * workload, or is one that a process ignores unless told otherwise. */
enum vfs_error wasi_proc_raise(struct call *c)
{
    enum { NONE = 0, CHLD = 16, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH = 27, LAST = 30 };

    switch (arg32(c, 0)) {
    case NONE:
    case CHLD:
    case CONT:
    case URG:
    case WINCH:
        return VFS_OK;
    case STOP:
    case TSTP:
    case TTIN:
    case TTOU:
        return VFS_NOTSUP;
    default:
        return arg32(c, 0) <= LAST ? end(c, END_SIGNAL | arg32(c, 0)) : VFS_INVAL;
    }
}

enum vfs_error wasi_sched_yield(struct call *c)
{
    const struct vfs_platform *p = vfs_platform(c->wasi->config.vfs);

    /* a wait for nothing, until a time that has passed */
    return p->wait(p->context, NULL, 0, 0);
}
