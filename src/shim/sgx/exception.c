/* What interrupts the exec layer: SYSCALL, CPUID and, without SGX2, RDTSC, which are no
 * instructions in an enclave, and faults. The processor has saved its state in the first SSA frame,
 * which only the enclave sees; the loader decides when it is looked at, and what it decides wrongly
 * is the end. */
#include <asm/unistd.h>

#include "sallyport/sallyport.h"
#include "shim/sgx/enclave.h"

#define EINVAL 22
#define ENOSYS 38

#define VECTOR_INVALID_OPCODE 6
#define VECTOR_PAGE_FAULT 14
#define OPCODE_SYSCALL 0x050f
#define OPCODE_CPUID 0xa20f
#define OPCODE_RDTSC 0x310f
#define OPCODE_SIZE 2
#define FLAGS_OF_FAULT 0x10500u /* RF, DF, TF: those that Linux clears for a handler, too */

/* EXITINFO (Intel SDM volume 3D, "EXITINFO"). */
#define EXITINFO_VALID 0x80000000u
#define EXITINFO_VECTOR 0xffu

static struct transfer transfer; /* the call that the loader makes, until the exec layer goes on */
static uint64_t way_out;         /* why the handler leaves, once it is done */
static bool is_over;

struct gprs *enclave_state(void)
{
    return (struct gprs *)(void *)(enclave_base + SSA_AT +
                                   (uint64_t)SSA_FRAME_PAGES * ENCLAVE_PAGE_SIZE) -
           1;
}

static const struct exinfo *exinfo(void)
{
    return (const struct exinfo *)(const void *)enclave_state() - 1;
}

static void say(uint64_t why)
{
    *(volatile uint64_t *)&block()->exit = why;
}

int64_t enclave_ask(uint64_t why, uint64_t first, uint64_t second)
{
    if (why != EXIT_ASK) { /* else the call is in the block already */
        ((volatile uint64_t *)block()->args)[0] = first;
        ((volatile uint64_t *)block()->args)[1] = second;
    }
    say(why);
    enclave_leave();
    return *(volatile int64_t *)&block()->result;
}

/* Out of the handler; what runs below it comes to the handler first. */
_Noreturn void shim_end(void)
{
    uint64_t here = (uint64_t)__builtin_frame_address(0) - (uint64_t)enclave_base;

    is_over = true;
    bool is_handler = here - HANDLER_STACK_AT < ENCLAVE_STACK_SIZE;
    if (is_handler) {
        for (;;) /* whoever enters again */
            (void)enclave_ask(EXIT_END, 0, 0);
    }
    __builtin_trap();
}

/* ---- calls ---- */

/* The exec layer's state once a call is done that was made here. */
static void return_from_call(struct gprs *r, int64_t result)
{
    r->rax = (uint64_t)result;
    r->rip += OPCODE_SIZE;
    r->rcx = r->rip;
    r->r11 = r->rflags;
}

/* Has the loader make a call before the exec layer goes on, in enclave_called. */
static void call_out(struct gprs *r, uint64_t number, const uint64_t args[6])
{
    if (!proxy_put(&transfer, number, args)) {
        return_from_call(r, -EINVAL);
        return;
    }
    called_rip = r->rip + OPCODE_SIZE;
    called_rsp = r->rsp;
    called_rflags = r->rflags;
    r->rip = (uint64_t)enclave_called;
    r->rsp = (uint64_t)enclave_base + SHIM_STACK_AT + ENCLAVE_STACK_SIZE;
    way_out = EXIT_CALL;
}

int64_t enclave_call_done(void);
int64_t enclave_call_done(void)
{
    return proxy_take(&transfer);
}

/* Back to where a handler of the exec layer's was called: its frame is where its stack is. */
static void return_from_signal(struct gprs *r)
{
    const uint64_t *g = (const uint64_t *)(r->rsp + SIGNAL_GREGS_AT);

    signal_done(r->rsp);
    uint64_t *const to[SIGNAL_GREGS] = {&r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13,
                                        &r->r14, &r->r15, &r->rdi, &r->rsi, &r->rbp, &r->rbx,
                                        &r->rdx, &r->rax, &r->rcx, &r->rsp, &r->rip, &r->rflags};
    for (unsigned i = 0; i < SIGNAL_GREGS; i++)
        *to[i] = g[i];
}

