/* The loader: starts a keep on a backend, serves its calls, and waits for its end. The keep is
 * hostile to it, as it is to the keep. One keep a process at a time. */
#pragma once

#include "base/base.h"

/* What a backend needs to start a keep. */
struct host_request {
    const char *keep_image;   /* path of the exec layer */
    const char *image_file;   /* instead of both: of 'broch image build'; NULL: none */
    const char *shim_image;   /* of a virtual machine; NULL: that of this installation */
    int boot_file;            /* the boot request (sallyport.h), at its start; borrowed */
    uint64_t timeout_ms;      /* 0: none. Then the keep is killed. */
    const char *sim_folder;   /* simulate: the folder of `broch sim init`; NULL: do not */
    bool insecure_no_sandbox; /* only where a build has it */
    const char *emulator;     /* likewise: the program that runs the image; NULL: the kernel does */
    /* Told of each phase that the keep says it has done, by the name of keep_phase_name, from
     * another thread; NULL: nobody is. */
    void (*on_phase)(void *context, const char *phase);
    void *context;
};

enum host_end {
    HOST_EXITED, /* code is the keep's */
    HOST_KILLED, /* code is the signal: the keep broke its sandbox, crashed, or was killed */
    HOST_TIMED_OUT
};

struct host_result {
    enum host_end end;
    int code;
};

struct host_backend {
    const char *name;    /* "nil" */
    const char *summary; /* one line */
    /* Whether it can be used on this machine. *why is a literal: what is missing. */
    bool (*is_available)(const char **why);
    /* Likewise for its simulation; NULL: there is none. */
    bool (*can_simulate)(const char **why);
    /* Starts a keep and returns when it has ended. A signal that ends this process, SIGKILL too,
     * ends the keep; SIGCHLD is set to its default. ERR_IO, ERR_UNSUPPORTED. */
    bool (*run)(const struct host_request *request, struct host_result *out, struct err *err);
};

extern const struct host_backend host_nil;
extern const struct host_backend host_kvm, host_sgx, host_snp; /* x86-64 alone */

/* All backends, from the lightest to the strongest; ends with NULL. */
extern const struct host_backend *const host_backends[];

/* The path of a program of this installation: beside the running one, in ../libexec/broch, or in
 * the build's folder for it. ERR_NOT_FOUND, ERR_MEMORY. The text is the arena's. */
MUST_CHECK bool host_image_path(const char *name, struct arena *arena, const char **out,
                                struct err *err);

/* ---- what this machine has ---- */

/* One thing that a backend needs. */
struct host_probe {
    const char *name; /* "/dev/kvm"; borrowed from who asked, or a literal */
    bool ok;
    char found[224]; /* what is there: "API version 12"; may be what a machine calls itself */
    char mend[320];  /* not ok: what to do, one sentence; else "" */
};

#define HOST_PROBES_MAX 10

/* A backend, of this version or of a later one, and whether this machine could run it. */
struct host_platform {
    const char *name;                   /* "snp" */
    const char *summary;                /* one line */
    const struct host_backend *backend; /* NULL: this version of Broch does not have it */
    struct host_probe probes[HOST_PROBES_MAX];
    size_t count;
};

enum { HOST_NIL, HOST_KVM, HOST_SNP, HOST_SGX, HOST_PLATFORMS };

struct host_machine {
    char system[272];   /* "Linux 6.1.0 #1 SMP x86_64" */
    char cpu[128];      /* "AuthenticAMD family 25 model 17 stepping 1, AMD EPYC 9354" */
    char microcode[32]; /* as /proc/cpuinfo has it; "": it does not say */
    struct host_platform platforms[HOST_PLATFORMS];
};

/* Looks, and changes nothing: reads CPUID, /proc and /sys, looks at devices, and asks KVM what it
 * can do. Needs no privilege; what it may not look at is a probe that failed. Cannot fail. */
void host_probe_machine(struct host_machine *out);
/* The device for virtual machines: BROCH_KVM_DEVICE of the environment, else /dev/kvm. */
const char *host_kvm_device(void);
/* Those of SGX, and the socket of Intel's AESM daemon: BROCH_SGX_DEVICE, BROCH_SGX_PROVISION,
 * BROCH_AESM_SOCKET, else where Linux and Intel put them. */
const char *host_sgx_device(void);
const char *host_sgx_provision(void);
const char *host_aesm_socket(void);
/* The first thing that a platform lacks here, and what to do about it; NULL: nothing. Static. */
const char *host_platform_lacks(unsigned platform);
/* Whether all that the backend needs was found. */
bool host_platform_is_ready(const struct host_platform *platform);
