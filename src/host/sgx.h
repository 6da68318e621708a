/* What the files of the backend `sgx` share with a loader for tests. */
#pragma once

#include "host/proxy.h"
#include "host/sgx_processor.h"

/* ---- honest.c, or another loader's in its place ---- */

/* An enclave before it is entered, its process still with all its rights. */
void platform_enclave(struct sgx_processor *processor, struct block *block);
/* Enters it. */
bool platform_enter(struct sgx_processor *processor, enum sgx_leaf leaf, uint64_t block_address,
                    struct sgx_exit *out, struct err *err);
