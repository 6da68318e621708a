/* A virtual machine: memory, the image in it, the processor as the shim finds it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/kvm.h"
#include "os/os.h"
#include "base/banned.h"

#define CPUID_MAX 256
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

/* ---- memory ---- */

/* Launches a range: its bytes are in the machine's memory already. */
static bool measure_range(struct machine *m, struct psp *psp, const struct image_range *range,
                          struct err *err)
{
    for (size_t at = 0; at < range->bytes.size; at += PAGE_SIZE) {
        if (!psp_launch_update(psp, range->type, range->gpa + at, m->memory + range->gpa + at, err))
            return false;
    }
    return true;
}

static bool measure(struct machine *m, struct psp *psp, const struct image *image,
                    const struct image_file *file, struct err *err)
{
    struct snp_long_mode start;
    uint8_t vmsa[SNP_PAGE_SIZE];

    psp_launch_start(psp, IMAGE_SNP_POLICY);
    for (size_t i = 0; i < image->count; i++) {
        if (!measure_range(m, psp, &image->ranges[i], err))
            return false;
    }
    image_start(image, &image_variants[0], &start);
    snp_vmsa_write_long_mode(&start, vmsa);
    bool is_signed = file->id_block.size != 0;
    return psp_launch_finish(psp, vmsa, is_signed ? &file->id_block : NULL,
                             is_signed ? &file->id_auth : NULL, err);
}

static bool load(struct machine *m, const struct machine_plan *plan, const struct image_file *file,
                 struct arena *arena, uint64_t *entry, struct err *err)
{
    struct image image;

    if (!image_compose(file->shim, file->keep, arena, &image, err))
        return false;
    for (size_t i = 0; i < image.count; i++)
        memcpy(m->memory + image.ranges[i].gpa, image.ranges[i].bytes.data,
               image.ranges[i].bytes.size);
    machine_block(m)->memory_end = m->memory_size;
    machine_block(m)->image_size = image.keep_size;
    *entry = image.entry;
    return plan->psp == NULL || measure(m, plan->psp, &image, file, err);
}

static bool map_file(int fd, size_t limit, struct bytes *out, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return io_fail(err, "cannot read the keep's image");
    if (st.st_size <= 0 || (uint64_t)st.st_size > limit)
        return err_set(err, ERR_LIMIT, "the keep's image is empty or too large, in bytes",
                       (uint64_t)st.st_size);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return io_fail(err, "cannot map the keep's image");
    *out = bytes_from(map, (size_t)st.st_size);
    return true;
}

/* The parts, as the plan has them; `mapped` is to be unmapped. */
static bool open_parts(const struct machine_plan *plan, struct arena *arena, struct bytes *mapped,
                       struct image_file *out, struct err *err)
{
    if (plan->image == NULL) {
        *out = (struct image_file){.shim = {.size = 0}};
        bool ok = os_read_file(plan->shim, IMAGE_SHIM_MAX, arena, &out->shim, err) &&
                  map_file(plan->keep, IMAGE_SIZE_MAX, mapped, err);
        out->keep = *mapped;
        return ok;
    }
    CLEANUP(os_closep) int fd = open(plan->image, O_RDONLY | O_CLOEXEC);
    return (fd >= 0 || io_fail(err, "cannot open the image")) &&
           map_file(fd, IMAGE_FILE_MAX, mapped, err) && image_file_parse(*mapped, out, err);
}

static bool load_files(struct machine *m, const struct machine_plan *plan, uint64_t *entry,
                       struct err *err)
{
    struct bytes mapped = {.size = 0};
    struct image_file file;
    struct arena arena;

    arena_init(&arena, arena_heap, 4 * IMAGE_SHIM_MAX);
    bool ok = open_parts(plan, &arena, &mapped, &file, err) &&
              load(m, plan, &file, &arena, entry, err);
    if (mapped.size != 0)
        (void)munmap((void *)(uintptr_t)mapped.data, mapped.size);
    arena_done(&arena);
    return ok;
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

static bool set_registers(struct machine *m, uint64_t entry, uint64_t mode, struct err *err)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = XCR0_X87_SSE_AVX}}};
    struct kvm_regs regs = {.rip = entry, .rsi = mode, .rflags = 2};
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

bool machine_new(const struct machine_plan *plan, struct machine *out, struct err *err)
{
    uint64_t entry, mode = plan->psp != NULL ? MODE_SIMULATED : MODE_KVM;

    *out = (struct machine){.memory_size = plan->memory_size};
    bool ok = open_vm(out, err) && load_files(out, plan, &entry, err) && open_vcpu(out, err) &&
              set_cpuid(out, err) && set_registers(out, entry, mode, err);
    if (ok) { /* the processor has what it needs of them */
        (void)close(out->vm);
        (void)close(out->kvm);
    }
    return ok;
}
