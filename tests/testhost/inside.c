/* In the exec layer's place, on `nil`, in a machine, or as a program of its own: what the shim of a
 * machine has to keep from it, and what it has to do as Linux does. What is tried is chosen by
 * "try:WORDS." in BOOT_FILE. Prints what came of it. */
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
#include <unistd.h>

#include "sallyport/sallyport.h"
#include "shim/kvm/shim.h"
#include "syscall_by_loader.h"

#define PAGE ((size_t)PAGE_SIZE)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define ELSEWHERE 0x600000000000ull /* where nothing lies in a machine */
#define FREE_PA 0x80000000ull       /* of the pool, far behind what is used */

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

/* ---- requests to ring 0 ---- */

/* Whether SYSCALL is made by the loader, as hardware makes it: testhost --syscalls. */
static bool by_loader;

/* Leaves for the loader, which goes on at LSTAR in ring 0, RCX and R11 as SYSCALL sets them. */
static int64_t request_by_loader(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;
    struct block *block = (struct block *)BLOCK_VA;

    block->number = SYS_sched_yield;
    block->args[0] = SYSCALL_BY_LOADER;
    __asm__ volatile("leaq 1f(%%rip), %%rbx\n\toutb %%al, %[port]\n1:"
                     : "+a"(number), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                     : [port] "N"(PORT_CALL)
                     : "rbx", "rcx", "r8", "r9", "r11", "memory");
    return number;
}

static int64_t request(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    register uint64_t r10 __asm__("r10") = d;

    if (by_loader)
        return request_by_loader(number, a, b, c, d);
    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                     :
                     : "rcx", "r8", "r9", "r11", "memory");
    return number;
}

static void refused(const char *what, int64_t number, uint64_t a, uint64_t b, uint64_t c,
                    uint64_t d)
{
    if (request(number, a, b, c, d) == 0)
        printf("granted: %s %#llx %#llx %#llx\n", what, (unsigned long long)a,
               (unsigned long long)b, (unsigned long long)c);
}

static void try_requests(void)
{
    static const uint64_t not_ours[] = {
        0,         PAGE_SIZE,          USER_VA,
        BLOCK_VA,  IMAGE_VA,           IMAGE_VA + IMAGE_SIZE_MAX - PAGE_SIZE,
        USER_END,  ALIAS_VA,           ALIAS_VA + TABLES_PA,
        KERNEL_VA, 0x0001000000000000, UINT64_MAX - PAGE_SIZE + 1};
    static const uint64_t memory[] = {0,
                                      SHIM_PA,
                                      TABLES_PA,
                                      TABLES_PA + TABLES_SIZE - PAGE_SIZE,
                                      BLOCK_PA,
                                      IMAGE_PA - PAGE_SIZE,
                                      POOL_PA - PAGE_SIZE,
                                      MEMORY_END,
                                      UINT64_MAX - PAGE_SIZE + 1};

    for (size_t i = 0; i < COUNT_OF(not_ours); i++) {
        refused("map there", KERNEL_MAP, not_ours[i], FREE_PA, PAGE, 3);
        refused("unmap there", KERNEL_UNMAP, not_ours[i], PAGE, 0, 0);
        refused("protect there", KERNEL_PROTECT, not_ours[i], PAGE, 3, 0);
    }
    for (size_t i = 0; i < COUNT_OF(memory); i++) {
        for (uint64_t prot = 0; prot < 8; prot++)
            refused("map of", KERNEL_MAP, ELSEWHERE, memory[i], PAGE, prot);
    }
    for (uint64_t prot = PROT_CODE; prot < 8; prot++) {
        refused("code of the pool", KERNEL_MAP, ELSEWHERE, FREE_PA, PAGE, prot);
        refused("code of the image", KERNEL_MAP, ELSEWHERE, IMAGE_PA, PAGE, prot);
        refused("protect as code", KERNEL_PROTECT, ELSEWHERE, PAGE, prot, 0);
    }
    refused("writing to the image", KERNEL_MAP, ELSEWHERE, IMAGE_PA, PAGE, 3);
    refused("other rights", KERNEL_MAP, ELSEWHERE, FREE_PA, PAGE, 8);
    refused("other rights", KERNEL_MAP, ELSEWHERE, FREE_PA, PAGE, 1ull << 63);
    refused("other rights", KERNEL_PROTECT, ELSEWHERE, PAGE, 1ull << 32, 0);
    refused("half a page", KERNEL_MAP, ELSEWHERE + 8, FREE_PA, PAGE, 3);
    refused("half a page", KERNEL_MAP, ELSEWHERE, FREE_PA + 8, PAGE, 3);
    refused("half a page", KERNEL_MAP, ELSEWHERE, FREE_PA, 8, 3);
    refused("nothing", KERNEL_MAP, ELSEWHERE, FREE_PA, 0, 3);
    refused("too much", KERNEL_MAP, ELSEWHERE, FREE_PA, 0ull - PAGE_SIZE, 3);
    refused("too much", KERNEL_MAP, ELSEWHERE, FREE_PA, 1ull << 63, 3);
    refused("too much", KERNEL_MAP, ELSEWHERE, MEMORY_END - PAGE_SIZE, 2 * PAGE, 3);
    refused("too much", KERNEL_MAP, USER_END - PAGE_SIZE, FREE_PA, 2 * PAGE, 3);
    refused("too much", KERNEL_UNMAP, ELSEWHERE, 0ull - PAGE_SIZE, 0, 0);
    refused("too much", KERNEL_PROTECT, USER_END - PAGE_SIZE, 2 * PAGE, 3, 0);
    for (int64_t number = -5; number > -40; number--)
        refused("no request", number, ELSEWHERE, FREE_PA, PAGE, 3);
    refused("no request", INT64_MIN, ELSEWHERE, FREE_PA, PAGE, 3);
    must(request(KERNEL_MAP, ELSEWHERE, FREE_PA, 2 * PAGE, 3) == 0, "no page at all", 0);
    *(volatile uint64_t *)ELSEWHERE = 5;
    must(request(KERNEL_PROTECT, ELSEWHERE, PAGE, 1, 0) == 0, "no rights at all", 0);
    must(*(volatile uint64_t *)ELSEWHERE == 5, "other content", 0);
    must(request(KERNEL_UNMAP, ELSEWHERE, 2 * PAGE, 0, 0) == 0, "it stays", 0);
    /* and a call of Linux's, which the shim answers in ring 3 */
    must(request(SYS_set_tid_address, 0, 0, 0, 0) == 1, "another thread", 0);
    puts("as it should be");
}

