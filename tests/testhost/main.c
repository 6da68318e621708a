/* testhost, a loader for tests that is never installed: it runs a keep as the backends do, in the
 * same sandboxes, and answers `attest` with evidence of a simulated platform. See usage below. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/boot_request.h"
#include "host/host.h"
#include "os/os.h"
#include "testhost.h"

#define ENV_MAX 64
#define PEM_MAX ((size_t)1 << 20)

static const char usage[] =
    "testhost [OPTION…] --package SLUG[@DIGEST] | DIR | MODULE [-- ARGUMENT…]\n"
    "  --technology snp|sgx   what the keep is said to run on; snp\n"
    "  --measurement HEX      what the evidence says of the keep; 5a… for SNP, a5… for SGX\n"
    "  --sim DIR              simulated roots, of `broch sim init`; else $BROCH_SIM_DIR; without\n"
    "                         either there is no evidence\n"
    "  --backend nil|kvm|sgx|snp  what it does run on; nil. sgx and snp are simulated, with --sim\n"
    "  --keep PATH            the exec layer; else that of this build\n"
    "  --shim PATH            likewise the shim of a machine or an enclave\n"
    "  --word NAME=VALUE      of the block before it starts: memory_end, image_size, can_grow\n"
    "  --mode N               what the shim is started as\n"
    "  --poke ADDRESS=BYTE    of the machine's memory before it starts\n"
    "  --guest N,KIND[,VALUE] instead of the nth (0: each) answer of its security processor: flip\n"
    "                         (a bit), first, request, empty, no-certificates, bad-certificates,\n"
    "                         result\n"
    "  --disturb KIND         all the time: scribble (in its block), signals, nmi, interrupt,\n"
    "                         exception,VECTOR[,once]; or syscalls: makes SYSCALL for `inside`; "
    "in\n"
    "                         an enclave only scribble\n"
    "  --seek-key             tell at the end where the processor's key can still be seen\n"
    "  --steward URL  --steward-ca PEM  --registry-ca PEM  --env NAME=VALUE\n"
    "  --log-level LEVEL  --timeout SECONDS\n"
    "  --resolve NAME=ADDRESS what a host name is to be; there are no other names\n"
    "  --attest-log FILE      a line for each attestation: technology, report data\n"
    "  --phases FILE          a line for each phase: its name, milliseconds since the start\n"
    "  --clock [both:]SECONDS what the keep's clocks show more, realtime alone or both; "
    "`stopped`:\n"
    "                         the first that they showed; @FILE: its text says, and may change\n"
    "  --calls FILE           gets a line for each call that the keep made: name, how often\n"
    "%s%s"
    "The exit code is the keep's, as of `broch run`.\n";

struct testhost {
    const struct host_backend *backend;
    const char *keep, *shim, *package, *steward, *steward_ca, *registry_ca, *phases;
    const char *env[ENV_MAX];
    size_t env_count;
    int boot_file;
    uint64_t timeout_ms, started_ns;
    struct lies lies;
    struct attest_plan attest;
    struct trace_plan trace;  /* its lies and file are also answer.c's */
    char *const *positionals; /* a directory or module when no package is named, and arguments */
    size_t positional_count;
    struct arena arena;
};

void fail(const char *what)
{
    (void)fprintf(stderr, "testhost: %s\n", what);
    exit(2);
}

_Noreturn static void fail_usage(void)
{
    (void)fprintf(stderr, usage, enclave_help, lie_help);
    exit(2);
}

static void must_err(bool ok, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    if (!ok)
        fail(err_text(err, os_strerror, text));
}

/* ---- the command line ---- */

enum option_number {
    OPT_TECHNOLOGY = 1,
    OPT_MEASUREMENT,
    OPT_SIM,
    OPT_BACKEND,
    OPT_KEEP,
    OPT_SHIM,
    OPT_WORD,
    OPT_PACKAGE,
    OPT_STEWARD,
    OPT_STEWARD_CA,
    OPT_REGISTRY_CA,
    OPT_ENV,
    OPT_LOG_LEVEL,
    OPT_TIMEOUT,
    OPT_ATTEST_LOG,
    OPT_PHASES,
    OPT_CLOCK,
    OPT_CALLS,
    OPT_LIE,
    OPT_RESOLVE,
    OPT_MODE,
    OPT_POKE,
    OPT_GUEST,
    OPT_DISTURB,
    OPT_SEEK_KEY,
    OPT_ENTER,
    OPT_QUOTE
};

