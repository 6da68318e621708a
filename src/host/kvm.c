/* `kvm`: the exec layer in ring 3 of a virtual machine, behind the shim. No TEE: the host sees
 * everything. It is what `snp` is without its hardware, and a second wall between workload and
 * host. With a security processor in software it is the simulated `snp`. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "evidence/snp_certificates.h"
#include "host/kvm.h"
#include "host/snp_cache.h"
#include "host/snp_launch.h"
#include "os/os.h"

#define SHIM "broch-shim-kvm"
#define MEMORY_SIZE ((size_t)4 << 30)

/* Made before the process is. */
static const char *shim_path;
static struct psp *simulated;                /* NULL: none */
static bool is_snp;                          /* the real one */
static struct snp_endorsements endorsements; /* then */

/* A number as people write it, in hexadecimal. */
static struct bytes big_endian(uint64_t value, uint8_t out[8])
{
    for (unsigned i = 8; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
    return bytes_from(out, 8);
}

static void report_panic(const struct machine *m)
{
    struct panic p;
    uint8_t rip[8], address[8];

    memcpy(&p, machine_block(m)->data, sizeof p);
    p.text[sizeof p.text - 1] = '\0';
    log_error(p.is_ring0 != 0 ? "the shim failed" : "the keep failed", log_str("reason", p.text),
              log_u64("vector", p.vector), log_u64("error", p.error),
              log_hex("rip", big_endian(p.rip, rip)),
              log_hex("address", big_endian(p.address, address)));
}

/* What the machine wrote to a port; false: it has ended. */
static bool serve_port(const struct machine *m, struct proxy *proxy)
{
    switch (m->run->io.port) {
    case PORT_CALL:
        proxy_serve(proxy);
        return !proxy->has_exited;
    case PORT_GUEST:
        machine_block(m)->result =
            simulated != NULL ? platform_guest(simulated, m->memory) : -ENOSYS;
        return true;
    default:
        report_panic(m);
        return false;
    }
}

/* A page state change: all is as it should be from the start. */
static void serve_hypercall(const struct machine *m)
{
    struct kvm_run *run = m->run;

    run->hypercall.ret = run->hypercall.nr == SNP_HYPERCALL_MAP_GPA_RANGE
                             ? snp_page_state((const uint64_t *)run->hypercall.args, m->memory_size,
                                              BLOCK_PA, BLOCK_SIZE)
                             : ENOSYS;
}

/* KVM wants the certificates for the guest; there is one place for them. */
static void serve_certificates(const struct machine *m)
{
    struct snp_req_certs *wish = (void *)((uint8_t *)m->run + SNP_RUN_UNION_AT);
    const struct snp_certificate vek = {SNP_CERTIFICATE_VCEK, endorsements.vek};
    struct err err;
    bool ok = wish->gpa == CERTS_PA && wish->pages >= CERTS_SIZE / PAGE_SIZE &&
              snp_certificates_write(&vek, endorsements.vek.size != 0, m->memory + CERTS_PA,
                                     CERTS_SIZE, &err);

    wish->result = ok ? 0 : EIO;
}

/* An exit that means no good; where the guest said why, so do we. */
static void report_exit(const struct machine *m)
{
    const struct kvm_run *run = m->run;

    if (run->exit_reason == KVM_EXIT_SYSTEM_EVENT &&
        run->system_event.type == SNP_SYSTEM_EVENT_SEV_TERM) {
        log_error("the shim ended the machine",
                  log_str("reason", snp_termination(run->system_event.data[0])));
        return;
    }
    if (run->exit_reason == KVM_EXIT_SHUTDOWN) {
        log_error("the machine stopped",
                  log_str("reason", "its processor shut down: a fault that could not be told"));
        return;
    }
    if (run->exit_reason == SNP_EXIT_MEMORY_FAULT) {
        const struct snp_memory_fault *f =
            (const void *)((const uint8_t *)m->run + SNP_RUN_UNION_AT);
        uint8_t address[8];
        log_error("the machine stopped", log_str("reason", "it used memory that it was not given"),
                  log_hex("address", big_endian(f->gpa, address)));
        return;
    }
    log_error("the machine stopped", log_u64("exit", run->exit_reason),
              log_u64("detail", run->exit_reason == KVM_EXIT_INTERNAL_ERROR ? run->internal.suberror
                                : run->exit_reason == KVM_EXIT_MMIO         ? run->mmio.phys_addr
                                                                            : 0));
}

/* One exit; false: it was the last. */
static bool serve_exit(const struct machine *m, struct proxy *proxy)
{
    const struct kvm_run *run = m->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        return serve_port(m, proxy);
    case KVM_EXIT_HYPERCALL:
        serve_hypercall(m);
        return true;
    case SNP_EXIT_REQ_CERTS:
        serve_certificates(m);
        return true;
    case KVM_EXIT_INTR:
        return true;
    default:
        report_exit(m);
        return false;
    }
}

