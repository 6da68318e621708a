/* What a hostile host does to a machine beside lying about calls: how it starts it, its memory
 * before it runs, what its security processor answers, a block that changes while it is read, exits
 * and interrupts at odd times. It runs in the process around the machine, before and beside its
 * sandbox. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "host/kvm.h"
#include "syscall_by_loader.h"
#include "testhost.h"

#define POKES_MAX 16
#define PAUSE_NS 200000
#define LSTAR 0xc0000082
#define SFMASK 0xc0000084

enum disturbance { QUIET, SCRIBBLE, SIGNALS, NMI, INTERRUPT, SYSCALLS, EXCEPTION };

static struct {
    struct {
        uint64_t pa;
        uint8_t value;
    } pokes[POKES_MAX];
    size_t poke_count;
    bool has_mode;
    uint64_t mode;
    enum disturbance disturbance;
    uint32_t vector; /* of exceptions */
    bool is_once;
    /* about the nth message to the security processor, from 1; 0: all */
    const char *guest;
    uint64_t guest_nth, guest_value;
    bool seeks_key;
} plan;

static uint8_t key[32]; /* of the secrets page, when the machine starts */

static const struct machine *machine;
static struct block *scribbled;
static pthread_t runner; /* the thread that runs the machine */
static atomic_uint has_begun;
static bool has_injected;

/* ---- what is asked for ---- */

void machine_add_poke(const char *text)
{
    char *end;

    must(plan.poke_count < POKES_MAX, "too many pokes");
    plan.pokes[plan.poke_count].pa = strtoull(text, &end, 0);
    must(*end == '=', "--poke takes ADDRESS=BYTE");
    plan.pokes[plan.poke_count++].value = (uint8_t)strtoul(end + 1, NULL, 0);
}

void machine_set_mode(const char *text)
{
    plan.has_mode = true;
    plan.mode = strtoull(text, NULL, 0);
}

/* N,KIND[,VALUE]; the text is borrowed. */
void machine_set_guest(const char *text)
{
    char *end;

    plan.guest_nth = strtoull(text, &end, 10);
    must(*end == ',', "--guest takes N,KIND[,VALUE]");
    plan.guest = end + 1;
    const char *comma = strchr(plan.guest, ',');
    plan.guest_value = comma != NULL ? strtoull(comma + 1, NULL, 0) : 0;
}

void machine_seek_key(void)
{
    plan.seeks_key = true;
}

void machine_set_disturbance(const char *text)
{
    static const char *const names[] = {"quiet", "scribble",  "signals",
                                        "nmi",   "interrupt", "syscalls"};

    if (strncmp(text, "exception,", 10) == 0) {
        plan.disturbance = EXCEPTION;
        plan.vector = (uint32_t)strtoul(text + 10, NULL, 0);
        plan.is_once = strstr(text, ",once") != NULL;
        return;
    }
    while (plan.disturbance < EXCEPTION && strcmp(text, names[plan.disturbance]) != 0)
        plan.disturbance++;
    must(plan.disturbance < EXCEPTION,
         "--disturb: scribble, signals, nmi, interrupt, exception,N?");
}

/* ---- the start ---- */

uint64_t platform_mode(uint64_t mode)
{
    return plan.has_mode ? plan.mode : mode;
}

static void nothing(int number)
{
    (void)number;
}

static void pause_a_little(void)
{
    const struct timespec time = {.tv_nsec = PAUSE_NS};

    (void)nanosleep(&time, NULL);
}

/* Puts anything where the host's answers stand, as fast as it can. */
static void scribble_on(uint64_t *state)
{
    volatile struct block *b = scribbled;

    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    b->result = (int64_t)*state;
    b->data[*state % 4096] = (uint8_t)(*state >> 32);
}

/* Where SYSCALL goes to; 0: it cannot be told. */
static uint64_t read_lstar(void)
{
    struct kvm_msrs *msrs = calloc(1, sizeof *msrs + sizeof msrs->entries[0]);
    uint64_t value = 0;

    must(msrs != NULL, "no memory");
    msrs->nmsrs = 1;
    msrs->entries[0].index = LSTAR;
    if (ioctl(machine->vcpu, KVM_GET_MSRS, msrs) == 1)
        value = msrs->entries[0].data;
    free(msrs);
    return value;
}

/* Whether the processor is where a fault of its own is next: the fetch at LSTAR, which is how
 * SYSCALL shows where KVM is software, or one that is on its way. What is injected there is nothing
 * new. */
