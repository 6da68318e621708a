/* Any calls with any arguments, as a hostile workload makes them. The input is a list of calls:
 * which function, then a byte or more for each argument; and pokes into memory. Nothing is to be
 * seen but the absence of crashes, and that nothing is left open. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "os/wasm_platform.h"
#include "wasi/wasi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUNCTION_COUNT = 46, CALLS_MAX = 64, OPEN_FILES_MAX = 12, TMP_SIZE = 1 << 16 };

static const struct {
    const char *name, *params;
} functions[] = {
#define WASI(name, params) {#name, params},
#include "wasi/wasi.def"
#undef WASI
};

/* ---- the world ---- */

static uint64_t clock_ns;

static uint64_t now(void *context)
{
    (void)context;
    return clock_ns += 1000;
}

static bool fill(void *context, void *out, size_t size)
{
    (void)context;
    memset(out, 7, size);
    return true;
}

/* Time passes at once; what would never come is an error. */
static enum vfs_error wait_for(void *context, struct vfs_wait *waits, size_t count,
                               uint64_t until_ns)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        waits[i].woken = 0;
    if (until_ns == UINT64_MAX)
        return VFS_IO;
    if (until_ns > clock_ns)
        clock_ns = until_ns;
    return VFS_OK;
}

/* A socket whose peer sends back what it gets. */
struct echo {
    struct vfs_node node;
    uint8_t bytes[300];
    size_t size;
};

static unsigned echoes; /* alive */

static void echo_release(struct vfs_node *node)
{
    echoes--;
    free(node);
}

static enum vfs_error echo_peek(struct vfs_node *node, void *out, size_t size, size_t *done)
{
    struct echo *e = (struct echo *)(void *)node;

    if (e->size == 0)
        return VFS_AGAIN;
    *done = size < e->size ? size : e->size;
    memcpy(out, e->bytes, *done);
    return VFS_OK;
}

static enum vfs_error echo_read(struct vfs_node *node, uint64_t offset, void *out, size_t size,
                                size_t *done)
{
    struct echo *e = (struct echo *)(void *)node;
    enum vfs_error error = echo_peek(node, out, size, done);

    (void)offset;
    if (error == VFS_OK) {
        e->size -= *done;
        memmove(e->bytes, e->bytes + *done, e->size);
    }
    return error;
}

static enum vfs_error echo_write(struct vfs_node *node, uint64_t offset, struct bytes in,
                                 size_t *done)
{
    struct echo *e = (struct echo *)(void *)node;
    size_t space = sizeof e->bytes - e->size;

    (void)offset;
    if (space == 0 && in.size != 0)
        return VFS_AGAIN;
    *done = in.size < space ? in.size : space;
    if (*done != 0)
        memcpy(e->bytes + e->size, in.data, *done);
    e->size += *done;
    return VFS_OK;
}

static void echo_poll(struct vfs_node *node, unsigned wanted, unsigned woken, struct vfs_poll *out)
{
    const struct echo *e = (const struct echo *)(const void *)node;
    unsigned can =
        (e->size != 0 ? VFS_READABLE : 0) | (e->size != sizeof e->bytes ? VFS_WRITABLE : 0);

    (void)woken;
    *out = (struct vfs_poll){.ready = wanted & can, .size = e->size};
}

static enum vfs_error echo_accept(struct vfs_node *node, struct vfs_node **out);
static enum vfs_error echo_shutdown(struct vfs_node *node, unsigned how)
{
    (void)node;
    assert(how != 0 && how <= (VFS_SHUTDOWN_READ | VFS_SHUTDOWN_WRITE));
    return VFS_OK;
}

static const struct vfs_ops echo_ops = {.type = VFS_SOCKET,
                                        .is_stream = true,
                                        .release = echo_release,
                                        .read = echo_read,
                                        .write = echo_write,
                                        .peek = echo_peek,
                                        .poll = echo_poll,
                                        .accept = echo_accept,
                                        .shutdown = echo_shutdown};

static struct vfs_node *echo_new(void)
{
    struct echo *e = calloc(1, sizeof *e);

    assert(e != NULL);
    echoes++;
    vfs_node_init(&e->node, &echo_ops);
    return &e->node;
}

static enum vfs_error echo_accept(struct vfs_node *node, struct vfs_node **out)
{
    (void)node;
    *out = echo_new();
    return VFS_OK;
}

/* ---- a module that hands its exports' arguments on to the functions ---- */

