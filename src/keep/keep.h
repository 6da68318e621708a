/* What the files of the exec layer share. */
#pragma once

#include "base/base.h"
#include "net/net.h"
#include "sallyport/sallyport.h"
#include "vfs/vfs.h"

/* The keep's own exit codes; a workload's are passed on. */
enum keep_exit {
    KEEP_FAILED = 1,        /* the workload could not be started */
    KEEP_NO_IDENTITY = 125, /* no Steward certified the keep, and the package asks for it */
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
    /* empty: not said */
    struct bytes package, steward, steward_ca, registry_ca;
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
/* The key to the security processor, which the shim gives once. False: there is none. */
bool call_platform_key(struct keep_platform_key *out);
/* Hands it a sealed page; `out` has KEEP_GUEST_SPACE bytes. The call's result. */
int64_t call_guest_request(const uint8_t page[KEEP_GUEST_PAGE], uint8_t *out);

/* ---- processor.c: the security processor of SEV-SNP; absent where there is no OpenSSL ---- */

/* Takes its key from the shim, if there is one; before any workload exists. */
void processor_open(void);
/* Wipes the key: no more evidence. */
void processor_close(void);
/* Evidence about 64 bytes: the report from the processor itself where there is one, what else
 * belongs to it from the host, whom nobody has to believe. Ends the keep when it is not the
 * processor that answers. As call_attest. */
MUST_CHECK bool processor_evidence(const uint8_t data[KEEP_REPORT_DATA_SIZE], struct arena *arena,
                                   struct keep_evidence *out, struct err *err);

/* ---- platform.c: the world, as far as the host lets it be seen ---- */

/* Clocks that never run backwards, randomness, waiting. While the program waits, what goes on
 * beside it is waited for, too (background.c). */
extern const struct vfs_platform keep_platform;

/* Seconds since 1970, never below the floor. */
int64_t platform_now(void);
/* It is not earlier than this: so says somebody who is believed. */
void platform_raise_floor(int64_t seconds);
/* One wait for one descriptor (-1: for time alone) and nothing else, until a time of the monotonic
 * clock. */
enum vfs_error platform_wait_one(int fd, bool for_write, uint64_t until_ns);

/* ---- background.c: what goes on beside the program ---- */

struct self;

/* From now on net and self go on with each wait; NULL, NULL: no more. */
void background_set(struct net *net, struct self *self);
#define BACKGROUND_WAITS_MAX (NET_WAITS_MAX + 1)
size_t background_waits(struct vfs_wait *out, size_t capacity);
uint64_t background_due_ns(void);
/* True: something happened that the program may wait for. */
bool background_advance(void);
/* Called by the engine now and then: goes on, if the time for it has come. */
void background_tick(void *context);

/* ---- stdio.c: the host's standard descriptors as files ---- */

/* NULL: no memory. */
struct vfs_node *stdio_new(struct vfs *vfs, int fd, enum boot_stdio kind);

/* ---- package.c: what is to be run ---- */

/* Everything lives in the arena. */
struct package {
    struct boot_file *files;
    size_t file_count;
    struct bytes slug; /* canonical; empty: it came from the host */
    bool has_digest;
    uint8_t digest[32]; /* SHA-256 of its root */
};

const struct boot_file *package_file(const struct package *package, const char *path);
MUST_CHECK bool package_add(struct package *package, struct arena *arena, size_t *capacity,
                            struct boot_file file, struct err *err);

/* ---- self.c, attest.c, fetch.c, client.c; self_none.c where there is no OpenSSL ---- */

struct config;

/* Who we are: keys, certificates, whom we believe, and how that is kept up to date. */
MUST_CHECK bool self_new(const struct boot *boot, struct self **out, struct err *err);
void self_free(struct self *self);

/* Fetches the package that the boot request names, every byte checked; for a private one with a
 * platform's certificate, whose key is gone when this returns. Logs why it fails; returns 0 or an
 * exit code. */
int self_fetch(struct self *self, struct arena *arena, struct package *out);
/* Becomes who the package says: certified by its Steward, or the boot request's, or nobody but
 * ourselves. config and package must outlive it. Logs why it fails; returns 0 or an exit code. */
int self_become(struct self *self, const struct boot *boot, const struct config *config,
                struct package *package);
/* For sockets; NULL: this build has no TLS. */
const struct net_tls *self_tls(struct self *self);
/* Renewal and revocation lists, for background.c. The due time is that of the monotonic clock. */
bool self_wait(const struct self *self, struct vfs_wait *out);
uint64_t self_due_ns(const struct self *self);
/* True: there is a new list or certificate. */
bool self_advance(struct self *self);

/* ---- workload.c ---- */

/* Runs the workload of a boot request to its end; returns the exit code of the keep. */
int workload_run(const struct boot *boot, struct arena *arena);
