#include "host/snp_launch.h"

#include <errno.h>
#include <linux/kvm.h>

#include "shim/kvm/layout.h"
#include "base/banned.h"

#define TRIES_MAX 1000000u /* of an update that goes on in parts */
#define CPUID_ENTRIES_MAX 64u
#define CPUID_HEAD_SIZE 16u
#define LEAF_XSAVE 0xdu
#define XSAVE_LEGACY_SIZE 0x240u /* what the firmware expects where XCR0 is 1 */
#define GHCB_VERSION 2

static int linux_ioctl(void *context, int fd, unsigned long request, void *argument)
{
    (void)context;
    return ioctl(fd, request, argument);
}

const struct snp_kernel snp_linux = {.ioctl = linux_ioctl};

static bool fail(struct err *err, const char *what)
{
    return err_set(err, ERR_IO, what, (uint64_t)errno);
}

/* Where the firmware said why. */
static bool refused(struct err *err, const char *what, uint32_t error)
{
    int number = errno;

    if (error != 0)
        log_error("AMD's secure processor refused", log_u64("error", error));
    return err_set(err, ERR_IO, what, (uint64_t)number);
}

static int call(const struct snp_machine *m, unsigned long request, void *argument)
{
    return m->kernel->ioctl(m->kernel->context, m->vm, request, argument);
}

/* One command of the firmware's. */
static int command(const struct snp_machine *m, enum snp_command_id id, void *data, uint32_t *error)
{
    struct snp_command c = {.id = id, .data = (uintptr_t)data, .sev_fd = (uint32_t)m->sev};
    int result = call(m, SNP_MEMORY_ENCRYPT_OP, &c);
    int number = errno;

    *error = c.error;
    errno = number;
    return result;
}

/* ---- the machine ---- */

bool snp_machine_new(const struct snp_kernel *kernel, int kvm, int sev, struct snp_machine *out,
                     struct err *err)
{
    struct kvm_enable_cap cap = {.cap = SNP_CAP_EXIT_HYPERCALL,
                                 .args = {1ull << SNP_HYPERCALL_MAP_GPA_RANGE}};
    struct snp_init init = {.ghcb_version = GHCB_VERSION};
    uint32_t error;

    *out = (struct snp_machine){.kernel = kernel, .sev = sev};
    out->vm = kernel->ioctl(kernel->context, kvm, KVM_CREATE_VM, (void *)SNP_VM_TYPE);
    if (out->vm < 0)
        return errno == EINVAL ? err_set(err, ERR_UNSUPPORTED,
                                         "KVM makes no machines with SEV-SNP here", ERR_NO_AT)
                               : fail(err, "cannot make a machine with SEV-SNP");
    if (call(out, KVM_ENABLE_CAP, &cap) != 0)
        return fail(err, "KVM does not hand on the guest's hypercalls");
    if (command(out, SNP_INIT2, &init, &error) != 0)
        return refused(err, "the secure processor takes no machine (KVM_SEV_INIT2)", error);
    /* since Linux 6.19's successor; elsewhere the guest gets no certificates this way */
    struct snp_command certs = {.id = SNP_ENABLE_REQ_CERTS, .sev_fd = (uint32_t)sev};
    (void)call(out, SNP_MEMORY_ENCRYPT_OP, &certs);
    return true;
}

static bool set_private(const struct snp_machine *m, uint64_t from, uint64_t to, struct err *err)
{
    struct snp_memory_attributes a = {
        .address = from, .size = to - from, .attributes = SNP_ATTRIBUTE_PRIVATE};

    return from == to || call(m, SNP_SET_MEMORY_ATTRIBUTES, &a) == 0 ||
           fail(err, "cannot make the machine's memory private");
}

bool snp_machine_memory(struct snp_machine *m, void *shared, uint64_t size, uint64_t hole,
                        uint64_t hole_size, struct err *err)
{
    struct snp_guest_memfd memfd = {.size = size};
    int fd = call(m, SNP_CREATE_GUEST_MEMFD, &memfd);

    /* it stays open as long as the process lasts */
    if (fd < 0)
        return fail(err, "cannot make memory that the host does not see (guest_memfd)");
    struct snp_memory_region region = {.flags = SNP_MEMORY_GUEST_MEMFD,
                                       .size = size,
                                       .userspace_address = (uintptr_t)shared,
                                       .memfd = (uint32_t)fd};
    if (call(m, SNP_SET_MEMORY_REGION, &region) != 0)
        return fail(err, "cannot give the machine its memory");
    return set_private(m, 0, hole, err) && set_private(m, hole + hole_size, size, err);
}

/* ---- the CPUID page ---- */

/* KVM keeps leaves that are all zero, which to the shim are those that are not there. */
static bool says_something(const struct kvm_cpuid_entry2 *e)
{
    return (e->eax | e->ebx | e->ecx | e->edx) != 0;
}

