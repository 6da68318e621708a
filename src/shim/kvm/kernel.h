/* What the files of ring 0 share. */
#pragma once

#include "shim/kvm/shim.h"

/* ---- instructions.S: what only ring 0 does. Tests of ghcb.c have their own. ---- */

uint64_t cpu_read_msr(uint32_t msr);
void cpu_write_msr(uint32_t msr, uint64_t value);
/* VMGEXIT (AMD APM volume 3): to the hypervisor and back. */
void cpu_exit(void);
/* PVALIDATE (likewise) of what an address is mapped to. Bits 0 to 31: its return code; bit 32: the
 * RMP entry was not changed. */
uint64_t cpu_validate(void *address, uint64_t is_frame);
/* Where ring 0 sees the tables, the sallyport, the user half's data. */
void *cpu_alias(uint64_t pa);

/* ---- kernel.c ---- */

/* Maps a frame at SCRATCH_VA, alone. NULL: it cannot. */
void *kernel_scratch(uint64_t pa);
/* The end, before anything else works: a literal. */
_Noreturn void kernel_panic(const char *why);

/* ---- ghcb.c: what SEV-SNP asks of its guests ---- */

/* Registers the GHCB, or ends the machine when the host does not do as it should. False: this is no
 * SEV-SNP. */
bool ghcb_start(void);
/* Takes pages that were never ours: a page of 4 KiB by its alias, a frame. Each once; false: the
 * host has not given it, or has given it before. */
bool ghcb_accept_page(uint64_t pa);
bool ghcb_accept_frame(uint64_t pa);
/* Leaves as `outb` of a port does elsewhere. */
void ghcb_leave(uint64_t port);
/* Hands the message at REQUEST_PA to the security processor, whose answer comes to RESPONSE_PA and
 * the certificates to CERTS_PA. SW_EXITINFO2: 0, or what went wrong. */
int64_t ghcb_guest_request(void);
