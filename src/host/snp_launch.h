/* The launch of a machine on SEV-SNP, by KVM's ioctls (snp_abi.h). The calls that it makes go
 * through a table, so that a test can stand in the kernel's place. */
#pragma once

#include "host/snp_abi.h"
#include "image/image.h"

struct kvm_cpuid2;

/* As ioctl(2): -1 with errno. */
struct snp_kernel {
    int (*ioctl)(void *context, int fd, unsigned long request, void *argument);
    void *context;
};

extern const struct snp_kernel snp_linux;

struct snp_machine {
    const struct snp_kernel *kernel;
    int vm, sev; /* descriptors: of the machine, of /dev/sev */
};

/* What is said where the kernel or the firmware refused: `at` is the errno; the firmware's error
 * goes to the log. All return ERR_IO. */

/* A machine's descriptor; then INIT2. ERR_UNSUPPORTED: KVM has no such machines. */
MUST_CHECK bool snp_machine_new(const struct snp_kernel *kernel, int kvm, int sev,
                                struct snp_machine *out, struct err *err);
/* Its memory, [0, size): `shared` is what the host sees of it. All but [hole, hole + hole_size) is
 * private from the start. */
MUST_CHECK bool snp_machine_memory(struct snp_machine *m, void *shared, uint64_t size,
                                   uint64_t hole, uint64_t hole_size, struct err *err);
/* START, and an UPDATE for each range, whose bytes are taken from where the host sees the machine's
 * memory. `cpuid` is what the vCPU was given; its page is written there. */
MUST_CHECK bool snp_launch(struct snp_machine *m, const struct image *image, uint8_t *shared,
                           const struct kvm_cpuid2 *cpuid, struct err *err);
/* FINISH: the vCPU's state is measured as it is. Signatures may be empty. */
MUST_CHECK bool snp_launch_finish(struct snp_machine *m, struct bytes id_block,
                                  struct bytes id_auth, struct err *err);

/* ---- while it runs ---- */

/* The answer to a page state change that KVM hands on (KVM_HC_MAP_GPA_RANGE: address, pages,
 * attributes): 0 where it asks for what is so from the start, else EINVAL. */
uint64_t snp_page_state(const uint64_t args[6], uint64_t size, uint64_t hole, uint64_t hole_size);
/* Why a guest ended itself by the GHCB's MSR: a literal. */
const char *snp_termination(uint64_t msr);

/* The CPUID page for what a vCPU was given (AMD 56860, "CPUID Page"). ERR_LIMIT: more than it
 * holds. */
MUST_CHECK bool snp_cpuid_page(const struct kvm_cpuid2 *cpuid, uint8_t out[SNP_PAGE_SIZE],
                               struct err *err);