/* ---- faults, each of which is the end ---- */

static uint8_t some_data[] = {0xc3};

static void touch(uint64_t address)
{
    __asm__ volatile("" : "+r"(address)); /* the compiler knows that there is nothing at 8 */
    (void)*(volatile uint8_t *)address;
}

static void put(uint64_t address)
{
    __asm__ volatile("" : "+r"(address));
    *(volatile uint8_t *)address = 1;
}

static void jump(uint64_t address)
{
    __asm__ volatile("jmp *%0" : : "r"(address));
}

/* What they leave in registers is of no use to anybody. */
#define INSTRUCTION(name, text)                           \
    __attribute__((noinline)) static void do_##name(void) \
    {                                                     \
        __asm__ volatile(text);                           \
    }

INSTRUCTION(hlt, "hlt")
INSTRUCTION(cli, "cli")
INSTRUCTION(sti, "sti")
INSTRUCTION(in, "movl $0x60, %edx\n inb %dx, %al")
INSTRUCTION(in_beside, "inb $0x13, %al")
INSTRUCTION(out, "movl $0x80, %edx\n outb %al, %dx")
INSTRUCTION(out_beside, "outl %eax, $0x10")
INSTRUCTION(out_far, "movl $0xffff, %edx\n outb %al, %dx")
INSTRUCTION(rdmsr, "movl $0xc0000080, %ecx\n rdmsr")
INSTRUCTION(wrmsr, "movl $0xc0000082, %ecx\n wrmsr")
INSTRUCTION(read_cr0, "movq %cr0, %rax")
INSTRUCTION(write_cr0, "movq %rax, %cr0")
INSTRUCTION(write_cr3, "movq %rax, %cr3")
INSTRUCTION(read_cr4, "movq %cr4, %rax")
INSTRUCTION(write_dr7, "movq %rax, %dr7")
INSTRUCTION(lgdt, "subq $16, %rsp\n lgdt (%rsp)")
INSTRUCTION(lidt, "subq $16, %rsp\n lidt (%rsp)")
INSTRUCTION(ltr, "movl $0x28, %eax\n ltr %ax")
INSTRUCTION(invlpg, "invlpg (%rsp)")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(swapgs, "swapgs")
INSTRUCTION(sysret, "sysretq")
INSTRUCTION(clts, "clts")
INSTRUCTION(xsetbv, "xorl %ecx, %ecx\n xsetbv")
INSTRUCTION(int_14, "int $14")
INSTRUCTION(int_80, "int $0x80")
INSTRUCTION(ud2, "ud2")
INSTRUCTION(divide, "xorl %ecx, %ecx\n xorl %edx, %edx\n divl %ecx")
INSTRUCTION(no_stack, "xorl %esp, %esp\n pushq %rax")
INSTRUCTION(far_stack, "movq $0x8000000000000000, %rax\n movq %rax, %rsp\n pushq %rax")
/* flags that ring 0 must not go on with: direction, nested task, alignment */
INSTRUCTION(
    flags,
    "pushfq\n orq $0x44400, (%rsp)\n popfq\n movq $-3, %rax\n xorl %edi, %edi\n syscall\n ud2")

