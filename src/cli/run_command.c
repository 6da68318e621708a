/* broch run: a module or a package of this machine, in a keep. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/boot_request.h"
#include "cli/commands.h"
#include "host/host.h"
#include "os/os.h"
#include "package/config.h"
#include "base/banned.h"

#define KEEP_IMAGE "broch-keep"

/* What was asked for. */
struct run {
    const struct cli_args *args;
    const struct host_backend *backend;
    uint64_t fuel, memory, timeout_ms; /* UINT64_MAX, UINT64_MAX, 0: not given */
    struct boot_request request;
    struct arena arena;
};

/* ---- the command line ---- */

static bool number_parse(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out <= max;
}

static const struct host_backend *find_backend(const char *name)
{
    for (size_t i = 0; host_backends[i] != NULL; i++) {
        if (strcmp(host_backends[i]->name, name) == 0)
            return host_backends[i];
    }
    return NULL;
}

/* The backend that was named, or the first that this machine has. CLI_OK, or the exit code. */
static int choose_backend(struct run *run)
{
    const char *name = cli_value(run->args, "--backend"), *why = "there is none";

    if (name != NULL) {
        run->backend = find_backend(name);
        if (run->backend == NULL)
            return cli_usage_error(run->args, name,
                                   "this version has no such backend; it has: nil");
        if (!run->backend->is_available(&why))
            return cli_fail(name, why);
        return CLI_OK;
    }
    for (size_t i = 0; host_backends[i] != NULL; i++) {
        run->backend = host_backends[i];
        if (run->backend->is_available(&why))
            return CLI_OK;
    }
    return cli_fail("no backend can be used", why);
}

static int parse_limits(struct run *run)
{
    const char *fuel = cli_value(run->args, "--fuel");
    const char *memory = cli_value(run->args, "--max-memory");
    const char *timeout = cli_value(run->args, "--timeout");
    uint64_t seconds;

    run->fuel = run->memory = UINT64_MAX;
    if (fuel != NULL && !number_parse(fuel, UINT64_MAX - 1, &run->fuel))
        return cli_usage_error(run->args, "--fuel", "takes a number");
    if (memory != NULL &&
        (!config_size_parse(bytes_of(memory), &run->memory) || run->memory < CONFIG_MEMORY_MIN))
        return cli_usage_error(run->args, "--max-memory",
                               "takes a size of at least 64KiB, as 256MiB");
    if (timeout != NULL) {
        if (!number_parse(timeout, UINT64_C(31536000), &seconds) || seconds == 0)
            return cli_usage_error(run->args, "--timeout", "takes seconds, from 1 to a year");
        run->timeout_ms = seconds * 1000;
    }
    for (const char *const *env = cli_values(run->args, "--env"); *env != NULL; env++) {
        if ((*env)[0] == '=' || strchr(*env, '=') == NULL)
            return cli_usage_error(run->args, *env, "--env takes NAME=VALUE");
    }
    return CLI_OK;
}

/* ---- the boot request ---- */

/* Checks a configuration here, so that the message names the file as it is called here. */
static int check_config(struct run *run, const char *path)
{
    struct text_error error;
    struct config config;
    struct bytes text;
    struct err err;

    if (!os_read_file(path, CONFIG_SIZE_MAX, &run->arena, &text, &err))
        return cli_fail_err(path, &err);
    return config_parse(text, config_form_of(path), &run->arena, &config, &error)
               ? CLI_OK
               : cli_config_fault(run->args, path, &error);
}

static int add_config(struct run *run, const char *path)
{
    const char *name = config_form_of(path) == CONFIG_ENARX ? "Enarx.toml" : "Keep.toml";
    struct err err;
    int code = check_config(run, path);

    if (code == CLI_OK && !boot_request_file(&run->request, path, name, &err))
        code = cli_fail_err(path, &err);
    return code;
}

static const char *config_inside(struct run *run, const char *directory)
{
    static const char *const names[] = {"Keep.toml", "Enarx.toml"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct writer w = writer_growable(&run->arena, SIZE_MAX / 2);
        struct bytes path;
        struct err err;
        writer_format(&w, "%s/%s%c", directory, names[i], '\0');
        if (writer_done(&w, &path, &err) && access((const char *)path.data, F_OK) == 0)
            return (const char *)path.data;
    }
    return NULL;
}

static int add_package(struct run *run)
{
    const char *path = run->args->positionals[0], *config = cli_value(run->args, "--wasmcfgfile");
    const char *culprit;
    struct stat stat_of;
    struct err err;
    int code = CLI_OK;

    if (stat(path, &stat_of) != 0) {
        (void)err_set(&err, ERR_IO, "cannot open", (uint64_t)errno);
        return cli_fail_err(path, &err);
    }
    if (S_ISDIR(stat_of.st_mode)) {
        if (config != NULL)
            return cli_usage_error(run->args, "--wasmcfgfile",
                                   "a directory is a package, which has its own configuration");
        const char *own = config_inside(run, path);
        if (own != NULL)
            code = check_config(run, own);
        if (code == CLI_OK &&
            !boot_request_directory(&run->request, path, &run->arena, &culprit, &err))
            code = cli_fail_err(culprit, &err);
        return code;
    }
    if (config != NULL)
        code = add_config(run, config);
    if (code == CLI_OK && !boot_request_file(&run->request, path, "main.wasm", &err))
        code = cli_fail_err(path, &err);
    return code;
}

