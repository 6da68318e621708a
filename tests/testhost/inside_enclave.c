/* In the exec layer's place, in an enclave, or as a program of its own where Linux does the same:
 * what the shim of enclaves has to do, and what the processor has. What is tried is chosen by
 * "try:WORDS." in BOOT_FILE. Prints what came of it; tests/e2e/test_sgx_inside.py knows what has
 * to. Intel SDM volume 3D. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sallyport/sallyport.h"

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define READ_WRITE (PROT_READ | PROT_WRITE)

_Noreturn static void fail(const char *what, uint64_t number)
{
    printf("failed: %s %#llx\n", what, (unsigned long long)number);
    (void)fflush(stdout);
    _exit(1);
}

static void must(bool ok, const char *what, uint64_t number)
{
    if (!ok)
        fail(what, number);
}

/* ---- faults that are handled ---- */

static sigjmp_buf back;
static volatile uint64_t fault_at;
static volatile int fault_signal, fault_code, handled;
static uint8_t *volatile to_open;
static uint8_t alternate[65536] __attribute__((aligned(16)));

static void on_fault(int number, siginfo_t *info, void *context)
{
    uint64_t flags = __builtin_ia32_readeflags_u64();
    uint8_t here;

    (void)context;
    must((flags & 0x400) == 0, "the direction flag is set", flags);
    fault_signal = number;
    fault_code = info->si_code;
    fault_at = (uint64_t)info->si_addr;
    handled++;
    must((uint64_t)&here - (uint64_t)alternate < sizeof alternate, "another stack",
         (uint64_t)&here);
    if (to_open != NULL) { /* and on it goes */
        must(mprotect(to_open, PAGE, READ_WRITE) == 0, "mprotect in a handler", 0);
        return;
    }
    siglongjmp(back, 1);
}

static void handle_faults(void)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    must(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0 &&
             sigaction(SIGFPE, &action, NULL) == 0 && sigaction(SIGILL, &action, NULL) == 0,
         "no handler", 0);
}

/* Whether an access is a fault, and at that address. */
static bool faults(uint8_t *address, bool is_write)
{
    if (sigsetjmp(back, 1) == 0) {
        if (is_write)
            *(volatile uint8_t *)address = 1;
        else
            (void)*(volatile uint8_t *)address;
        return false;
    }
    must(fault_at == (uint64_t)address && fault_signal == SIGSEGV, "another fault", fault_at);
    return true;
}

__attribute__((noinline)) static void divide(void)
{
    __asm__ volatile("xorl %%ecx, %%ecx\n xorl %%edx, %%edx\n movl $1, %%eax\n divl %%ecx"
                     :
                     :
                     : "rax", "rcx", "rdx");
}

__attribute__((noinline)) static void no_instruction(void)
{
    __asm__ volatile("ud2");
}

__attribute__((noinline)) static void halt(void)
{
    __asm__ volatile("hlt");
}

/* As an engine with guard pages: 8 GiB, of which parts are opened. An enclave's first MiB of it are
 * loaded from the start and do not fault. */
