/* A workload from its package to its end: configuration, files, descriptors, the module. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "keep/keep.h"
#include "os/wasm_platform.h"
#include "package/config.h"
#include "wasi/wasi.h"
#include "wasm/dump.h"
#include "wasm/wasm.h"

#define MODULE_PATH "main.wasm"
/* What /tmp may hold, when the configuration has no limit of memory. */
#define TMP_SIZE_DEFAULT (UINT64_C(256) << 20)
/* For the frames of the module's calls. */
#define STACK_SIZE (8u << 20)
#define PAGE_SIZE 65536u

struct workload {
    const struct boot *boot;
    struct arena *arena;
    struct self *self;
    struct package package;
    struct config config;
    struct bytes binary;
    struct bytes *args, *env;
    size_t arg_count, env_count;
    struct vfs *vfs;
    struct net *net;
    struct wasi *wasi;
    struct wasm_engine *engine;
    struct wasm_module *module;
    struct wasm_store *store;
    struct wasm_linker *linker;
};

static bool fail(const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    log_error(what, log_str("reason", err_text(err, NULL, text)));
    return false;
}

/* ---- configuration ---- */

static bool read_config(struct workload *w)
{
    const struct boot_file *keep = package_file(&w->package, "Keep.toml");
    const struct boot_file *enarx = package_file(&w->package, "Enarx.toml");
    const struct boot_file *file = keep != NULL ? keep : enarx;
    struct text_error error = {.line = 0};
    char place[80];

    if (keep != NULL && enarx != NULL) {
        log_error("the package has both Keep.toml and Enarx.toml; one of them must go");
        return false;
    }
    struct bytes text = file != NULL ? file->content : bytes_of("");
    enum config_form form = enarx != NULL ? CONFIG_ENARX : CONFIG_KEEP;
    if (config_parse(text, form, w->arena, &w->config, &error))
        return true;
    (void)snprintf(place, sizeof place, "%s:%" PRIu32 ":%" PRIu32,
                   form == CONFIG_ENARX ? "Enarx.toml" : "Keep.toml", error.line, error.column);
    log_error("bad configuration", log_str("at", place), log_str("reason", error.text));
    return false;
}

/* NAME=VALUE from its parts. */
static bool env_text(struct arena *arena, struct bytes name, struct bytes value, struct bytes *out)
{
    struct writer w = writer_growable(arena, name.size + value.size + 1);
    struct err err;

    writer_bytes(&w, name);
    writer_u8(&w, '=');
    writer_bytes(&w, value);
    return writer_done(&w, out, &err);
}

static struct bytes env_name(struct bytes text)
{
    const uint8_t *equals = text.size == 0 ? NULL : memchr(text.data, '=', text.size);

    return equals == NULL ? text : bytes_before(text, (size_t)(equals - text.data));
}

/* FD_COUNT and FD_NAMES, as Enarx has them. */
static bool describe_files(struct workload *w)
{
    const struct config *config = &w->config;
    struct writer names = writer_growable(w->arena, CONFIG_SIZE_MAX);
    struct bytes text;
    struct err err;
    char count[24];

    (void)snprintf(count, sizeof count, "%zu", config->file_count);
    for (size_t i = 0; i < config->file_count; i++) {
        writer_text(&names, i == 0 ? "" : ":");
        writer_bytes(&names, config->files[i].name);
    }
    return writer_done(&names, &text, &err) &&
           env_text(w->arena, bytes_of("FD_COUNT"), bytes_of(count), &w->env[w->env_count++]) &&
           env_text(w->arena, bytes_of("FD_NAMES"), text, &w->env[w->env_count++]);
}

/* The environment: of the files, of the configuration, of the boot request; the last of a name
 * counts. */
static bool make_env(struct workload *w)
{
    const struct config *config = &w->config;
    bool ok = true;

    w->env = ARENA_ARRAY(w->arena, struct bytes, 2 + config->env_count + w->boot->env_count);
    if (w->env == NULL)
        return false;
    if (config->has_files)
        ok = describe_files(w);
    for (size_t i = 0; i < config->env_count && ok; i++)
        ok = env_text(w->arena, config->env[i].name, config->env[i].value, &w->env[w->env_count++]);
    for (size_t i = 0; i < w->boot->env_count && ok; i++) {
        size_t at = 0;
        while (at < w->env_count && !bytes_equal(env_name(w->env[at]), env_name(w->boot->env[i])))
            at++;
        w->env[at] = w->boot->env[i];
        w->env_count += at == w->env_count;
    }
    return ok;
}