static bool add_options(struct run *run, struct err *err)
{
    uint8_t stdio[3], level = LOG_DEBUG;
    struct boot_request *r = &run->request;

    for (int i = 0; i < 3; i++)
        stdio[i] = isatty(i) ? BOOT_STDIO_TERMINAL : BOOT_STDIO_STREAM;
    while (level > LOG_ERROR && !log_enabled((enum log_level)level))
        level--;
    bool ok = boot_request_bytes(r, BOOT_LOG_LEVEL, bytes_from(&level, 1), err) &&
              boot_request_bytes(r, BOOT_STDIO, bytes_from(stdio, sizeof stdio), err);
    for (size_t i = 0; i < run->args->rest_count && ok; i++)
        ok = boot_request_bytes(r, BOOT_ARG, bytes_of(run->args->rest[i]), err);
    for (const char *const *env = cli_values(run->args, "--env"); *env != NULL && ok; env++)
        ok = boot_request_bytes(r, BOOT_ENV, bytes_of(*env), err);
    if (run->fuel != UINT64_MAX)
        ok = ok && boot_request_u64(r, BOOT_FUEL, run->fuel, err);
    if (run->memory != UINT64_MAX)
        ok = ok && boot_request_u64(r, BOOT_MEMORY, run->memory, err);
    return ok;
}

/* ---- the run ---- */

static int report(const struct run *run, const struct host_result *result)
{
    switch (result->end) {
    case HOST_EXITED:
        return result->code;
    case HOST_TIMED_OUT:
        (void)fprintf(stderr, "broch: stopped after %s s (--timeout)\n",
                      cli_value(run->args, "--timeout"));
        return CLI_TIMEOUT;
    default:
        (void)fprintf(stderr, "broch: the keep was killed by signal %d\n", result->code);
        return 128 + result->code;
    }
}

static int start(struct run *run)
{
    struct host_request request = {.boot_file = run->request.fd, .timeout_ms = run->timeout_ms};
    struct host_result result;
    struct err err;

#if !defined(__x86_64__)
    request.insecure_no_sandbox = cli_is_given(run->args, "--insecure-no-sandbox");
    request.emulator = cli_value(run->args, "--emulator");
#endif
    if (!host_image_path(KEEP_IMAGE, &run->arena, &request.keep_image, &err))
        return cli_fail_err(KEEP_IMAGE, &err);
    if (!boot_request_finish(&run->request, &err) || !run->backend->run(&request, &result, &err))
        return cli_fail_err(run->backend->name, &err);
    return report(run, &result);
}

static int run_run(const struct cli_args *args)
{
    struct run run = {.args = args, .request = {.fd = -1}};
    struct err err;
    int code = choose_backend(&run);

    arena_init(&run.arena, arena_heap, SIZE_MAX);
    if (code == CLI_OK)
        code = parse_limits(&run);
    if (code == CLI_OK && !os_log_setup(LOG_INFO, &err))
        code = cli_fail_err("log", &err);
    if (code == CLI_OK && !boot_request_new(&run.request, &err))
        code = cli_fail_err("run", &err);
    if (code == CLI_OK)
        code = add_package(&run);
    if (code == CLI_OK)
        code = add_options(&run, &err) ? start(&run) : cli_fail_err("run", &err);
    os_closep(&run.request.fd);
    arena_done(&run.arena);
    return code;
}

static const struct cli_option options[] = {
    {"--backend", "NAME", "BROCH_BACKEND", "how to make the keep: nil, a process without a TEE",
     false},
    {"--wasmcfgfile", "FILE", "BROCH_WASMCFGFILE", "the configuration, Keep.toml or Enarx.toml",
     false},
    {"--env", "NAME=VALUE", NULL, "set a variable of the workload's environment", true},
    {"--fuel", "N", NULL, "trap after N steps of the workload", false},
    {"--max-memory", "SIZE", NULL, "limit of the workload's memory, as 256MiB", false},
    {"--timeout", "SECONDS", NULL, "kill the workload after so long", false},
#if !defined(__x86_64__)
    {"--insecure-no-sandbox", NULL, NULL, "run the keep without seccomp, where there is none",
     false},
    {"--emulator", "PROGRAM", NULL, "the path of an emulator that runs the keep", false},
#endif
};

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
        "signal when it raised one, 124 when --timeout ended it, 1 when it could not be started.",
    .options = options,
    .option_count = COUNT_OF(options),
    .run = run_run,
};