static const struct option options[] = {{"technology", required_argument, NULL, OPT_TECHNOLOGY},
                                        {"measurement", required_argument, NULL, OPT_MEASUREMENT},
                                        {"sim", required_argument, NULL, OPT_SIM},
                                        {"backend", required_argument, NULL, OPT_BACKEND},
                                        {"keep", required_argument, NULL, OPT_KEEP},
                                        {"shim", required_argument, NULL, OPT_SHIM},
                                        {"word", required_argument, NULL, OPT_WORD},
                                        {"package", required_argument, NULL, OPT_PACKAGE},
                                        {"steward", required_argument, NULL, OPT_STEWARD},
                                        {"steward-ca", required_argument, NULL, OPT_STEWARD_CA},
                                        {"registry-ca", required_argument, NULL, OPT_REGISTRY_CA},
                                        {"env", required_argument, NULL, OPT_ENV},
                                        {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
                                        {"timeout", required_argument, NULL, OPT_TIMEOUT},
                                        {"attest-log", required_argument, NULL, OPT_ATTEST_LOG},
                                        {"phases", required_argument, NULL, OPT_PHASES},
                                        {"clock", required_argument, NULL, OPT_CLOCK},
                                        {"calls", required_argument, NULL, OPT_CALLS},
                                        {"lie", required_argument, NULL, OPT_LIE},
                                        {"resolve", required_argument, NULL, OPT_RESOLVE},
                                        {"mode", required_argument, NULL, OPT_MODE},
                                        {"poke", required_argument, NULL, OPT_POKE},
                                        {"guest", required_argument, NULL, OPT_GUEST},
                                        {"disturb", required_argument, NULL, OPT_DISTURB},
                                        {"seek-key", no_argument, NULL, OPT_SEEK_KEY},
                                        {"enter", required_argument, NULL, OPT_ENTER},
                                        {"quote", required_argument, NULL, OPT_QUOTE},
                                        {NULL, 0, NULL, 0}};

static void take_technology(struct testhost *t, const char *text)
{
    t->attest.technology = strcmp(text, "sgx") == 0 ? IDENTITY_SGX : IDENTITY_SNP;
    must(t->attest.technology == IDENTITY_SGX || strcmp(text, "snp") == 0, "snp or sgx?");
}

static void take_measurement(struct testhost *t, const char *text)
{
    struct err err;
    size_t size = 0;

    must(hex_decode(bytes_of(text), t->attest.measurement, sizeof t->attest.measurement, &size,
                    &err) &&
             size >= 32,
         "malformed measurement");
}

static void take_backend(struct testhost *t, const char *text)
{
    static const struct host_backend *const backends[] = {&host_nil, &host_kvm, &host_sgx,
                                                          &host_snp};

    t->backend = NULL;
    for (size_t i = 0; i < COUNT_OF(backends); i++) {
        if (strcmp(backends[i]->name, text) == 0)
            t->backend = backends[i];
    }
    must(t->backend != NULL, "nil, kvm, sgx or snp?");
}

static void take_option(struct testhost *t, int option, const char *value)
{
    switch (option) {
    case OPT_TECHNOLOGY:
        take_technology(t, value);
        break;
    case OPT_MEASUREMENT:
        take_measurement(t, value);
        break;
    case OPT_SIM:
        t->attest.sim = value;
        break;
    case OPT_BACKEND:
        take_backend(t, value);
        break;
    case OPT_KEEP:
        t->keep = value;
        break;
    case OPT_SHIM:
        t->shim = value;
        break;
    case OPT_WORD:
        answer_add_word(value);
        break;
    case OPT_PACKAGE:
        t->package = value;
        break;
    case OPT_STEWARD:
        t->steward = value;
        break;
    case OPT_STEWARD_CA:
        t->steward_ca = value;
        break;
    case OPT_REGISTRY_CA:
        t->registry_ca = value;
        break;
    case OPT_ENV:
        must(t->env_count < ENV_MAX, "too many variables");
        t->env[t->env_count++] = value;
        break;
    case OPT_LOG_LEVEL:
        must(setenv("BROCH_LOG_LEVEL", value, 1) == 0, "no memory");
        break;
    case OPT_TIMEOUT:
        t->timeout_ms = strtoull(value, NULL, 10) * 1000;
        must(t->timeout_ms != 0, "--timeout takes seconds");
        break;
    case OPT_ATTEST_LOG:
        t->attest.log = value;
        break;
    case OPT_PHASES:
        t->phases = value;
        break;
    case OPT_CLOCK:
        t->trace.clock = value;
        break;
    case OPT_CALLS:
        t->trace.calls = value;
        break;
    case OPT_LIE:
        lies_add(&t->lies, value);
        break;
    case OPT_RESOLVE:
        resolve_add(value);
        break;
    case OPT_MODE:
        machine_set_mode(value);
        break;
    case OPT_POKE:
        machine_add_poke(value);
        break;
    case OPT_GUEST:
        machine_set_guest(value);
        break;
    case OPT_SEEK_KEY:
        machine_seek_key();
        break;
    case OPT_DISTURB:
        machine_set_disturbance(value);
        break;
    case OPT_ENTER:
        enclave_add(value);
        break;
    case OPT_QUOTE:
        enclave_set_quote(value);
        break;
    default:
        fail_usage();
    }
}

static void take_words(struct testhost *t, int argc, char **argv)
{
    static const uint8_t none[sizeof t->attest.measurement];
    int option;

    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
        take_option(t, option, optarg);
    t->positionals = argv + optind;
    t->positional_count = (size_t)(argc - optind);
    if (memcmp(t->attest.measurement, none, sizeof none) == 0)
        memset(t->attest.measurement, t->attest.technology == IDENTITY_SNP ? 0x5a : 0xa5,
               sizeof none);
}

/* What is not an option: a package of this machine's unless one was named, then arguments. */
static const char *take_path(struct testhost *t)
{
    const char *path = NULL;

    if (t->package == NULL) {
        if (t->positional_count == 0)
            fail_usage();
        path = *t->positionals++;
        t->positional_count--;
    }
    if (t->positional_count != 0 && strcmp(*t->positionals, "--") == 0) {
        t->positionals++;
        t->positional_count--;
    }
    return path;
}

/* ---- the boot request ---- */

static void add_path(struct testhost *t, struct boot_request *r, const char *path)
{
    const char *culprit = path;
    struct stat stat_of;
    struct err err;

    must(stat(path, &stat_of) == 0, path);
    bool ok = S_ISDIR(stat_of.st_mode) ? boot_request_directory(r, path, &t->arena, &culprit, &err)
                                       : boot_request_file(r, path, "main.wasm", &err);
    if (!ok)
        (void)fprintf(stderr, "testhost: %s\n", culprit);
    must_err(ok, &err);
}

static void add_text(struct boot_request *r, enum boot_kind kind, const char *text)
{
    struct err err;

    if (text != NULL)
        must_err(boot_request_bytes(r, kind, bytes_of(text), &err), &err);
}

static void add_pem(struct testhost *t, struct boot_request *r, enum boot_kind kind,
                    const char *path)
{
    struct bytes pem;
    struct err err;

    if (path == NULL)
        return;
    must(os_read_file(path, PEM_MAX, &t->arena, &pem, &err), path);
    must_err(boot_request_bytes(r, kind, pem, &err), &err);
}

static void add_start(struct boot_request *r)
{
    uint8_t stdio[3], level = LOG_DEBUG;
    struct err err;

    for (int i = 0; i < 3; i++)
        stdio[i] = isatty(i) ? BOOT_STDIO_TERMINAL : BOOT_STDIO_STREAM;
    while (level > LOG_ERROR && !log_enabled((enum log_level)level))
        level--;
    must_err(boot_request_bytes(r, BOOT_LOG_LEVEL, bytes_from(&level, 1), &err) &&
                 boot_request_bytes(r, BOOT_STDIO, bytes_from(stdio, sizeof stdio), &err),
             &err);
}

static int make_request(struct testhost *t)
{
    struct boot_request r;
    struct err err;

    must_err(boot_request_new(&r, &err), &err);
    add_start(&r);
    const char *path = take_path(t);
    for (size_t i = 0; i < t->positional_count; i++)
        add_text(&r, BOOT_ARG, t->positionals[i]);
    for (size_t i = 0; i < t->env_count; i++)
        add_text(&r, BOOT_ENV, t->env[i]);
    add_text(&r, BOOT_STEWARD, t->steward);
    add_pem(t, &r, BOOT_STEWARD_CA, t->steward_ca);
    add_pem(t, &r, BOOT_REGISTRY_CA, t->registry_ca);
    add_text(&r, BOOT_PACKAGE, t->package);
    if (path != NULL)
        add_path(t, &r, path);
    must_err(boot_request_finish(&r, &err), &err);
    return r.fd;
}

/* ---- the run ---- */

static void note_phase(void *context, const char *phase)
{
    const struct testhost *t = context;
    double ms = (double)(os_monotonic_ns() - t->started_ns) / 1e6;
    FILE *file = t->phases != NULL ? fopen(t->phases, "a") : NULL;

    must(t->phases == NULL ||
             (file != NULL && fprintf(file, "%s %.3f\n", phase, ms) > 0 && fclose(file) == 0),
         t->phases);
}

static bool is_simulated(const struct testhost *t)
{
    return t->backend == &host_snp || t->backend == &host_sgx;
}

static int run(void *context)
{
    struct testhost *t = context;
    struct host_request request = {.keep_image = t->keep,
                                   .shim_image = t->shim,
                                   .boot_file = t->boot_file,
                                   .timeout_ms = t->timeout_ms,
                                   .on_phase = note_phase,
                                   .context = t,
                                   .sim_folder = is_simulated(t) ? t->attest.sim : NULL};
    struct host_result result;
    struct err err;

    t->started_ns = os_monotonic_ns();
    must_err(t->backend->run(&request, &result, &err), &err);
    switch (result.end) {
    case HOST_EXITED:
        return result.code;
    case HOST_TIMED_OUT:
        (void)fprintf(stderr, "testhost: stopped after its time\n");
        return CLI_TIMEOUT;
    default:
        (void)fprintf(stderr, "testhost: the keep was killed by signal %d\n", result.code);
        return 128 + result.code;
    }
}

/* A file of this build, by its path below our folder. */
static const char *of_build(struct testhost *t, const char *name)
{
    char own[4096];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);

    must(size > 0 && (size_t)size < sizeof own - 1, "where am I?");
    own[size] = '\0';
    size_t folder = (size_t)(strrchr(own, '/') - own);
    char *path = arena_alloc(&t->arena, folder + strlen(name) + 1, 1);
    must(path != NULL, "no memory");
    memcpy(path, own, folder);
    memcpy(path + folder, name, strlen(name) + 1);
    return path;
}

