/* Between enclave and loader, on a processor in software: EENTER, ERESUME, EEXIT and asynchronous
 * exits. All of them are signals here. The handlers run on a stack of their own with the loader's
 * FS base; what the enclave had is put back when they return to it. Intel SDM volume 3D, "Enclave
 * Exiting Events", "EENTER", "ERESUME". */
#include <errno.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <cpuid.h>

#include "host/sgx_sim_internal.h"
#include "base/banned.h"

/* The stack protector's word lies where FS points, which is the enclave's when a handler begins. */
#define NO_PROTECTOR __attribute__((no_stack_protector, no_sanitize("address", "undefined")))

#define HWCAP2_FSGSBASE (1ul << 1) /* arch/x86/include/uapi/asm/hwcap2.h */
#define STACK_SIZE ((size_t)256 << 10)

/* Syscall User Dispatch (Documentation/admin-guide/syscall-user-dispatch.rst). */
#define ALLOW SYSCALL_DISPATCH_FILTER_ALLOW
#define BLOCK SYSCALL_DISPATCH_FILTER_BLOCK

#define OPCODE_SIZE 3 /* ENCLU: 0f 01 d7 */
#define SYSCALL_SIZE 2
#define FLAG_CF_PF_AF_OF_SF 0x8d5u
#define FLAG_ZF 0x40u
#define FLAG_AC UINT64_C(0x40000)

/* An XSAVE area in its standard form (SDM volume 1, §13.4), as signals have it. */
#define XSAVE_LEGACY 512u
#define XSAVE_SOFTWARE_AT 464u /* the kernel's own: magic, sizes */
#define XSAVE_BV_AT 512u
#define XSAVE_HEADER_END 576u
#define XSAVE_AVX_AT 576u
#define XSAVE_AVX_SIZE 256u
#define XSAVE_MXCSR_AT 24u
#define MXCSR_START 0x1f80u
#define MXCSR_KNOWN 0xffffu
#define FCW_START 0x37fu
#define SOFTWARE_MAGIC 0x46505853u
#define XSAVE_MAX 16384u
#define STATE_X87 1u
#define STATE_SSE 2u
#define STATE_AVX 4u

/* An SSA frame: XSAVE area, EXINFO, GPRSGX (SDM 3D, "State Saving Area"). */
#define EXITINFO_VALID 0x80000000u
#define EXITINFO_HARDWARE 0x300u
#define EXITINFO_SOFTWARE 0x600u

struct frame_gprs {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags, rip, ursp, urbp;
    uint32_t exit_info, reserved;
    uint64_t fs_base, gs_base;
};
_Static_assert(sizeof(struct frame_gprs) == 184, "SDM 3D");

struct frame_exinfo {
    uint64_t address;
    uint32_t error, reserved;
};

void sgx_sim_run(uint64_t leaf, uint64_t tcs, uint64_t rdi);
extern const char sgx_sim_enclu[], sgx_sim_left[], sgx_sim_aep[], sgx_sim_restorer[],
    sgx_sim_restorer_end[];

static struct sgx_sim *sim;
static volatile uint8_t selector = ALLOW;
static uint64_t loader_fs;
static struct sgx_exit last_exit;
static unsigned leaked;
static bool leaves_at_interrupts, is_refused, traps_cpuid;
static struct {
    bool is_set;
    uint64_t flags;
    uint16_t fcw;
    uint32_t mxcsr;
} entry_state;
/* What belongs to a frame and has no place in it: vector registers that the enclave's XFRM does not
 * have, and uses here all the same. */
static uint8_t beyond_xfrm[SIM_FRAMES_MAX][XSAVE_MAX];

/* ---- FS and GS ---- */

static inline uint64_t read_fs(void)
{
    uint64_t value;

    __asm__ volatile("rdfsbase %0" : "=r"(value));
    return value;
}

static inline void write_fs(uint64_t value)
{
    __asm__ volatile("wrfsbase %0" : : "r"(value) : "memory");
}

