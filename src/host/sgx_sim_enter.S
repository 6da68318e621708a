/* Where the loader enters enclaves in software, and where it finds itself again. ENCLU traps here;
   what it does is in sgx_sim_cpu.c. */
    .text

/* void sgx_sim_run(leaf, tcs, rdi): returns when the enclave has been left. */
    .globl sgx_sim_run, sgx_sim_enclu, sgx_sim_left, sgx_sim_aep
    .hidden sgx_sim_run, sgx_sim_enclu, sgx_sim_left, sgx_sim_aep
    .type sgx_sim_run, @function
sgx_sim_run:
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $24, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rdi, %rax
    movq %rsi, %rbx
    movq %rdx, %rdi
    leaq sgx_sim_aep(%rip), %rcx
sgx_sim_enclu:
    enclu
sgx_sim_left:                   /* by EEXIT, or by an exception */
    pushfq                      /* direction and alignment check are the enclave's, too */
    andq $~0x40400, (%rsp)
    popfq
    emms
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $24, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
sgx_sim_aep:                    /* an interrupt is over: RAX, RBX and RCX are ERESUME's */
    enclu
    ud2
    .size sgx_sim_run, . - sgx_sim_run

/* What the kernel returns to from our handlers; the only place in this page that makes a call, and
   the only page whose calls pass while the enclave's are trapped. */
    .balign 4096
    .globl sgx_sim_restorer, sgx_sim_restorer_end
    .hidden sgx_sim_restorer, sgx_sim_restorer_end
sgx_sim_restorer:
    movl $15, %eax              /* rt_sigreturn */
    syscall
    ud2
    .balign 4096
sgx_sim_restorer_end:

    .section .note.GNU-stack, "", @progbits
