/* MRENCLAVE: what SGX measures of an enclave while it is built. Intel SDM volume 3D, ECREATE, EADD,
 * EEXTEND (their "MRENCLAVE" updates: blocks of 64 bytes into one SHA-256). */
#pragma once

#include "base/base.h"

#define SGX_PAGE_SIZE 4096u
#define SGX_CHUNK_SIZE 256u /* what EEXTEND takes */
#define SGX_MEASUREMENT_SIZE 32

/* SECINFO.FLAGS (SDM 3D, "SECINFO.FLAGS"). */
#define SGX_SECINFO_R (UINT64_C(1) << 0)
#define SGX_SECINFO_W (UINT64_C(1) << 1)
#define SGX_SECINFO_X (UINT64_C(1) << 2)
#define SGX_SECINFO_TCS (UINT64_C(1) << 8)
#define SGX_SECINFO_REG (UINT64_C(2) << 8)

struct sgx_measure;

/* Begins with ECREATE: SECS.SSAFRAMESIZE in pages, and SECS.SIZE in bytes. ERR_MEMORY. */
MUST_CHECK bool sgx_measure_new(uint32_t ssa_frame_pages, uint64_t enclave_size,
                                struct sgx_measure **out, struct err *err);
void sgx_measure_free(struct sgx_measure *measure);

/* EADD of a page at an offset in the enclave. ERR_INVALID when the offset is not a page's. */
MUST_CHECK bool sgx_measure_add(struct sgx_measure *measure, uint64_t offset,
                                uint64_t secinfo_flags, struct err *err);
/* EEXTEND of one chunk. ERR_INVALID when the offset is not a chunk's. */
MUST_CHECK bool sgx_measure_extend(struct sgx_measure *measure, uint64_t offset,
                                   const uint8_t chunk[SGX_CHUNK_SIZE], struct err *err);
/* EADD of a page, and EEXTEND of all of it when its content is measured. */
MUST_CHECK bool sgx_measure_page(struct sgx_measure *measure, uint64_t offset,
                                 uint64_t secinfo_flags, const uint8_t page[SGX_PAGE_SIZE],
                                 bool is_measured, struct err *err);

/* EINIT: the value. Nothing may be added afterwards. */
MUST_CHECK bool sgx_measure_finish(struct sgx_measure *measure, uint8_t out[SGX_MEASUREMENT_SIZE],
                                   struct err *err);
