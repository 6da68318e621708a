/* Ring 0: descriptors, page tables, faults. Its callers are in ring 3 and are checked all the same:
 * no mapping can be both writable and executable, nothing but frames of the pool and the image can
 * be mapped, nothing outside the user's half changed. It must be short: see layout.h. */
#include "shim/kvm/kernel.h"

#define ENTRY_PRESENT 1ull
#define ENTRY_WRITABLE 2ull
#define ENTRY_USER 4ull
#define ENTRY_HUGE 0x80ull
#define ENTRY_NX (1ull << 63)
#define ENTRY_ADDRESS 0x0007fffffffff000ull /* without the C-bit */

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_KERNEL_GS 0xc0000102

struct descriptor {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct gate {
    uint16_t low, selector;
    uint8_t stack, type;
    uint16_t middle;
    uint32_t high, zero;
};

struct tss {
    uint32_t zero;
    uint64_t rsp[3], zero2, ist[7], zero3;
    uint16_t zero4, bitmap_at;
    uint8_t bitmap[4]; /* a 0 permits a port */
} __attribute__((packed));

struct frame {
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern const uint64_t vectors[32];
extern uint8_t kernel_stack_end[], syscall_entry[], per_cpu[], user_fault_stack_end[], user_fault[];
extern uint8_t user_data_va[], user_data_pa[];
/* Pages below stacks. */
extern uint8_t kernel_stack_guard[], user_stack_guard[], user_fault_stack_guard[];

/* For entry.S alone. */
uint64_t kernel_init(uint64_t started_as);
int64_t kernel_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, int64_t number);
void kernel_fault(struct frame *frame);

static struct gate idt[32];
static struct tss tss = {.bitmap_at = offsetof(struct tss, bitmap),
                         .bitmap = {0xff, 0xff, 0xf8, 0xff}}; /* the ports of layout.h */
static uint64_t gdt[7] = {0, 0x00af9b000000ffff,              /* kernel code */
                          0x00cf93000000ffff,                 /* kernel data */
                          0x00cff3000000ffff,                 /* user data */
                          0x00affb000000ffff};                /* user code */
static uint64_t tables_next = TABLES_PA + TABLES_INITIAL * PAGE_SIZE;
static uint64_t tables_free; /* the first of those that are free again; its first entry: the next */
static bool is_sealed;
static uint64_t mode;                    /* MODE_KVM, … */
static uint64_t c_bit;                   /* of the entries for private memory */
static uint64_t pool_accepted = POOL_PA; /* on SEV-SNP: what lies before this is ours */
static uint8_t fault_stack[4096] __attribute__((aligned(16)));

static uint64_t *table_at(uint64_t pa)
{
    return cpu_alias(pa);
}

/* ---- the end ---- */

static const char *probing; /* what a fault means meanwhile */

_Noreturn static void panic(const struct frame *frame, uint64_t address, bool is_ring0,
                            const char *why)
{
    volatile struct panic *p = cpu_alias(BLOCK_PA + sizeof(struct block));
    unsigned i = 0;

    if (frame != 0) {
        p->vector = frame->vector;
        p->error = frame->error;
        p->rip = frame->rip;
        p->rsp = frame->rsp;
    }
    p->address = address;
    p->is_ring0 = is_ring0;
    for (; why[i] != 0 && i < sizeof p->text - 1; i++)
        p->text[i] = why[i];
    p->text[i] = 0;
    for (;;) {
        if (mode == MODE_SNP)
            ghcb_leave(PORT_PANIC);
        else
            __asm__ volatile("outb %%al, %0" : : "N"(PORT_PANIC), "a"(0) : "memory");
    }
}

_Noreturn void kernel_panic(const char *why)
{
    panic(0, 0, true, why);
}

/* ---- page tables ---- */

static uint64_t new_table(void)
{
    uint64_t pa = tables_free;

    if (pa != 0) {
        tables_free = table_at(pa)[0];
        table_at(pa)[0] = 0;
        return pa;
    }
    pa = tables_next;
    if (pa == TABLES_PA + TABLES_SIZE || (mode == MODE_SNP && !ghcb_accept_page(pa)))
        return 0;
    tables_next += PAGE_SIZE;
    /* zero from the start, but where it was just given */
    for (unsigned i = 0; mode == MODE_SNP && i < 512; i++)
        table_at(pa)[i] = 0;
    return pa;
}

/* The table below an entry, made when there is none; 0: there is no room, or a huge page. */
static uint64_t *below(uint64_t *entry)
{
    if ((*entry & ENTRY_PRESENT) == 0) {
        uint64_t pa = new_table();
        if (pa == 0)
            return 0;
        *entry = pa | c_bit | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER;
    }
    return (*entry & ENTRY_HUGE) != 0 ? 0 : table_at(*entry & ENTRY_ADDRESS);
}

/* The entry of the second level (2 MiB) for an address. */
static uint64_t *frame_entry(uint64_t va)
{
    uint64_t *level = table_at(mode == MODE_SNP ? TABLES_SNP_PA : TABLES_PA);

    level = below(&level[va >> 39 & 511]);
    if (level != 0)
        level = below(&level[va >> 30 & 511]);
    return level != 0 ? &level[va >> 21 & 511] : 0;
}

static void forget(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static void forget_all(void)
{
    uint64_t tables;

    __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(tables) : : "memory");
}

/* Takes back the table below an entry, of which nothing is mapped any more. */
static void free_table(uint64_t *entry)
{
    uint64_t pa = *entry & ENTRY_ADDRESS, *table = table_at(pa);

    for (unsigned i = 1; i < 512; i++)
        table[i] = 0;
    table[0] = tables_free;
    tables_free = pa;
    *entry = 0;
    forget_all();
}

static uint64_t bits_of(uint64_t prot)
{
    uint64_t bits = prot != 0 ? c_bit | ENTRY_PRESENT | ENTRY_USER : 0;

    if ((prot & 2) != 0)
        bits |= ENTRY_WRITABLE;
    return (prot & PROT_CODE) != 0 ? bits : bits | ENTRY_NX;
}

/* Splits a huge page into 512. */
static bool split(uint64_t *entry)
{
    uint64_t pa = new_table(), old = *entry;

    if (pa == 0)
        return false;
    uint64_t *table = table_at(pa);
    for (uint64_t i = 0; i < 512; i++)
        table[i] = (old & ~ENTRY_HUGE) + i * PAGE_SIZE;
    *entry = pa | c_bit | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER;
    return true;
}

void *kernel_scratch(uint64_t pa)
{
    uint64_t *entry = frame_entry(SCRATCH_VA);

    if (entry == 0)
        return 0;
    *entry = pa | c_bit | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_NX | ENTRY_HUGE;
    forget(SCRATCH_VA);
    return (void *)SCRATCH_VA;
}

static bool is_user(uint64_t va, uint64_t size)
{
    return va >= IMAGE_VA + IMAGE_SIZE_MAX && size <= USER_END && va <= USER_END - size &&
           size != 0 && ((va | size) & (PAGE_SIZE - 1)) == 0;
}

enum change { CHANGE_MAP, CHANGE_UNMAP, CHANGE_PROTECT };

/* Pages of one table. */
static void change_pages(enum change what, uint64_t *page, uint64_t pa, uint64_t count,
                         uint64_t bits)
{
    for (uint64_t i = 0; i < count; i++) {
        if (what == CHANGE_MAP)
            page[i] = (pa + i * PAGE_SIZE) | bits;
        else if (page[i] != 0)
            page[i] = what == CHANGE_UNMAP ? 0 : (page[i] & ENTRY_ADDRESS) | bits;
    }
}

/* Maps, unmaps or protects; pa as far as it maps. */
static bool change(enum change what, uint64_t va, uint64_t pa, uint64_t size, uint64_t prot)
{
    uint64_t bits = bits_of(prot);

    for (uint64_t step; size != 0; va += step, pa += step, size -= step) {
        uint64_t *entry = frame_entry(va), rest = FRAME_SIZE - (va & (FRAME_SIZE - 1));
        step = size < rest ? size : rest;
        if (entry == 0)
            return false;
        bool is_whole = step == FRAME_SIZE && (what != CHANGE_MAP || (pa & (FRAME_SIZE - 1)) == 0);
        bool is_huge = (*entry & ENTRY_HUGE) != 0;
        if (is_whole && !is_huge && *entry != 0 && what != CHANGE_PROTECT)
            free_table(entry);
        if (is_whole && (is_huge || *entry == 0)) {
            if (what == CHANGE_MAP)
                *entry = pa | bits | ENTRY_HUGE;
            else if (what == CHANGE_UNMAP)
                *entry = 0;
            else if (*entry != 0)
                *entry = (*entry & ENTRY_ADDRESS) | bits | ENTRY_HUGE;
            forget(va);
            continue;
        }
        if (what != CHANGE_MAP && *entry == 0)
            continue; /* nothing is there */
        if (is_huge && !split(entry))
            return false;
        uint64_t *table = below(entry);
        if (table == 0)
            return false;
        change_pages(what, &table[va >> 12 & 511], pa, step / PAGE_SIZE, bits);
        if (step == PAGE_SIZE)
            forget(va);
        else
            forget_all();
    }
    return true;
}

/* On SEV-SNP memory is taken when it is first mapped, in order, each frame once. */
static void accept(uint64_t end)
{
    while (mode == MODE_SNP && pool_accepted < end) {
        if (!ghcb_accept_frame(pool_accepted))
            kernel_panic("the host has not given the memory that it should");
        pool_accepted += FRAME_SIZE;
    }
}

/* Physical memory that ring 3 may have: the pool; and, until the exec layer runs, the image, which
 * alone may be code, as long as it is not writable. */
static bool may_map(uint64_t pa, uint64_t size, uint64_t prot)
{
    bool in_image =
        pa >= IMAGE_PA && size <= IMAGE_SIZE_MAX && pa <= IMAGE_PA + IMAGE_SIZE_MAX - size;
    bool in_pool = pa >= POOL_PA && size <= MEMORY_END && pa <= MEMORY_END - size;

    if ((pa & (PAGE_SIZE - 1)) != 0 || (prot & ~(uint64_t)(PROT_BITS | PROT_CODE)) != 0)
        return false;
    if (in_pool) {
        if ((prot & PROT_CODE) != 0)
            return false;
        accept(pa + size);
        return true;
    }
    return in_image && !is_sealed && (prot & (PROT_CODE | 2)) != (PROT_CODE | 2);
}

int64_t kernel_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, int64_t number)
{
    switch (number) {
    case KERNEL_MAP:
        return is_user(a, c) && may_map(b, c, d) && change(CHANGE_MAP, a, b, c, d) ? 0 : -1;
    case KERNEL_UNMAP:
        return is_user(a, b) && change(CHANGE_UNMAP, a, 0, b, 0) ? 0 : -1;
    case KERNEL_PROTECT:
        return is_user(a, b) && (c & ~(uint64_t)PROT_BITS) == 0 &&
                       change(CHANGE_PROTECT, a, 0, b, c)
                   ? 0
                   : -1;
    case KERNEL_SEAL:
        is_sealed = true;
        return 0;
    case KERNEL_LEAVE:
        if (mode != MODE_SNP || (a != PORT_CALL && a != PORT_PANIC))
            return -1;
        ghcb_leave(a);
        return 0;
    case KERNEL_GUEST:
        return mode == MODE_SNP ? ghcb_guest_request() : -1;
    default:
        return -1;
    }
}

