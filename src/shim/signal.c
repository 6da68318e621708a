/* Signals, as far as an exec layer has them: handlers for faults of its own (sigaction(2)). A fault
 * that nobody handles is the end, with a report that people can read. Vector registers are not
 * kept: who handles a fault leaves it by siglongjmp. */
#include <signal.h>
#include <ucontext.h>

#include "shim/shim.h"

#define SIGNALS 65
#define VECTOR_PAGE_FAULT 14

static struct kernel_action actions[SIGNALS];
static uint64_t mask;
static uint64_t alternate[3] = {0, 2 /* SS_DISABLE */, 0};

int64_t signal_action(uint64_t number, const struct kernel_action *in, struct kernel_action *out)
{
    if (number == 0 || number >= SIGNALS)
        return -22;
    if (out != 0)
        *out = actions[number];
    if (in != 0)
        actions[number] = *in;
    return 0;
}

int64_t signal_mask(uint64_t how, const uint64_t *in, uint64_t *out)
{
    uint64_t old = mask;

    if (in != 0) {
        if (how > 2)
            return -22;
        mask = how == SIG_BLOCK ? mask | *in : how == SIG_UNBLOCK ? mask & ~*in : *in;
    }
    if (out != 0)
        *out = old;
    return 0;
}

int64_t signal_stack(const uint64_t in[3], uint64_t out[3])
{
    for (unsigned i = 0; i < 3 && out != 0; i++)
        out[i] = alternate[i];
    for (unsigned i = 0; i < 3 && in != 0; i++)
        alternate[i] = in[i];
    return 0;
}

void signal_done(uint64_t context)
{
    mask = *(const uint64_t *)(context + offsetof(ucontext_t, uc_sigmask));
}

struct signal_frame {
    uint64_t restorer;
    ucontext_t context;
    siginfo_t info;
};

_Noreturn void signal_report(const struct fault *f)
{
    static const char *const names[] = {"division",
                                        "debug trap",
                                        0,
                                        "breakpoint",
                                        "overflow",
                                        "bounds",
                                        "an instruction that there is not",
                                        "no device",
                                        0,
                                        0,
                                        0,
                                        0,
                                        0,
                                        "a general protection fault",
                                        "a page fault"};
    const char *name = f->vector < sizeof names / sizeof names[0] ? names[f->vector] : 0;

    proxy_end(name != 0 ? name : "a fault", f, f->vector == VECTOR_PAGE_FAULT ? f->address : 0);
}

bool signal_deliver(const struct fault *f, const uint64_t gregs[SIGNAL_GREGS], struct resume *out)
{
    int number = f->vector == 0 ? SIGFPE : f->vector == 6 ? SIGILL : SIGSEGV;
    const struct kernel_action *action = &actions[number];
    uint64_t bit = 1ull << (number - 1);

    if (action->handler <= 1 || (mask & bit) != 0)
        return false;
    uint64_t stack = f->rsp - 128;
    if ((action->flags & SA_ONSTACK) != 0 && (alternate[1] & 2) == 0 && alternate[2] != 0 &&
        (f->rsp < alternate[0] || f->rsp >= alternate[0] + alternate[2]))
        stack = alternate[0] + alternate[2];
    stack = ((stack - sizeof(struct signal_frame)) & ~15ull) - 8;
    struct signal_frame *frame = (struct signal_frame *)stack;
    for (unsigned i = 0; i < sizeof *frame / 8; i++)
        ((volatile uint64_t *)stack)[i] = 0;
    for (unsigned i = 0; i < SIGNAL_GREGS; i++)
        frame->context.uc_mcontext.gregs[i] = (long long)gregs[i];
    frame->context.uc_mcontext.gregs[REG_ERR] = (long long)f->error;
    frame->context.uc_mcontext.gregs[REG_TRAPNO] = (long long)f->vector;
    frame->context.uc_mcontext.gregs[REG_CR2] = (long long)f->address;
    *(uint64_t *)(void *)&frame->context.uc_sigmask = mask;
    mask |= action->mask | ((action->flags & SA_NODEFER) != 0 ? 0 : bit);
    frame->restorer = action->restorer;
    frame->info.si_signo = number;
    frame->info.si_code = (f->error & 1) != 0 ? SEGV_ACCERR : SEGV_MAPERR;
    frame->info.si_addr = (void *)(f->vector == VECTOR_PAGE_FAULT ? f->address : f->rip);
    *out = (struct resume){.rsp = stack,
                           .rip = action->handler,
                           .number = (uint64_t)number,
                           .info = (uint64_t)&frame->info,
                           .context = (uint64_t)&frame->context};
    return true;
}
