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
#include "host/snp_launch.h"
#include "os/os.h"
#include "base/banned.h"

#define CPUID_MAX 256

/* Bits of CR4 that not every processor has (Intel SDM vol. 3, §2.5). */
#define CR4_UMIP (1u << 11)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)

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

/* What a simulated security processor is told of the image. */
static bool measure(struct machine *m, struct psp *psp, const struct image *image,
                    const struct image_file *file, struct err *err)
{
    bool is_signed = file->id_block.size != 0;
    struct snp_long_mode start;
    uint8_t vmsa[SNP_PAGE_SIZE];

    psp_launch_start(psp, IMAGE_SNP_POLICY);
    for (size_t i = 0; i < image->count; i++) {
        if (!measure_range(m, psp, &image->ranges[i], err))
            return false;
    }
    image_start(image, &image_variants[0], &start);
    snp_vmsa_write_long_mode(&start, vmsa);
    return psp_launch_finish(psp, vmsa, is_signed ? &file->id_block : NULL,
                             is_signed ? &file->id_auth : NULL, err);
}

static void load(struct machine *m, const struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        memcpy(m->memory + image->ranges[i].gpa, image->ranges[i].bytes.data,
               image->ranges[i].bytes.size);
    machine_block(m)->memory_end = m->memory_size;
    machine_block(m)->image_size = image->keep_size;
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

/* ---- the processor ---- */

/* All that KVM has for this machine; NULL, and *err: it cannot be had. The caller frees it. */
static struct kvm_cpuid2 *new_cpuid(const struct machine *m, struct err *err)
{
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + CPUID_MAX * sizeof cpuid->entries[0]);

    if (cpuid == NULL) {
        (void)err_set(err, ERR_MEMORY, "no memory for CPUID", ERR_NO_AT);
        return NULL;
    }
    cpuid->nent = CPUID_MAX;
    if (ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) == 0 &&
        ioctl(m->vcpu, KVM_SET_CPUID2, cpuid) == 0)
        return cpuid;
    (void)io_fail(err, "cannot set what the processor says of itself");
    free(cpuid);
    return NULL;
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

/* Leaf 7: whether the processor has what a bit says. */
static unsigned features_of_cr4(void)
{
    unsigned a = 7, b, c = 0, d;

    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return ((b >> 7 & 1) != 0 ? CR4_SMEP : 0) | ((b >> 20 & 1) != 0 ? CR4_SMAP : 0) |
           ((c >> 2 & 1) != 0 ? CR4_UMIP : 0);
}

/* How the processor starts: as what is measured has it, or, where there is no SEV-SNP, with the
 * other page tables, the mode, and what this processor can. */
static struct snp_long_mode start_of(const struct machine_plan *plan, const struct image *image)
{
    struct snp_long_mode start;

    image_start(image, &image_variants[0], &start);
    if (plan->is_snp)
        return start;
    start.rsi = platform_mode(plan->psp != NULL ? MODE_SIMULATED : MODE_KVM);
    start.cr3 = TABLES_PA;
    start.cr4 &= ~(uint64_t)(CR4_SMEP | CR4_SMAP | CR4_UMIP) | features_of_cr4();
    return start;
}

static bool set_registers(struct machine *m, const struct snp_long_mode *start, bool is_fixed,
                          struct err *err)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = start->xcr0}}};
    struct kvm_regs regs = {.rip = start->rip, .rsi = start->rsi, .rflags = 2};
    struct kvm_sregs s;

    if (ioctl(m->vcpu, KVM_GET_SREGS, &s) != 0)
        return io_fail(err, "cannot read the processor's registers");
    s.cs = segment(KERNEL_CS, true);
    s.ds = s.es = s.ss = s.fs = s.gs = segment(KERNEL_DS, false);
    s.tr = (struct kvm_segment){.limit = 0xffff, .type = 11, .present = 1};
    s.ldt = (struct kvm_segment){.limit = 0xffff, .type = 2, .present = 1};
    s.gdt = s.idt = (struct kvm_dtable){.limit = 0xffff};
    s.cr3 = start->cr3;
    s.cr0 = start->cr0;
    s.cr4 = start->cr4;
    s.efer = start->efer;
    if (ioctl(m->vcpu, KVM_SET_SREGS, &s) != 0 || ioctl(m->vcpu, KVM_SET_REGS, &regs) != 0)
        return io_fail(err, "cannot set the processor's registers");
    /* vector registers are the exec layer's; a machine without AVX has none to allow, and what is
     * measured does not depend on it */
    if (ioctl(m->vcpu, KVM_SET_XCRS, &xcrs) != 0) {
        xcrs.xcrs[0].value = 3;
        if (is_fixed || ioctl(m->vcpu, KVM_SET_XCRS, &xcrs) != 0)
            return io_fail(err, "cannot set the processor's vector registers");
    }
    return true;
}

