/* A virtual machine: memory, the first page tables, the processor as the shim finds it. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/kvm.h"
#include "os/os.h"
#include "base/banned.h"

#define SHIM_SIZE_MAX ((size_t)1 << 20)
#define CPUID_MAX 256
#define ENTRY_PRESENT 1u
#define ENTRY_WRITABLE 2u
#define ENTRY_USER 4u
#define ENTRY_HUGE 0x80u
#define ENTRY_NX (1ull << 63)
#define XCR0_X87_SSE_AVX 7u

/* Bits of control registers (Intel SDM vol. 3, §2.5; AMD APM vol. 2, §3.1). */
#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_PG (1u << 31)
#define CR4_PAE (1u << 5)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP (1u << 11)
#define CR4_FSGSBASE (1u << 16)
#define CR4_OSXSAVE (1u << 18)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)

static bool io_fail(struct err *err, const char *msg)
{
    return err_set(err, ERR_IO, msg, (uint64_t)errno);
}

/* ---- page tables ---- */

struct tables {
    const struct machine *machine;
    uint64_t next; /* guest-physical */
    bool is_full;
};

static uint64_t *table_at(const struct tables *t, uint64_t pa)
{
    return (uint64_t *)(void *)(t->machine->memory + pa);
}

static uint64_t *below(struct tables *t, uint64_t *entry)
{
    if ((*entry & ENTRY_PRESENT) == 0) {
        if (t->next == TABLES_PA + (uint64_t)TABLES_INITIAL * PAGE_SIZE) {
            t->is_full = true;
            return entry; /* what is written is of no use any more */
        }
        *entry = t->next | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER;
        t->next += PAGE_SIZE;
    }
    return table_at(t, *entry & 0x000ffffffffff000);
}

/* Maps [va, va + size) to pa, in pages of 2 MiB when huge. */
static void map(struct tables *t, uint64_t va, uint64_t pa, uint64_t size, uint64_t bits, bool huge)
{
    uint64_t step = huge ? FRAME_SIZE : PAGE_SIZE;

    for (uint64_t at = 0; at < size; at += step) {
        uint64_t *entry = &table_at(t, TABLES_PA)[(va + at) >> 39 & 511];
        entry = &below(t, entry)[(va + at) >> 30 & 511];
        entry = &below(t, entry)[(va + at) >> 21 & 511];
        if (huge) {
            *entry = (pa + at) | bits | ENTRY_HUGE | ENTRY_PRESENT;
            continue;
        }
        below(t, entry)[(va + at) >> 12 & 511] = (pa + at) | bits | ENTRY_PRESENT;
    }
}

/* A segment of the shim: its rights are its header's; the lower half of addresses is ring 3's,
 * whose data ring 0 sees by an alias. */
static void map_segment(struct tables *t, const Elf64_Phdr *p)
{
    bool is_user = p->p_vaddr < KERNEL_VA;
    uint64_t size = (p->p_memsz + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t bits = ((p->p_flags & PF_W) != 0 ? ENTRY_WRITABLE : 0) |
                    ((p->p_flags & PF_X) != 0 ? 0 : ENTRY_NX) | (is_user ? ENTRY_USER : 0);

    map(t, p->p_vaddr, p->p_paddr, size, bits, false);
    if (is_user && (p->p_flags & PF_W) != 0)
        map(t, ALIAS_VA + p->p_paddr, p->p_paddr, size, ENTRY_WRITABLE | ENTRY_NX, false);
}

static bool make_tables(struct machine *m, const Elf64_Phdr *headers, size_t count, struct err *err)
{
    struct tables t = {.machine = m, .next = TABLES_PA + PAGE_SIZE};
    const uint64_t data = ENTRY_WRITABLE | ENTRY_NX;

    for (size_t i = 0; i < count; i++)
        map_segment(&t, &headers[i]);
    map(&t, ALIAS_VA + TABLES_PA, TABLES_PA, TABLES_SIZE, data, true);
    map(&t, ALIAS_VA + BLOCK_PA, BLOCK_PA, BLOCK_SIZE, data, true);
    map(&t, BLOCK_VA, BLOCK_PA, BLOCK_SIZE, data | ENTRY_USER, true);
    map(&t, IMAGE_VA, IMAGE_PA, IMAGE_SIZE_MAX, ENTRY_NX | ENTRY_USER, true);
    return !t.is_full ||
           err_set(err, ERR_LIMIT, "the shim needs more page tables than", TABLES_INITIAL);
}

/* ---- images ---- */

/* Puts the shim's segments into memory; *entry is where the processor begins. */
static bool load_shim(struct machine *m, const char *path, uint64_t *entry, struct err *err)
{
    struct arena arena;
    struct bytes file = {.size = 0};
    const Elf64_Phdr *headers = NULL;
    Elf64_Ehdr e;

    arena_init(&arena, arena_heap, 4 * SHIM_SIZE_MAX);
    bool ok = os_read_file(path, SHIM_SIZE_MAX, &arena, &file, err);
    if (ok && file.size >= sizeof e) {
        memcpy(&e, file.data, sizeof e);
        headers = (const Elf64_Phdr *)(const void *)(file.data + sizeof e);
    }
    ok = ok &&
         ((headers != NULL && memcmp(e.e_ident, ELFMAG, SELFMAG) == 0 && e.e_phoff == sizeof e &&
           e.e_phnum <= 16 && file.size >= sizeof e + e.e_phnum * sizeof *headers) ||
          err_set(err, ERR_FORMAT, "this is no shim", ERR_NO_AT));
    for (size_t i = 0; ok && i < e.e_phnum; i++) {
        const Elf64_Phdr *p = &headers[i];
        if (p->p_offset > file.size || p->p_filesz > file.size - p->p_offset ||
            p->p_memsz < p->p_filesz || p->p_paddr < SHIM_PA || p->p_memsz > SHIM_SIZE_MAX ||
            p->p_paddr > TABLES_PA - p->p_memsz)
            ok = err_set(err, ERR_FORMAT, "a segment of the shim lies outside its place", i);
        else
            memcpy(m->memory + p->p_paddr, file.data + p->p_offset, p->p_filesz);
    }
    ok = ok && make_tables(m, headers, e.e_phnum, err);
    if (ok)
        *entry = e.e_entry;
    arena_done(&arena);
    return ok;
}

static bool load_image(struct machine *m, int image, struct err *err)
{
    size_t got;

    if (!os_read_exactly(image, m->memory + IMAGE_PA, IMAGE_SIZE_MAX, &got, err))
        return false;
    if (got == IMAGE_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "the keep's image is larger than, in bytes", IMAGE_SIZE_MAX);
    machine_block(m)->memory_end = m->memory_size;
    machine_block(m)->image_size = got;
    return true;
}

/* ---- the processor ---- */

static bool set_cpuid(struct machine *m, struct err *err)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + CPUID_MAX * sizeof cpuid->entries[0]);

    if (cpuid == NULL)
        return err_set(err, ERR_MEMORY, "no memory for CPUID", ERR_NO_AT);
    cpuid->nent = CPUID_MAX;
    bool ok = ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
              ioctl(m->vcpu, KVM_SET_CPUID2, cpuid) == 0;
    int number = errno;
    free(cpuid);
    errno = number;
    return ok || io_fail(err, "cannot set what the processor says of itself");
}