static bool has_own_fault(const struct kvm_vcpu_events *events)
{
    struct kvm_regs regs;

    return events->exception.injected != 0 || events->exception.pending != 0 ||
           ioctl(machine->vcpu, KVM_GET_REGS, &regs) != 0 || regs.rip == read_lstar();
}

static void inject(void)
{
    struct kvm_interrupt interrupt = {.irq = 32};
    struct kvm_vcpu_events events;

    /* the processor is ours only between two runs */
    (void)pthread_kill(runner, SIGUSR1);
    switch (plan.disturbance) {
    case NMI:
        (void)ioctl(machine->vcpu, KVM_NMI, 0);
        break;
    case INTERRUPT:
        (void)ioctl(machine->vcpu, KVM_INTERRUPT, &interrupt);
        break;
    case EXCEPTION:
        if (ioctl(machine->vcpu, KVM_GET_VCPU_EVENTS, &events) != 0 || has_own_fault(&events))
            break;
        events.exception.injected = 1;
        events.exception.nr = (uint8_t)plan.vector;
        events.exception.has_error_code = plan.vector == 13 || plan.vector == 14;
        events.exception.error_code = 5; /* as of a fetch at LSTAR */
        has_injected = ioctl(machine->vcpu, KVM_SET_VCPU_EVENTS, &events) == 0;
        break;
    default:
        break;
    }
}

/* ---- SYSCALL, as a processor makes it ---- */

static struct kvm_segment ring_0(uint16_t selector, bool is_code)
{
    return (struct kvm_segment){.limit = 0xffffffff,
                                .selector = selector,
                                .type = is_code ? 11 : 3,
                                .present = 1,
                                .db = !is_code,
                                .s = 1,
                                .l = is_code,
                                .g = 1};
}

/* AMD APM volume 3, SYSCALL in 64-bit mode. RBX has where ring 3 goes on. */
static void make_syscall(void)
{
    struct kvm_msrs *msrs = calloc(1, sizeof *msrs + 2 * sizeof msrs->entries[0]);
    struct kvm_regs regs;
    struct kvm_sregs sregs;

    must(msrs != NULL, "no memory");
    msrs->nmsrs = 2;
    msrs->entries[0].index = LSTAR;
    msrs->entries[1].index = SFMASK;
    must(ioctl(machine->vcpu, KVM_GET_REGS, &regs) == 0 &&
             ioctl(machine->vcpu, KVM_GET_SREGS, &sregs) == 0 &&
             ioctl(machine->vcpu, KVM_GET_MSRS, msrs) == 2,
         "the processor cannot be read");
    regs.rcx = regs.rbx;
    regs.r11 = regs.rflags;
    regs.rip = msrs->entries[0].data;
    regs.rflags &= ~msrs->entries[1].data;
    sregs.cs = ring_0(KERNEL_CS, true);
    sregs.ss = ring_0(KERNEL_DS, false);
    must(ioctl(machine->vcpu, KVM_SET_SREGS, &sregs) == 0 &&
             ioctl(machine->vcpu, KVM_SET_REGS, &regs) == 0,
         "the processor cannot be set");
    free(msrs);
}

static atomic_uint syscalls_wanted, syscalls_made;

/* The thread outside the sandbox makes it, while the one that runs the machine waits. */
static void ask_for_syscall(void)
{
    unsigned number = atomic_fetch_add(&syscalls_wanted, 1) + 1;

    while (atomic_load(&syscalls_made) < number)
        (void)sched_yield();
}

_Noreturn static void serve_syscalls(void)
{
    for (;;) {
        if (atomic_load(&syscalls_made) == atomic_load(&syscalls_wanted)) {
            (void)sched_yield();
            continue;
        }
        make_syscall();
        atomic_fetch_add(&syscalls_made, 1);
    }
}

_Noreturn static void *disturb(void *context)
{
    uint64_t state = 88172645463325252;

    (void)context;
    if (plan.disturbance == SYSCALLS)
        serve_syscalls();
    while (atomic_load(&has_begun) == 0)
        pause_a_little();
    for (;;) {
        if (plan.disturbance == SCRIBBLE) {
            scribble_on(&state);
            continue;
        }
        pause_a_little();
        if (!plan.is_once || !has_injected)
            inject();
    }
}

