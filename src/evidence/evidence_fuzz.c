/* Structures of measurements and evidence from any bytes: what is read is written again as it was,
 * what is refused says why, and no signature of chance verifies. */
#include <assert.h>
#include <string.h>

#include "evidence/sgx_sigstruct.h"
#include "evidence/snp_measure.h"
#include "evidence/snp_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_told(bool ok, const struct err *err)
{
    assert(ok || (err->code != ERR_NONE && err->msg != NULL));
}

static void try_report(struct bytes in)
{
    struct snp_report report;
    struct snp_tcb tcb;
    struct err err;
    bool ok = snp_report_parse(in, &report, &err);

    assert_told(ok, &err);
    if (!ok)
        return;
    assert(report.version >= 2 && report.version <= 5);
    assert(report.signed_bytes.data == in.data);
    if (snp_tcb_parse(report.reported_tcb, snp_report_product(&report), &tcb))
        assert(snp_tcb_is_at_least(&tcb, &tcb));
}

static void try_sigstruct(struct bytes in)
{
    uint8_t written[SGX_SIGSTRUCT_SIZE];
    struct sgx_sigstruct s;
    struct err err;
    bool ok = sgx_sigstruct_parse(in, &s, &err);

    assert_told(ok, &err);
    if (!ok)
        return;
    sgx_sigstruct_write(&s, written);
    assert(memcmp(written, in.data, sizeof written) == 0);
    ok = sgx_sigstruct_verify(&s, &err);
    assert_told(ok, &err);
}

static void try_id_block(struct bytes in)
{
    uint8_t written[SNP_ID_BLOCK_SIZE];
    struct snp_id_block block = {.policy = 0};
    struct snp_id_keys keys;
    struct err err;
    bool ok = snp_id_block_parse(in, &block, &err);

    assert_told(ok, &err);
    if (ok) {
        snp_id_block_write(&block, written);
        assert(memcmp(written, in.data, sizeof written) == 0);
    }
    ok = snp_id_auth_verify(in, &block, &keys, &err);
    assert_told(ok, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size);

    try_report(in);
    try_sigstruct(in);
    try_id_block(in);
    return 0;
}