static void try_guards(void)
{
    uint64_t registers[2] = {0, 0};

    handle_faults();
    uint8_t *all = mmap(NULL, 8 * GIB, PROT_NONE, ANONYMOUS, -1, 0);
    must(all != MAP_FAILED, "no 8 GiB of addresses", 0);
    uint8_t *at = all + GIB;
    for (size_t open = 0; open <= 3 * MIB; open += 192 * PAGE) {
        must(open == 0 || mprotect(at, open, READ_WRITE) == 0, "mprotect", open);
        printf("%zu pages: %d %d %d %d\n", open / PAGE, faults(at, false),
               open != 0 && faults(at + open - 1, true), faults(at + open, true),
               faults(all + 8 * GIB - 1, false));
    }
    to_open = at + 4 * GIB;
    __asm__ volatile("movq $77, %%r12\n movq $5, %%rax\n std\n movb $9, (%2)\n cld\n movq %%r12, "
                     "%0\n movq %%rax, %1"
                     : "=&r"(registers[0]), "=&r"(registers[1])
                     : "r"(to_open)
                     : "r12", "rax", "memory");
    printf("resumed: %d %d %d\n", (int)registers[0], (int)registers[1], *to_open);
    to_open = NULL;
    if (sigsetjmp(back, 1) == 0)
        divide();
    printf("division: %d\n", fault_signal == SIGFPE);
    if (sigsetjmp(back, 1) == 0)
        no_instruction();
    printf("no instruction: %d\n", fault_signal == SIGILL);
    if (sigsetjmp(back, 1) == 0)
        halt();
    printf("hlt: %d\n", fault_signal == SIGSEGV);
    sigset_t now;
    must(sigprocmask(SIG_BLOCK, NULL, &now) == 0, "no mask", 0);
    printf("blocked: %d\n", sigismember(&now, SIGSEGV));
    must(munmap(all, 8 * GIB) == 0, "munmap", 0);
    printf("handled %d\n", handled);
}

static void on_second(int number)
{
    (void)number;
    must(handled++ < 100, "again and again", 0);
    *(volatile uint8_t *)to_open = 1;
}

/* A fault in the handler of faults is the end. */
static void try_nested(void)
{
    struct sigaction action = {.sa_handler = on_second};

    must(sigaction(SIGSEGV, &action, NULL) == 0, "no handler", 0);
    uint8_t *at = mmap(NULL, GIB, PROT_NONE, ANONYMOUS, -1, 0);
    must(at != MAP_FAILED, "no addresses", 0);
    to_open = at + GIB - PAGE;
    *(volatile uint8_t *)to_open = 1;
    puts("went on");
}

/* A page that is ours and may not be written: a handler hears of it nevertheless. */
static void try_limited(void)
{
    handle_faults();
    uint8_t *at = mmap(NULL, 4 * PAGE, READ_WRITE, ANONYMOUS, -1, 0);
    must(at != MAP_FAILED, "mmap", 0);
    at[PAGE] = 7;
    must(mprotect(at + PAGE, PAGE, PROT_READ) == 0, "mprotect", 0);
    printf("read %d\n", at[PAGE]);
    (void)fflush(stdout);
    printf("faults %d\n", faults(at + PAGE, true));
}

/* ---- memory ---- */

static void must_be_zero(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, sizeof word);
        must(word == 0, "it is not zero", (uint64_t)at + i);
    }
}

/* Pieces of a size until there are no more, or enough; all are zero, also the second time. */
static size_t fill(uint8_t **pieces, size_t max, size_t size, int prot)
{
    size_t count = 0;

    for (; count < max; count++) {
        pieces[count] = mmap(NULL, size, prot, ANONYMOUS, -1, 0);
        if (pieces[count] == MAP_FAILED)
            break;
        if (prot == PROT_NONE)
            must(mprotect(pieces[count], size, READ_WRITE) == 0 || errno == ENOMEM, "mprotect", 0);
        must_be_zero(pieces[count], size);
        memset(pieces[count], 0xa5, size);
    }
    return count;
}