/* child_become: the process around a machine. It makes the machine, gives up everything but the
 * calls of the table, and runs it. */
_Noreturn static void become_machine(const struct child_plan *plan)
{
    struct machine machine;
    struct proxy proxy;
    struct err err;

    const struct machine_plan parts = {
        .image = plan->request->image_file,
        .shim = shim_path,
        .keep = IMAGE_FD,
        .memory_size = MEMORY_SIZE,
        .psp = simulated,
        .is_snp = is_snp,
    };

    child_arrange(plan);
    if (!child_send_listener(-1))
        child_fail("cannot reach the loader", errno);
    if (!machine_new(&parts, &machine, &err) || !proxy_new(machine_block(&machine), &proxy, &err))
        child_fail(err.msg, err.code == ERR_IO ? (int)err.at : 0);
    (void)close(IMAGE_FD);
    platform_prepare(&machine);
    int number = machine_filter_install(machine.vcpu);
    if (number != 0)
        child_fail("cannot install the sandbox", number);
    (void)close(REPORT_FD);
    platform_answer(machine_block(&machine), NULL);
    for (;;) {
        /* EFAULT comes with a reason, since Linux 6.8: the guest has used memory that is not there
         */
        machine.run->exit_reason = KVM_EXIT_UNKNOWN;
        if (ioctl(machine.vcpu, KVM_RUN, 0) != 0 && errno != EINTR && errno != EFAULT)
            _exit(127);
        if (!serve_exit(&machine, &proxy))
            break;
    }
    if (proxy.has_exited)
        _exit(proxy.code);
    __builtin_trap(); /* as a process that has crashed */
}

static bool run_machine(const struct host_request *request, struct host_result *out,
                        struct err *err)
{
    const struct bytes none = bytes_of("");
    struct arena arena;

    arena_init(&arena, arena_heap, SIZE_MAX);
    shim_path = request->shim_image;
    bool ok = (shim_path != NULL || host_image_path(SHIM, &arena, &shim_path, err)) &&
              child_run(request, become_machine, false,
                        simulated != NULL ? psp_endorsements(simulated)
                        : is_snp          ? endorsements.sections
                                          : none,
                        out, err);
    arena_done(&arena);
    return ok;
}

static bool kvm_is_available(const char **why)
{
    bool ok = access(host_kvm_device(), R_OK | W_OK) == 0;

    *why = ok ? NULL : "there is no /dev/kvm that you may use; 'broch platform info' says more";
    return ok;
}

const struct host_backend host_kvm = {
    .name = "kvm",
    .summary = "a virtual machine without a TEE: nothing is hidden from the host",
    .is_available = kvm_is_available,
    .run = run_machine,
};

/* The first thing that is missing, and what to do about it. */
static bool snp_is_available(const char **why)
{
    static struct host_machine machine;
    static char text[1024];
    const struct host_platform *snp = &machine.platforms[HOST_SNP];
    size_t i = 0;

    host_probe_machine(&machine);
    while (i < snp->count && snp->probes[i].ok)
        i++;
    *why = NULL;
    if (i == snp->count)
        return true;
    (void)snprintf(text, sizeof text,
                   "%s: %s; %s. 'broch platform info' says all that is missing, and --simulate "
                   "does without",
                   snp->probes[i].name, snp->probes[i].found, snp->probes[i].mend);
    *why = text;
    return false;
}

static bool run_simulated(const struct host_request *request, struct host_result *out,
                          struct err *err)
{
    if (!psp_new(request->sim_folder, &simulated, err))
        return false;
    bool ok = run_machine(request, out, err);
    psp_free(simulated);
    simulated = NULL;
    return ok;
}

static bool snp_run(const struct host_request *request, struct host_result *out, struct err *err)
{
    struct arena arena;

    if (request->sim_folder != NULL)
        return run_simulated(request, out, err);
    arena_init(&arena, arena_heap, SNP_ENDORSEMENTS_MAX);
    is_snp = true;
    bool ok = snp_endorsements_read(snp_cache_folder(), &arena, &endorsements, err) &&
              run_machine(request, out, err);
    is_snp = false;
    arena_done(&arena);
    return ok;
}

const struct host_backend host_snp = {
    .name = "snp",
    .summary = "a virtual machine in AMD SEV-SNP",
    .is_available = snp_is_available,
    .can_simulate = kvm_is_available,
    .run = snp_run,
};
