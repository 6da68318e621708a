/* mmap and signals for the engine. POSIX.1-2008 and MAP_NORESERVE. */
#include "os/wasm_platform.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

/* The innermost run_guarded of a thread. */
struct guarded_run {
    struct guarded_run *outer;
    bool (*owns)(void *argument, const void *address);
    void *argument;
    sigjmp_buf back;
};

static _Thread_local struct guarded_run *innermost;
static struct sigaction before_segv, before_bus;

static void *reserve(void *context, size_t size)
{
    void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)context;
    return p == MAP_FAILED ? NULL : p;
}

static bool commit(void *context, void *address, size_t size)
{
    (void)context;
    return mprotect(address, size, PROT_READ | PROT_WRITE) == 0;
}

static void release(void *context, void *address, size_t size)
{
    (void)context;
    (void)munmap(address, size);
}

/* Not ours: as if we had never been here. The access faults again at once, on return. */
static void pass_on(int number)
{
    (void)sigaction(number, number == SIGSEGV ? &before_segv : &before_bus, NULL);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    struct guarded_run *run = innermost;

    (void)context;
    if (run == NULL || !run->owns(run->argument, info->si_addr)) {
        pass_on(number);
        return;
    }
    siglongjmp(run->back, 1);
}

/* Makes on_fault the handler of a signal, and remembers which one was there before. */
static void take_signal(int number, struct sigaction *before)
{
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, now;

    (void)sigemptyset(&ours.sa_mask);
    if (sigaction(number, &ours, &now) == 0 && now.sa_sigaction != on_fault)
        *before = now;
}

static bool run_guarded(void *context, bool (*owns)(void *argument, const void *address),
                        void (*work)(void *argument), void *argument)
{
    struct guarded_run run = {.outer = innermost, .owns = owns, .argument = argument};

    (void)context;
    /* the mask is saved: the handler is left without returning */
    if (sigsetjmp(run.back, 1) != 0) {
        innermost = run.outer;
        return false;
    }
    innermost = &run;
    work(argument);
    innermost = run.outer;
    return true;
}

struct wasm_platform os_wasm_platform(void)
{
    take_signal(SIGSEGV, &before_segv);
    take_signal(SIGBUS, &before_bus);
    return (struct wasm_platform){
        .reserve = reserve,
        .commit = commit,
        .release = release,
        .run_guarded = run_guarded,
    };
}