static void section(struct writer *w, uint8_t id, const struct writer *body)
{
    writer_u8(w, id);
    writer_leb128_u64(w, body->size);
    writer_bytes(w, bytes_from(body->data, body->size));
}

static void name(struct writer *w, const char *text)
{
    writer_leb128_u64(w, strlen(text));
    writer_text(w, text);
}

static struct bytes make_module(struct arena *arena)
{
    struct writer w = writer_growable(arena, 1 << 16), types = writer_growable(arena, 1 << 16),
                  imports = writer_growable(arena, 1 << 16),
                  funcs = writer_growable(arena, 1 << 16),
                  exports = writer_growable(arena, 1 << 16), code = writer_growable(arena, 1 << 16),
                  memory = writer_growable(arena, 16);
    struct bytes out;
    struct err err;

    writer_u8(&types, FUNCTION_COUNT);
    writer_u8(&imports, FUNCTION_COUNT);
    writer_u8(&funcs, FUNCTION_COUNT);
    writer_u8(&exports, FUNCTION_COUNT + 1);
    writer_u8(&code, FUNCTION_COUNT);
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        size_t count = strlen(functions[i].params);
        bool has_result = strcmp(functions[i].name, "proc_exit") != 0;
        writer_u8(&types, 0x60);
        writer_leb128_u64(&types, count);
        for (size_t k = 0; k < count; k++)
            writer_u8(&types, functions[i].params[k] == 'I' ? WASM_I64 : WASM_I32);
        writer_u8(&types, has_result);
        if (has_result)
            writer_u8(&types, WASM_I32);
        name(&imports, "wasi_snapshot_preview1");
        name(&imports, functions[i].name);
        writer_u8(&imports, 0);
        writer_u8(&imports, (uint8_t)i);
        writer_u8(&funcs, (uint8_t)i);
        name(&exports, functions[i].name);
        writer_u8(&exports, 0);
        writer_leb128_u64(&exports, FUNCTION_COUNT + i);
        writer_leb128_u64(&code, 2 * count + 4);
        writer_u8(&code, 0);
        for (size_t k = 0; k < count; k++) {
            writer_u8(&code, 0x20); /* local.get */
            writer_u8(&code, (uint8_t)k);
        }
        writer_u8(&code, 0x10); /* call */
        writer_u8(&code, (uint8_t)i);
        writer_u8(&code, 0x0b);
    }
    name(&exports, "memory");
    writer_u8(&exports, 2);
    writer_u8(&exports, 0);
    writer_bytes(&memory, bytes_from("\1\0\1", 3));
    writer_bytes(&w, bytes_from("\0asm\1\0\0\0", 8));
    section(&w, 1, &types);
    section(&w, 2, &imports);
    section(&w, 3, &funcs);
    section(&w, 5, &memory);
    section(&w, 7, &exports);
    section(&w, 10, &code);
    bool ok = writer_done(&w, &out, &err);
    assert(ok);
    return out;
}

/* ---- running the input ---- */

/* Paths at multiples of 1024, lists of buffers and a subscription behind them. */
static void fill_memory(uint8_t *memory)
{
    static const char *const paths[] = {
        "tmp/a", "tmp/b", "tmp/d",       "tmp/d/x", "main.wasm", "dev/zero", "tmp/..", "tmp/d/../a",
        "../x",  "/tmp",  "dev/urandom", "data/x",  "tmp/link",  ".",        "tmp/a/"};
    uint32_t iovecs[] = {256, 16, 300, 0, 310, 50, 20000, 2000, 65530, 6, 65530, 7};

    for (size_t i = 0; i < COUNT_OF(paths); i++)
        memcpy(memory + (i + 1) * 1024, paths[i], strlen(paths[i]));
    memcpy(memory + (20 << 10), iovecs, sizeof iovecs);
    for (uint8_t i = 0; i < 8; i++) { /* subscriptions: a clock, then descriptors */
        memory[(24 << 10) + i * 48 + 8] = (uint8_t)(i % 3);
        memory[(24 << 10) + i * 48 + 16] = i == 3 ? 1 : i;
        memory[(24 << 10) + i * 48 + 24] = i;
    }
}

static uint64_t take_value(struct reader *r, bool is_wide)
{
    static const uint64_t edges[] = {
        UINT32_MAX, INT32_MAX, UINT64_C(1) << 31, 65535,    65536,          65537,
        UINT64_MAX, INT64_MAX, UINT64_C(1) << 63, 1u << 30, (1u << 30) - 1, 1u << 20,
        0xfffffffe, 1000,      UINT32_MAX / 8};
    uint8_t b = 0;
    uint64_t value = 0;

    if (!reader_u8(r, &b))
        return 0;
    if (b < 160 || !reader_u64le(r, &value))
        value = b;
    if (b >= 64 && b < 128)
        value = (uint64_t)(b - 64) << 10;
    if (b >= 128 && b < 160)
        value = edges[(b - 128u) % COUNT_OF(edges)];
    return is_wide ? value : (uint32_t)value;
}

