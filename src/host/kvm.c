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
        proxy_report(machine_block(m));
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
                  log_hex("address", proxy_number(f->gpa, address)));
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
    static const struct device_request run = {.number = KVM_RUN};
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
    int number = machine_filter_install(machine.vcpu, &run, 1);
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
    static struct attester answers;
    struct arena arena;

    arena_init(&arena, arena_heap, SIZE_MAX);
    shim_path = request->shim_image;
    answers = (struct attester){.endorsements = simulated != NULL ? psp_endorsements(simulated)
                                                : is_snp          ? endorsements.sections
                                                                  : bytes_of("")};
    bool ok = (shim_path != NULL || host_image_path(SHIM, &arena, &shim_path, err)) &&
              child_run(request, become_machine, false, &answers, out, err);
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

static bool snp_is_available(const char **why)
{
    *why = host_platform_lacks(HOST_SNP);
    return *why == NULL;
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
