/* What the two files of the processor in software share: sgx_sim.c has pages and instructions,
 * sgx_sim_cpu.c what happens between enclave and loader. */
#pragma once

#include "host/sgx_sim.h"

/* ---- pages: an entry of the EPCM each ---- */

#define EPCM_R 0x1u
#define EPCM_W 0x2u
#define EPCM_X 0x4u
#define EPCM_RIGHTS 0x7u
#define EPCM_PENDING 0x8u
#define EPCM_MODIFIED 0x10u
#define EPCM_RESTRICTED 0x20u /* PR */
#define EPCM_VALID 0x40u
#define EPCM_TYPE 0xff00u
#define EPCM_TCS 0x100u
#define EPCM_REG 0x200u
#define EPCM_TRIM 0x400u

/* ---- the thread: fields of TCS (SDM 3D, "TCS") ---- */

#define SIM_FRAMES_MAX 4

struct sim_thread {
    uint64_t tcs; /* offset; of the one that runs */
    uint64_t ossa, entry, fs_base, gs_base;
    uint32_t cssa, nssa;
};

struct sgx_sim {
    struct sgx_platform platform;
    struct sgx_secs secs;
    uint8_t *base;  /* NULL: no enclave */
    uint16_t *epcm; /* of each page */
    struct sgx_measure *measure;
    bool is_init, has_sgx2;
    uint8_t mrenclave[32], mrsigner[32];
    uint16_t isv_prod_id, isv_svn;
    struct sim_thread thread;
};

/* Vectors (SDM volume 3A, §6.3.1). */
#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14

/* Whether an address is in the enclave's range. */
static inline bool sim_has(const struct sgx_sim *sim, uint64_t address)
{
    return sim->base != NULL && address - (uint64_t)(uintptr_t)sim->base < sim->secs.size;
}

/* An instruction of ENCLU's but for those that enter and leave. rax: the leaf, then what it gives.
 * 0, or the vector of its fault; *at: the address of a page fault. */
unsigned sim_leaf(struct sgx_sim *sim, uint64_t *rax, uint64_t rbx, uint64_t rcx, uint64_t rdx,
                  uint64_t *at);
/* The TCS at an offset, as the enclave was loaded with it. False: there is none. */
bool sim_read_tcs(const struct sgx_sim *sim, uint64_t tcs, struct sim_thread *out);

/* sgx_sim_cpu.c: takes the signals. ERR_IO. */
MUST_CHECK bool sim_cpu_setup(struct sgx_sim *sim, struct err *err);
bool sim_enter(struct sgx_processor *processor, uint64_t tcs, enum sgx_leaf leaf, uint64_t rdi,
               struct sgx_exit *out, struct err *err);