static void try_zero(size_t most)
{
    static uint8_t *small[4096], *large[1024];
    uint8_t *heap = (uint8_t *)syscall(SYS_brk, 0);

    for (unsigned round = 0; round < 3; round++) {
        size_t smalls = fill(small, 1000, PAGE * (round + 1), READ_WRITE);
        size_t larges = fill(large, most, MIB, READ_WRITE);
        must(round > 0 || larges > 8, "hardly any memory", larges);
        for (size_t i = 0; i < smalls; i++)
            must(small[i][0] == 0xa5 && munmap(small[i], PAGE * (round + 1)) == 0, "small", i);
        for (size_t i = 0; i < larges; i++)
            must(large[i][MIB - 1] == 0xa5 && munmap(large[i], MIB) == 0, "large", i);
        for (size_t size = 0; size < 5 * MIB; size += MIB + 1234) { /* grows, shrinks, grows */
            must((uint8_t *)syscall(SYS_brk, heap + 5 * MIB) == heap + 5 * MIB, "brk", size);
            for (size_t i = size; i < 5 * MIB; i++)
                must(heap[i] == 0, "the heap is not zero", i);
            memset(heap, 0xa5, 5 * MIB);
            must((uint8_t *)syscall(SYS_brk, heap + size + MIB + 1234) ==
                         heap + size + MIB + 1234 ||
                     size + MIB + 1234 > 5 * MIB,
                 "brk", size);
        }
        must((uint8_t *)syscall(SYS_brk, heap) == heap, "brk", 0);
    }
    puts("all zero");
}

/* What memory calls make of bad arguments. */
static void try_arguments(void)
{
    uint8_t *at = mmap(NULL, 4 * PAGE, READ_WRITE, ANONYMOUS, -1, 0);
    uint64_t heap = (uint64_t)syscall(SYS_brk, 0);
    const struct {
        const char *name;
        long result;
    } tries[] = {
        {"mmap of nothing", syscall(SYS_mmap, 0, 0, 3, ANONYMOUS, -1, 0)},
        {"mmap of all", syscall(SYS_mmap, 0, UINT64_MAX, 3, ANONYMOUS, -1, 0)},
        {"mmap of more", syscall(SYS_mmap, 0, 1ull << 40, 0, ANONYMOUS, -1, 0)},
        {"mmap there", syscall(SYS_mmap, at, PAGE, 3, ANONYMOUS | MAP_FIXED, -1, 0)},
        {"munmap of half a page", syscall(SYS_munmap, at + 8, PAGE)},
        {"munmap of nothing", syscall(SYS_munmap, at, 0)},
        {"munmap of all", syscall(SYS_munmap, at, UINT64_MAX)},
        {"munmap of code", syscall(SYS_munmap, (uint64_t)try_arguments & ~(PAGE - 1), PAGE)},
        {"munmap of the stack", syscall(SYS_munmap, (uint64_t)&at & ~(PAGE - 1), PAGE)},
        {"munmap of the heap", syscall(SYS_munmap, heap & ~(PAGE - 1), PAGE)},
        {"munmap of the host's", syscall(SYS_munmap, 4096, PAGE)},
        {"mprotect of nothing", syscall(SYS_mprotect, at, 0, 1)},
        {"mprotect of half a page", syscall(SYS_mprotect, at + 8, PAGE, 1)},
        {"mprotect of more", syscall(SYS_mprotect, at, 1ull << 33, 1)},
        {"mprotect of all", syscall(SYS_mprotect, at, UINT64_MAX, 1)},
        {"mprotect of the stack", syscall(SYS_mprotect, (uint64_t)&at & ~(PAGE - 1), PAGE, 1)},
        {"mprotect of code to write", syscall(SYS_mprotect, (uint64_t)fail & ~(PAGE - 1), PAGE, 3)},
        {"mprotect of code to nothing",
         syscall(SYS_mprotect, (uint64_t)fail & ~(PAGE - 1), PAGE, 0)},
        {"arch_prctl far", syscall(SYS_arch_prctl, 0x1002, 1ull << 63)},
        {"sigaction of none", syscall(SYS_rt_sigaction, 0, 0, 0, 8)},
        {"sigaction of more", syscall(SYS_rt_sigaction, 65, 0, 0, 8)},
        {"platform_key", syscall(KEEP_CALL_PLATFORM_KEY, at, 40)},
        {"guest_request", syscall(KEEP_CALL_GUEST_REQUEST, at, 4096, at, 4096)},
        {"attest of little", syscall(KEEP_CALL_ATTEST, at, 63, at, PAGE)},
        {"attest of much", syscall(KEEP_CALL_ATTEST, at, 65, at, PAGE)},
        {"attest for little", syscall(KEEP_CALL_ATTEST, at, 64, at, 100)},
        {"phase", syscall(KEEP_CALL_PHASE, 99)},
        {"read for ever", syscall(SYS_read, 99, at, UINT64_MAX)},
        {"write of nothing", syscall(SYS_write, 99, at, 0)},
        {"a number far away", syscall(1L << 40)},
    };

    for (size_t i = 0; i < COUNT_OF(tries); i++)
        printf("%s: %s\n", tries[i].name, tries[i].result == -1 ? "refused" : "done");
    must(at != MAP_FAILED && at[PAGE] == 0, "the page", 0);
}

