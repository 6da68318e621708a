/* What the files of the user half share. */
#pragma once

#include "shim/kvm/shim.h"

/* How the machine was started: MODE_KVM, … */
extern uint64_t user_mode;

/* Ring 0: 0, or -1; of KERNEL_GUEST what it says. */
int64_t kernel_request(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Goes on at registers in the order of ucontext's gregs. */
_Noreturn void user_resume(const uint64_t *gregs);

/* ---- memory.c ---- */

/* memory_end: the loader's word, which is bounded. False: there is too little. */
bool memory_init(uint64_t memory_end);
/* Frames at a random place, with nothing around: the address of its end; 0: there is none. */
uint64_t memory_stack(uint64_t size);
/* Takes addresses for something of a size; they are not mapped. 0: there are none. */
uint64_t memory_place(uint64_t size);
/* Frames that were never used, in a row, guest-physical: for the image's own zero memory. 0: there
 * are none. */
uint64_t memory_frames(uint64_t size);

/* Zeroes memory that was never used, where it is not zero from the start. */
void memory_clean(uint64_t address, uint64_t size);

/* ---- elf.c ---- */

/* Maps the exec layer's file, whose size is the loader's word, at a random base, and builds its
 * stack. Ends the machine when the file is no static-PIE that fits. */
void elf_start(uint64_t image_size, uint64_t *entry, uint64_t *stack);

/* ---- cpuid.c ---- */

struct cpuid_answer {
    uint32_t eax, ebx, ecx, edx;
};

/* What a CPUID page answers; zeros for what it does not have. It has been checked. */
struct cpuid_answer cpuid_look_up(const void *page, uint32_t leaf, uint32_t subleaf);
/* What is wrong with one, NULL: nothing. */
const char *cpuid_fault(const void *page);

/* ---- guest.c ---- */

struct keep_platform_key;

/* Looks at the pages of a security processor; the end when they are none. */
void guest_check(void);
/* The keep calls platform_key and guest_request. */
int64_t guest_key(struct keep_platform_key *out, uint64_t size);
int64_t guest_request(const uint64_t args[6]);
