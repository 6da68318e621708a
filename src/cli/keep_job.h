/* A keep that a command starts; what `run` and `deploy` share. Private to cli. Whoever calls this
 * has the options --backend, --env, --fuel, --max-memory, --timeout and
 * KEEP_JOB_SIMULATION_OPTIONS. Functions that return int give CLI_OK or an exit code, and have told
 * why. */
#pragma once

#include "cli/boot_request.h"
#include "cli/commands.h"
#include "cli/sim_folder.h"
#include "host/host.h"

/* Options that only machines without a sandbox of ours have; for the end of a list. */
#if defined(__x86_64__)
#define KEEP_JOB_MACHINE_OPTIONS
#else
#define KEEP_JOB_MACHINE_OPTIONS                                                               \
    {"--insecure-no-sandbox", NULL, NULL, "run the keep without seccomp, where there is none", \
     false},                                                                                   \
        {"--emulator", "PROGRAM", NULL, "the path of an emulator that runs the keep", false},
#endif

/* Of machines, and whether they are simulated. */
#define KEEP_JOB_SIMULATION_OPTIONS                                                               \
    {"--image", "FILE", NULL, "the keep image, of 'broch image build'; else this installation's", \
     false},                                                                                      \
        {"--simulate", NULL, NULL, "on a simulated platform, which protects nothing", false},     \
    {                                                                                             \
        "--sim-dir", "DIR", "BROCH_SIM_DIR", "the folder of 'broch sim init', for --simulate",    \
            false                                                                                 \
    }

struct keep_job {
    const struct cli_args *args;
    const struct host_backend *backend;
    char sim_folder[SIM_FOLDER_SIZE];  /* "": nothing is simulated */
    uint64_t fuel, memory, timeout_ms; /* UINT64_MAX, UINT64_MAX, 0: not given */
    struct boot_request boot;
    struct arena arena;
    /* told of phases, as host.h has it; NULL: nobody */
    void (*on_phase)(void *context, const char *phase);
    void *context;
};

/* Sets up the log, and begins a boot request. Then keep_job_close, whatever happens. */
MUST_CHECK bool keep_job_open(const struct cli_args *args, struct keep_job *out, struct err *err);
void keep_job_close(struct keep_job *job);
/* The backend that was named, or the lightest that this machine has, or the strongest; of those
 * that can be simulated when that was asked for. */
int keep_job_choose_backend(struct keep_job *job, bool strongest);
int keep_job_parse_limits(struct keep_job *job);
/* A module, or a folder with a package. config: a configuration of the module's; NULL: none. */
int keep_job_add_files(struct keep_job *job, const char *path, const char *config);
/* Log level, standard descriptors, arguments, environment, limits. */
MUST_CHECK bool keep_job_add_options(struct keep_job *job, struct err *err);
/* Starts the keep; returns when it has ended, with its exit code or ours. */
int keep_job_run(struct keep_job *job);
