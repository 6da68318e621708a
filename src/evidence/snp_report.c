/* The report.
 *
 *   0x000   4 version                 0x160  32 report_id_ma
 *   0x004   4 guest_svn               0x180   8 reported_tcb
 *   0x008   8 policy                  0x188   3 CPUID family, model, stepping (from version 3)
 *   0x010  16 family_id               0x18b  21 reserved
 *   0x020  16 image_id                0x1a0  64 chip_id
 *   0x030   4 vmpl                    0x1e0   8 committed_tcb
 *   0x034   4 signature_algo          0x1e8   3 current build, minor, major; 1 reserved
 *   0x038   8 current_tcb             0x1ec   3 committed build, minor, major; 1 reserved
 *   0x040   8 platform_info           0x1f0   8 launch_tcb
 *   0x048   4 key information         0x1f8   8 launch_mit_vector (from version 5)
 *   0x04c   4 reserved                0x200   8 current_mit_vector (from version 5)
 *   0x050  64 report_data             0x208 152 reserved
 *   0x090  48 measurement             0x2a0 512 signature: R, S of 72 bytes, 368 zeroes
 *   0x0c0  32 host_data
 *   0x0e0  48 id_key_digest           what is signed: 0x000 to 0x29f
 *   0x110  48 author_key_digest
 *   0x140  32 report_id */
#include "evidence/snp_report.h"

#include "evidence/crypto.h"

#define VERSION_MIN 2u
#define VERSION_MAX 5u
#define VERSION_WITH_CPUID 3u
#define VERSION_WITH_MIT_VECTORS 5u

#define KEY_AUTHOR 1u
#define KEY_MASK_CHIP 2u
#define KEY_SIGNING_SHIFT 2u
#define KEY_SIGNING_MASK 7u

const char *snp_product_name(enum snp_product product)
{
    static const char *const names[] = {
        [SNP_PRODUCT_UNKNOWN] = "unknown",
        [SNP_MILAN] = "Milan",
        [SNP_GENOA] = "Genoa",
        [SNP_TURIN] = "Turin",
    };

    return names[product];
}

enum snp_product snp_product_of(uint8_t family, uint8_t model)
{
    if (family == 0x19 && model <= 0x0f)
        return SNP_MILAN;
    if (family == 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf)))
        return SNP_GENOA;
    if (family == 0x1a && model <= 0x11)
        return SNP_TURIN;
    return SNP_PRODUCT_UNKNOWN;
}

bool snp_tcb_parse(const uint8_t bytes[8], enum snp_product product, struct snp_tcb *out)
{
    switch (product) {
    case SNP_MILAN:
    case SNP_GENOA:
        *out = (struct snp_tcb){
            .bootloader = bytes[0], .tee = bytes[1], .snp = bytes[6], .microcode = bytes[7]};
        return (bytes[2] | bytes[3] | bytes[4] | bytes[5]) == 0;
    case SNP_TURIN:
        *out = (struct snp_tcb){.fmc = bytes[0],
                                .bootloader = bytes[1],
                                .tee = bytes[2],
                                .snp = bytes[3],
                                .microcode = bytes[7]};
        return (bytes[4] | bytes[5] | bytes[6]) == 0;
    default:
        return false;
    }
}

bool snp_tcb_is_at_least(const struct snp_tcb *a, const struct snp_tcb *b)
{
    return a->fmc >= b->fmc && a->bootloader >= b->bootloader && a->tee >= b->tee &&
           a->snp >= b->snp && a->microcode >= b->microcode;
}

/* ---- reading ---- */

static bool take(struct reader *r, void *out, size_t size)
{
    struct bytes bytes;

    if (!reader_bytes(r, size, &bytes))
        return false;
    memcpy(out, bytes.data, size);
    return true;
}

/* Reserved bytes; on failure r->at names the first that is not zero. */
static bool take_zeroes(struct reader *r, size_t size)
{
    struct bytes bytes;
    size_t start = r->at;

    if (!reader_bytes(r, size, &bytes))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (bytes.data[i] != 0) {
            r->at = start + i;
            return false;
        }
    }
    return true;
}

static bool take_firmware_version(struct reader *r, struct snp_firmware_version *out)
{
    return reader_u8(r, &out->build) && reader_u8(r, &out->minor) && reader_u8(r, &out->major) &&
           take_zeroes(r, 1);
}

static bool take_key_info(struct reader *r, struct snp_report *out)
{
    uint32_t info;

    if (!reader_u32le(r, &info))
        return false;
    out->has_author_key = (info & KEY_AUTHOR) != 0;
    out->masks_chip_key = (info & KEY_MASK_CHIP) != 0;
    out->signing_key = info >> KEY_SIGNING_SHIFT & KEY_SIGNING_MASK;
    if (info >> (KEY_SIGNING_SHIFT + 3) != 0) {
        r->at -= 4;
        return false;
    }
    return true;
}

