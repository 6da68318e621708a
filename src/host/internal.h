/* What the files of the room share. */
#pragma once

#include "host/host.h"
#include "sallyport/sallyport.h"

/* ---- nil_filter.c: the sandbox of `nil` ---- */

/* Whether this build has a sandbox at all. */
extern const bool nil_has_filter;

/* What the loader's child does last, one after the other; each returns 0 or an errno. They are
 * called between fork and exec: no memory is taken. Filters are inherited and cannot be taken back.
 */

/* Prepares the filters in static memory: allows execveat of the descriptor `image` alone. */
void nil_filter_prepare(int image);
/* Installs the filter. *listener: where the calls go that it does not allow, or -1 when there can
 * be no listener; they then give ENOSYS. */
int nil_filter_install(int *listener);
/* Installs the second one, after which sendmsg and seccomp are gone. */
int nil_filter_close(void);
/* Becomes the program of the descriptor `image`. Nobody else may, nor this once more. */
int nil_filter_exec(int image, char *const argv[], char *const envp[]);

/* ---- supervisor.c: serves a keep's calls ---- */

struct supervisor {
    int listener;                                       /* -1: none */
    int boot_socket;                                    /* the loader's end */
    void (*on_phase)(void *context, const char *phase); /* NULL: nobody wants to know */
    void *context;
};

/* One keep call, for a backend that gets them itself: its result, as sallyport.h has it. */
int64_t supervisor_call(const struct supervisor *supervisor, uint64_t number, uint64_t value,
                        struct bytes in, void *out, size_t space);
/* Logs a call that is refused by its name, the first time that it comes. */
void supervisor_log_refused(uint64_t number);
/* Serves until the keep is gone, and closes both. */
void supervisor_run(const struct supervisor *supervisor);

/* ---- attest.c, or another loader's in its place ---- */

/* Evidence about 64 bytes, at most `space` of it, as sallyport.h has it: how many bytes, or a
 * negative errno; -ENOSYS where there is no TEE. */
int64_t platform_attest(const uint8_t data[KEEP_REPORT_DATA_SIZE], uint8_t *out, size_t space);

/* ---- resolve.c ---- */

/* Addresses of a host name; how many, 0 when there is none. May take seconds. */
size_t resolve_name(const char *name, struct keep_address out[KEEP_ADDRESSES_MAX]);

/* ---- platform_probe.c ---- */

/* Adds a probe. `found` is what the format gives; mend NULL: it is ok. Both are cut to fit. */
void probe_add(struct host_platform *platform, const char *name, const char *mend,
               const char *format, ...) PRINTF_LIKE(4, 5);

/* ---- platform_cpu_x86.c, or platform_cpu_other.c: what the processor says of itself ---- */

void cpu_describe(char *out, size_t size);
/* Whether KVM can be had, SEV-SNP, SGX. */
void probe_cpu_kvm(struct host_platform *platform, bool kvm_works);
void probe_cpu_snp(struct host_platform *platform);
void probe_cpu_sgx(struct host_platform *platform);
