/* `sgx`: the exec layer in an enclave, behind the shim. On a processor in software, too, which
 * protects nothing and needs neither privilege nor device. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/aesm.h"
#include "host/sgx.h"
#include "host/sgx_cache.h"
#include "host/sgx_device.h"
#include "host/sgx_load.h"
#include "host/sgx_sim.h"
#include "host/sgx_sim_quoting.h"
#include "image/image.h"
#include "os/os.h"
#include "shim/sgx/layout.h"
#include "base/banned.h"

#define SHIM "broch-shim-sgx"
#define ARENA_LIMIT (4 * IMAGE_FILE_MAX)

/* Made before the process is. */
static const char *shim_path;
static bool is_simulated;
static struct sgx_platform platform; /* then */

/* ---- building ---- */

/* The file of a descriptor, whole. */
static bool read_keep(int fd, struct arena *arena, struct bytes *out, struct err *err)
{
    struct stat st;
    size_t got;

    if (fstat(fd, &st) != 0)
        return err_set(err, ERR_IO, "cannot read the exec layer", (uint64_t)errno);
    if (st.st_size <= 0 || (uint64_t)st.st_size > IMAGE_FILE_MAX)
        return err_set(err, ERR_LIMIT, "the exec layer is empty or too large, in bytes",
                       (uint64_t)st.st_size);
    uint8_t *text = arena_alloc(arena, (size_t)st.st_size, 1);
    if (text == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the exec layer", ERR_NO_AT);
    if (!os_read_exactly(fd, text, (size_t)st.st_size, &got, err))
        return false;
    *out = bytes_from(text, got);
    return true;
}

static bool read_parts(const struct host_request *request, struct arena *arena,
                       struct image_file *out, struct err *err)
{
    struct bytes text;

    if (request->image_file != NULL)
        return os_read_file(request->image_file, IMAGE_FILE_MAX, arena, &text, err) &&
               image_file_parse(text, out, err) &&
               (out->enclave_shim.size != 0 ||
                err_set(
                    err, ERR_FORMAT,
                    "the image has no shim for enclaves; 'broch image build' makes one that has",
                    ERR_NO_AT));
    *out = (struct image_file){.shim = {.size = 0}};
    return os_read_file(shim_path, IMAGE_SHIM_MAX, arena, &out->enclave_shim, err) &&
           read_keep(IMAGE_FD, arena, &out->keep, err);
}

/* The image's own signature, or that of the development key. */
static bool sign(const struct enclave_image *image, const struct image_file *file,
                 uint8_t out[SGX_SIGSTRUCT_SIZE], struct err *err)
{
    uint8_t measurement[SGX_MEASUREMENT_SIZE];

    if (file->sigstruct.size != 0) {
        memcpy(out, file->sigstruct.data, SGX_SIGSTRUCT_SIZE);
        return true;
    }
    return enclave_measure(image, measurement, err) &&
           enclave_sign_for_development(measurement, out, err);
}

static bool build(const struct host_request *request, struct sgx_processor *p, struct err *err)
{
    uint8_t sigstruct[SGX_SIGSTRUCT_SIZE];
    struct enclave_image image;
    struct image_file file;
    struct arena arena;

    arena_init(&arena, arena_heap, ARENA_LIMIT);
    bool ok = read_parts(request, &arena, &file, err) &&
              enclave_compose(file.enclave_shim, file.keep, &arena, &image, err) &&
              sign(&image, &file, sigstruct, err) &&
              (is_simulated ? sgx_sim_new(&platform, p, err)
                            : sgx_device_new(&sgx_linux, host_sgx_device(), p, err)) &&
              sgx_load(p, &image, sigstruct, err);
    arena_done(&arena);
    return ok;
}

static struct block *new_block(struct err *err)
{
    void *block = mmap(NULL, sizeof(struct block) + BLOCK_DATA_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (block != MAP_FAILED)
        return block;
    (void)err_set(err, ERR_IO, "no memory for the keep's calls", (uint64_t)errno);
    return NULL;
}

/* ---- running ---- */

/* What an enclave that was left by EEXIT wants. False: it is over. */
static bool serve(struct sgx_processor *p, struct proxy *proxy, enum sgx_leaf *next)
{
    struct block *b = proxy->block;
    uint64_t offset = b->args[0], size = b->args[1];

    *next = SGX_EENTER;
    switch (b->exit) {
    case EXIT_RESUME:
        *next = SGX_ERESUME;
        return true;
    case EXIT_CALL:
        *next = SGX_ERESUME;
        proxy_serve(proxy);
        return !proxy->has_exited;
    case EXIT_ASK:
        proxy_serve(proxy);
        return !proxy->has_exited;
    case EXIT_RESTRICT:
        b->result = -p->restrict_rights(p, offset, size, SGX_SECINFO_R);
        return true;
    case EXIT_TRIM:
        b->result = -p->trim(p, offset, size);
        return true;
    case EXIT_REMOVE:
        b->result = -p->remove(p, offset, size);
        return true;
    case EXIT_END:
        proxy_report(b);
        return false;
    default:
        log_error("the enclave refused to be entered");
        return false;
    }
}

static void run(struct sgx_processor *p, struct proxy *proxy)
{
    enum sgx_leaf leaf = SGX_EENTER;
    struct sgx_exit how;
    struct err err;
    char text[ERR_TEXT_SIZE];

    for (;;) {
        proxy->block->exit = 0;
        if (!platform_enter(p, leaf, (uint64_t)(uintptr_t)proxy->block, &how, &err)) {
            log_error("the enclave stopped", log_str("reason", err_text(&err, os_strerror, text)));
            return;
        }
        if (how.leaf != SGX_EEXIT)
            leaf = SGX_EENTER; /* the shim sees what it was */
        else if (!serve(p, proxy, &leaf))
            return;
    }
}

/* child_become: the process around an enclave. */
_Noreturn static void become_enclave(const struct child_plan *plan)
{
    struct sgx_processor processor;
    struct proxy proxy;
    struct err err;

    child_arrange(plan);
    if (!child_send_listener(-1))
        child_fail("cannot reach the loader", errno);
    if (!build(plan->request, &processor, &err))
        child_fail(err.msg, err.code == ERR_IO ? (int)err.at : 0);
    struct block *block = new_block(&err);
    if (block == NULL || !proxy_new(block, &proxy, &err))
        child_fail(err.msg, err.code == ERR_IO ? (int)err.at : 0);
    (void)close(IMAGE_FD);
    block->can_grow = processor.can_grow ? 1 : 0;
    platform_enclave(&processor, block);
    int number = is_simulated
                     ? machine_filter_install(-1, NULL, 0)
                     : machine_filter_install(sgx_device_fd(&processor), sgx_device_requests,
                                              SGX_DEVICE_REQUEST_COUNT);
    if (number != 0)
        child_fail("cannot install the sandbox", number);
    (void)close(REPORT_FD);
    platform_answer(block, NULL);
    run(&processor, &proxy);
    if (proxy.has_exited)
        _exit(proxy.code);
    __builtin_trap(); /* as a process that has crashed */
}

/* ---- the backend ---- */

static bool run_enclave(const struct host_request *request, const struct attester *attester,
                        struct host_result *out, struct err *err)
{
    struct arena arena;

    arena_init(&arena, arena_heap, SIZE_MAX);
    shim_path = request->shim_image;
    bool ok = (shim_path != NULL || host_image_path(SHIM, &arena, &shim_path, err)) &&
              child_run(request, become_enclave, false, attester, out, err);
    arena_done(&arena);
    return ok;
}

/* Who makes quotes, and what endorses them; while a keep runs. */
static struct keep_evidence endorsements;
static struct sgx_quoting quoting;
static const struct attester answers = {.quoting = &quoting, .sgx = &endorsements};

static bool run_simulated(const struct host_request *request, struct host_result *out,
                          struct err *err)
{
    if (!sgx_sim_quoting_new(request->sim_folder, &platform, &quoting, &endorsements, err))
        return false;
    is_simulated = true;
    bool ok = run_enclave(request, &answers, out, err);
    is_simulated = false;
    secret_wipe(&platform, sizeof platform);
    sgx_sim_quoting_free(&quoting);
    return ok;
}

/* What is given to the keep lasts as long as the process: when it ends, the thread that serves it
 * may still be waiting for aesmd. */
static bool run_real(const struct host_request *request, struct host_result *out, struct err *err)
{
    static struct arena arena;
    struct bytes sections;

    arena_init(&arena, arena_heap, SGX_ENDORSEMENTS_MAX);
    if (!sgx_endorsements_read(sgx_cache_folder(), &arena, &sections, err) ||
        !keep_evidence_parse(sections, &endorsements, err) ||
        !aesm_quoting_new(NULL, &quoting, err)) {
        arena_done(&arena);
        return false;
    }
    return run_enclave(request, &answers, out, err);
}

static bool sgx_run(const struct host_request *request, struct host_result *out, struct err *err)
{
    return request->sim_folder != NULL ? run_simulated(request, out, err)
                                       : run_real(request, out, err);
}

static bool sgx_is_available(const char **why)
{
    *why = host_platform_lacks(HOST_SGX);
    return *why == NULL;
}

static bool sgx_can_simulate(const char **why)
{
    *why = sgx_sim_lacks();
    return *why == NULL;
}

const struct host_backend host_sgx = {
    .name = "sgx",
    .summary = "an enclave in Intel SGX",
    .is_available = sgx_is_available,
    .can_simulate = sgx_can_simulate,
    .run = sgx_run,
};
