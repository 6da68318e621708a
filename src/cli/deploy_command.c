/* broch deploy: a package, from a registry or a folder, in the strongest keep that there is, with
 * the identity that its Steward gives it. */
#include <sys/stat.h>

#include "cli/keep_job.h"
#include "os/os.h"
#include "package/digest.h"
#include "package/slug.h"
#include "base/banned.h"

#define PEM_MAX ((size_t)1 << 20)
#define API "/api/v"

/* The phases as they come, from the thread that serves the keep. */
struct phases {
    bool json;
    uint64_t began_ns, last_ns;
};

static double ms_since(uint64_t since_ns, uint64_t now_ns)
{
    return (double)(now_ns - since_ns) / 1e6;
}

static void tell_phase(void *context, const char *phase)
{
    struct phases *p = context;
    uint64_t now_ns = os_monotonic_ns();
    double took = ms_since(p->last_ns, now_ns), total = ms_since(p->began_ns, now_ns);

    if (p->json)
        (void)fprintf(stderr, "{\"phase\":\"%s\",\"ms\":%.3f,\"total_ms\":%.3f}\n", phase, took,
                      total);
    else
        (void)fprintf(stderr, "broch: %-9s %8.1f ms%s%.1f ms\n", phase, took, "   all ", total);
    p->last_ns = now_ns;
}

/* ---- what is deployed ---- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "HOST/api/v0.1.0/USER/REPO/_tag/TAG", as Enarx's deploy takes it, as HOST/USER/REPO:TAG; NULL: it
 * is none. */
static const char *slug_of_tag(struct arena *arena, const char *text)
{
    const char *api = strstr(text, API), *path = api != NULL ? strchr(api + 1, '/') : NULL;
    struct writer w = writer_growable(arena, SLUG_SIZE_MAX + 1024);
    struct bytes slug;
    struct err err;

    path = path != NULL ? strchr(path + 1, '/') : NULL;
    const char *tag = path != NULL ? strstr(path, "/_tag/") : NULL;
    if (tag == NULL || strchr(text, '/') != api)
        return NULL;
    writer_bytes(&w, bytes_from(text, (size_t)(api - text)));
    writer_bytes(&w, bytes_from(path, (size_t)(tag - path)));
    writer_u8(&w, ':');
    writer_text(&w, tag + strlen("/_tag/"));
    writer_u8(&w, '\0');
    return writer_done(&w, &slug, &err) ? (const char *)slug.data : NULL;
}

/* Whether it is [http[s]://]HOST/USER/REPO:TAG[@DIGEST]. */
static bool is_package(struct arena *arena, const char *text, struct err *err)
{
    const char *sign = strchr(text, '@');
    struct bytes name = sign != NULL ? bytes_from(text, (size_t)(sign - text)) : bytes_of(text);
    struct digest digest;
    struct slug slug;

    return slug_parse(name, SLUG_TAG, arena, &slug, err) &&
           (sign == NULL || digest_parse(bytes_of(sign + 1), &digest, err));
}

static int add_remote(struct keep_job *job, const char *scheme, const char *text)
{
    const char *slug = slug_of_tag(&job->arena, text);
    struct writer w = writer_growable(&job->arena, SLUG_SIZE_MAX + 1024);
    struct bytes package;
    struct err err;

    if (slug == NULL)
        slug = text;
    if (!is_package(&job->arena, slug, &err)) {
        (void)cli_fail_err(text, &err);
        return cli_usage_error(job->args, text,
                               "is neither a file or folder here nor HOST/USER/REPO:TAG");
    }
    if (strcmp(scheme, "http://") == 0 && strchr(slug, '@') == NULL)
        return cli_usage_error(
            job->args, text,
            "over plain http only a package whose digest is given is fetched, as "
            "http://HOST/USER/REPO:TAG@sha-256:…");
    writer_text(&w, scheme);
    writer_text(&w, slug);
    return writer_done(&w, &package, &err) &&
                   boot_request_bytes(&job->boot, BOOT_PACKAGE, package, &err)
               ? CLI_OK
               : cli_fail_err(text, &err);
}

/* file:PATH, file:///PATH, http://…, https://…, a path that is there, or a slug. */
static int add_package(struct keep_job *job)
{
    static const char *const schemes[] = {"https://", "http://"};
    const char *text = job->args->positionals[0];
    struct stat stat_of;

    if (starts_with(text, "file://"))
        return keep_job_add_files(job, text + strlen("file://"), NULL);
    if (starts_with(text, "file:"))
        return keep_job_add_files(job, text + strlen("file:"), NULL);
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (starts_with(text, schemes[i]))
            return add_remote(job, schemes[i], text + strlen(schemes[i]));
    }
    if (strstr(text, "://") != NULL)
        return cli_usage_error(job->args, text, "has a scheme other than file, http and https");
    return stat(text, &stat_of) == 0 ? keep_job_add_files(job, text, NULL)
                                     : add_remote(job, "", text);
}

