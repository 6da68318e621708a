#include "host/sgx_load.h"

#include "shim/sgx/layout.h"
#include "base/banned.h"

bool sgx_load(struct sgx_processor *p, const struct enclave_image *image,
              const uint8_t sigstruct[SGX_SIGSTRUCT_SIZE], struct err *err)
{
    static const struct sgx_secs secs = {.size = ENCLAVE_SIZE,
                                         .ssa_frame_pages = SSA_FRAME_PAGES,
                                         .misc_select = ENCLAVE_MISC,
                                         .attribute_flags = ENCLAVE_FLAGS,
                                         .xfrm = ENCLAVE_XFRM};

    if (!p->create(p, &secs, err))
        return false;
    for (size_t i = 0; i < image->count; i++) {
        const struct enclave_range *r = &image->ranges[i];
        if (!p->add(p, r->offset, r->size, r->bytes, r->flags, r->is_measured, err))
            return false;
    }
    return p->init(p, sigstruct, err);
}

/* ---- an enclave that reports ---- */

#define PAGE ENCLAVE_PAGE_SIZE
/* Its pages: code, data, thread, one frame of state. */
#define CODE_AT 0u
#define DATA_AT 0x1000u
#define TCS_AT 0x2000u
#define FRAME_AT 0x3000u
/* In TCS (Intel SDM volume 3D, "TCS"). */
#define OSSA 16
#define NSSA 28

/* sgx_reporter.S: a page of code. */
extern const uint8_t sgx_reporter[PAGE] __attribute__((visibility("hidden")));

static struct enclave_image compose(const uint8_t data[PAGE], const uint8_t tcs[PAGE])
{
    return (struct enclave_image){
        .ranges =
            {
                {CODE_AT, PAGE, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_X, true,
                 bytes_from(sgx_reporter, PAGE)},
                {DATA_AT, PAGE, SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W, false,
                 bytes_from(data, PAGE)},
                {TCS_AT, PAGE, SGX_SECINFO_TCS, true, bytes_from(tcs, PAGE)},
                {FRAME_AT,
                 PAGE,
                 SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W,
                 true,
                 {.size = 0}},
            },
        .count = 4,
    };
}

bool sgx_report_by(struct sgx_processor *p, const uint8_t target[SGX_TARGET_INFO_SIZE],
                   uint8_t out[SGX_WHOLE_REPORT_SIZE], struct err *err)
{
    static uint8_t data[PAGE], tcs[PAGE];
    uint8_t measurement[SGX_MEASUREMENT_SIZE], sigstruct[SGX_SIGSTRUCT_SIZE];
    struct sgx_exit how;

    memcpy(data, target, SGX_TARGET_INFO_SIZE);
    struct writer ossa = writer_fixed(tcs + OSSA, 8), nssa = writer_fixed(tcs + NSSA, 4);
    writer_u64le(&ossa, FRAME_AT);
    writer_u32le(&nssa, 1);
    const struct enclave_image image = compose(data, tcs);
    if (!enclave_measure(&image, measurement, err) ||
        !enclave_sign_for_development(measurement, sigstruct, err) ||
        !sgx_load(p, &image, sigstruct, err) ||
        !p->enter(p, TCS_AT, SGX_EENTER, (uint64_t)(uintptr_t)out, &how, err))
        return false;
    return how.leaf == SGX_EEXIT ||
           err_set(err, ERR_IO, "the enclave made no REPORT; it was left by exception", how.vector);
}