static bool take_policy(struct reader *r, struct snp_report *out)
{
    if (!reader_u64le(r, &out->policy))
        return false;
    out->policy_abi_minor = (uint8_t)out->policy;
    out->policy_abi_major = (uint8_t)(out->policy >> 8);
    return true;
}

static bool take_cpuid(struct reader *r, struct snp_report *out)
{
    out->has_cpuid = out->version >= VERSION_WITH_CPUID;
    if (!out->has_cpuid)
        return take_zeroes(r, 3);
    return reader_u8(r, &out->cpuid_family) && reader_u8(r, &out->cpuid_model) &&
           reader_u8(r, &out->cpuid_stepping);
}

static bool take_mit_vectors(struct reader *r, struct snp_report *out)
{
    if (out->version < VERSION_WITH_MIT_VECTORS)
        return take_zeroes(r, 16);
    return reader_u64le(r, &out->launch_mit_vector) && reader_u64le(r, &out->current_mit_vector);
}

static bool take_first_half(struct reader *r, struct snp_report *out)
{
    return reader_u32le(r, &out->guest_svn) && take_policy(r, out) &&
           take(r, out->family_id, sizeof out->family_id) &&
           take(r, out->image_id, sizeof out->image_id) && reader_u32le(r, &out->vmpl) &&
           reader_u32le(r, &out->signature_algorithm) &&
           take(r, out->current_tcb, sizeof out->current_tcb) &&
           reader_u64le(r, &out->platform_info) && take_key_info(r, out) && take_zeroes(r, 4) &&
           take(r, out->report_data, sizeof out->report_data) &&
           take(r, out->measurement, sizeof out->measurement) &&
           take(r, out->host_data, sizeof out->host_data) &&
           take(r, out->id_key_digest, sizeof out->id_key_digest) &&
           take(r, out->author_key_digest, sizeof out->author_key_digest) &&
           take(r, out->report_id, sizeof out->report_id) &&
           take(r, out->report_id_ma, sizeof out->report_id_ma);
}

static bool take_second_half(struct reader *r, struct snp_report *out)
{
    return take(r, out->reported_tcb, sizeof out->reported_tcb) && take_cpuid(r, out) &&
           take_zeroes(r, 21) && take(r, out->chip_id, sizeof out->chip_id) &&
           take(r, out->committed_tcb, sizeof out->committed_tcb) &&
           take_firmware_version(r, &out->current) && take_firmware_version(r, &out->committed) &&
           take(r, out->launch_tcb, sizeof out->launch_tcb) && take_mit_vectors(r, out) &&
           take_zeroes(r, 152) && take(r, out->signature_r, sizeof out->signature_r) &&
           take(r, out->signature_s, sizeof out->signature_s) && take_zeroes(r, 368);
}

bool snp_report_parse(struct bytes in, struct snp_report *out, struct err *err)
{
    struct reader r = {.in = in};
    struct snp_report report = {.version = 0};

    if (in.size != SNP_REPORT_SIZE || !reader_u32le(&r, &report.version))
        return err_set(err, ERR_FORMAT, "an SNP report has 1184 bytes, not", in.size);
    if (report.version < VERSION_MIN || report.version > VERSION_MAX)
        return err_set(err, ERR_UNSUPPORTED, "unknown version of an SNP report:", report.version);
    if (!take_first_half(&r, &report) || !take_second_half(&r, &report))
        return err_set(err, ERR_FORMAT, "SNP report: a reserved byte is not zero, at offset", r.at);
    report.signed_bytes = bytes_before(in, SNP_REPORT_SIGNED_SIZE);
    *out = report;
    return true;
}

enum snp_product snp_report_product(const struct snp_report *report)
{
    return report->has_cpuid ? snp_product_of(report->cpuid_family, report->cpuid_model)
                             : SNP_PRODUCT_UNKNOWN;
}

bool snp_report_verify_signature(const struct snp_report *report, EVP_PKEY *key, struct err *err)
{
    uint8_t r[P384_SIZE], s[P384_SIZE];

    for (size_t i = P384_SIZE; i < sizeof report->signature_r; i++) {
        if (report->signature_r[i] != 0 || report->signature_s[i] != 0)
            return err_set(err, ERR_CRYPTO, "the signature is too large for P-384", ERR_NO_AT);
    }
    crypto_reverse(report->signature_r, P384_SIZE, r);
    crypto_reverse(report->signature_s, P384_SIZE, s);
    return crypto_verify(CRYPTO_P384, key, report->signed_bytes, r, s, err);
}
