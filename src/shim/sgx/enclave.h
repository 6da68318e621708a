/* What the files of the shim of enclaves share. */
#pragma once

#include "shim/sgx/layout.h"
#include "shim/shim.h"

/* ---- entry.S ---- */

/* The first byte of the enclave. */
extern uint8_t enclave_base[] __attribute__((visibility("hidden")));

/* Leaves, and returns when the loader has entered again. Of the handler alone. */
void enclave_leave(void);
/* Where the exec layer goes on when the loader has made its call, and then. */
extern uint8_t enclave_called[] __attribute__((visibility("hidden")));
extern uint64_t called_rip, called_rsp, called_rflags;

/* ---- exception.c ---- */

/* Asks the loader for one of EXIT_ASK, …; the block's result. */
int64_t enclave_ask(uint64_t why, uint64_t first, uint64_t second);

/* ---- enclu.h's leaves; tests have their own ---- */

/* SECINFO.FLAGS (Intel SDM volume 3D, "SECINFO.FLAGS"). */
#define PAGE_READ 0x1u
#define PAGE_WRITE 0x2u
#define PAGE_PENDING 0x8u
#define PAGE_MODIFIED 0x10u
#define PAGE_RESTRICTED 0x20u
#define PAGE_REGULAR 0x200u
#define PAGE_TRIMMED 0x400u

/* EACCEPT of a page that is to be as the flags say. 0, or the processor's error. */
uint64_t enclu_accept(uint64_t address, uint64_t flags);
/* EMODPE: a page may also be read and written. */
void enclu_extend(uint64_t address);
/* EREPORT; all aligned as the SDM says. */
void enclu_report(const void *target_info, const void *report_data, void *report);

/* ---- start.c ---- */

/* Whether [address, address + size) has nothing of the enclave. */
bool is_outside(uint64_t address, uint64_t size);
/* XFRM, as the processor reports it. */
extern uint64_t enclave_xfrm;

/* ---- heap.c ---- */

/* The loader's word, whether there is SGX2: what it says untruly it only takes from itself. */
void heap_init(bool can_grow);
/* Where the exec layer's first stack ends. */
uint64_t heap_stack(void);
/* Whether nothing is at an address, and nothing has to be: a fault there is the exec layer's own.
 */
bool heap_is_hole(uint64_t address);

/* State of the exec layer as the processor saves it (SDM 3D, "GPRSGX Region"). */
struct gprs {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags, rip, ursp, urbp;
    uint32_t exit_info, reserved;
    uint64_t fs_base, gs_base;
};
_Static_assert(sizeof(struct gprs) == 184, "SDM 3D");

/* That of the first frame. */
struct gprs *enclave_state(void);

/* "EXINFO" */
struct exinfo {
    uint64_t address;
    uint32_t error, reserved;
};
_Static_assert(sizeof(struct exinfo) == 16, "SDM 3D");

/* ---- cpuid.c ---- */

struct cpuid_answer {
    uint32_t eax, ebx, ecx, edx;
};

/* What the exec layer is told of the processor: nothing is asked of the host (DESIGN.md §4). */
struct cpuid_answer enclave_cpuid(uint64_t xfrm, uint32_t leaf, uint32_t subleaf);

/* ---- attest.c ---- */

/* The keep call: evidence about 64 bytes. */
int64_t enclave_attest(const uint64_t args[6]);
