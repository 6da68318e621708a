/* `kvm`: the exec layer in ring 3 of a virtual machine, behind the shim. No TEE: the host sees
 * everything. It is what `snp` is without its hardware, and a second wall between workload and
 * host. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "host/kvm.h"
#include "os/os.h"

#define SHIM "broch-shim-kvm"
#define MEMORY_SIZE ((size_t)4 << 30)

/* For the signal's handler: a machine that is to stop, now or at its next exit. */
static struct kvm_run *running;
static volatile sig_atomic_t is_late;

static void on_alarm(int number)
{
    (void)number;
    is_late = 1;
    if (running != NULL)
        running->immediate_exit = 1;
}

/* The alarm comes again: a call that it interrupts is begun anew by the keep. */
static void set_alarm(uint64_t timeout_ms)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval timer = {.it_value = {.tv_sec = (time_t)(timeout_ms / 1000),
                                           .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)},
                              .it_interval = {.tv_usec = 10000}};

    if (timeout_ms == 0)
        return;
    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void report_panic(const struct machine *m)
{
    struct panic p;

    memcpy(&p, machine_block(m)->data, sizeof p);
    p.text[sizeof p.text - 1] = '\0';
    log_error(p.is_ring0 != 0 ? "the shim failed" : "the keep failed", log_str("reason", p.text),
              log_u64("vector", p.vector), log_u64("error", p.error),
              log_hex("rip", bytes_from(&p.rip, 8)), log_hex("address", bytes_from(&p.address, 8)));
}

/* One exit; false: it was the last. */
static bool serve_exit(const struct machine *m, struct proxy *proxy, struct host_result *out)
{
    const struct kvm_run *run = m->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        if (run->io.port == PORT_CALL && run->io.direction == KVM_EXIT_IO_OUT) {
            proxy_serve(proxy);
            if (!proxy->has_exited)
                return true;
            *out = (struct host_result){.end = HOST_EXITED, .code = proxy->code};
            return false;
        }
        report_panic(m);
        break;
    case KVM_EXIT_INTR:
        return true;
    default:
        log_error("the machine stopped", log_u64("exit", run->exit_reason),
                  log_u64("detail", run->exit_reason == KVM_EXIT_INTERNAL_ERROR
                                        ? run->internal.suberror
                                    : run->exit_reason == KVM_EXIT_MMIO ? run->mmio.phys_addr
                                                                        : 0));
        break;
    }
    *out = (struct host_result){.end = HOST_KILLED, .code = SIGSEGV};
    return false;
}

static bool run_machine(const struct machine *m, struct proxy *proxy, struct host_result *out,
                        struct err *err)
{
    for (;;) {
        int result = ioctl(m->vcpu, KVM_RUN, 0);
        if (is_late) {
            *out = (struct host_result){.end = HOST_TIMED_OUT};
            return true;
        }
        if (result != 0 && errno != EINTR)
            return err_set(err, ERR_IO, "cannot run the machine", (uint64_t)errno);
        if (result == 0 && !serve_exit(m, proxy, out))
            return true;
        if (is_late) {
            *out = (struct host_result){.end = HOST_TIMED_OUT};
            return true;
        }
    }
}

static bool kvm_run_keep(const struct host_request *request, struct host_result *out,
                         struct err *err)
{
    struct supervisor supervisor = {.listener = -1,
                                    .boot_socket = -1,
                                    .on_phase = request->on_phase,
                                    .context = request->context};
    struct proxy proxy = {.descriptors = NULL};
    struct machine machine;
    struct arena arena;
    const char *shim;

    arena_init(&arena, arena_heap, SIZE_MAX);
    /* a broken connection is an error of the write, as everywhere in the keep */
    (void)signal(SIGPIPE, SIG_IGN);
    bool ok = host_image_path(SHIM, &arena, &shim, err);
    machine = (struct machine){.kvm = -1, .vm = -1, .vcpu = -1};
    ok = ok && machine_new(shim, request->keep_image, MEMORY_SIZE, &machine, err) &&
         proxy_new(machine_block(&machine), request->boot_file, &supervisor, &proxy, err);
    if (ok) {
        running = machine.run;
        set_alarm(request->timeout_ms);
        ok = run_machine(&machine, &proxy, out, err);
        running = NULL;
    }
    proxy_free(&proxy);
    machine_done(&machine);
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
    .run = kvm_run_keep,
};