static struct kvm_segment segment(uint16_t selector, bool is_code)
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

static bool has_feature(unsigned leaf, unsigned bit_of_ebx)
{
    unsigned a = leaf, b, c = 0, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (b >> bit_of_ebx & 1) != 0;
}

static bool set_registers(struct machine *m, uint64_t entry, struct err *err)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = XCR0_X87_SSE_AVX}}};
    struct kvm_regs regs = {.rip = entry, .rflags = 2};
    struct kvm_sregs s;

    if (ioctl(m->vcpu, KVM_GET_SREGS, &s) != 0)
        return io_fail(err, "cannot read the processor's registers");
    s.cs = segment(KERNEL_CS, true);
    s.ds = s.es = s.ss = s.fs = s.gs = segment(KERNEL_DS, false);
    s.cr3 = TABLES_PA;
    s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    s.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE;
    if (has_feature(7, 7))
        s.cr4 |= CR4_SMEP;
    if (has_feature(7, 20))
        s.cr4 |= CR4_SMAP;
    s.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    if (ioctl(m->vcpu, KVM_SET_SREGS, &s) != 0 || ioctl(m->vcpu, KVM_SET_REGS, &regs) != 0)
        return io_fail(err, "cannot set the processor's registers");
    /* vector registers are the exec layer's; a machine without AVX has none to allow */
    if (ioctl(m->vcpu, KVM_SET_XCRS, &xcrs) != 0) {
        xcrs.xcrs[0].value = 3;
        if (ioctl(m->vcpu, KVM_SET_XCRS, &xcrs) != 0)
            return io_fail(err, "cannot set the processor's vector registers");
    }
    return true;
}

/* ---- the machine ---- */

static bool open_vm(struct machine *m, struct err *err)
{
    m->kvm = open(host_kvm_device(), O_RDWR | O_CLOEXEC);
    if (m->kvm < 0)
        return io_fail(err, "cannot open the device for virtual machines");
    if (ioctl(m->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "the device is not KVM's", ERR_NO_AT);
    m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
    if (m->vm < 0)
        return io_fail(err, "cannot make a virtual machine");
    m->memory = mmap(NULL, m->memory_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->memory == MAP_FAILED) {
        m->memory = NULL;
        return io_fail(err, "the machine needs 4 GiB of address space ('ulimit -v')");
    }
    (void)madvise(m->memory + POOL_PA, m->memory_size - POOL_PA, MADV_HUGEPAGE);
    struct kvm_userspace_memory_region region = {.memory_size = m->memory_size,
                                                 .userspace_addr = (uintptr_t)m->memory};
    if (ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) != 0)
        return io_fail(err, "cannot give the machine its memory");
    return true;
}

static bool open_vcpu(struct machine *m, struct err *err)
{
    int size = ioctl(m->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

    m->vcpu = ioctl(m->vm, KVM_CREATE_VCPU, 0);
    if (size < (int)sizeof *m->run || m->vcpu < 0)
        return io_fail(err, "cannot make a processor");
    m->run_size = (size_t)size;
    m->run = mmap(NULL, m->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
    if (m->run == MAP_FAILED) {
        m->run = NULL;
        return io_fail(err, "cannot look at the processor");
    }
    return true;
}

bool machine_new(const char *shim, int image, size_t memory_size, struct machine *out,
                 struct err *err)
{
    uint64_t entry;

    *out = (struct machine){.memory_size = memory_size};
    bool ok = open_vm(out, err) && load_shim(out, shim, &entry, err) &&
              load_image(out, image, err) && open_vcpu(out, err) && set_cpuid(out, err) &&
              set_registers(out, entry, err);
    if (ok) { /* the processor has what it needs of them */
        (void)close(out->vm);
        (void)close(out->kvm);
    }
    return ok;
}