/* ---- the Steward and the authorities ---- */

static int add_pem(struct keep_job *job, const char *option, enum boot_kind kind)
{
    const char *path = cli_value(job->args, option);
    struct bytes pem;
    struct err err;

    if (path == NULL)
        return CLI_OK;
    if (!os_read_file(path, PEM_MAX, &job->arena, &pem, &err))
        return cli_fail_err(path, &err);
    if (pem.size == 0)
        return cli_usage_error(job->args, path, "is empty");
    return boot_request_bytes(&job->boot, kind, pem, &err) ? CLI_OK : cli_fail_err(path, &err);
}

static int add_trust(struct keep_job *job)
{
    const char *steward = cli_value(job->args, "--steward");
    struct err err;
    int code = CLI_OK;

    if (steward != NULL && !starts_with(steward, "https://"))
        return cli_usage_error(job->args, steward, "--steward takes https://HOST[:PORT]");
    if (steward == NULL && cli_is_given(job->args, "--steward-ca"))
        return cli_usage_error(job->args, "--steward-ca", "needs --steward beside it");
    if (steward != NULL && !boot_request_bytes(&job->boot, BOOT_STEWARD, bytes_of(steward), &err))
        code = cli_fail_err(steward, &err);
    if (code == CLI_OK)
        code = add_pem(job, "--steward-ca", BOOT_STEWARD_CA);
    return code == CLI_OK ? add_pem(job, "--registry-ca", BOOT_REGISTRY_CA) : code;
}

/* ---- the run ---- */

static void tell_backend(const struct keep_job *job, bool json)
{
    if (json)
        (void)fprintf(stderr, "{\"backend\":\"%s\"}\n", job->backend->name);
    else
        (void)fprintf(stderr, "broch: backend   %s: %s\n", job->backend->name,
                      job->backend->summary);
}

static int deploy(struct keep_job *job, struct phases *phases)
{
    struct err err;

    *phases = (struct phases){.json = job->args->json, .began_ns = os_monotonic_ns()};
    phases->last_ns = phases->began_ns;
    job->on_phase = tell_phase;
    job->context = phases;
    tell_backend(job, phases->json);
    return keep_job_add_options(job, &err) ? keep_job_run(job) : cli_fail_err("deploy", &err);
}

static int deploy_run(const struct cli_args *args)
{
    struct phases phases;
    struct keep_job job;
    struct err err;
    int code = CLI_OK;

    if (!keep_job_open(args, &job, &err))
        code = cli_fail_err("deploy", &err);
    if (code == CLI_OK)
        code = keep_job_choose_backend(&job, true);
    if (code == CLI_OK)
        code = keep_job_parse_limits(&job);
    if (code == CLI_OK)
        code = add_package(&job);
    if (code == CLI_OK)
        code = add_trust(&job);
    if (code == CLI_OK)
        code = deploy(&job, &phases);
    keep_job_close(&job);
    return code;
}

static const struct cli_option options[] = {
    {"--backend", "BACKEND", "BROCH_BACKEND",
     "how to make the keep; else the strongest that is there", false},
    KEEP_JOB_SIMULATION_OPTIONS,
    {"--steward", "URL", "BROCH_STEWARD",
     "who certifies the platform to a registry, and the keep of a package that names none", false},
    {"--steward-ca", "FILE", NULL, "PEM: who that Steward is; else the web's authorities", false},
    {"--registry-ca", "FILE", "BROCH_CA_BUNDLE",
     "PEM: who the registry is; else the web's authorities", false},
    {"--env", "NAME=VALUE", NULL, "set a variable, for a keep without a Steward", true},
    {"--fuel", "N", NULL, "trap after N steps, likewise", false},
    {"--max-memory", "SIZE", NULL, "limit of the workload's memory, as 256MiB, likewise", false},
    {"--timeout", "SECONDS", NULL, "kill the workload after so long", false},
    KEEP_JOB_MACHINE_OPTIONS};

const struct cli_command deploy_command = {
    .name = "deploy",
    .summary = "run a package, from a registry or here, in a keep that proves itself",
    .positionals = "PACKAGE",
    .positional_min = 1,
    .positional_max = 1,
    .rest = "ARGUMENT…",
    .details =
        "PACKAGE is HOST/USER/REPO:TAG, with @sha-256:… behind it when only that very tree is\n"
        "wanted; the address of a tag, https://HOST/api/v0.1.0/USER/REPO/_tag/TAG; or a file or\n"
        "folder as for run. The keep fetches it itself and checks every byte.\n"
        "\n"
        "A package that names a Steward runs only when that Steward certifies the keep. "
        "Arguments,\n"
        "environment and limits then come from the package alone. Each phase is told with its\n"
        "time on standard error, with --json as a line of JSON.\n"
        "\n"
        "The exit code is the workload's, or as for run; 125 when no Steward certified the keep.\n",
    .options = options,
    .option_count = COUNT_OF(options),
    .has_json = true,
    .run = deploy_run,
};
