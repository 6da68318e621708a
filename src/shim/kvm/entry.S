/* Ways in and out of ring 0, and into the user half. */
#include "shim/kvm/layout.h"

    .section .ktext, "ax"

/* The machine starts here: ring 0, long mode, page tables of the image, interrupts off. RSI says
   which machine it is (layout.h). */
    .globl shim_start
shim_start:
    leaq kernel_stack_end(%rip), %rsp
    cld
    movq %rsi, %rdi
    call kernel_init
    movq %rax, %rdi
    pushq $USER_DS
    pushq $user_stack_end
    pushq $2
    pushq $USER_CS
    pushq $user_start
    iretq

/* SYSCALL where the processor makes it (AMD APM vol. 3): RCX and R11 have RIP and RFLAGS. */
    .globl syscall_entry
syscall_entry:
    swapgs
    movq %rsp, %gs:0
    movq %gs:8, %rsp
    pushq $USER_DS
    pushq %gs:0
    pushq %r11
    pushq $USER_CS
    pushq %rcx
    swapgs
    jmp syscall_common

/* The frame of an IRETQ lies on the stack; its RIP is anything. Calls of Linux's go to the user half
   with everything as it is, RCX being where to return to; those of the user half are done here. */
syscall_common:
    testq %rax, %rax
    js 1f
    movq $user_syscall, (%rsp)
    iretq
1:  cld                     /* where it was a fault, flags are as ring 3 had them */
    movq %rcx, (%rsp)
    pushq %rcx
    pushq %r11
    movq %r10, %rcx
    movq %rax, %r8
    subq $8, %rsp
    call kernel_call
    addq $8, %rsp
    popq %r11
    popq %rcx
    iretq

/* A page fault. Where KVM is software, SYSCALL stays in ring 3 and faults at its first fetch
   (DESIGN §4): exactly that is a system call, too. Ring 3 cannot fault at that address but by
   fetching from it. */
page_fault:
    cmpq $syscall_entry, 8(%rsp)
    jne fault_with_error
    testb $3, 16(%rsp)      /* from ring 3: an injected fault has any error code, but not another CS */
    jz fault_with_error
    addq $8, %rsp
    jmp syscall_common
fault_with_error:
    pushq $14
    jmp fault_common

/* Stack: vector, error, RIP, CS, RFLAGS, RSP, SS. */
fault_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    leaq 72(%rsp), %rdi
    cld
    call kernel_fault
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

    .macro vector number, has_error
vector_\number:
    .if \has_error == 0
    pushq $0
    .endif
    pushq $\number
    jmp fault_common
    .endm
    .irp number, 0,1,2,3,4,5,6,7,9,15,16,18,19,20,22,23,24,25,26,27,28,31
    vector \number, 0
    .endr
    .irp number, 8,10,11,12,13,17,21,29,30
    vector \number, 1
    .endr
    .set vector_14, page_fault

    .section .kdata, "aw", @progbits
    .globl vectors
vectors:
    .irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .quad vector_\number
    .endr
    .balign 4096
    .globl kernel_stack_guard
kernel_stack_guard:
    .skip 4096
    .skip 8192
    .globl kernel_stack_end
kernel_stack_end:
    .globl per_cpu
per_cpu:
    .quad 0                /* the user's RSP meanwhile */
    .quad kernel_stack_end
    .balign 4096

/* ---- ring 3 ---- */

    .section .utext, "ax"

    .globl user_start
user_start:
    cld
    xorl %ebp, %ebp
    call user_init          /* takes the mode in RDI; gives the exec layer's entry in RAX, its stack in RDX */
    movq %rdx, %rsp
    movq %rax, %rcx
    xorl %edx, %edx
    xorl %eax, %eax
    jmp *%rcx

/* A system call of the exec layer's: RCX has where it returns to. The red zone below its stack is its
   own; what Linux keeps for it is kept: all but RAX, RCX, R11. */
    .globl user_syscall
user_syscall:
    leaq -128(%rsp), %rsp
    pushq %rcx
    pushq %r9
    pushq %r8
    pushq %r10
    pushq %rdx
    pushq %rsi
    pushq %rdi
    movq %rax, %rdi
    movq %rsp, %rsi
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    cld
    call user_call
    movq %rbp, %rsp
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %r10
    popq %r8
    popq %r9
    popq %rcx
    leaq 128(%rsp), %rsp
    jmp *%rcx

/* A fault of ring 3, on a stack of its own; user_fault_record says which. All registers but RIP and
   RSP are as they were. */
    .globl user_fault
user_fault:
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %r11
    pushq %r10
    pushq %r9
    pushq %r8
    pushq %rbp
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rbx
    pushq %rax
    movq %rsp, %rdi
    movq %rsp, %rbp
    andq $-16, %rsp
    cld
    call user_signal        /* a struct resume */
    movq 16(%rax), %rdi
    movq 24(%rax), %rsi
    movq 32(%rax), %rdx
    movq 8(%rax), %rcx
    movq (%rax), %rsp
    xorl %eax, %eax
    jmp *%rcx

/* user_resume(gregs): goes on where a signal found the program; in the order of ucontext's gregs. */
    .globl user_resume
user_resume:
    movq 0(%rdi), %r8
    movq 8(%rdi), %r9
    movq 16(%rdi), %r10
    movq 24(%rdi), %r11
    movq 32(%rdi), %r12
    movq 40(%rdi), %r13
    movq 48(%rdi), %r14
    movq 56(%rdi), %r15
    movq 72(%rdi), %rsi
    movq 80(%rdi), %rbp
    movq 88(%rdi), %rbx
    movq 96(%rdi), %rdx
    movq 104(%rdi), %rax
    movq 112(%rdi), %rcx
    pushq $USER_DS
    pushq 120(%rdi)
    pushq 136(%rdi)
    pushq $USER_CS
    pushq 128(%rdi)
    movq 64(%rdi), %rdi
    iretq

/* kernel_request(number, a, b, c, d) */
    .globl kernel_request
kernel_request:
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movq %r8, %r10
    syscall
    ret

    .section .udata, "aw", @progbits
    .balign 4096
    .globl user_stack_guard
user_stack_guard:
    .skip 4096
    .skip 16384
    .globl user_stack_end
user_stack_end:
    .globl user_fault_stack_guard
user_fault_stack_guard:
    .skip 4096
    .skip 16384
    .globl user_fault_stack_end
user_fault_stack_end:
    .section .note.GNU-stack, "", @progbits