/* ---- ENCLU ---- */

#define EREPORT 0
#define EGETKEY 1
#define EACCEPT 5

static uint8_t request[512] __attribute__((aligned(512)));
static uint8_t target[512] __attribute__((aligned(512)));
static uint8_t report[512] __attribute__((aligned(512)));
static uint8_t data[128] __attribute__((aligned(128)));
static uint8_t key[16] __attribute__((aligned(16)));

static uint64_t enclu(uint64_t leaf, const void *rbx, const void *rcx, void *rdx)
{
    __asm__ volatile("enclu" : "+a"(leaf) : "b"(rbx), "c"(rcx), "d"(rdx) : "memory", "cc");
    return leaf;
}

static void show(const char *name, const uint8_t *bytes, size_t size)
{
    printf("%s ", name);
    for (size_t i = 0; i < size; i++)
        printf("%02x", bytes[i]);
    puts("");
}

/* A REPORT for ourselves, and the key that it is made with: the test verifies both. */
static void try_report(void)
{
    for (unsigned i = 0; i < 64; i++)
        data[i] = (uint8_t)(i * 3);
    (void)enclu(EREPORT, target, data, report); /* for nobody; tells who we are */
    memcpy(target, report + 64, 32);
    memcpy(target + 32, report + 48, 16);
    memcpy(target + 52, report + 16, 4);
    (void)enclu(EREPORT, target, data, report);
    request[0] = 3; /* REPORT */
    memcpy(request + 40, report + 384, 32);
    must((enclu(EGETKEY, request, key, NULL) & UINT32_MAX) == 0, "no report key", 0);
    show("report", report, 432);
    show("key", key, 16);
}

/* NAME STATUS KEY of requests: a change each. */
static void get_key(const char *name)
{
    memset(key, 0, sizeof key);
    printf("%s %llu", name, (unsigned long long)(enclu(EGETKEY, request, key, NULL) & UINT32_MAX));
    show("", key, sizeof key);
}

static void get_changed(const char *name, size_t at, uint8_t value)
{
    uint8_t before = request[at];

    request[at] = value;
    get_key(name);
    request[at] = before;
}

static void try_keys(void)
{
    request[0] = 4; /* SEAL */
    request[2] = 1; /* by MRENCLAVE */
    get_key("seal");
    get_key("again");
    get_changed("mrsigner", 2, 2);
    get_changed("both", 2, 3);
    get_changed("neither", 2, 0);
    get_changed("key-id", 40, 1);
    get_changed("key-id-end", 71, 1);
    get_changed("attributes", 24, 4);      /* MODE64BIT counts */
    get_changed("attributes-init", 24, 1); /* which always counts: the same key */
    get_changed("xfrm", 32, 7);
    get_changed("misc", 72, 1);
    get_changed("isv-svn", 4, 1);
    get_changed("cpu-svn", 8, 0xff);
    get_changed("launch", 0, 0);
    get_changed("provision", 0, 1);
    get_changed("provision-seal", 0, 2);
    get_changed("no-name", 0, 5);
    get_changed("far-name", 1, 0xff);
    get_changed("report", 0, 3);
}

/* What cannot be written, by the processor neither. */
static const uint8_t constants[512] __attribute__((aligned(512)));