/* ---- the beginning ---- */

/* Those that a processor can take where ring 0 still has ring 3's stack, between SYSCALL and the
 * change of stacks (NMI, double fault, machine check, #HV, #VC). Any other that a host injects
 * there finds a stack that SMAP does not let ring 0 write to, since SYSCALL clears AC: a double
 * fault. */
static bool has_own_stack(unsigned vector)
{
    return vector == 2 || vector == 8 || vector == 18 || vector == 28 || vector == 29;
}

/* A page that the loader has mapped is so no more. */
static void take_page(uint64_t va)
{
    uint64_t *entry = frame_entry(va), *table = entry != 0 ? below(entry) : 0;

    if (table != 0)
        table[va >> 12 & 511] = 0;
    forget(va);
}

/* Which machine this is; the end when it is not what it was started as. */
static void set_mode(uint64_t started_as)
{
    static const char no_snp[] = "this is no machine with SEV-SNP";

    if (started_as != MODE_KVM && started_as != MODE_SIMULATED && started_as != MODE_SNP)
        kernel_panic("the shim was started in a way that it does not know");
    if (started_as != MODE_SNP)
        return;
    probing = no_snp; /* where the MSR is not there */
    bool ok = ghcb_start();
    probing = 0;
    if (!ok)
        kernel_panic(no_snp);
    mode = MODE_SNP;
}