/* What a machine is told is told in its block; of a keep of `nil` the kernel has to be overruled.
 */
static int run_lying(struct testhost *t)
{
    if (t->backend == &host_nil)
        return trace_is_needed(&t->trace) ? trace_run(&t->trace, run, t) : run(t);
    must(t->trace.clock == NULL, "--clock is for the backend nil");
    answer_setup(&(struct answer_plan){.lies = &t->lies, .calls = t->trace.calls});
    int code = run(t);
    answer_done();
    return code;
}

int main(int argc, char **argv)
{
    struct testhost t = {.backend = &host_nil,
                         .attest = {.sim = getenv("BROCH_SIM_DIR"), .technology = IDENTITY_SNP}};
    struct err err;

    arena_init(&t.arena, arena_heap, SIZE_MAX);
    take_words(&t, argc, argv);
    must_err(os_log_setup(LOG_INFO, &err), &err);
    if (t.keep == NULL)
        t.keep = of_build(&t, "/../../src/keep/broch-keep");
    if (t.shim == NULL)
        t.shim = of_build(&t, t.backend == &host_sgx ? "/../../src/shim/sgx/broch-shim-sgx"
                                                     : "/../../src/shim/kvm/broch-shim-kvm");
    t.boot_file = make_request(&t);
    t.attest.lies = t.trace.lies = &t.lies;
    attest_setup(&t.attest);
    int code = run_lying(&t);
    arena_done(&t.arena);
    return code;
}