static void try_constants(void)
{
    (void)enclu(EREPORT, target, data, (void *)(uintptr_t)constants);
    puts("went on");
}

/* What is no operand: each is a fault, of the instruction. */
static void try_operands(void)
{
    uint8_t *host = (uint8_t *)8192; /* whatever is there is not the enclave's */
    const struct {
        const char *name;
        uint64_t leaf;
        const void *rbx, *rcx;
        void *rdx;
    } tries[] = {{"unaligned target", EREPORT, target + 8, data, report},
                 {"unaligned data", EREPORT, target, data + 8, report},
                 {"unaligned report", EREPORT, target, data, report + 8},
                 {"target outside", EREPORT, host, data, report},
                 {"report outside", EREPORT, target, data, host},
                 {"unaligned request", EGETKEY, request + 8, key, NULL},
                 {"unaligned key", EGETKEY, request, key + 8, NULL},
                 {"key outside", EGETKEY, request, host, NULL},
                 {"unaligned secinfo", EACCEPT, target + 8, target, NULL},
                 {"unaligned page", EACCEPT, target, target + 8, NULL},
                 {"page outside", EACCEPT, target, host, NULL},
                 {"reserved flags", EACCEPT, report, target, NULL},
                 {"no leaf", 77, target, target, NULL},
                 {"a leaf of the loader's", 2, target, target, NULL}};

    handle_faults();
    memset(report, 0xff, 64);
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        fault_signal = 0;
        if (sigsetjmp(back, 1) == 0)
            (void)enclu(tries[i].leaf, tries[i].rbx, tries[i].rcx, tries[i].rdx);
        printf("%s: %d\n", tries[i].name, fault_signal);
    }
}

static void try_accept(void)
{
    static uint64_t info[8] __attribute__((aligned(64)));
    static const struct {
        const char *name;
        uint64_t flags;
    } tries[] = {{"modified", 0x213}, {"restricted", 0x223}, {"trimmed", 0x410}, {"read", 0x209},
                 {"to run", 0x20f},   {"pending", 0x20b},    {"again", 0x20b}};
    uint8_t *at = mmap(NULL, GIB, PROT_NONE, ANONYMOUS, -1, 0);

    must(at != MAP_FAILED, "no addresses", 0);
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        info[0] = tries[i].flags;
        printf("%s: %llu\n", tries[i].name,
               (unsigned long long)(enclu(EACCEPT, info, at + GIB - PAGE, NULL) & UINT32_MAX));
    }
    must_be_zero(at + GIB - PAGE, PAGE);
    info[0] = 0x20b;
    printf("one of ours: %llu\n",
           (unsigned long long)(enclu(EACCEPT, info, target - (uint64_t)target % PAGE, NULL) &
                                UINT32_MAX));
}

/* ---- registers ---- */

struct vectors {
    uint8_t ymm[16][32];
    uint32_t mxcsr;
    uint16_t fcw;
} __attribute__((aligned(32)));

#define EACH_YMM(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD(n) "vmovdqa " #n "*32(%0), %%ymm" #n "\n"
#define STORE(n) "vmovdqa %%ymm" #n ", " #n "*32(%1)\n"
#define ALL_YMM                                                                              \
    "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9", "ymm10", \
        "ymm11", "ymm12", "ymm13", "ymm14", "ymm15"

