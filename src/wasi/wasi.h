/* WASI preview 1 (the witx documents of WebAssembly/WASI, snapshot wasi_snapshot_preview1) for
 * modules, over the virtual file system. All 46 functions. Arguments are the workload's and
 * hostile. */
#pragma once

#include "base/base.h"
#include "vfs/vfs.h"
#include "wasm/wasm.h"

struct wasi;

struct wasi_config {
    struct vfs *vfs;
    const struct bytes *args; /* argv[0] and on; without NULs */
    size_t arg_count;
    const struct bytes *env; /* NAME=VALUE */
    size_t env_count;
    uint64_t open_files_max;
};

/* All is borrowed and must outlive the wasi. ERR_MEMORY; ERR_LIMIT when args or env have 2^31 bytes
 * or more. */
MUST_CHECK bool wasi_new(const struct wasi_config *config, struct wasi **out, struct err *err);
/* Closes every descriptor. NULL is taken. */
void wasi_free(struct wasi *wasi);

/* What a descriptor that exists from the start may do. */
enum wasi_role {
    WASI_ROLE_INPUT,    /* read and poll */
    WASI_ROLE_OUTPUT,   /* write and poll */
    WASI_ROLE_LISTENER, /* accept and poll */
    WASI_ROLE_CONNECTION,
    WASI_ROLE_DIRECTORY /* everything, below it too; found under preopen_name */
};

/* Gives the next free descriptor to a node and keeps a reference. preopen_name: a literal, of
 * directories. ERR_LIMIT when there are open_files_max. */
MUST_CHECK bool wasi_add(struct wasi *wasi, struct vfs_node *node, enum wasi_role role,
                         const char *preopen_name, uint32_t *fd, struct err *err);
/* Leaves the next free descriptor out: what is added next has the number `fd` at least. */
void wasi_skip_to(struct wasi *wasi, uint32_t fd);

/* The node behind a descriptor, borrowed; NULL when there is none. */
struct vfs_node *wasi_node(const struct wasi *wasi, uint32_t fd);

/* Defines the functions for modules of a store. */
MUST_CHECK bool wasi_define(struct wasi *wasi, struct wasm_store *store, struct wasm_linker *linker,
                            struct err *err);

/* How a workload ended itself. */
struct wasi_end {
    bool by_signal;  /* proc_raise */
    uint32_t number; /* the signal of WASI, or the exit code */
};

/* Whether a trap is the end of a workload by its own will. */
bool wasi_ended(const struct wasm_trap *trap, struct wasi_end *out);
