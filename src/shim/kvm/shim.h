/* The shim's own types. Freestanding; no floating point, no vectors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/kvm/layout.h"

/* What crosses to the loader, at BLOCK_PA. Both sides copy what they need once, then look. */
struct block {
    uint64_t memory_end; /* guest-physical, the loader's word at the start */
    uint64_t image_size; /* likewise: of the exec layer's file */
    uint64_t number;     /* of calls.def */
    uint64_t args[6];    /* values, or offsets into data where the table says memory */
    int64_t result;
    uint8_t reserved[4096 - 80];
    uint8_t data[];
};
_Static_assert(sizeof(struct block) == 4096, "crosses a boundary");
#define BLOCK_DATA_SIZE (CERTS_PA - BLOCK_PA - sizeof(struct block))

/* At `data` of a panic. */
struct panic {
    uint64_t vector, error, rip, rsp, address, is_ring0;
    char text[160];
};

/* A fault of ring 3, from ring 0 to the user half. */
struct fault {
    uint64_t vector, error, rip, rsp, rflags, address, is_busy;
};
extern struct fault user_fault_record; /* of the user half; ring 0 writes it by its alias */
