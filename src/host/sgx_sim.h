/* A processor with SGX in software, within the process that uses it (DESIGN.md §4): it measures the
 * pages that it maps, runs the enclave natively where it lies, and does what ENCLU would when that
 * traps. It protects nothing: whoever shares the process sees the enclave.
 *
 * What hardware keeps in the EPCM is kept here, page by page, and page rights by mprotect. SYSCALL
 * in the enclave is trapped by Syscall User Dispatch and is the #UD that hardware gives; CPUID is
 * not trapped. One enclave a process. Intel SDM volume 3D. */
#pragma once

#include "host/sgx_keys.h"
#include "host/sgx_processor.h"

/* What the kernel and the processor must have; NULL, or a literal: what is missing. */
const char *sgx_sim_lacks(void);

/* A processor of a platform, which is copied. Signals for faults are its own from now on. ERR_IO
 * with errno, ERR_MEMORY, ERR_UNSUPPORTED: see sgx_sim_lacks. */
MUST_CHECK bool sgx_sim_new(const struct sgx_platform *platform, struct sgx_processor *out,
                            struct err *err);

/* For tests: the pages do not come and go (SGX1); a signal leaves the enclave for its loader, as an
 * interrupt can, by vector SGX_SIM_INTERRUPT. */
#define SGX_SIM_INTERRUPT 32
void sgx_sim_set_sgx1(struct sgx_processor *processor);
void sgx_sim_leave_at_interrupts(struct sgx_processor *processor, bool leaves);
/* What EENTER finds in the loader's flags, beside what is there, and in its control words. */
void sgx_sim_set_entry_state(struct sgx_processor *processor, uint64_t flags, uint16_t fcw,
                             uint32_t mxcsr);
/* CPUID with UD2 before it is the one instruction that an enclave has not, at CPUID. */
void sgx_sim_trap_cpuid(struct sgx_processor *processor);
/* How many registers an EEXIT had that were not zero, beside those that tell the way. */
unsigned sgx_sim_leaked_registers(void);
