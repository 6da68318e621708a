/* What builds an enclave and runs it: Linux's driver on a processor that has SGX (sgx_device.h), or
 * one in software (sgx_sim.h). The loader drives both alike. Offsets are from the enclave's base;
 * offsets and sizes are of whole pages. One enclave a process, one thread. */
#pragma once

#include "base/base.h"
#include "evidence/sgx_measure.h"
#include "evidence/sgx_sigstruct.h"

/* Leaves of ENCLU (Intel SDM volume 3D, table "Register Usage of Enclave ENCLU Instructions"). */
enum sgx_leaf {
    SGX_EREPORT,
    SGX_EGETKEY,
    SGX_EENTER,
    SGX_ERESUME,
    SGX_EEXIT,
    SGX_EACCEPT,
    SGX_EMODPE
};

/* What ECREATE takes (SDM 3D, "SECS"). The base is the processor's to choose. */
struct sgx_secs {
    uint64_t size; /* bytes, a power of two */
    uint32_t ssa_frame_pages, misc_select;
    uint64_t attribute_flags, xfrm;
};

/* How an enclave was left. */
struct sgx_exit {
    /* SGX_EEXIT; else by an exception, of which the next three tell what the kernel would */
    enum sgx_leaf leaf;
    uint16_t vector, error;
    uint64_t address; /* of a page fault */
};

struct sgx_processor {
    void *self;    /* what each function gets; the processor owns it */
    bool can_grow; /* known after init: pages come and go, rights change (SGX2) */
    uint64_t base; /* known after create; aligned to the enclave's size */
    /* ECREATE. ERR_IO with errno, ERR_LIMIT; messages say what to do. */
    bool (*create)(struct sgx_processor *processor, const struct sgx_secs *secs, struct err *err);
    /* EADD of pages, and EEXTEND of all of them when they are measured. flags: SECINFO's. bytes:
     * as many as `size`, or none: zeroes. */
    bool (*add)(struct sgx_processor *processor, uint64_t offset, uint64_t size, struct bytes bytes,
                uint64_t flags, bool is_measured, struct err *err);
    /* EINIT; then the rest of the range is there for pages to come, when can_grow. */
    bool (*init)(struct sgx_processor *processor, const uint8_t sigstruct[SGX_SIGSTRUCT_SIZE],
                 struct err *err);
    /* EENTER or ERESUME of the thread whose TCS lies at `tcs`, RDI as given at EENTER; returns when
     * it is left, but for interrupts. ERR_IO: the processor refused. */
    bool (*enter)(struct sgx_processor *processor, uint64_t tcs, enum sgx_leaf leaf, uint64_t rdi,
                  struct sgx_exit *out, struct err *err);
    /* Of a running enclave's pages, for can_grow alone; 0 or an errno. The enclave has to accept
     * each of them. rights: SECINFO's R, W, X that stay. */
    int (*restrict_rights)(struct sgx_processor *processor, uint64_t offset, uint64_t size,
                           uint64_t rights);
    /* To pages that are trimmed; when that has been accepted, remove takes them away. */
    int (*trim)(struct sgx_processor *processor, uint64_t offset, uint64_t size);
    int (*remove)(struct sgx_processor *processor, uint64_t offset, uint64_t size);
};