static inline uint64_t read_gs(void)
{
    uint64_t value;

    __asm__ volatile("rdgsbase %0" : "=r"(value));
    return value;
}

static inline void write_gs(uint64_t value)
{
    __asm__ volatile("wrgsbase %0" : : "r"(value) : "memory");
}

/* ---- frames ---- */

static uint8_t *frame_at(uint32_t number)
{
    size_t size = (size_t)sim->secs.ssa_frame_pages * SGX_PAGE_SIZE;

    return sim->base + sim->thread.ossa + number * size;
}

static struct frame_gprs *gprs_of(uint8_t *frame)
{
    size_t size = (size_t)sim->secs.ssa_frame_pages * SGX_PAGE_SIZE;

    return (struct frame_gprs *)(void *)(frame + size - sizeof(struct frame_gprs));
}

static struct frame_exinfo *exinfo_of(uint8_t *frame)
{
    return (struct frame_exinfo *)(void *)gprs_of(frame) - 1;
}

/* The kernel's XSAVE area of a signal; the end when it is none: a context cannot be kept. */
NO_PROTECTOR static uint8_t *xsave_of(const ucontext_t *context, uint32_t *size)
{
    uint8_t *area = (uint8_t *)context->uc_mcontext.fpregs;
    uint32_t magic;

    memcpy(&magic, area + XSAVE_SOFTWARE_AT, sizeof magic);
    memcpy(size, area + XSAVE_SOFTWARE_AT + 16, sizeof *size);
    if (magic != SOFTWARE_MAGIC || *size < XSAVE_HEADER_END || *size > XSAVE_MAX)
        abort();
    return area;
}

