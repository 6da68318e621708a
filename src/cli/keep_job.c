/* Keeps that a command starts: backend, boot request, limits, the end. */
#include "cli/keep_job.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "package/config.h"
#include "base/banned.h"

#define KEEP_IMAGE "broch-keep"

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
static int unknown_backend(struct keep_job *job, const char *name)
{
    struct writer w = writer_growable(&job->arena, 1024);
    struct bytes text;
    struct err err;

    writer_text(&w, "this version has no such backend; it has: ");
    for (size_t i = 0; host_backends[i] != NULL; i++)
        writer_format(&w, "%s%s", i != 0 ? ", " : "", host_backends[i]->name);
    writer_u8(&w, '\0');
    return writer_done(&w, &text, &err) ? cli_usage_error(job->args, name, (const char *)text.data)
                                        : cli_fail_err(name, &err);
}

/* Whether a backend can be used as it was asked for. */
static bool is_usable(const struct keep_job *job, const struct host_backend *backend,
                      const char **why)
{
    if (job->sim_folder[0] == '\0')
        return backend->is_available(why);
    *why = "it is no TEE, and has nothing to simulate; take --backend snp or sgx, or none";
    return backend->can_simulate != NULL && backend->can_simulate(why);
}

static int choose_simulation(struct keep_job *job)
{
    const char *why;

    if (!cli_is_given(job->args, "--simulate"))
        return CLI_OK;
    return sim_folder_find(cli_value(job->args, "--sim-dir"), job->sim_folder, &why)
               ? CLI_OK
               : cli_fail("--sim-dir", why);
}

int keep_job_choose_backend(struct keep_job *job, bool strongest)
{
    const char *name = cli_value(job->args, "--backend"), *why = "there is none";
    int code = choose_simulation(job);

    if (code != CLI_OK)
        return code;
    if (name != NULL) {
        job->backend = find_backend(name);
        if (job->backend == NULL)
            return unknown_backend(job, name);
        if (is_usable(job, job->backend, &why))
            return CLI_OK;
        bool is_senseless = job->sim_folder[0] != '\0' && job->backend->can_simulate == NULL;
        return is_senseless ? cli_usage_error(job->args, name, why) : cli_fail(name, why);
    }
    job->backend = NULL;
    for (size_t i = 0; host_backends[i] != NULL && (strongest || job->backend == NULL); i++) {
        if (is_usable(job, host_backends[i], &why))
            job->backend = host_backends[i];
    }
    return job->backend != NULL ? CLI_OK : cli_fail("no backend can be used", why);
}

int keep_job_parse_limits(struct keep_job *job)
{
    const char *fuel = cli_value(job->args, "--fuel");
    const char *memory = cli_value(job->args, "--max-memory");
    const char *timeout = cli_value(job->args, "--timeout");
    uint64_t seconds;

    job->fuel = job->memory = UINT64_MAX;
    if (fuel != NULL && !number_parse(fuel, UINT64_MAX - 1, &job->fuel))
        return cli_usage_error(job->args, "--fuel", "takes a number");
    if (memory != NULL &&
        (!config_size_parse(bytes_of(memory), &job->memory) || job->memory < CONFIG_MEMORY_MIN))
        return cli_usage_error(job->args, "--max-memory",
                               "takes a size of at least 64KiB, as 256MiB");
    if (timeout != NULL) {
        if (!number_parse(timeout, UINT64_C(31536000), &seconds) || seconds == 0)
            return cli_usage_error(job->args, "--timeout", "takes seconds, from 1 to a year");
        job->timeout_ms = seconds * 1000;
    }
    for (const char *const *env = cli_values(job->args, "--env"); *env != NULL; env++) {
        if ((*env)[0] == '=' || strchr(*env, '=') == NULL)
            return cli_usage_error(job->args, *env, "--env takes NAME=VALUE");
    }
    return CLI_OK;
}

/* ---- the boot request ---- */

/* Checks a configuration here, so that the message names the file as it is called here. */
static int check_config(struct keep_job *job, const char *path)
{
    struct text_error error;
    struct config config;
    struct bytes text;
    struct err err;

    if (!os_read_file(path, CONFIG_SIZE_MAX, &job->arena, &text, &err))
        return cli_fail_err(path, &err);
    return config_parse(text, config_form_of(path), &job->arena, &config, &error)
               ? CLI_OK
               : cli_config_fault(job->args, path, &error);
}

static int add_config(struct keep_job *job, const char *path)
{
    const char *name = config_form_of(path) == CONFIG_ENARX ? "Enarx.toml" : "Keep.toml";
    struct err err;
    int code = check_config(job, path);

    if (code == CLI_OK && !boot_request_file(&job->boot, path, name, &err))
        code = cli_fail_err(path, &err);
    return code;
}

