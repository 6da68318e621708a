/* See sgx_device.h: RDI function, RSI for the enclave's RDI, EDX leaf, RCX run.

   Calls the kernel's __vdso_sgx_enter_enclave, which "does not ensure full compliance with the x86-64
   ABI" (asm/sgx.h): an enclave leaves in the registers what it likes. Kept here is all that the ABI
   (System V psABI AMD64, §3.2.1, §3.2.3) says a function keeps: RBX, RBP, R12 to R15, MXCSR's and the x87
   unit's control; of the flags all. The stack pointer and RBP are the kernel's to keep until its
   function returns. The enclave gets RDI; the other registers of arguments are zero. */
#if defined(__CET__)
#include <cet.h>
#else
#define _CET_ENDBR
#endif

    .text
    .globl sgx_enter
    .hidden sgx_enter
    .type sgx_enter, @function
sgx_enter:
    .cfi_startproc
    _CET_ENDBR
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    pushfq
    .cfi_adjust_cfa_offset 8
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    /* the return address, six registers, flags, controls: 72 bytes; with the seventh argument the
       stack is at a multiple of 16 */
    pushq %rcx
    .cfi_adjust_cfa_offset 8
    movq %rdi, %rax
    movq %rsi, %rdi
    movl %edx, %ecx
    xorl %esi, %esi
    xorl %edx, %edx
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    call *%rax
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    ldmxcsr (%rsp)
    fninit                      /* nothing on its stack, as the ABI wants it */
    fldcw 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popfq
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size sgx_enter, . - sgx_enter
    .section .note.GNU-stack, "", @progbits
