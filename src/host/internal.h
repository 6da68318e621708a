/* What the files of the room share. */
#pragma once

#include "host/host.h"
#include <sys/types.h>

#include "sallyport/sallyport.h"

/* ---- child.c: a keep in a process of its own ---- */

/* Where the child has its own descriptors; beyond those that it must leave. */
enum { IMAGE_FD = BOOT_FILE + 1, REPORT_FD, CHILD_FD_COUNT };

/* What the child needs. Descriptors have numbers of CHILD_FD_COUNT or more. */
struct child_plan {
    const struct host_request *request;
    int boot_socket, boot_file, image, report;
    pid_t parent;
};

/* The child: it calls child_arrange, sends its listener, and is the keep once REPORT_FD is closed.
 * It never returns. */
typedef void child_become(const struct child_plan *plan);

/* Who answers `attest`; all zero: platform_attest does. */
struct sgx_quoting;
struct attester {
    struct bytes endorsements; /* of a machine, that has its report from its processor */
    struct sgx_quoting *quoting;
    const struct keep_evidence *sgx; /* what endorses its quotes; then */
};

/* Makes the process, serves its calls, waits for its end; ends it when its time is over.
 * has_listener: it should send one. */
MUST_CHECK bool child_run(const struct host_request *request, child_become *become,
                          bool has_listener, const struct attester *attester,
                          struct host_result *out, struct err *err);
/* Descriptors to their places, and no others; the end with the loader's; limits, signals. */
void child_arrange(const struct child_plan *plan);
/* Sends the listener to the loader, or, -1, that there is none. */
MUST_CHECK bool child_send_listener(int listener);
/* Tells the loader why there will be no keep: a literal of less than 128 bytes, and an errno. */
_Noreturn void child_fail(const char *step, int number);

/* ---- nil_filter.c: the sandbox of `nil`, and of the process around a machine ---- */

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
/* The calls of the table, which such a process makes for its machine or enclave, and requests to
 * one device, each with one value of its argument or with any; everything else gives ENOSYS. 0 or
 * an errno. */
struct device_request {
    uint64_t number;
    bool has_argument; /* any */
};
int machine_filter_install(int device, const struct device_request *requests, size_t count);
/* Becomes the program of the descriptor `image`. Nobody else may, nor this once more. */
int nil_filter_exec(int image, char *const argv[], char *const envp[]);

/* ---- supervisor.c: serves a keep's calls ---- */

struct supervisor {
    int listener;                                       /* -1: none */
    int boot_socket;                                    /* the loader's end */
    void (*on_phase)(void *context, const char *phase); /* NULL: nobody wants to know */
    void *context;
    const struct attester *attester;
};

/* Logs a call that is refused by its name, the first time that it comes. */
void supervisor_log_refused(uint64_t number);
/* Serves until the keep is gone, and closes both. */
void supervisor_run(const struct supervisor *supervisor);

/* ---- attest.c, honest.c, or another loader's in its place ---- */

/* Evidence about 64 bytes, at most `space` of it, as sallyport.h has it: how many bytes, or a
 * negative errno; -ENOSYS where there is no TEE. */
int64_t platform_attest(const uint8_t data[KEEP_REPORT_DATA_SIZE], uint8_t *out, size_t space);

/* What a machine finds in its block (shim/kvm/shim.h): when a call has been made, or, call NULL,
 * before its first instruction. Nothing is added to it, but by a loader that lies. */
struct block;
void platform_answer(struct block *block, const struct call *call);
/* How a machine is started: its mode (shim/kvm/layout.h). */
uint64_t platform_mode(uint64_t mode);
/* A machine before its process gives up everything else. */
struct machine;
void platform_prepare(const struct machine *machine);
/* Hands a message in a machine's memory to its simulated security processor; the result. */
struct psp;
int64_t platform_guest(struct psp *psp, uint8_t *memory);

/* ---- resolve.c ---- */

/* Addresses of a host name; how many, 0 when there is none. May take seconds. */
size_t resolve_name(const char *name, struct keep_address out[KEEP_ADDRESSES_MAX]);

/* ---- platform_probe.c ---- */

/* Adds a probe. `found` is what the format gives; mend NULL: it is ok. Both are cut to fit. */
void probe_add(struct host_platform *platform, const char *name, const char *mend,
               const char *format, ...) PRINTF_LIKE(4, 5);

#define SEV_DEVICE "/dev/sev"

/* ---- platform_cpu_x86.c, or platform_cpu_other.c: what the processor says of itself ---- */

void cpu_describe(char *out, size_t size);
/* Whether KVM can be had, SEV-SNP, SGX. */
void probe_cpu_kvm(struct host_platform *platform, bool kvm_works);
void probe_cpu_snp(struct host_platform *platform);
void probe_cpu_sgx(struct host_platform *platform);