static uint64_t word_at(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static void set_word(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* Vector registers into a frame, as much of them as XFRM has; then they are as at a start. */
NO_PROTECTOR static void save_vectors(ucontext_t *context, uint8_t *frame, uint32_t number)
{
    static const uint16_t fcw = FCW_START;
    static const uint32_t mxcsr = MXCSR_START;
    uint32_t size;
    uint8_t *area = xsave_of(context, &size);
    uint64_t xfrm = sim->secs.xfrm, bv = word_at(area + XSAVE_BV_AT);

    memcpy(beyond_xfrm[number], area, size);
    memset(frame, 0, XSAVE_AVX_AT + XSAVE_AVX_SIZE);
    memcpy(frame, area, XSAVE_SOFTWARE_AT);
    set_word(frame + XSAVE_BV_AT, bv & xfrm);
    if ((bv & xfrm & STATE_AVX) != 0)
        memcpy(frame + XSAVE_AVX_AT, area + XSAVE_AVX_AT, XSAVE_AVX_SIZE);
    set_word(area + XSAVE_BV_AT, bv & ~xfrm);
    memcpy(area, &fcw, sizeof fcw);
    memcpy(area + XSAVE_MXCSR_AT, &mxcsr, sizeof mxcsr);
}

/* And back. False: what the enclave has left there cannot be loaded. */
NO_PROTECTOR static bool load_vectors(ucontext_t *context, const uint8_t *frame, uint32_t number)
{
    uint32_t size, mxcsr;
    uint8_t *area = xsave_of(context, &size);
    uint64_t xfrm = sim->secs.xfrm, bv = word_at(frame + XSAVE_BV_AT);

    memcpy(&mxcsr, frame + XSAVE_MXCSR_AT, sizeof mxcsr);
    if ((bv & ~xfrm) != 0 || (mxcsr & ~MXCSR_KNOWN) != 0)
        return false;
    memcpy(area, beyond_xfrm[number], size);
    memcpy(area, frame, XSAVE_SOFTWARE_AT);
    set_word(area + XSAVE_BV_AT, (word_at(area + XSAVE_BV_AT) & ~xfrm) | bv);
    if ((bv & STATE_AVX) != 0)
        memcpy(area + XSAVE_AVX_AT, frame + XSAVE_AVX_AT, XSAVE_AVX_SIZE);
    return true;
}

/* ---- leaving ---- */

/* What a handler returns to. */
struct after {
    uint64_t fs, gs;
    uint8_t selector;
};

static struct after loader(void)
{
    return (struct after){.fs = loader_fs, .selector = ALLOW};
}

static uint32_t exit_info(unsigned vector)
{
    switch (vector) { /* SDM 3D, "EXITINFO": the others do not say what they were */
    case 3:
    case 4:
        return EXITINFO_VALID | EXITINFO_SOFTWARE | vector;
    case 0:
    case 1:
    case 5:
    case 6:
    case 13:
    case 14:
    case 16:
    case 17:
    case 19:
        return EXITINFO_VALID | EXITINFO_HARDWARE | vector;
    default:
        return 0;
    }
}

/* An asynchronous exit: everything of the enclave's into its frame, and something else into the
 * registers. vector: SGX_SIM_INTERRUPT, or that of an exception. */
NO_PROTECTOR static struct after leave_asynchronously(ucontext_t *context, unsigned vector,
                                                      uint64_t address, uint64_t enclave_fs)
{
    greg_t *g = context->uc_mcontext.gregs;
    uint32_t number = sim->thread.cssa;
    uint8_t *frame = frame_at(number);
    struct frame_gprs *saved = gprs_of(frame);
    uint64_t ursp = saved->ursp, urbp = saved->urbp;
    bool is_exception = vector != SGX_SIM_INTERRUPT;
    uint32_t error = vector == VECTOR_PF ? (uint32_t)g[REG_ERR] : 0;

    save_vectors(context, frame, number);
    *exinfo_of(frame) =
        (struct frame_exinfo){.address = vector == VECTOR_PF ? address : 0, .error = error};
    *saved = (struct frame_gprs){
        .rax = (uint64_t)g[REG_RAX],
        .rcx = (uint64_t)g[REG_RCX],
        .rdx = (uint64_t)g[REG_RDX],
        .rbx = (uint64_t)g[REG_RBX],
        .rsp = (uint64_t)g[REG_RSP],
        .rbp = (uint64_t)g[REG_RBP],
        .rsi = (uint64_t)g[REG_RSI],
        .rdi = (uint64_t)g[REG_RDI],
        .r8 = (uint64_t)g[REG_R8],
        .r9 = (uint64_t)g[REG_R9],
        .r10 = (uint64_t)g[REG_R10],
        .r11 = (uint64_t)g[REG_R11],
        .r12 = (uint64_t)g[REG_R12],
        .r13 = (uint64_t)g[REG_R13],
        .r14 = (uint64_t)g[REG_R14],
        .r15 = (uint64_t)g[REG_R15],
        .rflags = (uint64_t)g[REG_EFL],
        .rip = (uint64_t)g[REG_RIP],
        .ursp = ursp,
        .urbp = urbp,
        .exit_info = is_exception ? exit_info(vector) : 0,
        .fs_base = enclave_fs,
        .gs_base = read_gs(),
    };
    sim->thread.cssa++;
    for (int i = 0; i <= REG_RCX; i++)
        g[i] = 0;
    g[REG_RAX] = SGX_ERESUME;
    g[REG_RBX] = (greg_t)(uintptr_t)(sim->base + sim->thread.tcs);
    g[REG_RCX] = (greg_t)(uintptr_t)sgx_sim_aep;
    g[REG_RSP] = (greg_t)ursp;
    g[REG_RBP] = (greg_t)urbp;
    g[REG_EFL] &= ~(greg_t)(FLAG_CF_PF_AF_OF_SF | FLAG_ZF);
    /* the kernel has its caller see an exception; after an interrupt it has ERESUME made */
    bool is_told = is_exception || leaves_at_interrupts;
    g[REG_RIP] = (greg_t)(uintptr_t)(is_told ? sgx_sim_left : sgx_sim_aep);
    if (is_told)
        last_exit =
            (struct sgx_exit){.leaf = last_exit.leaf,
                              .vector = (uint16_t)vector,
                              .error = (uint16_t)error,
                              .address = vector == VECTOR_PF ? address & ~UINT64_C(0xfff) : 0};
    return loader();
}

/* EEXIT: registers are as the enclave has them, but for RCX. */
NO_PROTECTOR static struct after leave_by_eexit(greg_t *g)
{
    leaked = 0;
    for (int i = 0; i <= REG_RCX; i++) {
        bool is_way = i == REG_RAX || i == REG_RBX || i == REG_RSP || i == REG_RBP;
        leaked += !is_way && g[i] != 0;
    }
    leaked += (g[REG_EFL] & 0x400) != 0; /* DF */
    last_exit = (struct sgx_exit){.leaf = SGX_EEXIT};
    g[REG_RIP] = g[REG_RBX];
    g[REG_RCX] = (greg_t)(uintptr_t)sgx_sim_aep;
    return loader();
}

/* ---- entering ---- */

NO_PROTECTOR static struct after refuse(greg_t *g)
{
    is_refused = true;
    g[REG_RIP] = (greg_t)(uintptr_t)sgx_sim_left;
    return loader();
}

/* Where the loader's stack is, for the next asynchronous exit. */
static void note_stack(const greg_t *g)
{
    struct frame_gprs *next = gprs_of(frame_at(sim->thread.cssa));

    next->ursp = (uint64_t)g[REG_RSP];
    next->urbp = (uint64_t)g[REG_RBP];
}

/* As a loader for tests has its own registers. */
NO_PROTECTOR static void set_entry_state(ucontext_t *context)
{
    uint32_t size;
    uint8_t *area = xsave_of(context, &size);

    context->uc_mcontext.gregs[REG_EFL] |= (greg_t)entry_state.flags;
    set_word(area + XSAVE_BV_AT, word_at(area + XSAVE_BV_AT) | STATE_X87 | STATE_SSE);
    memcpy(area, &entry_state.fcw, sizeof entry_state.fcw);
    memcpy(area + XSAVE_MXCSR_AT, &entry_state.mxcsr, sizeof entry_state.mxcsr);
}

NO_PROTECTOR static struct after eenter(ucontext_t *context)
{
    greg_t *g = context->uc_mcontext.gregs;
    const struct sim_thread *t = &sim->thread;
    uint64_t base = (uint64_t)(uintptr_t)sim->base;

    if (t->cssa >= t->nssa)
        return refuse(g);
    note_stack(g);
    if (entry_state.is_set)
        set_entry_state(context);
    g[REG_RAX] = t->cssa;
    g[REG_RCX] = g[REG_RIP] + OPCODE_SIZE;
    g[REG_RIP] = (greg_t)(uintptr_t)(sim->base + t->entry);
    return (struct after){.fs = base + t->fs_base, .gs = base + t->gs_base, .selector = BLOCK};
}

NO_PROTECTOR static struct after eresume(ucontext_t *context)
{
    greg_t *g = context->uc_mcontext.gregs;
    const greg_t rsp = g[REG_RSP], rbp = g[REG_RBP];

    if (sim->thread.cssa == 0)
        return refuse(g);
    uint32_t number = sim->thread.cssa - 1;
    uint8_t *frame = frame_at(number);
    const struct frame_gprs saved = *gprs_of(frame);
    if (!load_vectors(context, frame, number))
        return refuse(g);
    sim->thread.cssa = number;
    note_stack((const greg_t[NGREG]){[REG_RSP] = rsp, [REG_RBP] = rbp});
    const uint64_t values[] = {
        [REG_RAX] = saved.rax, [REG_RCX] = saved.rcx, [REG_RDX] = saved.rdx,
        [REG_RBX] = saved.rbx, [REG_RSP] = saved.rsp, [REG_RBP] = saved.rbp,
        [REG_RSI] = saved.rsi, [REG_RDI] = saved.rdi, [REG_R8] = saved.r8,
        [REG_R9] = saved.r9,   [REG_R10] = saved.r10, [REG_R11] = saved.r11,
        [REG_R12] = saved.r12, [REG_R13] = saved.r13, [REG_R14] = saved.r14,
        [REG_R15] = saved.r15, [REG_RIP] = saved.rip, [REG_EFL] = saved.rflags,
    };
    for (int i = 0; i <= REG_EFL; i++)
        g[i] = (greg_t)values[i];
    return (struct after){.fs = saved.fs_base, .gs = saved.gs_base, .selector = BLOCK};
}

/* ---- the signals ---- */

static bool is_enclu(uint64_t rip)
{
    const volatile uint8_t *at = (const volatile uint8_t *)(uintptr_t)rip;

    return at[0] == 0x0f && at[1] == 0x01 && at[2] == 0xd7; /* one by one: there may be no more */
}

/* An instruction of ENCLU's in the enclave. */
NO_PROTECTOR static struct after in_enclave(ucontext_t *context, struct after now)
{
    greg_t *g = context->uc_mcontext.gregs;
    uint64_t rax = (uint64_t)g[REG_RAX], at = 0;

    if ((uint32_t)rax == SGX_EEXIT)
        return leave_by_eexit(g);
    unsigned fault =
        sim_leaf(sim, &rax, (uint64_t)g[REG_RBX], (uint64_t)g[REG_RCX], (uint64_t)g[REG_RDX], &at);
    if (fault != 0)
        return leave_asynchronously(context, fault, at, now.fs);
    bool has_code = (uint32_t)g[REG_RAX] == SGX_EACCEPT || (uint32_t)g[REG_RAX] == SGX_EGETKEY;
    g[REG_EFL] &= ~(greg_t)(FLAG_CF_PF_AF_OF_SF | FLAG_ZF);
    if (has_code) {
        g[REG_RAX] = (greg_t)rax;
        g[REG_EFL] |= rax != 0 ? FLAG_ZF : 0;
    }
    g[REG_RIP] += OPCODE_SIZE;
    return now;
}

/* For tests: an enclave's CPUID, or RDTSC as without SGX2, which go through here, with an
 * instruction before them that does not. */
static void skip_to_cpuid(greg_t *g)
{
    const volatile uint8_t *at = (const volatile uint8_t *)(uintptr_t)g[REG_RIP];

    if (at[0] == 0x0f && at[1] == 0x0b && at[2] == 0x0f && (at[3] == 0xa2 || at[3] == 0x31))
        g[REG_RIP] += 2;
}

/* The vector of a fault that the kernel tells as a signal. */
static unsigned vector_of(int number, ucontext_t *context)
{
    greg_t *g = context->uc_mcontext.gregs;

    if (number == SIGSYS) {
        g[REG_RIP] -= SYSCALL_SIZE;
        return VECTOR_UD;
    }
    return number == SIGALRM ? SGX_SIM_INTERRUPT : (unsigned)g[REG_TRAPNO];
}

/* Not of an enclave: as if we had never been here; it comes again at once. */
NO_PROTECTOR static void pass_on(int number)
{
    if (number != SIGALRM)
        (void)signal(number, SIG_DFL);
}

NO_PROTECTOR static struct after serve(int number, ucontext_t *context, struct after now)
{
    greg_t *g = context->uc_mcontext.gregs;
    uint64_t rip = (uint64_t)g[REG_RIP];
    /* SIGSEGV: a processor that has SGX, and no enclave of its own there */
    bool may_be_enclu = number == SIGILL || (number == SIGSEGV && g[REG_TRAPNO] == VECTOR_GP);

    if (rip == (uint64_t)(uintptr_t)sgx_sim_enclu || rip == (uint64_t)(uintptr_t)sgx_sim_aep) {
        if (may_be_enclu && (uint32_t)g[REG_RAX] == SGX_EENTER)
            return eenter(context);
        if (may_be_enclu && (uint32_t)g[REG_RAX] == SGX_ERESUME)
            return eresume(context);
    }
    if (!sim_has(sim, rip)) {
        pass_on(number);
        return now;
    }
    if (may_be_enclu && is_enclu(rip))
        return in_enclave(context, now);
    unsigned vector = vector_of(number, context);
    if (traps_cpuid && number == SIGILL)
        skip_to_cpuid(g);
    return leave_asynchronously(context, vector, (uint64_t)g[REG_CR2], now.fs);
}

NO_PROTECTOR static void on_signal(int number, siginfo_t *info, void *context)
{
    struct after after = {.fs = read_fs(), .gs = read_gs(), .selector = selector};

    (void)info;
    /* which the kernel leaves as whoever was interrupted had it */
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~FLAG_AC);
    selector = ALLOW;
    write_fs(loader_fs);
    int number_of_error = errno;
    after = serve(number, context, after);
    errno = number_of_error;
    write_gs(after.gs);
    write_fs(after.fs);
    selector = after.selector;
}

/* ---- setting up ---- */

struct kernel_sigaction {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

#define SA_RESTORER 0x04000000ul

/* By hand: the restorer has to be ours. */
static bool take_signal(int number)
{
    const struct kernel_sigaction action = {
        .handler = on_signal,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER,
        .restorer = (void (*)(void))(uintptr_t)sgx_sim_restorer,
    };

    return syscall(SYS_rt_sigaction, number, &action, NULL, sizeof action.mask) == 0;
}

const char *sgx_sim_lacks(void)
{
    unsigned a, b, c, d;

    if ((getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) == 0)
        return "FSGSBASE is not switched on: take a processor since Intel's Ivy Bridge or AMD's "
               "Zen 2, and Linux 5.9 or newer";
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_RDRND) == 0 || (c & bit_AVX) == 0 ||
        (c & bit_AES) == 0)
        return "the processor has no RDRAND, AES-NI or AVX";
    /* EINVAL: this kernel does not know it */
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) != 0)
        return "the kernel has no Syscall User Dispatch: take Linux 5.11 or newer";
    return NULL;
}