static void serve_call(struct gprs *r)
{
    const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    const struct call *call = call_find(r->rax);
    bool fits = call != 0 && call_fits(call, args);
    int64_t result;

    if (fits && r->rax == __NR_rt_sigreturn)
        return_from_signal(r);
    else if (fits && r->rax == KEEP_CALL_ATTEST)
        return_from_call(r, enclave_attest(args));
    else if (fits && (r->rax == KEEP_CALL_PLATFORM_KEY || r->rax == KEEP_CALL_GUEST_REQUEST))
        return_from_call(r, -ENOSYS);
    else if (fits && local_call(r->rax, args, &result))
        return_from_call(r, result);
    else /* one that does not fit, too: the loader tells its name */
        call_out(r, r->rax, args);
}

/* ---- instructions and faults ---- */

static void serve_cpuid(struct gprs *r)
{
    struct cpuid_answer a = enclave_cpuid(enclave_xfrm, (uint32_t)r->rax, (uint32_t)r->rcx);

    r->rax = a.eax;
    r->rbx = a.ebx;
    r->rcx = a.ecx;
    r->rdx = a.edx;
    r->rip += OPCODE_SIZE;
}

/* There is no counter: OpenSSL, which asks for one where it mixes in the time, takes 0 for that. */
static void serve_rdtsc(struct gprs *r)
{
    r->rax = r->rdx = 0;
    r->rip += OPCODE_SIZE;
}

/* The end, with what the fault was. Its address goes to the host as the processor gives it to the
 * host: without what tells one byte of a page from another. */
_Noreturn static void end_by(const struct fault *f)
{
    struct fault told = *f;

    told.address &= ~(uint64_t)(ENCLAVE_PAGE_SIZE - 1);
    signal_report(&told);
}

static void serve_fault(struct gprs *r, const struct fault *f)
{
    const uint64_t gregs[SIGNAL_GREGS] = {r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13,
                                          r->r14, r->r15, r->rdi, r->rsi, r->rbp, r->rbx,
                                          r->rdx, r->rax, r->rcx, r->rsp, r->rip, r->rflags};
    struct resume to;

    /* a page that has to be there is not: the loader took it, and whoever went on from here would
     * do so with other vector registers */
    if ((f->vector == VECTOR_PAGE_FAULT && !heap_is_hole(f->address)) ||
        !signal_deliver(f, gregs, &to))
        end_by(f);
    r->rsp = to.rsp;
    r->rip = to.rip;
    r->rdi = to.number;
    r->rsi = to.info;
    r->rdx = to.context;
    r->rax = 0;
    r->rflags &= ~(uint64_t)FLAGS_OF_FAULT; /* a function wants DF clear (System V ABI, §3.2.1) */
}

/* Whether an address is in the exec layer's code, which alone has instructions to be served. */
static bool is_code(uint64_t address)
{
    return address - ((uint64_t)enclave_base + KEEP_AT) < KEEP_SIZE_MAX - OPCODE_SIZE;
}

void enclave_exception(void);
void enclave_exception(void)
{
    struct gprs *r = enclave_state();
    struct fault f = {.vector = r->exit_info & EXITINFO_VECTOR,
                      .rip = r->rip,
                      .rsp = r->rsp,
                      .rflags = r->rflags};

    if (is_over)
        shim_end();
    if ((r->exit_info & EXITINFO_VALID) == 0)
        proxy_panic("the enclave was entered for an exception, and there was none", 0);
    if (f.vector == VECTOR_PAGE_FAULT) {
        f.address = exinfo()->address;
        f.error = exinfo()->error;
    }
    way_out = EXIT_RESUME;
    /* of other faults it need not be there to be read */
    bool is_instruction = f.vector == VECTOR_INVALID_OPCODE && is_code(r->rip);
    uint16_t opcode = is_instruction ? *(const uint16_t *)(void *)r->rip : 0;
    if (opcode == OPCODE_SYSCALL)
        serve_call(r);
    else if (opcode == OPCODE_CPUID)
        serve_cpuid(r);
    else if (opcode == OPCODE_RDTSC)
        serve_rdtsc(r);
    else if (is_code(r->rip))
        serve_fault(r, &f);
    else
        end_by(&f);
    r->exit_info = 0; /* it is dealt with: who enters once more finds none */
    say(way_out);
}
