/* MRENCLAVE. Every update is a multiple of 64 bytes, so one running SHA-256 has the value. */
#include "evidence/sgx_measure.h"

#include <stdlib.h>

#include "evidence/crypto.h"

#define BLOCK_SIZE 64u
/* Of SECINFO's 64 bytes EADD measures the first 48. */
#define SECINFO_MEASURED_SIZE 48u

struct sgx_measure {
    EVP_MD_CTX *digest;
    uint64_t enclave_size;
};

static bool update(struct sgx_measure *m, struct bytes bytes, struct err *err)
{
    return EVP_DigestUpdate(m->digest, bytes.data, bytes.size) == 1 ||
           err_set(err, ERR_CRYPTO, "cannot measure", ERR_NO_AT);
}

/* A block: a tag of eight bytes, then what the writer holds, then zeroes. */
static bool update_block(struct sgx_measure *m, const uint8_t block[BLOCK_SIZE], struct err *err)
{
    return update(m, bytes_from(block, BLOCK_SIZE), err);
}

bool sgx_measure_new(uint32_t ssa_frame_pages, uint64_t enclave_size, struct sgx_measure **out,
                     struct err *err)
{
    uint8_t block[BLOCK_SIZE] = "ECREATE";
    struct writer w = writer_fixed(block + 8, sizeof block - 8);
    struct sgx_measure *m = calloc(1, sizeof *m);

    if (m != NULL)
        m->digest = EVP_MD_CTX_new();
    if (m == NULL || m->digest == NULL || EVP_DigestInit_ex2(m->digest, EVP_sha256(), NULL) != 1) {
        sgx_measure_free(m);
        return err_set(err, ERR_MEMORY, "no memory for a measurement", ERR_NO_AT);
    }
    m->enclave_size = enclave_size;
    writer_u32le(&w, ssa_frame_pages);
    writer_u64le(&w, enclave_size);
    if (!update_block(m, block, err)) {
        sgx_measure_free(m);
        return false;
    }
    *out = m;
    return true;
}

void sgx_measure_free(struct sgx_measure *measure)
{
    if (measure == NULL)
        return;
    EVP_MD_CTX_free(measure->digest);
    free(measure);
}

static bool check_offset(const struct sgx_measure *m, uint64_t offset, uint64_t size,
                         struct err *err)
{
    if (offset % size != 0)
        return err_set(err, ERR_INVALID, "not the place of a page or chunk: offset", offset);
    if (m->enclave_size < size || offset > m->enclave_size - size)
        return err_set(err, ERR_INVALID, "beyond the enclave's end: offset", offset);
    return true;
}

bool sgx_measure_add(struct sgx_measure *measure, uint64_t offset, uint64_t secinfo_flags,
                     struct err *err)
{
    uint8_t block[BLOCK_SIZE] = "EADD";
    struct writer w = writer_fixed(block + 8, sizeof block - 8);

    _Static_assert(16 + SECINFO_MEASURED_SIZE == BLOCK_SIZE, "tag, offset, SECINFO");
    writer_u64le(&w, offset);
    writer_u64le(&w, secinfo_flags);
    return check_offset(measure, offset, SGX_PAGE_SIZE, err) && update_block(measure, block, err);
}

bool sgx_measure_extend(struct sgx_measure *measure, uint64_t offset,
                        const uint8_t chunk[SGX_CHUNK_SIZE], struct err *err)
{
    uint8_t block[BLOCK_SIZE] = "EEXTEND";
    struct writer w = writer_fixed(block + 8, sizeof block - 8);

    writer_u64le(&w, offset);
    return check_offset(measure, offset, SGX_CHUNK_SIZE, err) &&
           update_block(measure, block, err) &&
           update(measure, bytes_from(chunk, SGX_CHUNK_SIZE), err);
}

bool sgx_measure_page(struct sgx_measure *measure, uint64_t offset, uint64_t secinfo_flags,
                      const uint8_t page[SGX_PAGE_SIZE], bool is_measured, struct err *err)
{
    bool ok = sgx_measure_add(measure, offset, secinfo_flags, err);

    for (uint32_t at = 0; ok && is_measured && at < SGX_PAGE_SIZE; at += SGX_CHUNK_SIZE)
        ok = sgx_measure_extend(measure, offset + at, page + at, err);
    return ok;
}

bool sgx_measure_finish(struct sgx_measure *measure, uint8_t out[SGX_MEASUREMENT_SIZE],
                        struct err *err)
{
    return EVP_DigestFinal_ex(measure->digest, out, NULL) == 1 ||
           err_set(err, ERR_CRYPTO, "cannot measure", ERR_NO_AT);
}
