/* What both halves of the shim share, and the loader. */
#pragma once

#include "shim/kvm/layout.h"
#include "shim/shim.h"

_Static_assert(BLOCK_PA + sizeof(struct block) + BLOCK_DATA_SIZE == CERTS_PA, "the block's end");
_Static_assert(PAGE_SIZE == BLOCK_PAGE_SIZE, "a page is a page");

/* A fault of ring 3, from ring 0 to the user half, which ring 0 writes by its alias. */
extern struct fault user_fault_record;