static void overflow(void)
{
    static volatile bool is_endless = true;
    volatile uint8_t here[4096];

    here[0] = 1;
    if (is_endless)
        overflow();
    here[1] = here[0];
}

static const struct {
    const char *name;
    void (*run)(void);
} instructions[] = {
    {"hlt", do_hlt},
    {"cli", do_cli},
    {"sti", do_sti},
    {"in", do_in},
    {"in-beside", do_in_beside},
    {"out", do_out},
    {"out-beside", do_out_beside},
    {"out-far", do_out_far},
    {"rdmsr", do_rdmsr},
    {"wrmsr", do_wrmsr},
    {"read-cr0", do_read_cr0},
    {"write-cr0", do_write_cr0},
    {"write-cr3", do_write_cr3},
    {"read-cr4", do_read_cr4},
    {"write-dr7", do_write_dr7},
    {"lgdt", do_lgdt},
    {"lidt", do_lidt},
    {"ltr", do_ltr},
    {"invlpg", do_invlpg},
    {"wbinvd", do_wbinvd},
    {"swapgs", do_swapgs},
    {"sysret", do_sysret},
    {"clts", do_clts},
    {"xsetbv", do_xsetbv},
    {"int-14", do_int_14},
    {"int-80", do_int_80},
    {"ud2", do_ud2},
    {"divide", do_divide},
    {"no-stack", do_no_stack},
    {"far-stack", do_far_stack},
    {"flags", do_flags},
    {"overflow", overflow},
};

static const struct {
    const char *name;
    void (*run)(uint64_t address);
    uint64_t address; /* 0: some data, 1: our own code */
} accesses[] = {
    {"run-data", jump, 0},
    {"write-code", put, 1},
    {"read-nothing", touch, 8},
    {"read-kernel", touch, KERNEL_VA},
    {"write-kernel", put, KERNEL_VA},
    {"run-kernel", jump, KERNEL_VA},
    {"read-alias", touch, ALIAS_VA + BLOCK_PA},
    {"read-tables", touch, ALIAS_VA + TABLES_PA},
    {"write-tables", put, ALIAS_VA + TABLES_PA},
    {"write-user-half", put, USER_VA},
    {"write-image", put, IMAGE_VA},
    {"run-image", jump, IMAGE_VA},
    {"run-block", jump, BLOCK_VA},
    {"run-far", jump, 0x8000000000000000},
    {"read-far", touch, 0x8000000000000000},
};

static void try_end(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(instructions); i++) {
        if (strcmp(instructions[i].name, name) == 0)
            instructions[i].run();
    }
    for (size_t i = 0; i < COUNT_OF(accesses); i++) {
        uint64_t address = accesses[i].address;
        if (strcmp(accesses[i].name, name) != 0)
            continue;
        accesses[i].run(address == 0   ? (uint64_t)some_data
                        : address == 1 ? (uint64_t)try_end
                                       : address);
    }
    puts("went on");
}

static void list(void)
{
    for (size_t i = 0; i < COUNT_OF(instructions); i++)
        puts(instructions[i].name);
    for (size_t i = 0; i < COUNT_OF(accesses); i++)
        puts(accesses[i].name);
}

/* What SYSCALL does where KVM is software: it goes on, in ring 3, at ring 0's entry. A request that
 * there is not, made so; then one that is to return to where there is nothing. */