/* All vector registers, over `rounds` of a loop with a call in it. */
__attribute__((target("avx"), noinline)) static void over_calls(const struct vectors *in,
                                                                struct vectors *out, long number,
                                                                long a, long b, uint64_t rounds)
{
    __asm__ volatile(
        "ldmxcsr 512(%0)\n fldcw 516(%0)\n" EACH_YMM(
            LOAD) "1: movq %2, %%rax\n"
                  "movq %3, %%rdi\n movq %4, %%rsi\n xorl %%edx, %%edx\n xorl %%r10d, %%r10d\n"
                  "xorl %%r8d, %%r8d\n xorl %%r9d, %%r9d\n syscall\n"
                  "movl $200, %%ecx\n 2: decl %%ecx\n jnz 2b\n"
                  "decq %5\n jnz 1b\n" EACH_YMM(
                      STORE) "stmxcsr 512(%1)\n fnstcw 516(%1)\n"
                             "fninit\n movl $0x1f80, -8(%%rsp)\n ldmxcsr -8(%%rsp)\n"
        :
        : "r"(in), "r"(out), "r"(number), "r"(a), "r"(b), "r"(rounds)
        : ALL_YMM, "rax", "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
}

static void try_vectors(void)
{
    static struct vectors in, out;
    static struct timespec now;
    const long tries[][3] = {{SYS_set_tid_address, 0, 0},
                             {SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now},
                             {9999, 1, 2},
                             {SYS_sched_yield, 0, 0}};

    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        for (size_t k = 0; k < sizeof in.ymm; k++)
            in.ymm[k / 32][k % 32] = (uint8_t)(k * 7 + i);
        in.mxcsr = 0xffbf & ~(uint32_t)(i << 13); /* masked; rounding is another each time */
        in.fcw = (uint16_t)(0x037f | i << 10);
        memset(&out, 0, sizeof out);
        over_calls(&in, &out, tries[i][0], tries[i][1], tries[i][2], 200);
        must(memcmp(in.ymm, out.ymm, sizeof in.ymm) == 0, "another vector", i);
        must(in.mxcsr == out.mxcsr, "another MXCSR", out.mxcsr);
        must(in.fcw == out.fcw, "another x87 control word", out.fcw);
    }
    puts("as they were");
}

/* General registers over a call, in the order of `names`. */
static void over_call(long number, uint64_t out[15], uint64_t *result)
{
    __asm__ volatile(
        "leaq -128(%%rsp), %%rsp\n pushq %%rbp\n pushq %%rbx\n pushq %1\n pushq %2\n"
        "movl $0x11, %%ebx\n movl $0x22, %%ebp\n movl $0x33, %%edi\n movl $0x44, %%esi\n"
        "movl $0x55, %%edx\n movl $0x66, %%r8d\n movl $0x77, %%r9d\n movl $0x88, %%r10d\n"
        "movl $0x99, %%r12d\n movl $0xaa, %%r13d\n movl $0xbb, %%r14d\n movl $0xcc, %%r15d\n"
        "std\n stc\n syscall\n 3: pushfq\n cld\n"
        "pushq %%r11\n pushq %%rcx\n"
        "movq 24(%%rsp), %%rcx\n" /* out */
        "movq %%rbx, (%%rcx)\n movq %%rbp, 8(%%rcx)\n movq %%rdi, 16(%%rcx)\n"
        "movq %%rsi, 24(%%rcx)\n movq %%rdx, 32(%%rcx)\n movq %%r8, 40(%%rcx)\n"
        "movq %%r9, 48(%%rcx)\n movq %%r10, 56(%%rcx)\n movq %%r12, 64(%%rcx)\n"
        "movq %%r13, 72(%%rcx)\n movq %%r14, 80(%%rcx)\n movq %%r15, 88(%%rcx)\n"
        "popq %%rdx\n leaq 3b(%%rip), %%rsi\n subq %%rsi, %%rdx\n movq %%rdx, 96(%%rcx)\n"
        "popq %%r11\n popq %%rdx\n xorq %%rdx, %%r11\n andq $0xcd5, %%r11\n movq %%r11, "
        "104(%%rcx)\n"
        "andq $0xcd5, %%rdx\n movq %%rdx, 112(%%rcx)\n"
        "popq %%rdx\n popq %%rcx\n popq %%rbx\n popq %%rbp\n leaq 128(%%rsp), %%rsp\n"
        "movq %%rax, (%%rcx)\n"
        : "+a"(number)
        : "r"(result), "r"(out)
        : "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
          "memory", "cc");
}