static bool make_args(struct workload *w)
{
    bool from_boot = w->boot->arg_count != 0;
    const struct bytes *given = from_boot ? w->boot->args : w->config.args;

    w->arg_count = 1 + (from_boot ? w->boot->arg_count : w->config.arg_count);
    w->args = ARENA_ARRAY(w->arena, struct bytes, w->arg_count);
    if (w->args == NULL)
        return false;
    w->args[0] = bytes_of(MODULE_PATH);
    for (size_t i = 1; i < w->arg_count; i++)
        w->args[i] = given[i - 1];
    return true;
}

/* ---- descriptors ---- */

static bool add_node(struct workload *w, struct vfs_node *node, enum wasi_role role)
{
    struct err err;
    uint32_t fd;

    if (node == NULL) {
        (void)err_set(&err, ERR_MEMORY, "no memory for a descriptor", ERR_NO_AT);
        return fail("cannot start", &err);
    }
    bool ok = wasi_add(w->wasi, node, role, NULL, &fd, &err);
    vfs_node_drop(node);
    return ok || fail("cannot start", &err);
}

static bool add_stdio(struct workload *w, int fd)
{
    return add_node(w, stdio_new(w->vfs, fd, w->boot->stdio[fd]),
                    fd == 0 ? WASI_ROLE_INPUT : WASI_ROLE_OUTPUT);
}

static bool add_null(struct workload *w, enum wasi_role role)
{
    struct vfs_node *node = NULL;

    (void)vfs_resolve(w->vfs, vfs_root(w->vfs), bytes_of("dev/null"), false, &node);
    return add_node(w, node, role);
}

static bool add_socket(struct workload *w, const struct config_file *file)
{
    struct vfs_node *node = NULL;
    enum vfs_error error = net_open(w->net, file, &node);

    if (error == VFS_OK)
        return add_node(
            w, node, file->kind == CONFIG_FILE_LISTEN ? WASI_ROLE_LISTENER : WASI_ROLE_CONNECTION);
    log_error(file->kind == CONFIG_FILE_LISTEN ? "cannot listen" : "cannot connect",
              log_bytes("file", file->name), log_bytes("host", file->host),
              log_u64("port", file->port), log_str("reason", net_error_text(error)));
    return false;
}

static bool add_file(struct workload *w, const struct config_file *file)
{
    switch (file->kind) {
    case CONFIG_FILE_STDIN:
        return add_stdio(w, 0);
    case CONFIG_FILE_STDOUT:
        return add_stdio(w, 1);
    case CONFIG_FILE_STDERR:
        return add_stdio(w, 2);
    case CONFIG_FILE_LISTEN:
    case CONFIG_FILE_CONNECT:
        return add_socket(w, file);
    default:
        return add_null(w, WASI_ROLE_CONNECTION);
    }
}

/* Those of the configuration, then the root directory: at 3 or behind them, where the C library
 * looks. */
static bool add_descriptors(struct workload *w)
{
    struct err err;
    uint32_t fd;

    for (size_t i = 0; i < w->config.file_count; i++) {
        if (!add_file(w, &w->config.files[i]))
            return false;
    }
    for (int i = 0; i < 3 && !w->config.has_files; i++) {
        if (!(w->config.stdio[i] == CONFIG_STDIO_HOST
                  ? add_stdio(w, i)
                  : add_null(w, i == 0 ? WASI_ROLE_INPUT : WASI_ROLE_OUTPUT)))
            return false;
    }
    wasi_skip_to(w->wasi, 3);
    if (!wasi_add(w->wasi, vfs_root(w->vfs), WASI_ROLE_DIRECTORY, "/", &fd, &err))
        return fail("cannot start", &err);
    wasi_skip_to(w->wasi, 0);
    return true;
}

static struct vfs_node *node_of_fd(void *context, uint32_t fd)
{
    const struct workload *w = context;

    return wasi_node(w->wasi, fd);
}