static void try_entry(uint64_t entry, bool is_lost)
{
    int64_t result = -9;
    uint64_t to = 1ull << 63;

    if (is_lost)
        __asm__ volatile("movq %1, %%rcx\n movq $2, %%r11\n jmp *%2"
                         :
                         : "a"(result), "r"(to), "r"(entry)
                         : "rcx", "r11", "memory");
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n movq $2, %%r11\n jmp *%1\n 1:"
                     : "+a"(result)
                     : "r"(entry)
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
    printf("%lld\n", (long long)result);
}

/* Memory that was code, made writable: it is no code any more, and not elsewhere either. */
__attribute__((noinline, section("changed_code"), aligned(4096))) static int changed(void)
{
    return 1;
}

static void try_changed_code(void)
{
    uint64_t page = (uint64_t)changed & ~(uint64_t)(PAGE - 1);

    must(changed() == 1, "our own code", 0);
    if (mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) != 0) {
        puts("refused");
        return;
    }
    *(volatile uint8_t *)page = 0xc3;
    puts("changed");
    (void)fflush(stdout);
    (void)changed();
    puts("run");
}

/* ---- faults that are handled ---- */

static sigjmp_buf back;
static volatile uint64_t fault_at;
static volatile int fault_signal, handled;
static uint8_t *volatile to_open;
static uint8_t alternate[65536] __attribute__((aligned(16)));