bool sim_cpu_setup(struct sgx_sim *given, struct err *err)
{
    static const int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGSYS, SIGALRM};
    void *stack =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const stack_t alternate = {.ss_sp = stack, .ss_size = STACK_SIZE};
    bool ok = stack != MAP_FAILED && sigaltstack(&alternate, NULL) == 0;

    sim = given;
    loader_fs = read_fs();
    for (size_t i = 0; ok && i < COUNT_OF(signals); i++)
        ok = take_signal(signals[i]);
    ok = ok && prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, sgx_sim_restorer,
                     (uintptr_t)sgx_sim_restorer_end - (uintptr_t)sgx_sim_restorer, &selector) == 0;
    return ok || err_set(err, ERR_IO, "cannot take the signals of an enclave", (uint64_t)errno);
}

bool sim_enter(struct sgx_processor *processor, uint64_t tcs, enum sgx_leaf leaf, uint64_t rdi,
               struct sgx_exit *out, struct err *err)
{
    const struct sgx_sim *s = processor->self;

    if (!s->is_init || tcs != s->thread.tcs)
        return err_set(err, ERR_INVALID, "there is no enclave to enter", ERR_NO_AT);
    last_exit = (struct sgx_exit){.leaf = leaf};
    is_refused = false;
    sgx_sim_run((uint64_t)leaf, processor->base + tcs, rdi);
    if (is_refused)
        return err_set(err, ERR_IO,
                       "the processor does not enter the enclave: its state is not for it",
                       ERR_NO_AT);
    *out = last_exit;
    return true;
}

void sgx_sim_leave_at_interrupts(struct sgx_processor *processor, bool leaves)
{
    (void)processor;
    leaves_at_interrupts = leaves;
}

void sgx_sim_set_entry_state(struct sgx_processor *processor, uint64_t flags, uint16_t fcw,
                             uint32_t mxcsr)
{
    (void)processor;
    entry_state.is_set = true;
    entry_state.flags = flags;
    entry_state.fcw = fcw;
    entry_state.mxcsr = mxcsr;
}

void sgx_sim_trap_cpuid(struct sgx_processor *processor)
{
    (void)processor;
    traps_cpuid = true;
}

unsigned sgx_sim_leaked_registers(void)
{
    return leaked;
}