static bool make_files(struct workload *w)
{
    uint64_t memory = w->config.limits.memory;
    struct net_config net = {.config = &w->config,
                             .tls = self_tls(w->self),
                             .context = w,
                             .resolve = call_resolve,
                             .node_of_fd = node_of_fd};
    struct wasi_config wasi = {.args = w->args,
                               .arg_count = w->arg_count,
                               .env = w->env,
                               .env_count = w->env_count,
                               .open_files_max = w->config.limits.open_files};
    struct err err;

    if (!vfs_new(&keep_platform, memory < TMP_SIZE_DEFAULT ? memory : TMP_SIZE_DEFAULT, &w->vfs,
                 &err))
        return fail("cannot start", &err);
    for (size_t i = 0; i < w->package.file_count; i++) {
        const struct boot_file *file = &w->package.files[i];
        if (!vfs_add_file(w->vfs, file->path, file->content, &err)) {
            log_error("bad package", log_bytes("file", file->path), log_err(&err));
            return false;
        }
    }
    wasi.vfs = net.vfs = w->vfs;
    if (!net_new(&net, &w->net, &err) || !wasi_new(&wasi, &w->wasi, &err))
        return fail("cannot start", &err);
    background_set(w->net, w->self);
    return add_descriptors(w);
}

/* ---- the module ---- */

/* A name of the module's, made fit to be read. */
struct shown_name {
    uint8_t text[256];
    size_t size;
};

static struct bytes show_name(struct shown_name *shown, struct bytes name)
{
    struct writer w = writer_fixed(shown->text, sizeof shown->text);

    wasm_name_write(&w, name);
    shown->size = w.size;
    return bytes_from(shown->text, shown->size);
}

static int report_trap(const struct wasm_trap *trap)
{
    struct shown_name name;

    log_error("the workload trapped", log_str("trap", trap->message));
    for (uint32_t i = 0; i < trap->frame_count; i++) {
        const struct wasm_frame *f = &trap->frames[i];
        log_error(i == 0 ? "  in" : "  called by", log_u64("function", f->func_index),
                  log_bytes("name", show_name(&name, f->name)), log_u64("offset", f->offset));
    }
    if (trap->depth > trap->frame_count)
        log_error("  and more calls", log_u64("count", trap->depth - trap->frame_count));
    return KEEP_TRAPPED;
}

static int report_end(const struct wasm_trap *trap)
{
    struct wasi_end end;

    if (!wasi_ended(trap, &end))
        return report_trap(trap);
    if (end.by_signal) {
        log_info("the workload raised a signal", log_u64("signal", end.number));
        return (int)(128 + end.number);
    }
    if (end.number > 255) {
        log_error("the workload's exit code is above 255", log_u64("code", end.number));
        return 255;
    }
    return (int)end.number;
}

static void report_link(const struct workload *w, const struct err *err)
{
    struct bytes from, name;
    struct wasm_extern_type type;
    struct shown_name shown_from, shown;

    if ((err->code == ERR_NOT_FOUND || err->code == ERR_INVALID) &&
        err->at < wasm_module_import_count(w->module)) {
        wasm_module_import(w->module, (uint32_t)err->at, &from, &name, &type);
        log_error(err->code == ERR_NOT_FOUND ? "the module imports what Broch does not have"
                                             : "the module imports something with another type",
                  log_bytes("module", show_name(&shown_from, from)),
                  log_bytes("name", show_name(&shown, name)));
        return;
    }
    (void)fail("cannot link the module", err);
}

static bool load(struct workload *w)
{
    const struct boot *boot = w->boot;
    uint64_t memory = boot->memory != UINT64_MAX ? boot->memory : w->config.limits.memory;
    struct wasm_config config = {
        .platform = os_wasm_platform(),
        .bounds = WASM_BOUNDS_EXPLICIT, /* the faster one here: decision 4 */
        .stack_size = STACK_SIZE,
        .memory_pages_max = memory / PAGE_SIZE < 65536 ? memory / PAGE_SIZE : 65536,
        .tick = background_tick};
    struct err err;

    if (config.memory_pages_max == 0) {
        log_error("the limit of memory is less than a page", log_u64("bytes", memory));
        return false;
    }
    if (!wasm_engine_new(&config, &w->engine, &err))
        return fail("cannot start the engine", &err);
    if (!wasm_module_new(w->engine, w->binary, &w->module, &err))
        return fail("bad module " MODULE_PATH, &err);
    if (!wasm_store_new(w->engine, &w->store, &err) ||
        !wasm_linker_new(w->store, &w->linker, &err) ||
        !wasi_define(w->wasi, w->store, w->linker, &err))
        return fail("cannot start the engine", &err);
    call_phase(KEEP_PHASE_COMPILED);
    wasm_store_set_fuel(w->store, boot->fuel != UINT64_MAX ? boot->fuel : w->config.limits.fuel);
    return true;
}