static void try_registers(void)
{
    static const long numbers[] = {SYS_set_tid_address, SYS_sched_yield, 9999};
    uint64_t out[15] = {0}, result = 0;

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        over_call(numbers[i], out, &result);
        printf("%d:", (int)(int64_t)result < 0);
        for (size_t k = 0; k < COUNT_OF(out); k++)
            printf(" %llx", (unsigned long long)out[k]);
        puts("");
    }
}

/* Control words as a program finds them, and flags that are not of arithmetic. */
static void try_state(void)
{
    uint64_t flags = __builtin_ia32_readeflags_u64();
    uint32_t mxcsr;
    uint16_t fcw;

    __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(mxcsr), "=m"(fcw));
    printf("%x %x %llx\n", fcw, mxcsr & ~0x3fu, (unsigned long long)(flags & 0x47500));
}

/* ---- the rest ---- */

/* UD2 before it: testhost --enter cpuid has the two as the one instruction that there is not. */
static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile("ud2\n cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(subleaf));
}

static void try_cpuid(void)
{
    static const uint32_t leaves[][2] = {
        {0, 0},          {1, 0},          {2, 0},          {7, 0},         {7, 1},
        {0xd, 0},        {0xd, 1},        {0xd, 2},        {0x12, 0},      {0x40000000, 0},
        {0x80000000, 0}, {0x80000001, 0}, {0x80000008, 0}, {UINT32_MAX, 0}};
    uint32_t out[4];

    for (size_t i = 0; i < COUNT_OF(leaves); i++) {
        cpuid(leaves[i][0], leaves[i][1], out);
        printf("%x %x: %08x %08x %08x %08x\n", leaves[i][0], leaves[i][1], out[0], out[1], out[2],
               out[3]);
    }
}

/* Likewise. */
static void try_counter(void)
{
    uint64_t low = UINT64_MAX, high = UINT64_MAX;

    __asm__ volatile("ud2\n rdtsc" : "+a"(low), "+d"(high));
    printf("%llx %llx\n", (unsigned long long)low, (unsigned long long)high);
}

static void overflow(void)
{
    static volatile bool is_endless = true;
    volatile uint8_t here[2048];

    here[0] = 1;
    if (is_endless)
        overflow();
    here[1] = here[0];
}

/* Behind our own last page, in the place of the exec layer: code that is not there. */
static void jump_behind(void)
{
    extern char _end[]; /* of the linker */
    uint64_t at = ((uint64_t)_end & ~(PAGE - 1)) + 16 * PAGE;

    __asm__ volatile("jmp *%0" : : "r"(at));
}

static const struct {
    const char *name;
    void (*run)(void);
} tries[] = {{"guards", try_guards},
             {"nested", try_nested},
             {"limited", try_limited},
             {"arguments", try_arguments},
             {"report", try_report},
             {"keys", try_keys},
             {"operands", try_operands},
             {"accept", try_accept},
             {"state", try_state},
             {"vectors", try_vectors},
             {"registers", try_registers},
             {"cpuid", try_cpuid},
             {"overflow", overflow},
             {"jump-behind", jump_behind},
             {"constants", try_constants},
             {"counter", try_counter},
             {"divide", divide},
             {"ud2", no_instruction},
             {"hlt", halt}};

int main(void)
{
    static char boot[1 << 16], out[8192];
    ssize_t size = read(BOOT_FILE, boot, sizeof boot - 1);
    const char *at = size > 0 ? memmem(boot, (size_t)size, "try:", 4) : NULL;

    (void)setvbuf(stdout, out, _IOFBF, sizeof out); /* as the sandbox lets it not look */
    if (at == NULL)
        return 2;
    at += 4;
    size_t length = strcspn(at, " .");
    if (length == 4 && strncmp(at, "zero", 4) == 0)
        try_zero(strtoul(at + length, NULL, 10));
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        if (strlen(tries[i].name) == length && strncmp(tries[i].name, at, length) == 0)
            tries[i].run();
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
