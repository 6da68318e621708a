/* What crosses between a shim and its loader: one block of memory that both see. The shim copies
 * what it needs once, then looks; so does the loader. Freestanding. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_PAGE_SIZE 4096
/* Bytes of arguments; what is behind them in a machine's block: shim/kvm/layout.h. */
#define BLOCK_DATA_SIZE 0x1f8000

struct block {
    uint64_t memory_end; /* of a machine: guest-physical, the loader's word at the start */
    uint64_t image_size; /* likewise: of the exec layer's file */
    uint64_t number;     /* of calls.def */
    uint64_t args[6];    /* values, or offsets into data where the table says memory */
    int64_t result;
    uint64_t exit;     /* of an enclave: why it was left (shim/sgx/layout.h) */
    uint64_t can_grow; /* likewise, the loader's word at the start: there is SGX2 */
    uint8_t reserved[BLOCK_PAGE_SIZE - 96];
    uint8_t data[];
};
_Static_assert(sizeof(struct block) == BLOCK_PAGE_SIZE, "crosses a boundary");

/* At `data` of a panic. */
struct panic {
    uint64_t vector, error, rip, rsp, address, is_ring0;
    char text[160];
};
