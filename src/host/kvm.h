/* What the files of the backends `kvm` and `snp` share. */
#pragma once

#include <linux/kvm.h>

#include "host/proxy.h"
#include "host/psp.h"
#include "image/image.h"
#include "shim/kvm/shim.h"

struct machine {
    int kvm, vm, vcpu;
    uint8_t *memory; /* guest-physical 0 */
    size_t memory_size;
    struct kvm_run *run;
    size_t run_size;
};

/* ---- kvm_machine.c ---- */

/* What a machine is made of. */
struct machine_plan {
    const char *image; /* path of an image file; NULL: it is made of the next two */
    const char *shim;  /* path */
    int keep;          /* the exec layer, an open file; borrowed */
    size_t memory_size;
    struct psp *psp; /* measures it, and is asked by it; NULL: there is none. Borrowed */
    bool is_snp;     /* on SEV-SNP itself */
};

/* A machine before its first instruction. It lasts as long as the process. ERR_IO with errno,
 * ERR_UNSUPPORTED, ERR_FORMAT: an image that is none; and as psp.h has it. */
MUST_CHECK bool machine_new(const struct machine_plan *plan, struct machine *out, struct err *err);
static inline struct block *machine_block(const struct machine *machine)
{
    return (struct block *)(void *)(machine->memory + BLOCK_PA);
}
