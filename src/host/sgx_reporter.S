/* The code of an enclave that makes a REPORT of itself and leaves: one page, which lies at the
   enclave's base. RDI says where the REPORT is to go, outside. On the page behind it: TARGETINFO,
   at 512 no data, at 1024 room. */
    .section .rodata
    .balign 4096
    .globl sgx_reporter
    .hidden sgx_reporter
sgx_reporter:
    cld
    movq %rdi, %r8
    movq %rcx, %r9              /* where EENTER was */
    leaq sgx_reporter+4096(%rip), %rbx
    leaq sgx_reporter+4096+512(%rip), %rcx
    leaq sgx_reporter+4096+1024(%rip), %rdx
    xorl %eax, %eax             /* EREPORT */
    enclu
    movq %rdx, %rsi
    movq %r8, %rdi
    movl $432, %ecx
    rep movsb
    movq %r9, %rbx
    movl $4, %eax               /* EEXIT */
    enclu
    .balign 4096

    .section .note.GNU-stack, "", @progbits