/* The function to start: of a command. */
static struct wasm_func *find_start(struct wasm_instance *instance)
{
    static const char *const names[] = {"_start", ""};
    struct wasm_extern found;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (wasm_instance_export(instance, bytes_of(names[i]), &found) &&
            found.kind == WASM_EXTERN_FUNC && wasm_func_type(found.of.func).param_count == 0)
            return found.of.func;
    }
    return NULL;
}

static int execute(struct workload *w)
{
    struct wasm_instance *instance;
    struct wasm_trap trap = {.code = WASM_TRAP_NONE};
    struct err err;

    if (!wasm_linker_instantiate(w->linker, w->module, &instance, &trap, &err)) {
        if (trap.code != WASM_TRAP_NONE)
            return report_end(&trap);
        report_link(w, &err);
        return KEEP_FAILED;
    }
    struct wasm_func *start = find_start(instance);
    if (start == NULL) {
        log_error("the module exports no function `_start`: it is no command");
        return KEEP_FAILED;
    }
    uint32_t result_count = wasm_func_type(start).result_count;
    union wasm_value *results = ARENA_ARRAY(w->arena, union wasm_value, result_count + 1u);
    if (results == NULL) {
        log_error("no memory for the results of `_start`");
        return KEEP_FAILED;
    }
    call_phase(KEEP_PHASE_RUNNING);
    return wasm_func_call(start, NULL, results, &trap) ? 0 : report_end(&trap);
}

static void workload_done(struct workload *w)
{
    wasm_linker_free(w->linker);
    wasm_store_free(w->store);
    wasm_module_free(w->module);
    wasm_engine_free(w->engine);
    wasi_free(w->wasi);
    if (w->net != NULL)
        net_drain(w->net);
    background_set(NULL, NULL);
    vfs_free(w->vfs);
    net_free(w->net);
    self_free(w->self);
}

/* Gets the package and becomes who it says; 0 or an exit code. */
static int prepare(struct workload *w)
{
    const struct boot *boot = w->boot;
    struct err err;
    int code = 0;

    if (!self_new(boot, &w->self, &err)) {
        (void)fail("cannot start", &err);
        return KEEP_FAILED;
    }
    if (boot->package.size != 0 && boot->file_count != 0) {
        log_error("the boot request has both a package's name and its files");
        return KEEP_FAILED;
    }
    w->package = (struct package){.files = boot->files, .file_count = boot->file_count};
    if (boot->package.size != 0) {
        code = self_fetch(w->self, w->arena, &w->package);
        if (code != 0)
            return code;
        call_phase(KEEP_PHASE_FETCHED);
    }
    const struct boot_file *module = package_file(&w->package, MODULE_PATH);
    if (module == NULL) {
        log_error("the package has no " MODULE_PATH);
        return KEEP_FAILED;
    }
    w->binary = module->content;
    if (!read_config(w))
        return KEEP_FAILED;
    code = self_become(w->self, boot, &w->config, &w->package);
    if (code == 0 && (w->config.steward.size != 0 || boot->steward.size != 0))
        call_phase(KEEP_PHASE_ATTESTED);
    return code;
}

int workload_run(const struct boot *boot, struct arena *arena)
{
    struct workload w = {.boot = boot, .arena = arena};
    int code = prepare(&w);

    if (code == 0) {
        code = KEEP_FAILED;
        if (!make_args(&w) || !make_env(&w))
            log_error("no memory for arguments and environment");
        else if (make_files(&w) && load(&w))
            code = execute(&w);
    }
    workload_done(&w);
    return code;
}
