/* What the files of the backend `kvm` share. */
#pragma once

#include <linux/kvm.h>

#include "host/internal.h"
#include "shim/kvm/shim.h"

struct machine {
    int kvm, vm, vcpu;
    uint8_t *memory; /* guest-physical 0 */
    size_t memory_size;
    struct kvm_run *run;
    size_t run_size;
};

/* ---- kvm_machine.c ---- */

/* A machine with the shim and the exec layer (an open file) in it, before its first instruction. It
 * lasts as long as the process. ERR_IO with errno, ERR_UNSUPPORTED, ERR_FORMAT: an image that is
 * none.
 */
MUST_CHECK bool machine_new(const char *shim, int image, size_t memory_size, struct machine *out,
                            struct err *err);
static inline struct block *machine_block(const struct machine *machine)
{
    return (struct block *)(void *)(machine->memory + BLOCK_PA);
}

/* ---- kvm_calls.c ---- */

struct proxy {
    struct block *block;
    int *descriptors; /* the guest's numbers; -1: none */
    size_t count;
    bool has_exited;
    int code;
};

/* The keep's descriptors 0 to 2 are ours, 4 the boot request. What it takes lasts as long as the
 * process. ERR_MEMORY. */
MUST_CHECK bool proxy_new(struct block *block, struct proxy *out, struct err *err);
/* Makes the call that the block has. */
void proxy_serve(struct proxy *proxy);
