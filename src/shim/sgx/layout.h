/* Where everything lies in a keep's enclave; shared by shim and loader, C and assembler. Offsets
 * from its base, which is the loader's choice.
 *
 *   0x0000_0000  shim, linked to run at 0: text, constants, data
 *   0x0010_0000  the thread: TCS, SSA_FRAMES frames of state
 *   0x0012_0000  stack of the shim while the exec layer runs, and before it does
 *   0x0014_0000  stack of the shim while it handles an exception
 *   0x0020_0000  exec layer, its segments as they are linked
 *   0x0400_0000  heap: the exec layer's stack, the books of the rest, brk, mappings
 *   0x0800_0000  the heap's end as it is loaded; what is behind it comes and goes with SGX2
 *
 * Between them is nothing. All but the heap is measured (DESIGN.md §4). */
#pragma once

#define ENCLAVE_SIZE 0x400000000 /* 16 GiB */
#define ENCLAVE_PAGE_SIZE 0x1000
#define SHIM_SIZE_MAX 0x100000
#define THREAD_AT 0x100000
#define SSA_AT 0x101000
#define SSA_FRAMES 2
#define SSA_FRAME_PAGES 1 /* holds x87, SSE and AVX: 832 bytes, and 200 of registers */
#define SHIM_STACK_AT 0x120000
#define HANDLER_STACK_AT 0x140000
#define ENCLAVE_STACK_SIZE 0x8000
#define KEEP_AT 0x200000
#define KEEP_SIZE_MAX 0x1800000
#define HEAP_AT 0x4000000
#define HEAP_SIZE 0x4000000 /* that is loaded */

/* In the heap. */
#define STACK_SIZE 0x400000
#define BOOKS_AT (HEAP_AT + STACK_SIZE)
#define BOOKS_SIZE 0x400000 /* a byte for each page from HEAP_AT on */
#define BRK_AT (BOOKS_AT + BOOKS_SIZE)
#define BRK_SIZE 0x800000
#define MAP_AT (BRK_AT + BRK_SIZE)
/* Reservations begin here: without SGX2 the first of them has what is left of the heap. */
#define RESERVED_AT (HEAP_AT + 0x2600000)

/* Of the enclave (Intel SDM volume 3D, "ATTRIBUTES", "MISCSELECT"). */
#define ENCLAVE_FLAGS 0x4 /* MODE64BIT; no debugging, no key of others */
#define ENCLAVE_XFRM 0x7  /* x87, SSE, AVX */
#define ENCLAVE_MISC 0x1  /* EXINFO: what a page fault was */

/* Why an enclave was left, in block.exit. */
#define EXIT_RESUME 1   /* ERESUME: an exception was dealt with */
#define EXIT_CALL 2     /* make the block's call, then ERESUME */
#define EXIT_ASK 3      /* make the block's call, then EENTER */
#define EXIT_END 4      /* the block has a struct panic; the enclave is over */
#define EXIT_RESTRICT 5 /* pages from args[0], args[1] bytes, to reading; then EENTER */
#define EXIT_TRIM 6     /* likewise, are to go */
#define EXIT_REMOVE 7   /* likewise, have been trimmed */