static void on_fault(int number, siginfo_t *info, void *context)
{
    uint8_t here;

    (void)context;
    fault_signal = number;
    fault_at = (uint64_t)info->si_addr;
    handled++;
    must((uint64_t)&here - (uint64_t)alternate < sizeof alternate, "another stack",
         (uint64_t)&here);
    if (to_open != NULL) { /* and on it goes */
        must(mprotect(to_open, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect in a handler", 0);
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

/* As an engine does with linear memory. */
static void try_guards(void)
{
    uint64_t registers[2] = {0, 0};

    handle_faults();
    uint8_t *at = mmap(NULL, 8 * GIB, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0);
    must(at != MAP_FAILED, "no 8 GiB of addresses", 0);
    for (size_t open = 0; open <= 6 * MIB; open += 192 * PAGE) {
        must(open == 0 || mprotect(at, open, PROT_READ | PROT_WRITE) == 0, "mprotect", open);
        printf("%zu pages: %d %d %d %d\n", open / PAGE, faults(at, false),
               open != 0 && faults(at + open - 1, true), faults(at + open, true),
               faults(at + 8 * GIB - 1, false));
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
        do_divide();
    printf("division: %d\n", fault_signal == SIGFPE);
    if (sigsetjmp(back, 1) == 0)
        do_ud2();
    printf("no instruction: %d\n", fault_signal == SIGILL);
    if (sigsetjmp(back, 1) == 0)
        do_hlt();
    printf("hlt: %d\n", fault_signal == SIGSEGV);
    if (sigsetjmp(back, 1) == 0)
        jump((uint64_t)some_data);
    printf("data that is run: %d\n", fault_at == (uint64_t)some_data);
    if (sigsetjmp(back, 1) == 0)
        overflow();
    printf("a stack that overflows: %d\n", fault_signal == SIGSEGV);
    sigset_t now;
    must(sigprocmask(SIG_BLOCK, NULL, &now) == 0, "no mask", 0);
    printf("blocked: %d\n", sigismember(&now, SIGSEGV));
    must(munmap(at, 8 * GIB) == 0, "munmap", 0);
    printf("handled %d\n", handled);
}

static void on_second(int number)
{
    (void)number;
    if (handled++ > 100)
        fail("again and again", 0);
    touch(8);
}

/* A fault in the handler of faults is the end. */
static void try_nested(void)
{
    struct sigaction action = {.sa_handler = on_second};

    must(sigaction(SIGSEGV, &action, NULL) == 0, "no handler", 0);
    touch(8);
}

/* ---- memory, against a model ---- */

#define REGIONS 48
#define PAGES_MAX 4096

enum { GONE = 8 };

static struct region {
    uint8_t *at;
    size_t pages;
    uint8_t prot[PAGES_MAX]; /* or GONE */
    uint32_t stamp[PAGES_MAX];
} regions[REGIONS];

static uint64_t state;
static uint8_t *heap, *heap_end;

static uint32_t any(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 11) % below;
}

static uint32_t *word(const struct region *r, size_t page, bool last)
{
    return (uint32_t *)(void *)(r->at + page * PAGE + (last ? PAGE - 4 : 0));
}

static void check_page(const struct region *r, size_t page)
{
    uint32_t *first = word(r, page, false);

    if ((r->prot[page] & PROT_READ) == 0 || r->prot[page] == GONE)
        return;
    must(*first == r->stamp[page] && *word(r, page, true) == r->stamp[page], "other content",
         *first);
    for (size_t i = 1; i < PAGE / 4 - 1; i += 61)
        must(first[i] == 0, "other content inside", first[i]);
}

/* In an enclave pages keep rights that nobody asked for, and a fault at one of its own is the end:
 * at least they have those that somebody did. */
static void check_least_rights(const struct region *r, size_t page)
{
    uint8_t *at = r->at + page * PAGE + any(PAGE_SIZE);

    if (r->prot[page] == PROT_NONE)
        return;
    uint8_t was = *(volatile uint8_t *)at;
    if ((r->prot[page] & PROT_WRITE) != 0)
        *(volatile uint8_t *)at = was;
}

static bool has_more_rights;

static void check_rights(const struct region *r, size_t page)
{
    uint8_t *at = r->at + page * PAGE + any(PAGE_SIZE), was = 0;

    if (r->prot[page] == GONE) /* a shim may leave it until its frame is free */
        return;
    if (has_more_rights) {
        check_least_rights(r, page);
        return;
    }
    must(faults(at, false) == (r->prot[page] == PROT_NONE), "other rights to read", (uint64_t)at);
    if (r->prot[page] != PROT_NONE)
        was = *(volatile uint8_t *)at;
    must(faults(at, true) == ((r->prot[page] & PROT_WRITE) == 0), "other rights to write",
         (uint64_t)at);
    if ((r->prot[page] & PROT_WRITE) != 0)
        *(volatile uint8_t *)at = was;
}

static void map_one(struct region *r)
{
    static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE};
    static const uint32_t around[] = {1, 16, 255, 256, 257, 512, 513, 1024, 2048};
    int prot = prots[any(4)];

    r->pages = 1 + (any(3) == 0 ? any(PAGES_MAX / 4) : around[any(COUNT_OF(around))] - any(2));
    r->at =
        mmap(NULL, r->pages * PAGE - (size_t)any(2) * any(PAGE_SIZE - 1), prot, ANONYMOUS, -1, 0);
    must(r->at != MAP_FAILED, "mmap", (uint64_t)errno);
    for (size_t i = 0; i < REGIONS; i++) {
        const struct region *o = &regions[i];
        for (size_t k = 0; o != r && o->at != NULL && k < o->pages; k++)
            must(o->prot[k] == GONE || o->at + k * PAGE < r->at ||
                     o->at + k * PAGE >= r->at + r->pages * PAGE,
                 "one over the other", (uint64_t)r->at);
    }
    for (size_t i = 0; i < r->pages; i++) {
        r->prot[i] = (uint8_t)prot;
        r->stamp[i] = 0;
        check_page(r, i);
    }
}

static void unmap_one(struct region *r)
{
    size_t first = 0, end = r->pages;

    if (any(3) == 0) { /* a part: its head, its tail, or of its middle */
        first = (size_t)any(2) * any((uint32_t)r->pages);
        end = any(2) != 0 ? r->pages : first + 1 + any((uint32_t)(r->pages - first));
    }
    for (size_t i = first; i < end; i++)
        check_page(r, i);
    for (size_t i = first; i < end;) { /* what is gone is not unmapped again: it may be another's */
        size_t run = i;
        while (run < end && r->prot[run] != GONE)
            run++;
        if (run != i)
            must(munmap(r->at + i * PAGE, (run - i) * PAGE) == 0, "munmap", (uint64_t)errno);
        for (; i < run; i++)
            r->prot[i] = GONE;
        i += run < end;
    }
    bool is_left = false;
    for (size_t i = 0; i < r->pages; i++)
        is_left = is_left || r->prot[i] != GONE;
    if (!is_left)
        r->at = NULL;
}

static void protect_some(struct region *r)
{
    static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    size_t first = any((uint32_t)r->pages), count = 1 + any((uint32_t)(r->pages - first));
    int prot = prots[any(3)];

    for (size_t i = first; i < first + count; i++) {
        if (r->prot[i] == GONE)
            return;
    }
    must(mprotect(r->at + first * PAGE, count * PAGE, prot) == 0, "mprotect", (uint64_t)errno);
    for (size_t i = first; i < first + count; i++) {
        r->prot[i] = (uint8_t)prot;
        if (i % 7 == 0 || count < 8)
            check_page(r, i);
    }
}

static void write_some(struct region *r)
{
    for (uint32_t n = any(64); n > 0; n--) {
        size_t page = any((uint32_t)r->pages);
        if (r->prot[page] == GONE || (r->prot[page] & PROT_WRITE) == 0)
            continue;
        r->stamp[page] = any(UINT32_MAX) | 1;
        *word(r, page, false) = *word(r, page, true) = r->stamp[page];
    }
}

/* The heap's content is a byte for each address; what comes again is zero. */
static void move_heap(void)
{
    size_t size = any(5u << 20);
    uint8_t *end = heap + size, *old = heap_end;

    for (uint8_t *at = heap; at < old; at += 4093)
        must(*at == (uint8_t)((uintptr_t)(at - heap) / 4093 | 1), "the heap has other content",
             (uint64_t)at);
    must((uint8_t *)syscall(SYS_brk, end) == end || old == end, "brk", (uint64_t)end);
    heap_end = end;
    for (uint8_t *at = old; at < end; at += 1021)
        must(*at == 0, "the heap is not zero", (uint64_t)at);
    for (uint8_t *at = heap; at < end; at += 4093)
        *at = (uint8_t)((uintptr_t)(at - heap) / 4093 | 1);
}

static void stress(uint64_t seed, uint32_t steps)
{
    state = seed | 1;
    handle_faults();
    heap = heap_end = (uint8_t *)syscall(SYS_brk, 0);
    for (uint32_t i = 0; i < steps; i++) {
        struct region *r = &regions[any(REGIONS)];
        uint32_t what = any(16);
        if (what == 0)
            move_heap();
        else if (r->at == NULL)
            map_one(r);
        else if (what < 4)
            unmap_one(r);
        else if (what < 8)
            protect_some(r);
        else if (what < 13)
            write_some(r);
        else if (what < 15)
            check_page(r, any((uint32_t)r->pages));
        else
            check_rights(r, any((uint32_t)r->pages));
    }
    for (size_t i = 0; i < REGIONS; i++) {
        for (size_t k = 0; regions[i].at != NULL && k < regions[i].pages; k++)
            check_page(&regions[i], k);
    }
    puts("as the model");
}

/* Reservations of which a little is used, one after the other: more than all addresses. */
static void churn(size_t size, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = mmap(NULL, size, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0);
        must(at != MAP_FAILED, "mmap", i);
        must(mprotect(at, 4 * PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect", i);
        must(at[0] == 0 && at[PAGE] == 0, "not zero", i);
        at[0] = at[PAGE] = 1;
        must(munmap(at, size) == 0, "munmap", i);
    }
    puts("as often as one likes");
}

/* NAME [NUMBER [NUMBER]] up to a full stop. */
static void take_words(const char *at, char name[32], unsigned long *a, unsigned long *b)
{
    size_t size = strcspn(at, " .");
    char *end;

    must(size < 32, "a long name", size);
    memcpy(name, at, size);
    *a = strtoul(at + size, &end, 10);
    *b = strtoul(end, NULL, 10);
}

int main(void)
{
    static char boot[1 << 16], out[4096], what[32];
    unsigned long a = 0, b = 0;
    ssize_t size = read(BOOT_FILE, boot, sizeof boot - 1);
    const char *at = size > 0 ? memmem(boot, (size_t)size, "try:", 4) : NULL;

    (void)setvbuf(stdout, out, _IOFBF, sizeof out); /* as the sandbox lets it not look */
    if (at == NULL)
        return 2;
    take_words(at + 4, what, &a, &b);
    by_loader = strcmp(what, "requests-by-loader") == 0;
    if (strcmp(what, "list") == 0)
        list();
    else if (strcmp(what, "requests") == 0 || by_loader)
        try_requests();
    else if (strcmp(what, "guards") == 0)
        try_guards();
    else if (strcmp(what, "nested") == 0)
        try_nested();
    else if (strcmp(what, "changed-code") == 0)
        try_changed_code();
    else if (strcmp(what, "entry") == 0)
        try_entry(a, b != 0);
    else if (strcmp(what, "read") == 0)
        touch(a);
    else if (strncmp(what, "stress", 6) == 0) {
        has_more_rights = strcmp(what, "stress-enclave") == 0;
        stress(a, (uint32_t)b);
    } else if (strcmp(what, "churn") == 0)
        churn(a, (uint32_t)b);
    else
        try_end(what);
    return fflush(stdout) == 0 ? 0 : 1;
}
