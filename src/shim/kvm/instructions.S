/* What only ring 0 does; see kernel.h. */
#include "shim/kvm/layout.h"

    .section .ktext, "ax"

    .globl cpu_read_msr
cpu_read_msr:
    movl %edi, %ecx
    rdmsr
    shlq $32, %rdx
    movl %eax, %eax
    orq %rdx, %rax
    ret

    .globl cpu_write_msr
cpu_write_msr:
    movl %edi, %ecx
    movq %rsi, %rax
    movq %rsi, %rdx
    shrq $32, %rdx
    wrmsr
    ret

    .globl cpu_exit
cpu_exit:
    rep
    vmmcall
    ret

    .globl cpu_validate
cpu_validate:
    movq %rdi, %rax
    movq %rsi, %rcx
    movl $1, %edx
    .byte 0xf2, 0x0f, 0x01, 0xff    /* PVALIDATE, which older assemblers do not know */
    setc %cl
    movl %eax, %eax
    movzbl %cl, %ecx
    shlq $32, %rcx
    orq %rcx, %rax
    ret

    .globl cpu_alias
cpu_alias:
    movabsq $ALIAS_VA, %rax
    addq %rdi, %rax
    ret
    .section .note.GNU-stack, "", @progbits
