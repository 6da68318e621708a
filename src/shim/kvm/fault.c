/* Faults of ring 3, on their way from ring 0 to a handler of the exec layer's.
 *
 * On SEV-SNP, and so on its simulation, every fault is the end: a host can inject what it likes at
 * any instruction, and a handler that went on from there, with other vector registers, would hand
 * it a faulty step of a cipher. */
#include "shim/kvm/user.h"

/* #VC (AMD APM volume 2, §15.35.5), whose error code is the reason of the exit. */
#define VECTOR_VC 29
#define EXIT_CPUID 0x72
#define OPCODE_CPUID 0xa20f

struct fault user_fault_record;

/* Registers in the order in which entry.S has pushed them. */
struct saved {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

/* On SEV-SNP: what the instruction should have done, then on behind it (two bytes). */
_Noreturn static void answer_cpuid(const struct saved *r, const struct fault *f)
{
    struct cpuid_answer a =
        cpuid_look_up((const void *)CPUID_VA, (uint32_t)r->rax, (uint32_t)r->rcx);
    const uint64_t gregs[] = {r->r8,  r->r9,  r->r10, r->r11, r->r12,     r->r13,
                              r->r14, r->r15, r->rdi, r->rsi, r->rbp,     a.ebx,
                              a.edx,  a.eax,  a.ecx,  f->rsp, f->rip + 2, f->rflags};

    user_fault_record.is_busy = 0;
    user_resume(gregs);
}

struct resume *user_signal(const struct saved *r);
struct resume *user_signal(const struct saved *r)
{
    static struct resume resume;
    struct fault f = user_fault_record;
    const uint64_t gregs[SIGNAL_GREGS] = {r->r8,  r->r9,  r->r10, r->r11, r->r12, r->r13,
                                          r->r14, r->r15, r->rdi, r->rsi, r->rbp, r->rbx,
                                          r->rdx, r->rax, r->rcx, f.rsp,  f.rip,  f.rflags};

    if (user_mode == MODE_SNP && f.vector == VECTOR_VC && f.error == EXIT_CPUID &&
        *(const uint16_t *)f.rip == OPCODE_CPUID)
        answer_cpuid(r, &f);
    if (user_mode != MODE_KVM || !signal_deliver(&f, gregs, &resume))
        signal_report(&f);
    user_fault_record.is_busy = 0;
    return &resume;
}
