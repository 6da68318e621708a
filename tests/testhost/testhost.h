/* What the files of testhost share. */
#pragma once

#include "base/base.h"
#include "identity/identity.h"
#include "sallyport/sallyport.h"

/* Prints the message and ends with 2. */
_Noreturn void fail(const char *what);

static inline void must(bool ok, const char *what)
{
    if (!ok)
        fail(what);
}

/* ---- lie.c: what is answered instead of the truth ---- */

#define LIES_MAX 16

enum lie_kind {
    /* about evidence: attest.c */
    LIE_SHORT_EVIDENCE,
    LIE_GARBAGE,
    LIE_OTHER_DATA,
    LIE_OTHER_MEASUREMENT,
    LIE_EMPTY,
    LIE_TECHNOLOGY,
    LIE_UNSIGNED,
    /* about the result of a call, or what it wrote to memory: trace.c, answer.c */
    LIE_ERRNO,
    LIE_NEGATIVE,
    LIE_ZERO,
    LIE_SHORT,
    LIE_LONG,
    LIE_HUGE,
    LIE_FD,
    LIE_POINTER,
    LIE_FLIP,
    LIE_NOISE,
    LIE_LENGTH,
    LIE_SCRIBBLE,
    LIE_KIND_COUNT
};

struct lie {
    const struct call *call;
    uint64_t nth; /* which of this call's, from 1; 0: all */
    enum lie_kind kind;
    bool has_value;
    int64_t value;
};

struct lies {
    struct lie items[LIES_MAX];
    size_t count;
};

/* What the kinds are, for the usage. */
extern const char lie_help[];

/* Adds CALL,N,KIND[,VALUE]; ends the program when it is malformed. */
void lies_add(struct lies *lies, const char *text);
/* The lie about the nth call of a kind: one about evidence, or another. NULL: the truth. */
const struct lie *lies_find(const struct lies *lies, const struct call *call, uint64_t nth,
                            bool about_evidence);
/* Whether any has to be told by the tracer. */
bool lies_need_tracer(const struct lies *lies);

/* ---- attest.c: what `attest` answers ---- */

/* What evidence is about, and who signs it. Set up before the keep starts. */
struct attest_plan {
    const char *sim; /* folder of simulated roots; NULL: there is no platform, and no evidence */
    enum identity_technology technology;
    uint8_t measurement[48]; /* 32 of it for SGX */
    const char *log;         /* gets a line for each call; NULL: none */
    const struct lies *lies;
};

void attest_setup(const struct attest_plan *plan);

/* ---- resolve.c ---- */

/* Adds NAME=ADDRESS, which is borrowed; ends the program when it is malformed. A name may have
 * several. */
void resolve_add(const char *text);

/* ---- answer.c: what a machine finds in its block, with the backend kvm ---- */

struct answer_plan {
    const struct lies *lies;
    const char *calls; /* gets a line for each call that was made, with its count; NULL: none */
};

/* Sets a word of the block's head before the machine starts, NAME=VALUE; ends the program when it
 * is malformed. */
void answer_add_word(const char *text);
void answer_setup(const struct answer_plan *plan);
/* Writes the counts, when the keep is gone. */
void answer_done(void);

/* ---- machine.c: what is done to a machine beside its calls; each ends the program when the text
 * is malformed ---- */

void machine_add_poke(const char *text);
void machine_set_mode(const char *text);
void machine_set_guest(const char *text);
void machine_set_disturbance(const char *text);
/* Tells at the end where the key to the security processor still is, that a host could see. */
void machine_seek_key(void);
/* The machine has made a call: from now on it is disturbed. */
void machine_has_called(const struct call *call);
/* Scribbles in a block from then on, if that is the disturbance. */
struct block;
void machine_scribble(struct block *block);

/* ---- enclave.c: what is done to an enclave beside its calls ---- */

/* What the kinds are, for the usage. */
extern const char enclave_help[];

/* Adds KIND[,N]; ends the program when there is no such kind. */
void enclave_add(const char *text);
/* What quotes are; the text is borrowed. */
void enclave_set_quote(const char *text);
/* The enclave has made a call: from now on things are done to it. */
void enclave_has_called(const struct call *call);

/* ---- trace.c: the keep's system calls, seen and changed ---- */

struct trace_plan {
    const struct lies *lies;
    const char *clock; /* see usage; NULL: the true time */
    const char *calls; /* gets a line for each call that was made, with its count; NULL: none */
};

/* Whether there is anything to do. */
bool trace_is_needed(const struct trace_plan *plan);
/* Runs the loader in a child, and the tracer of its keep here: lies there are told in the calls'
 * results. Returns the child's exit code. */
int trace_run(const struct trace_plan *plan, int (*loader)(void *context), void *context);
