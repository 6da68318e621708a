/* A tracer of the keep (ptrace(2)), above the loader: the loader runs in a child of this process,
 * which is traced so that its own child, the keep, is from its first instruction. Sandbox and
 * listener are the loader's and know nothing of it; when a call is done, its result and what it
 * wrote are changed here. */
#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/os.h"
#include "testhost.h"

#define CALLS_MAX 128
#define OPTIONS \
    (PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD)
#define NOT_OPEN 999
#define OFF_THE_LIST (-5000)
#define NOISE_MAX 65536u
/* Results that say "again, after the signal": nobody sees them (linux/errno.h). */
#define RESTART_FIRST (-516)
#define RESTART_LAST (-512)

struct tracer {
    const struct trace_plan *plan;
    pid_t loader, keep; /* keep: 0 before it is there */
    uint64_t counts[CALLS_MAX];
    bool is_seen[2]; /* of the clocks: realtime, monotonic */
    struct timespec first[2];
};

/* A call that is done. */
struct done {
    pid_t keep;
    struct user_regs_struct regs;
    const struct call *call;
};

/* ---- the keep's memory ---- */

/* False when it is not there, or the keep is gone. */
static bool peek(pid_t keep, uint64_t address, void *out, size_t size)
{
    struct iovec local = {.iov_base = out, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

    return process_vm_readv(keep, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static void poke(pid_t keep, uint64_t address, const void *in, size_t size)
{
    struct iovec local = {.iov_base = (void *)(uintptr_t)in, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

    (void)process_vm_writev(keep, &local, 1, &remote, 1, 0);
}

/* The vDSO reads clocks without a call that could be seen: hides it from the keep's C library. At
 * its start the stack has argc, argv, NULL, envp, NULL, and the auxiliary vector. */
static void hide_vdso(pid_t keep)
{
    struct user_regs_struct regs;
    Elf64_auxv_t entry = {.a_type = AT_IGNORE};
    const uint64_t ignore = AT_IGNORE;
    uint64_t word = 0;

    must(ptrace(PTRACE_GETREGS, keep, NULL, &regs) == 0, "cannot read registers");
    uint64_t at = regs.rsp + sizeof word;
    for (int lists = 0; lists < 2; at += sizeof word) {
        must(peek(keep, at, &word, sizeof word), "cannot read the keep's stack");
        lists += word == 0;
    }
    do {
        must(peek(keep, at, &entry, sizeof entry), "cannot read the keep's stack");
        if (entry.a_type == AT_SYSINFO_EHDR)
            poke(keep, at, &ignore, sizeof ignore);
        at += sizeof entry;
    } while (entry.a_type != AT_NULL);
}

/* ---- clocks ---- */

/* The plan's words: [both:]OFFSET, or stopped. */
struct clock_plan {
    bool is_stopped, is_both;
    int64_t offset_s;
};

static struct clock_plan clock_parse(const char *text)
{
    struct clock_plan c = {.is_stopped = strcmp(text, "stopped") == 0};
    char *end;

    c.is_both = strncmp(text, "both:", 5) == 0;
    if (c.is_both)
        text += 5;
    c.offset_s = strtoll(text, &end, 10);
    must(c.is_stopped || (end != text && *end == '\0'),
         "--clock takes [both:]SECONDS, stopped, or @FILE");
    return c;
}

/* What holds now: a file may change while the keep runs. */
static struct clock_plan clock_now(const char *plan)
{
    static char text[64] =
        "0"; /* what was last there: who writes it may have made it empty first */
    static uint8_t memory[4096];
    struct arena arena;
    struct bytes found;
    struct err err;

    if (plan == NULL)
        return (struct clock_plan){.offset_s = 0};
    if (plan[0] != '@')
        return clock_parse(plan);
    arena_init_fixed(&arena, memory, sizeof memory);
    must(os_read_file(plan + 1, sizeof text - 1, &arena, &found, &err), plan);
    if (found.size != 0) {
        memcpy(text, found.data, found.size);
        text[found.size] = '\0';
        text[strcspn(text, "\n")] = '\0';
    }
    return clock_parse(text);
}

/* The time as the keep is to see it. */
static void change_time(struct tracer *t, unsigned clock, struct timespec *time)
{
    struct clock_plan plan = clock_now(t->plan->clock);

    if (!t->is_seen[clock])
        t->first[clock] = *time;
    t->is_seen[clock] = true;
    if (plan.is_stopped)
        *time = t->first[clock];
    else if (clock == CLOCK_REALTIME || plan.is_both)
        time->tv_sec += plan.offset_s;
}

/* Without the vDSO, time and gettimeofday are calls, which no keep may make: they are answered as
 * the vDSO would. */
static void answer_time(struct tracer *t, struct done *d)
{
    struct timespec now;

    must(clock_gettime(CLOCK_REALTIME, &now) == 0, "no clock");
    change_time(t, CLOCK_REALTIME, &now);
    struct timeval value = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    bool is_time = d->regs.orig_rax == SYS_time;
    if (d->regs.rdi != 0)
        poke(d->keep, d->regs.rdi, &value, is_time ? sizeof value.tv_sec : sizeof value);
    d->regs.rax = is_time ? (uint64_t)now.tv_sec : 0;
}

static void answer_clock(struct tracer *t, const struct done *d)
{
    struct timespec now;

    if (d->regs.rax != 0 || d->regs.rdi > CLOCK_MONOTONIC || t->plan->clock == NULL ||
        !peek(d->keep, d->regs.rsi, &now, sizeof now))
        return;
    change_time(t, (unsigned)d->regs.rdi, &now);
    poke(d->keep, d->regs.rsi, &now, sizeof now);
}

/* ---- lies ---- */

static uint64_t argument(const struct done *d, size_t i)
{
    const uint64_t args[6] = {d->regs.rdi, d->regs.rsi, d->regs.rdx,
                              d->regs.r10, d->regs.r8,  d->regs.r9};

    return args[i];
}

/* How much was asked for: bytes, or descriptors of ppoll; where nothing was, the result. */
static uint64_t asked(const struct done *d)
{
    uint64_t size = d->regs.rax;

    for (size_t i = 0; i < COUNT_OF(d->call->args); i++) {
        const struct call_arg *arg = &d->call->args[i];
        if (arg->kind == CALL_ARG_IN || arg->kind == CALL_ARG_OUT || arg->kind == CALL_ARG_POLLFDS)
            size = argument(d, (size_t)arg->value); /* of attest and resolve the last: the answer */
    }
    return size;
}

struct place {
    uint64_t address, size;
};

/* What the call has written; empty: nothing. */
static struct place written(const struct done *d)
{
    uint32_t size;

    for (size_t i = 0; i < COUNT_OF(d->call->args); i++) {
        const struct call_arg *arg = &d->call->args[i];
        struct place place = {.address = argument(d, i)};
        if (arg->kind == CALL_ARG_OUT && (int64_t)d->regs.rax > 0)
            place.size = d->regs.rax;
        else if (arg->kind == CALL_ARG_TAKE)
            place.size = (uint64_t)arg->value;
        else if (arg->kind == CALL_ARG_POLLFDS)
            place.size = argument(d, (size_t)arg->value) * sizeof(struct pollfd);
        else if (arg->kind == CALL_ARG_OUT_AT &&
                 peek(d->keep, argument(d, (size_t)arg->value), &size, sizeof size))
            place.size = size;
        if (place.address != 0 && place.size != 0)
            return place;
    }
    return (struct place){.size = 0};
}

static void tell_flip(const struct done *d, uint64_t bit)
{
    struct place place = written(d);
    uint8_t byte;

    if (place.size == 0)
        return;
    uint64_t at = place.address + bit / 8 % place.size;
    if (!peek(d->keep, at, &byte, 1))
        return;
    byte ^= (uint8_t)(1u << (bit % 8));
    poke(d->keep, at, &byte, 1);
}

static void tell_noise(const struct done *d)
{
    static uint8_t noise[NOISE_MAX];
    struct place place = written(d);

    if (place.size > sizeof noise)
        place.size = sizeof noise;
    must(getrandom(noise, sizeof noise, 0) == (ssize_t)sizeof noise, "no random bytes");
    poke(d->keep, place.address, noise, (size_t)place.size);
}

static void tell_length(const struct done *d, uint32_t size)
{
    for (size_t i = 0; i < COUNT_OF(d->call->args); i++) {
        if (d->call->args[i].kind == CALL_ARG_OUT_AT)
            poke(d->keep, argument(d, (size_t)d->call->args[i].value), &size, sizeof size);
    }
}

static void tell(struct done *d, const struct lie *lie)
{
    int64_t value = lie->value, result = (int64_t)d->regs.rax;

    switch (lie->kind) {
    case LIE_ERRNO:
        result = lie->has_value ? -value : -EIO;
        break;
    case LIE_NEGATIVE:
        result = lie->has_value ? value : OFF_THE_LIST;
        break;
    case LIE_ZERO:
        result = 0;
        break;
    case LIE_SHORT:
        result /= 2;
        break;
    case LIE_LONG:
        result = (int64_t)asked(d) + 1;
        break;
    case LIE_HUGE:
        result = INT64_MAX;
        break;
    case LIE_FD:
        result = lie->has_value ? value : NOT_OPEN;
        break;
    case LIE_POINTER:
        result = (int64_t)(d->regs.rsp & ~UINT64_C(4095));
        break;
    case LIE_FLIP:
        tell_flip(d, (uint64_t)value);
        break;
    case LIE_NOISE:
        tell_noise(d);
        break;
    case LIE_LENGTH:
        tell_length(d, lie->has_value ? (uint32_t)value : INT32_MAX);
        break;
    default: /* about evidence: told elsewhere */
        break;
    }
    d->regs.rax = (uint64_t)result;
}

/* ---- the tracer ---- */

/* A call of the keep's is done. */
static void call_done(struct tracer *t)
{
    struct done d = {.keep = t->keep};

    if (ptrace(PTRACE_GETREGS, t->keep, NULL, &d.regs) != 0)
        return; /* it has just been killed */
    const struct user_regs_struct before = d.regs;
    d.call = call_find(d.regs.orig_rax);
    if (d.regs.orig_rax == SYS_time || d.regs.orig_rax == SYS_gettimeofday)
        answer_time(t, &d);
    int64_t result = (int64_t)d.regs.rax;
    if (d.call != NULL && !(result >= RESTART_FIRST && result <= RESTART_LAST)) {
        if (d.call->number == SYS_clock_gettime)
            answer_clock(t, &d);
        uint64_t nth = ++t->counts[d.call - calls];
        const struct lie *lie = lies_find(t->plan->lies, d.call, nth, false);
        if (lie != NULL)
            tell(&d, lie);
    }
    if (memcmp(&before, &d.regs, sizeof before) != 0)
        (void)ptrace(PTRACE_SETREGS, t->keep, NULL, &d.regs);
}

static void call_stop(struct tracer *t)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->keep, sizeof info, &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_EXIT)
        call_done(t);
}

/* Looks at what stopped and lets it go on. */
static void stopped(struct tracer *t, pid_t pid, int status)
{
    int number = WSTOPSIG(status), event = status >> 16, deliver = 0;

    if (event == PTRACE_EVENT_EXEC && t->keep == 0) {
        t->keep = pid;
        hide_vdso(pid);
    } else if (number == (SIGTRAP | 0x80)) {
        call_stop(t);
    } else if (event == 0) {
        deliver = number;
    }
    /* whoever was killed meanwhile does not go on, which waitpid tells */
    (void)ptrace(pid == t->keep ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, (long)deliver);
}

static void write_counts(const struct tracer *t)
{
    if (t->plan->calls == NULL)
        return;
    FILE *file = fopen(t->plan->calls, "w");
    must(file != NULL, t->plan->calls);
    for (size_t i = 0; i < call_count; i++) {
        if (t->counts[i] != 0)
            (void)fprintf(file, "%s %lu\n", calls[i].name, t->counts[i]);
    }
    must(fclose(file) == 0, t->plan->calls);
}

/* Until the loader has ended; its exit code. */
static int trace(struct tracer *t)
{
    int status;

    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0) {
            must(errno == EINTR, "nobody left to wait for");
        } else if (WIFSTOPPED(status)) {
            stopped(t, pid, status);
        } else if (pid == t->loader) {
            write_counts(t);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}

bool trace_is_needed(const struct trace_plan *plan)
{
    return plan->clock != NULL || plan->calls != NULL || lies_need_tracer(plan->lies);
}

int trace_run(const struct trace_plan *plan, int (*loader)(void *context), void *context)
{
    struct tracer t = {.plan = plan};
    int ready[2];
    char word = 0;

    must(call_count <= CALLS_MAX, "more calls than there is room for");
    (void)clock_now(plan->clock); /* says at once that it is malformed */
    must(pipe(ready) == 0, "no pipe");
    t.loader = fork();
    must(t.loader >= 0, "no process");
    if (t.loader == 0) {
        (void)close(ready[1]);
        bool is_traced = read(ready[0], &word, 1) == 1;
        (void)close(ready[0]);
        exit(is_traced ? loader(context) : 2);
    }
    (void)close(ready[0]);
    must(ptrace(PTRACE_SEIZE, t.loader, NULL, OPTIONS) == 0, "cannot trace");
    must(write(ready[1], &word, 1) == 1, "no loader");
    (void)close(ready[1]);
    return trace(&t);
}
