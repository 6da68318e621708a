/* broch run: a module or a package of this machine, in a keep. */
#include "cli/keep_job.h"

static int run_run(const struct cli_args *args)
{
    struct keep_job job;
    struct err err;
    int code = CLI_OK;

    if (!keep_job_open(args, &job, &err))
        code = cli_fail_err("run", &err);
    if (code == CLI_OK)
        code = keep_job_choose_backend(&job, false);
    if (code == CLI_OK)
        code = keep_job_parse_limits(&job);
    if (code == CLI_OK)
        code = keep_job_add_files(&job, args->positionals[0], cli_value(args, "--wasmcfgfile"));
    if (code == CLI_OK)
        code = keep_job_add_options(&job, &err) ? keep_job_run(&job) : cli_fail_err("run", &err);
    keep_job_close(&job);
    return code;
}

static const struct cli_option options[] = {
    {"--backend", "BACKEND", "BROCH_BACKEND", "how to make the keep; else nil, a process", false},
    {"--wasmcfgfile", "FILE", "BROCH_WASMCFGFILE", "the configuration, Keep.toml or Enarx.toml",
     false},
    {"--env", "NAME=VALUE", NULL, "set a variable of the workload's environment", true},
    {"--fuel", "N", NULL, "trap after N steps of the workload", false},
    {"--max-memory", "SIZE", NULL, "limit of the workload's memory, as 256MiB", false},
    {"--timeout", "SECONDS", NULL, "kill the workload after so long", false},
    KEEP_JOB_SIMULATION_OPTIONS,
    KEEP_JOB_MACHINE_OPTIONS};

const struct cli_command run_command = {
    .name = "run",
    .summary = "run a WebAssembly module or package in a keep",
    .positionals = "MODULE",
    .positional_min = 1,
    .positional_max = 1,
    .rest = "ARGUMENT…",
    .details =
        "MODULE is a file, or a directory with main.wasm and perhaps Keep.toml and other files,\n"
        "which the workload sees below /. ARGUMENTs take the place of `args` of the\n"
        "configuration.\n"
        "\n"
        "The exit code is the workload's. It is 134 when the workload trapped, 128 and the\n"
        "signal when it raised one, 124 when --timeout ended it, 1 when it could not be started.\n",
    .options = options,
    .option_count = COUNT_OF(options),
    .run = run_run,
};
