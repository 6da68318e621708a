/* Where everything lies in a keep's virtual machine; shared by shim and loader, C and assembler.
 *
 *   guest-physical                      virtual
 *   0x0020_0000  shim                   kernel half: KERNEL_VA, user half: USER_VA
 *   0x0030_0000  secrets, CPUID         SECRETS_VA, CPUID_VA (user half)
 *   0x0040_0000  page tables, two sets  ALIAS_VA + (kernel half)
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

/* What RSI holds when the shim starts (DESIGN.md §4): it alone says what machine this is. */
#define MODE_KVM 0
#define MODE_SIMULATED 0x4d4953 /* 'SIM': a security processor in software, over plain KVM */
#define MODE_SNP 0x504e53       /* 'SNP': part of what is measured */

#define SHIM_PA 0x00200000
#define SECRETS_PA 0x00300000 /* of the security processor: zero where there is none */
#define CPUID_PA 0x00301000   /* likewise */
#define TABLES_PA 0x00400000
/* One for each GiB of the addresses that memory.c has, and as many for frames that are split. */
#define TABLES_SIZE 0x800000
/* Pages at the beginning of the tables that the image has: two sets, the second with the C-bit in
 * every entry but the sallyport's. The rest the shim hands out. */
#define TABLES_SET 32
#define TABLES_INITIAL 64
#define TABLES_SNP_PA (TABLES_PA + TABLES_SET * PAGE_SIZE)
#define C_BIT 51 /* of all processors with SEV-SNP until now; the shim looks */
#define BLOCK_PA 0x00c00000
#define BLOCK_SIZE FRAME_SIZE
/* At the end of the block, whole pages: what goes to the security processor and comes back, the
 * certificates of its key, and the GHCB. */
#define CERTS_SIZE 0x4000
#define GHCB_PA (BLOCK_PA + BLOCK_SIZE - PAGE_SIZE)
#define RESPONSE_PA (GHCB_PA - PAGE_SIZE)
#define REQUEST_PA (RESPONSE_PA - PAGE_SIZE)
#define CERTS_PA (REQUEST_PA - CERTS_SIZE)
#define IMAGE_PA 0x00e00000
#define IMAGE_SIZE_MAX 0x01800000
#define POOL_PA 0x02600000
#define MEMORY_END 0x8000000000 /* guest-physical, at most */

#define KERNEL_VA 0xffffffff80000000
#define ALIAS_VA                                                                    \
    0xffff800000000000 /* + guest-physical: tables, sallyport, the user half's data \
                        */
#define SCRATCH_VA (ALIAS_VA + MEMORY_END) /* one frame: what is being accepted */
#define USER_VA 0x10000000
#define SECRETS_VA 0x1f000000
#define CPUID_VA 0x1f001000
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
#define PORT_GUEST 0x12 /* a message to the simulated security processor; block.result answers */

/* Calls of the user half to ring 0, in RAX; no call of Linux's is negative. */
#define KERNEL_MAP (-1)     /* va, pa, size, prot */
#define KERNEL_UNMAP (-2)   /* va, size */
#define KERNEL_PROTECT (-3) /* va, size, prot */
#define KERNEL_SEAL (-4)    /* from now on no code, and nothing of the image */
#define KERNEL_LEAVE (-5)   /* port: on SEV-SNP, where ring 3 may not leave by itself */
#define KERNEL_GUEST (-6)   /* on SEV-SNP: PORT_GUEST; the answer is the GHCB's SW_EXITINFO2 */
#define PROT_CODE 4         /* only for the segments of the image, before it runs */

/* Why a machine on SEV-SNP ends before it can say so: reasons of the GHCB's MSR protocol (AMD 56421
 * §2.3.1), in a set of our own. */
#define TERMINATE_SET 4
#define TERMINATE_C_BIT 1    /* it is elsewhere than C_BIT */
#define TERMINATE_PROTOCOL 2 /* the host does not speak version 2 */
#define TERMINATE_FEATURES 3 /* the host says that it does not know SEV-SNP */
#define TERMINATE_REGISTER 4 /* the host refuses the GHCB's place */
