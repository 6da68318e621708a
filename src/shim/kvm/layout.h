/* Where everything lies in a keep's virtual machine; shared by shim and loader, C and assembler.
 *
 *   guest-physical                      virtual
 *   0x0020_0000  shim                   kernel half: KERNEL_VA, user half: USER_VA
 *   0x0040_0000  page tables            TABLES_VA (kernel only)
 *   0x00c0_0000  sallyport, shared      BLOCK_VA (user half), ALIAS_VA + (kernel half)
 *   0x00e0_0000  exec layer, its file   IMAGE_VA (read only), and its segments at a random base
 *   0x0260_0000  the pool: all else, in frames of 2 MiB
 *
 * Ring 0 edits page tables and forwards faults; everything else the shim does in ring 3, in its
 * user half, which has the same rights as the exec layer: where KVM is itself software ring 0 is
 * emulated, half a microsecond an instruction (docs/decisions/0008). */
#pragma once

#define PAGE_SIZE 0x1000
#define FRAME_SIZE 0x200000

#define SHIM_PA 0x00200000
#define TABLES_PA 0x00400000
/* One for each GiB of the addresses that memory.c has, and as many for frames that are split. */
#define TABLES_SIZE 0x800000
/* Pages at the beginning of the tables that the loader fills; the rest the shim hands out. */
#define TABLES_INITIAL 64
#define BLOCK_PA 0x00c00000
#define BLOCK_SIZE FRAME_SIZE
#define IMAGE_PA 0x00e00000
#define IMAGE_SIZE_MAX 0x01800000
#define POOL_PA 0x02600000
#define MEMORY_END 0x8000000000 /* guest-physical, at most */

#define KERNEL_VA 0xffffffff80000000
#define ALIAS_VA                                                                    \
    0xffff800000000000 /* + guest-physical: tables, sallyport, the user half's data \
                        */
#define USER_VA 0x10000000
#define BLOCK_VA 0x20000000
#define IMAGE_VA 0x30000000
#define USER_END 0x0000800000000000

/* Selectors, in the order that SYSCALL and SYSRET want (AMD APM vol. 2, §6.1.1). */
#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_DS 0x1b
#define USER_CS 0x23
#define TSS_SELECTOR 0x28

/* Port I/O that leaves the machine: ring 3 may use these. */
#define PORT_CALL 0x10  /* the sallyport block has a call */
#define PORT_PANIC 0x11 /* the block has a struct panic; the machine is over */

/* Calls of the user half to ring 0, in RAX; no call of Linux's is negative. */
#define KERNEL_MAP (-1)     /* va, pa, size, prot */
#define KERNEL_UNMAP (-2)   /* va, size */
#define KERNEL_PROTECT (-3) /* va, size, prot */
#define KERNEL_SEAL (-4)    /* from now on no code, and nothing of the image */
#define PROT_BITS 3         /* read 1, write 2, as mprotect's */
#define PROT_CODE 4         /* only for the segments of the image, before it runs */