static const char *config_inside(struct keep_job *job, const char *directory)
{
    static const char *const names[] = {"Keep.toml", "Enarx.toml"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct writer w = writer_growable(&job->arena, SIZE_MAX / 2);
        struct bytes path;
        struct err err;
        writer_format(&w, "%s/%s%c", directory, names[i], '\0');
        if (writer_done(&w, &path, &err) && access((const char *)path.data, F_OK) == 0)
            return (const char *)path.data;
    }
    return NULL;
}

int keep_job_add_files(struct keep_job *job, const char *path, const char *config)
{
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
            return cli_usage_error(job->args, "--wasmcfgfile",
                                   "a directory is a package, which has its own configuration");
        const char *own = config_inside(job, path);
        if (own != NULL)
            code = check_config(job, own);
        if (code == CLI_OK &&
            !boot_request_directory(&job->boot, path, &job->arena, &culprit, &err))
            code = cli_fail_err(culprit, &err);
        return code;
    }
    if (config != NULL)
        code = add_config(job, config);
    if (code == CLI_OK && !boot_request_file(&job->boot, path, "main.wasm", &err))
        code = cli_fail_err(path, &err);
    return code;
}

bool keep_job_add_options(struct keep_job *job, struct err *err)
{
    uint8_t stdio[3], level = LOG_DEBUG;
    struct boot_request *r = &job->boot;

    for (int i = 0; i < 3; i++)
        stdio[i] = isatty(i) ? BOOT_STDIO_TERMINAL : BOOT_STDIO_STREAM;
    while (level > LOG_ERROR && !log_enabled((enum log_level)level))
        level--;
    bool ok = boot_request_bytes(r, BOOT_LOG_LEVEL, bytes_from(&level, 1), err) &&
              boot_request_bytes(r, BOOT_STDIO, bytes_from(stdio, sizeof stdio), err);
    for (size_t i = 0; i < job->args->rest_count && ok; i++)
        ok = boot_request_bytes(r, BOOT_ARG, bytes_of(job->args->rest[i]), err);
    for (const char *const *env = cli_values(job->args, "--env"); *env != NULL && ok; env++)
        ok = boot_request_bytes(r, BOOT_ENV, bytes_of(*env), err);
    if (job->fuel != UINT64_MAX)
        ok = ok && boot_request_u64(r, BOOT_FUEL, job->fuel, err);
    if (job->memory != UINT64_MAX)
        ok = ok && boot_request_u64(r, BOOT_MEMORY, job->memory, err);
    return ok;
}

/* ---- the run ---- */

static int report(const struct keep_job *job, const struct host_result *result)
{
    switch (result->end) {
    case HOST_EXITED:
        return result->code;
    case HOST_TIMED_OUT:
        (void)fprintf(stderr, "broch: stopped after %s s (--timeout)\n",
                      cli_value(job->args, "--timeout"));
        return CLI_TIMEOUT;
    default:
        (void)fprintf(stderr, "broch: the keep was killed by signal %d\n", result->code);
        return 128 + result->code;
    }
}

int keep_job_run(struct keep_job *job)
{
    struct host_request request = {.boot_file = job->boot.fd,
                                   .image_file = cli_value(job->args, "--image"),
                                   .timeout_ms = job->timeout_ms,
                                   .sim_folder =
                                       job->sim_folder[0] != '\0' ? job->sim_folder : NULL,
                                   .on_phase = job->on_phase,
                                   .context = job->context};
    struct host_result result;
    struct err err;

#if !defined(__x86_64__)
    request.insecure_no_sandbox = cli_is_given(job->args, "--insecure-no-sandbox");
    request.emulator = cli_value(job->args, "--emulator");
#endif
    if (request.image_file != NULL && job->backend == &host_nil)
        return cli_usage_error(job->args, "--image",
                               "is for backends that load images; nil runs the exec layer itself");
    if (!host_image_path(KEEP_IMAGE, &job->arena, &request.keep_image, &err))
        return cli_fail_err(KEEP_IMAGE, &err);
    if (request.sim_folder != NULL)
        (void)fprintf(stderr,
                      "broch: this keep is SIMULATED: nothing is hidden from this machine\n");
    if (!boot_request_finish(&job->boot, &err) || !job->backend->run(&request, &result, &err))
        return cli_fail_err(job->backend->name, &err);
    return report(job, &result);
}

bool keep_job_open(const struct cli_args *args, struct keep_job *out, struct err *err)
{
    *out = (struct keep_job){.args = args, .boot = {.fd = -1}};
    arena_init(&out->arena, arena_heap, SIZE_MAX);
    return os_log_setup(LOG_INFO, err) && boot_request_new(&out->boot, err);
}

void keep_job_close(struct keep_job *job)
{
    os_closep(&job->boot.fd);
    arena_done(&job->arena);
}