void platform_prepare(const struct machine *given)
{
    pthread_t thread;

    machine = given;
    runner = pthread_self();
    for (size_t i = 0; i < plan.poke_count; i++) {
        must(plan.pokes[i].pa < given->memory_size, "a poke beside the memory");
        given->memory[plan.pokes[i].pa] = plan.pokes[i].value;
    }
    memcpy(key, given->memory + SECRETS_PA + 0x20, sizeof key);
    scribbled = machine_block(given);
    if (plan.disturbance == QUIET)
        return;
    const struct sigaction action = {.sa_handler = nothing};
    must(sigaction(SIGUSR1, &action, NULL) == 0 &&
             pthread_create(&thread, NULL, disturb, NULL) == 0,
         "no thread");
}

void machine_scribble(struct block *block)
{
    sigset_t all, before;
    pthread_t thread;

    scribbled = block;
    must(plan.disturbance == QUIET || plan.disturbance == SCRIBBLE,
         "--disturb: only scribble, in an enclave");
    if (plan.disturbance == QUIET)
        return;
    (void)sigfillset(&all); /* the enclave's signals are for the thread that runs it */
    must(pthread_sigmask(SIG_BLOCK, &all, &before) == 0 &&
             pthread_create(&thread, NULL, disturb, NULL) == 0 &&
             pthread_sigmask(SIG_SETMASK, &before, NULL) == 0,
         "no thread");
}

static unsigned places(uint64_t pa, size_t size)
{
    const uint8_t *at = machine->memory + pa, *end = at + size;
    unsigned count = 0;

    while ((at = memmem(at, (size_t)(end - at), key, sizeof key)) != NULL) {
        count++;
        at++;
    }
    return count;
}

void machine_has_called(const struct call *call)
{
    atomic_store(&has_begun, 1);
    if (plan.disturbance == SYSCALLS && strcmp(call->name, "sched_yield") == 0 &&
        machine_block(machine)->args[0] == SYSCALL_BY_LOADER)
        ask_for_syscall();
    if (strcmp(call->name, "exit_group") != 0)
        return;
    if (plan.disturbance == SYSCALLS)
        log_info("the loader made SYSCALL", log_u64("times", atomic_load(&syscalls_made)));
    if (!plan.seeks_key)
        return;
    log_info("the key", log_u64("in_the_block", places(BLOCK_PA, BLOCK_SIZE)),
             log_u64("in_the_secrets_page", places(SECRETS_PA, PAGE_SIZE)),
             log_u64("in_the_shim", places(SHIM_PA, SECRETS_PA - SHIM_PA)));
}

/* ---- the security processor ---- */

/* The true answer. */
static int64_t ask(struct psp *psp, uint8_t *memory)
{
    return psp_guest_request(psp, memory + REQUEST_PA, memory + RESPONSE_PA, memory + CERTS_PA,
                             CERTS_SIZE);
}

static void change_answer(uint8_t *memory, const uint8_t *first)
{
    if (strncmp(plan.guest, "flip,", 5) == 0)
        memory[RESPONSE_PA + plan.guest_value / 8 % PAGE_SIZE] ^=
            (uint8_t)(1u << (plan.guest_value % 8));
    else if (strcmp(plan.guest, "first") == 0)
        memcpy(memory + RESPONSE_PA, first, PAGE_SIZE);
    else if (strcmp(plan.guest, "request") == 0) /* the question as the answer */
        memcpy(memory + RESPONSE_PA, memory + REQUEST_PA, PAGE_SIZE);
    else if (strcmp(plan.guest, "empty") == 0)
        memset(memory + RESPONSE_PA, 0, PAGE_SIZE);
    else if (strcmp(plan.guest, "no-certificates") == 0)
        memset(memory + CERTS_PA, 0, CERTS_SIZE);
    else if (strcmp(plan.guest, "bad-certificates") == 0)
        memset(memory + CERTS_PA, 0xff, CERTS_SIZE);
    else
        fail("--guest: no such kind");
}

int64_t platform_guest(struct psp *psp, uint8_t *memory)
{
    static uint8_t first[PAGE_SIZE];
    static uint64_t count;
    bool is_lie = plan.guest != NULL && (++count == plan.guest_nth || plan.guest_nth == 0);

    if (is_lie && strncmp(plan.guest, "result,", 7) == 0)
        return (int64_t)plan.guest_value; /* and the processor has not seen it */
    int64_t result = ask(psp, memory);
    if (count == 1)
        memcpy(first, memory + RESPONSE_PA, PAGE_SIZE);
    if (is_lie)
        change_answer(memory, first);
    return result;
}
