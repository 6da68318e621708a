/* Ways in and out of the enclave. EENTER comes here with RAX = CSSA, RBX = TCS, RCX = the address
   behind it; everything else is the host's, and nothing of it is used but RDI, the block's address,
   at the first entry. RSP and RBP are the host's own and are given back. */
#include "shim/sgx/layout.h"

    .section .entry, "ax"
    .globl enclave_base, enclave_entry
    .hidden enclave_base
enclave_base:
enclave_entry:
    cld
    lfence                      /* what follows is decided by what the processor says, not guessed */
    cmpq $1, %rax
    ja refused
    je exception

/* CSSA 0: once. */
    movl $1, %eax
    xchgl %eax, has_started(%rip)
    testl %eax, %eax
    jnz refused
    leaq enclave_base+SHIM_STACK_AT+ENCLAVE_STACK_SIZE(%rip), %rsp
    pushq $2
    popfq                       /* no AC, no TF */
    fninit
    ldmxcsr clean_mxcsr(%rip)
    vzeroall
    xorl %ebp, %ebp
    call enclave_start          /* entry and stack in RAX, RDX */
    movq %rdx, %rsp
    movq %rax, %rcx
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %ebx, %ebx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %ebp, %ebp
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    jmp *%rcx

/* CSSA 1: an exception of what runs at CSSA 0, or back from enclave_leave. */
exception:
    movq %rcx, host_return(%rip)
    movq %rsp, host_rsp(%rip)
    movq %rbp, host_rbp(%rip)
    xorl %eax, %eax
    xchgq %rax, left_rsp(%rip)
    testq %rax, %rax
    jz 1f
    movq %rax, %rsp
    pushq $2
    popfq
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
1:  leaq enclave_base+HANDLER_STACK_AT+ENCLAVE_STACK_SIZE(%rip), %rsp
    pushq $2
    popfq
    xorl %ebp, %ebp
    call enclave_exception
    jmp leave

    .globl enclave_leave
enclave_leave:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, left_rsp(%rip)

/* EEXIT, with nothing in the registers but what the host gave. */
leave:
    movq host_return(%rip), %rcx
    movq host_rsp(%rip), %rsp
    movq host_rbp(%rip), %rbp
refused:                        /* nobody may enter here: back, RSP and RBP being the host's still */
    movq %rcx, %rbx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    xorl %ecx, %ecx             /* this leaves the flags, too */
    movl $4, %eax
    enclu
    ud2

/* At CSSA 0 again, when the loader has made a call: everything but RSP, RIP and the flags is as it
   was at SYSCALL, which leaves RCX and R11 to us. */
    .globl enclave_called
    .hidden enclave_called
enclave_called:
    pushq $2
    popfq
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r8
    pushq %r9
    pushq %r10
    call enclave_call_done
    popq %r10
    popq %r9
    popq %r8
    popq %rdx
    popq %rsi
    popq %rdi
    movq called_rip(%rip), %rcx
    movq called_rflags(%rip), %r11
    pushq %r11
    popfq
    movq called_rsp(%rip), %rsp
    jmp *%rcx

    .section .rodata
    .balign 8
clean_mxcsr:
    .long 0x1f80

    .bss
    .balign 8
has_started: .quad 0
host_return: .quad 0
host_rsp:    .quad 0
host_rbp:    .quad 0
left_rsp:    .quad 0            /* of the handler, while the loader does what it asked for */
    .globl called_rip, called_rsp, called_rflags
    .hidden called_rip, called_rsp, called_rflags
called_rip:    .quad 0
called_rsp:    .quad 0
called_rflags: .quad 0

    .section .note.GNU-stack, "", @progbits