uint64_t kernel_init(uint64_t started_as)
{
    uint64_t at = (uint64_t)&tss;
    struct descriptor of_gdt = {sizeof gdt - 1, (uint64_t)gdt},
                      of_idt = {sizeof idt - 1, (uint64_t)idt};

    tss.rsp[0] = (uint64_t)kernel_stack_end;
    tss.ist[0] = (uint64_t)(fault_stack + sizeof fault_stack);
    gdt[5] = (sizeof tss - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24 & 0xff) << 56;
    gdt[6] = at >> 32;
    for (unsigned i = 0; i < 32; i++)
        idt[i] = (struct gate){.low = (uint16_t)vectors[i],
                               .selector = KERNEL_CS,
                               .stack = has_own_stack(i) ? 1 : 0,
                               .type = 0x8e,
                               .middle = (uint16_t)(vectors[i] >> 16),
                               .high = (uint32_t)(vectors[i] >> 32)};
    __asm__ volatile("lgdt %0" : : "m"(of_gdt));
    __asm__ volatile("lidt %0" : : "m"(of_idt));
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    c_bit = started_as == MODE_SNP ? 1ull << C_BIT : 0;
    set_mode(started_as);
    cpu_write_msr(MSR_STAR, (uint64_t)KERNEL_CS << 32 | (uint64_t)KERNEL_DS << 48);
    cpu_write_msr(MSR_LSTAR, (uint64_t)syscall_entry);
    cpu_write_msr(MSR_SFMASK, 0x47700); /* traps, interrupts, direction, nested, alignment */
    cpu_write_msr(MSR_KERNEL_GS, (uint64_t)per_cpu);
    take_page((uint64_t)kernel_stack_guard);
    take_page((uint64_t)user_stack_guard);
    take_page((uint64_t)user_fault_stack_guard);
    return started_as;
}

/* ---- faults ---- */

static void *alias_of(void *user_data)
{
    return cpu_alias((uint64_t)user_data_pa + ((uint64_t)user_data - (uint64_t)user_data_va));
}

/* A fault of ring 3 goes to the user half; one of our own, or of the user half while it deals with
 * another, is the end. */
void kernel_fault(struct frame *frame)
{
    struct fault *record = alias_of(&user_fault_record);
    uint64_t address;

    __asm__ volatile("movq %%cr2, %0" : "=r"(address));
    if ((frame->cs & 3) == 0 || record->is_busy)
        panic(frame, address, (frame->cs & 3) == 0,
              probing != 0           ? probing
              : (frame->cs & 3) == 0 ? "a fault of ring 0"
                                     : "a fault while another was dealt with");
    *record = (struct fault){.vector = frame->vector,
                             .error = frame->error,
                             .rip = frame->rip,
                             .rsp = frame->rsp,
                             .rflags = frame->rflags,
                             .address = address,
                             .is_busy = 1};
    frame->rip = (uint64_t)user_fault;
    frame->rsp = (uint64_t)user_fault_stack_end;
    frame->rflags = 2;
}