static void write_entry(struct writer *w, const struct kvm_cpuid_entry2 *e)
{
    bool is_size = e->function == LEAF_XSAVE && e->index <= 1;

    writer_u32le(w, e->function);
    writer_u32le(w, (e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0 ? e->index : 0);
    writer_u64le(w, is_size ? 1 : 0);
    writer_u64le(w, 0);
    writer_u32le(w, e->eax);
    writer_u32le(w, is_size ? XSAVE_LEGACY_SIZE : e->ebx);
    writer_u32le(w, e->ecx);
    writer_u32le(w, e->edx);
    writer_u64le(w, 0);
}

bool snp_cpuid_page(const struct kvm_cpuid2 *cpuid, uint8_t out[SNP_PAGE_SIZE], struct err *err)
{
    struct writer head = writer_fixed(out, CPUID_HEAD_SIZE);
    struct writer w = writer_fixed(out + CPUID_HEAD_SIZE, SNP_PAGE_SIZE - CPUID_HEAD_SIZE);
    uint32_t count = 0;

    memset(out, 0, SNP_PAGE_SIZE);
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        if (!says_something(&cpuid->entries[i]))
            continue;
        if (count++ == CPUID_ENTRIES_MAX)
            return err_set(err, ERR_LIMIT,
                           "the processor says more of itself than a CPUID page holds, in leaves",
                           CPUID_ENTRIES_MAX);
        write_entry(&w, &cpuid->entries[i]);
    }
    writer_u32le(&head, count);
    return true;
}

/* ---- the launch ---- */

/* One range, until the kernel has done all of it: it may do a part and leave the rest in the
 * structure, with EAGAIN or without. */
static int update(const struct snp_machine *m, struct snp_update *u, uint32_t *error)
{
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        uint64_t before = u->size;
        int result = command(m, SNP_LAUNCH_UPDATE, u, error);
        if (result == 0 && u->size == 0)
            return 0;
        if ((result != 0 && errno != EAGAIN) || u->size > before) {
            errno = result != 0 ? errno : EIO;
            return -1;
        }
    }
    errno = EAGAIN;
    return -1;
}

static bool launch_range(const struct snp_machine *m, const struct image_range *range,
                         const uint8_t *bytes, struct err *err)
{
    struct snp_update u = {.gfn = range->gpa / SNP_PAGE_SIZE,
                           .address = (uintptr_t)bytes,
                           .size = range->bytes.size,
                           .type = (uint8_t)range->type};
    uint32_t error = 0;
    struct snp_update again = u;

    if (update(m, &u, &error) == 0)
        return true;
    /* a CPUID page that the firmware does not believe it corrects in place; our shim asks no more
     * of it than a processor of this kind has */
    if (range->type == SNP_PAGE_CPUID && error == SNP_STATUS_INVALID_PARAM &&
        update(m, &again, &error) == 0)
        return true;
    return refused(err, "the secure processor did not take a page of the image", error);
}

bool snp_launch(struct snp_machine *m, const struct image *image, uint8_t *shared,
                const struct kvm_cpuid2 *cpuid, struct err *err)
{
    struct snp_start start = {.policy = IMAGE_SNP_POLICY};
    uint32_t error;

    if (!snp_cpuid_page(cpuid, shared + CPUID_PA, err))
        return false;
    if (command(m, SNP_LAUNCH_START, &start, &error) != 0)
        return refused(err, "the secure processor starts no machine (SNP_LAUNCH_START)", error);
    for (size_t i = 0; i < image->count; i++) {
        if (!launch_range(m, &image->ranges[i], shared + image->ranges[i].gpa, err))
            return false;
    }
    return true;
}

bool snp_launch_finish(struct snp_machine *m, struct bytes id_block, struct bytes id_auth,
                       struct err *err)
{
    struct snp_finish f = {.id_block = (uintptr_t)id_block.data,
                           .id_auth = (uintptr_t)id_auth.data};
    struct reader r = reader_of(bytes_after(id_auth, id_auth.size < 4 ? id_auth.size : 4));
    uint32_t author = 0, error;

    f.has_id_block = id_block.size != 0;
    /* of an ID authentication the second word says whether there is an author's key */
    f.has_author_key = id_auth.size != 0 && reader_u32le(&r, &author) && author != 0;
    return command(m, SNP_LAUNCH_FINISH, &f, &error) == 0 ||
           refused(err,
                   id_block.size != 0 ? "the secure processor does not take the signed image"
                                      : "the secure processor does not finish the launch",
                   error);
}

/* ---- while it runs ---- */

uint64_t snp_page_state(const uint64_t args[6], uint64_t size, uint64_t hole, uint64_t hole_size)
{
    uint64_t from = args[0], pages = args[1];

    if (from % SNP_PAGE_SIZE != 0 || from > size || pages > (size - from) / SNP_PAGE_SIZE)
        return EINVAL;
    uint64_t to = from + pages * SNP_PAGE_SIZE;
    bool is_private = to <= hole || from >= hole + hole_size;
    return is_private && (args[2] & SNP_MAP_GPA_ENCRYPTED) != 0 ? 0 : EINVAL;
}

const char *snp_termination(uint64_t msr)
{
    static const char *const reasons[] = {
        [TERMINATE_C_BIT] = "this processor has its C-bit elsewhere than the image",
        [TERMINATE_PROTOCOL] = "KVM does not speak version 2 of the GHCB protocol",
        [TERMINATE_FEATURES] = "KVM says that it does not support SEV-SNP",
        [TERMINATE_REGISTER] = "KVM refuses the place of the GHCB",
    };
    uint64_t reason = msr >> 16 & 0xff;

    return (msr >> 12 & 0xf) == TERMINATE_SET && reason < COUNT_OF(reasons) &&
                   reasons[reason] != NULL
               ? reasons[reason]
               : "it ended itself";
}
