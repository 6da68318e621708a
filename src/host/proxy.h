/* The host's end of a block: the calls of a keep that has no system calls of its own. */
#pragma once

#include "host/internal.h"
#include "shim/block.h"

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
/* Logs the struct panic that the block has. */
void proxy_report(const struct block *block);
/* A number for log_hex. */
struct bytes proxy_number(uint64_t value, uint8_t out[8]);
