/* The verification of a quote, which takes three files: chain and signatures, Intel's descriptions,
 * what runs. Private to the room. */
#pragma once

#include "evidence/quote.h"
#include "evidence/sgx_pck.h"
#include "evidence/verifier.h"

struct quote_run {
    struct run *run;
    struct verdict *verdict;
    const struct evidence_policy *policy;
    struct quote quote;
    struct chain_pool pool;
    struct chain_roots roots;
    const struct certificate *certificate; /* of the platform; NULL: there is none */
    bool has_pck;
    struct sgx_pck pck;
    struct chain chain;
    const struct enclave_identity *qe_identity; /* NULL: there is none */
    /* what signed TCB info and enclave identity; NULL: nothing did */
    const struct certificate *tcb_signing, *qe_signing;
};

/* Judges QE identity, TCB info and what follows from both: quote_tcb.c. */
void quote_judge_collateral(struct quote_run *q);
/* Judges enclave or trust domain: quote_body.c. */
void quote_judge_sgx(struct quote_run *q);
void quote_judge_tdx(struct quote_run *q);
