/* What the shims have in common, on every TEE: calls and how they leave, signals, the exec layer's
 * first stack. Freestanding; no floating point, no vectors. One thread. */
#pragma once

#include "shim/block.h"

struct call;

#define MIN(a, b) ((a) < (b) ? (a) : (b))

#define PROT_BITS 3 /* read 1, write 2, as mprotect's */

/* ---- what each shim has for it ---- */

/* Its block. */
struct block *block(void);
/* To the loader, with a struct panic in the block's data: the end. */
_Noreturn void shim_end(void);

int64_t memory_brk(uint64_t address);
int64_t memory_map(uint64_t size, uint64_t prot, uint64_t flags);
int64_t memory_unmap(uint64_t address, uint64_t size);
int64_t memory_protect(uint64_t address, uint64_t size, uint64_t prot);
/* The FS base of the exec layer: 0 or a negative errno. */
int64_t shim_set_fs(uint64_t value);

/* ---- local.c: the calls that a shim answers itself ---- */

/* Random bytes of the processor; never fails, or is the end. */
uint64_t shim_random(void);
/* A call of the table whose arguments fit. False: it is none of these. */
bool local_call(uint64_t number, const uint64_t args[6], int64_t *result);

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);

/* ---- proxy.c: calls that leave ---- */

/* The bytes of an argument's memory, as the table has it; for what is read and written at once. */
struct piece {
    uint64_t address, size, at;
    bool goes, comes;
};

struct transfer {
    const struct call *call; /* NULL: one that is only told, for the log */
    uint64_t args[6];
    struct piece pieces[6];
    uint64_t used;
    uint64_t limit; /* the result is at most this */
};

/* Puts a call into the block. False: it cannot be made, EINVAL. */
bool proxy_put(struct transfer *t, uint64_t number, const uint64_t args[6]);
/* Takes its result from the block, checked, once the loader has made it. */
int64_t proxy_take(const struct transfer *t);
/* The end, with a reason for people: a literal. */
_Noreturn void proxy_panic(const char *why, uint64_t number);
/* Likewise, with a fault, and the address that it is about or 0. */
struct fault;
_Noreturn void proxy_end(const char *why, const struct fault *f, uint64_t address);

/* ---- signal.c ---- */

struct kernel_action {
    uint64_t handler, flags, restorer, mask;
};

int64_t signal_action(uint64_t number, const struct kernel_action *in, struct kernel_action *out);
int64_t signal_mask(uint64_t how, const uint64_t *in, uint64_t *out);
int64_t signal_stack(const uint64_t in[3], uint64_t out[3]);
/* A handler has returned, to a context of ours. */
void signal_done(uint64_t context);

/* A fault of the exec layer. */
struct fault {
    uint64_t vector, error, rip, rsp, rflags, address, is_busy;
};

/* Where a handler begins: registers, and those of its arguments. */
struct resume {
    uint64_t rsp, rip, number, info, context;
};

#define SIGNAL_GREGS_AT 40 /* in a ucontext: flags, link, stack before them */
#define SIGNAL_GREGS 18    /* r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags */

/* Builds the frame of a handler; gregs in the order of ucontext's. False: nobody handles it. */
bool signal_deliver(const struct fault *f, const uint64_t gregs[SIGNAL_GREGS], struct resume *out);
/* The end, with what the fault was. */
_Noreturn void signal_report(const struct fault *f);

/* ---- stack.c ---- */

/* Builds what Linux leaves on a new program's stack below `top`; the address of what RSP is to be.
 * Its file's headers lie at `headers`, linked to run at `base`. */
uint64_t stack_build(uint64_t top, uint64_t base, const void *headers);
