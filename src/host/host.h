/* The loader: starts a keep on a backend, serves its calls, and waits for its end. The keep is
 * hostile to it, as it is to the keep. One keep a process at a time. */
#pragma once

#include "base/base.h"

/* What a backend needs to start a keep. */
struct host_request {
    const char *keep_image;   /* path of the exec layer, or of the image of a TEE */
    int boot_file;            /* the boot request (sallyport.h), at its start; borrowed */
    uint64_t timeout_ms;      /* 0: none. Then the keep is killed. */
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
    /* Starts a keep and returns when it has ended. A signal that ends this process, SIGKILL too,
     * ends the keep; SIGCHLD is set to its default. ERR_IO, ERR_UNSUPPORTED. */
    bool (*run)(const struct host_request *request, struct host_result *out, struct err *err);
};

extern const struct host_backend host_nil;

/* All backends, in the order in which they are tried; ends with NULL. */
extern const struct host_backend *const host_backends[];

/* The path of a program of this installation: beside the running one, in ../libexec/broch, or in
 * the build's folder for it. ERR_NOT_FOUND, ERR_MEMORY. The text is the arena's. */
MUST_CHECK bool host_image_path(const char *name, struct arena *arena, const char **out,
                                struct err *err);