static void poke(struct reader *r, uint8_t *memory)
{
    uint16_t address;
    uint8_t count;
    struct bytes bytes;

    if (reader_u16le(r, &address) && reader_u8(r, &count) && reader_bytes(r, count % 64, &bytes) &&
        address <= 65536 - 64 && bytes.size != 0)
        memcpy(memory + address, bytes.data, bytes.size);
}

static void run_calls(struct reader *r, struct wasm_instance *instance)
{
    struct wasm_extern found;
    uint8_t which;
    bool ok = wasm_instance_export(instance, bytes_of("memory"), &found);

    assert(ok);
    uint8_t *memory = wasm_memory_at(found.of.memory, 0, 65536);
    assert(memory != NULL);
    fill_memory(memory);
    for (int i = 0; i < CALLS_MAX && reader_u8(r, &which); i++) {
        union wasm_value args[9] = {{.i64 = 0}}, result;
        struct wasm_trap trap;
        struct wasi_end end;
        if (which >= FUNCTION_COUNT) {
            poke(r, memory);
            continue;
        }
        const char *params = functions[which].params;
        for (size_t k = 0; params[k] != '\0'; k++)
            args[k].i64 = take_value(r, params[k] == 'I');
        ok = wasm_instance_export(instance, bytes_of(functions[which].name), &found);
        assert(ok);
        if (!wasm_func_call(found.of.func, args, &result, &trap))
            assert(wasi_ended(&trap, &end)); /* nothing else stops a workload here */
        else
            assert(strcmp(functions[which].name, "proc_exit") != 0 && result.i32 <= 76);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vfs_platform platform = {
        .realtime_ns = now, .monotonic_ns = now, .random = fill, .wait = wait_for};
    const struct bytes args[] = {bytes_of("main.wasm"), bytes_of("argument")};
    struct wasm_config engine_config = {.platform = os_wasm_platform(),
                                        .bounds = WASM_BOUNDS_EXPLICIT};
    struct wasi_config config = {.args = args,
                                 .arg_count = COUNT_OF(args),
                                 .env = args,
                                 .env_count = 1,
                                 .open_files_max = OPEN_FILES_MAX};
    struct wasm_engine *engine;
    struct wasm_module *module;
    struct wasm_store *store;
    struct wasm_linker *linker;
    struct wasm_instance *instance;
    struct wasm_trap trap;
    struct wasi *wasi;
    struct arena arena;
    struct err err;
    uint32_t fd;

    clock_ns = 1;
    arena_init(&arena, arena_heap, 1 << 20);
    bool ok = vfs_new(&platform, TMP_SIZE, &config.vfs, &err) &&
              vfs_add_file(config.vfs, bytes_of("main.wasm"), bytes_of("bytes"), &err) &&
              vfs_add_file(config.vfs, bytes_of("data/x"), bytes_of("more bytes"), &err) &&
              wasi_new(&config, &wasi, &err);
    assert(ok);
    for (uint32_t i = 0; i < 3; i++) {
        struct vfs_node *node = echo_new();
        ok = wasi_add(wasi, node, i == 0 ? WASI_ROLE_LISTENER : WASI_ROLE_CONNECTION, NULL, &fd,
                      &err);
        assert(ok);
        vfs_node_drop(node);
    }
    ok = wasi_add(wasi, vfs_root(config.vfs), WASI_ROLE_DIRECTORY, "/", &fd, &err) &&
         wasm_engine_new(&engine_config, &engine, &err) &&
         wasm_module_new(engine, make_module(&arena), &module, &err) &&
         wasm_store_new(engine, &store, &err) && wasm_linker_new(store, &linker, &err) &&
         wasi_define(wasi, store, linker, &err) &&
         wasm_linker_instantiate(linker, module, &instance, &trap, &err);
    assert(ok);
    struct reader r = {.in = bytes_from(data, size)};
    run_calls(&r, instance);
    wasm_linker_free(linker);
    wasm_store_free(store);
    wasm_module_free(module);
    wasm_engine_free(engine);
    wasi_free(wasi);
    vfs_free(config.vfs);
    arena_done(&arena);
    assert(echoes == 0);
    return 0;
}