/* ---- the machine ---- */

static bool open_kvm(struct machine *m, struct err *err)
{
    m->kvm = open(host_kvm_device(), O_RDWR | O_CLOEXEC);
    if (m->kvm < 0)
        return io_fail(err, "cannot open the device for virtual machines");
    if (ioctl(m->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "the device is not KVM's", ERR_NO_AT);
    return true;
}

static bool map_memory(struct machine *m, struct err *err)
{
    m->memory = mmap(NULL, m->memory_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (m->memory == MAP_FAILED) {
        m->memory = NULL;
        return io_fail(err, "the machine needs 4 GiB of address space ('ulimit -v')");
    }
    (void)madvise(m->memory + POOL_PA, m->memory_size - POOL_PA, MADV_HUGEPAGE);
    return true;
}

static bool open_plain_vm(struct machine *m, struct err *err)
{
    m->vm = ioctl(m->kvm, KVM_CREATE_VM, 0);
    if (m->vm < 0)
        return io_fail(err, "cannot make a virtual machine");
    struct kvm_userspace_memory_region region = {.memory_size = m->memory_size,
                                                 .userspace_addr = (uintptr_t)m->memory};
    if (ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region) != 0)
        return io_fail(err, "cannot give the machine its memory");
    return true;
}

static bool open_snp_vm(struct machine *m, struct snp_machine *snp, struct err *err)
{
    int sev = open(SEV_DEVICE, O_RDWR | O_CLOEXEC);

    if (sev < 0)
        return io_fail(err, "cannot open /dev/sev");
    bool ok = snp_machine_new(&snp_linux, m->kvm, sev, snp, err) &&
              snp_machine_memory(snp, m->memory, m->memory_size, BLOCK_PA, BLOCK_SIZE, err);
    m->vm = snp->vm;
    return ok;
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

/* Memory and processor, then what measures them. */
static bool start(struct machine *m, const struct machine_plan *plan, const struct image_file *file,
                  const struct image *image, struct err *err)
{
    struct snp_machine snp = {.sev = -1};

    if (!open_kvm(m, err) || !map_memory(m, err) ||
        !(plan->is_snp ? open_snp_vm(m, &snp, err) : open_plain_vm(m, err)) || !open_vcpu(m, err))
        return false;
    load(m, image);
    const struct snp_long_mode begin = start_of(plan, image);
    struct kvm_cpuid2 *cpuid = new_cpuid(m, err);
    bool ok = cpuid != NULL && set_registers(m, &begin, plan->is_snp, err);
    if (plan->is_snp)
        ok = ok && snp_launch(&snp, image, m->memory, cpuid, err) &&
             snp_launch_finish(&snp, file->id_block, file->id_auth, err);
    else if (plan->psp != NULL)
        ok = ok && measure(m, plan->psp, image, file, err);
    os_closep(&snp.sev);
    free(cpuid);
    return ok;
}

bool machine_new(const struct machine_plan *plan, struct machine *out, struct err *err)
{
    struct bytes mapped = {.size = 0};
    struct image_file file;
    struct image image;
    struct arena arena;

    *out = (struct machine){.memory_size = plan->memory_size};
    arena_init(&arena, arena_heap, 4 * IMAGE_SHIM_MAX);
    bool ok = open_parts(plan, &arena, &mapped, &file, err) &&
              image_compose(file.shim, file.keep, &arena, &image, err) &&
              start(out, plan, &file, &image, err);
    if (mapped.size != 0)
        (void)munmap((void *)(uintptr_t)mapped.data, mapped.size);
    arena_done(&arena);
    if (ok) { /* the processor has what it needs of them */
        (void)close(out->vm);
        (void)close(out->kvm);
    }
    return ok;
}
