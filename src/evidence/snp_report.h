/* The attestation report of SEV-SNP, field by field. AMD 56860 (SEV-SNP firmware ABI),
 * "ATTESTATION_REPORT"; versions 2 to 5. Parsing decides nothing about trust: see the verifier. */
#pragma once

#include "base/base.h"
#include "evidence/snp_measure.h"

#define SNP_REPORT_SIZE 1184u
#define SNP_REPORT_SIGNED_SIZE 672u
#define SNP_CHIP_ID_SIZE 64u

/* Families of processors, which differ in how they count their firmware. */
enum snp_product { SNP_PRODUCT_UNKNOWN, SNP_MILAN, SNP_GENOA, SNP_TURIN };

/* "Milan", …; "unknown". */
const char *snp_product_name(enum snp_product product);

/* The product that a processor's family, model and stepping say. Bergamo and Siena count as Genoa,
 * which signs for them. */
enum snp_product snp_product_of(uint8_t family, uint8_t model);

/* Security versions of the parts of a platform's firmware; bigger is newer. */
struct snp_tcb {
    uint8_t fmc; /* Turin alone */
    uint8_t bootloader, tee, snp, microcode;
};

/* Reads the eight bytes of a TCB_VERSION as the product has them. False when the product is
 * unknown, or a reserved byte is not zero. */
MUST_CHECK bool snp_tcb_parse(const uint8_t bytes[8], enum snp_product product,
                              struct snp_tcb *out);

/* Whether each part of a is at least that of b. The numbers as a whole mean nothing. */
bool snp_tcb_is_at_least(const struct snp_tcb *a, const struct snp_tcb *b);

/* Where AMD's service has the VCEK of a chip with a TCB, as a TCB_VERSION has it: what follows its
 * address (AMD 57230 §4.1). False: snp_tcb_parse's reasons, or out is too small. */
MUST_CHECK bool snp_vcek_path(enum snp_product product, const uint8_t chip_id[SNP_CHIP_ID_SIZE],
                              const uint8_t tcb[8], char *out, size_t size);

/* Bits of the guest's policy. */
#define SNP_POLICY_SMT (UINT64_C(1) << 16)
#define SNP_POLICY_RESERVED_ONE (UINT64_C(1) << 17)
#define SNP_POLICY_MIGRATE_MA (UINT64_C(1) << 18)
#define SNP_POLICY_DEBUG (UINT64_C(1) << 19)
#define SNP_POLICY_SINGLE_SOCKET (UINT64_C(1) << 20)
#define SNP_POLICY_CXL_ALLOW (UINT64_C(1) << 21)
#define SNP_POLICY_MEM_AES_256_XTS (UINT64_C(1) << 22)
#define SNP_POLICY_RAPL_DIS (UINT64_C(1) << 23)
#define SNP_POLICY_CIPHERTEXT_HIDING_DRAM (UINT64_C(1) << 24)
#define SNP_POLICY_PAGE_SWAP_DISABLE (UINT64_C(1) << 25)

enum snp_signing_key { SNP_SIGNED_BY_VCEK = 0, SNP_SIGNED_BY_VLEK = 1, SNP_SIGNED_BY_NONE = 7 };

struct snp_firmware_version {
    uint8_t major, minor, build;
};

struct snp_report {
    uint32_t version, guest_svn;
    uint64_t policy;
    uint8_t policy_abi_major, policy_abi_minor; /* the least that the guest accepts */
    uint8_t family_id[16], image_id[16];
    uint32_t vmpl, signature_algorithm;
    uint64_t platform_info;
    bool has_author_key, masks_chip_key;
    uint32_t signing_key; /* enum snp_signing_key, or another number */
    uint8_t report_data[64];
    uint8_t measurement[SNP_DIGEST_SIZE];
    uint8_t host_data[32];
    uint8_t id_key_digest[SNP_DIGEST_SIZE], author_key_digest[SNP_DIGEST_SIZE];
    uint8_t report_id[32], report_id_ma[32];
    bool has_cpuid; /* from version 3 on */
    uint8_t cpuid_family, cpuid_model, cpuid_stepping;
    uint8_t chip_id[SNP_CHIP_ID_SIZE];
    /* Raw: how they read depends on the product, which version 2 does not say. */
    uint8_t current_tcb[8], reported_tcb[8], committed_tcb[8], launch_tcb[8];
    struct snp_firmware_version current, committed;
    uint64_t launch_mit_vector, current_mit_vector; /* from version 5 on; else 0 */
    /* As they stand, little-endian in 72 bytes each. */
    uint8_t signature_r[72], signature_s[72];
    struct bytes signed_bytes; /* borrowed from the report */
};

/* Reads a report of exactly 1184 bytes. ERR_FORMAT: another size, or a byte that a version reserves
 * is not zero (at = its offset); ERR_UNSUPPORTED: a version that is not 2 to 5. *out borrows from
 * in. */
MUST_CHECK bool snp_report_parse(struct bytes in, struct snp_report *out, struct err *err);

/* The product that the signed fields say; unknown for version 2. */
enum snp_product snp_report_product(const struct snp_report *report);

/* Checks the signature with a key (struct evp_pkey_st on P-384): ERR_CRYPTO. Says nothing about the
 * key. */
struct evp_pkey_st;
MUST_CHECK bool snp_report_verify_signature(const struct snp_report *report,
                                            struct evp_pkey_st *key, struct err *err);
