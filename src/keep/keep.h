/* What the files of the exec layer share. */
#pragma once

#include "base/base.h"
#include "net/net.h"
#include "sallyport/sallyport.h"
#include "vfs/vfs.h"

/* The keep's own exit codes; a workload's are passed on. */
enum keep_exit {
    KEEP_FAILED = 1, /* the workload could not be started */
    KEEP_TRAPPED = 134
};

/* ---- boot.c: the boot request ---- */

struct boot_file {
    struct bytes path, content;
};

/* Everything lives in the arena. */
struct boot {
    enum log_level log_level;
    enum boot_stdio stdio[3];
    struct bytes *args;
    size_t arg_count;
    struct bytes *env;
    size_t env_count;
    struct boot_file *files;
    size_t file_count;
    uint64_t fuel, memory; /* UINT64_MAX: not said */
};

/* Reads descriptor BOOT_FILE to its end, and closes it. */
MUST_CHECK bool boot_read(struct arena *arena, struct boot *out, struct err *err);

/* ---- call.c: keep calls ---- */

/* Sends the log through the keep call. */
void call_log_setup(enum log_level level);
/* Tells the loader how far the keep is. */
void call_phase(enum keep_phase phase);
/* Evidence of the platform about 64 bytes; borrows from the arena. ERR_UNSUPPORTED: there is no
 * TEE; ERR_IO with errno, ERR_FORMAT, ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool call_attest(const uint8_t data[KEEP_REPORT_DATA_SIZE], struct arena *arena,
                            struct keep_evidence *out, struct err *err);
enum vfs_error call_resolve(void *context, struct bytes name, struct net_address *out,
                            size_t *count);

/* ---- platform.c ---- */

/* Clocks that never run backwards, randomness, waiting. */
extern const struct vfs_platform keep_platform;

/* ---- stdio.c: the host's standard descriptors as files ---- */

/* NULL: no memory. */
struct vfs_node *stdio_new(struct vfs *vfs, int fd, enum boot_stdio kind);

/* ---- workload.c ---- */

/* Runs the workload of a boot request to its end; returns the exit code of the keep. */
int workload_run(const struct boot *boot, struct arena *arena);
