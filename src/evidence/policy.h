/* What a verifier accepts: reference values, floors, and what may be tolerated. The defaults
 * refuse. As TOML, key by key: docs/evidence-policy.md. */
#pragma once

#include "base/base.h"
#include "base/toml_table.h"
#include "evidence/snp_report.h"

#define POLICY_SIZE_MAX ((size_t)1 << 20)

struct bytes_list {
    const struct bytes *items;
    size_t count;
};

/* Bits of tcb_statuses, by enum tcb_status (tcb_info.h): 1 << status. */

struct policy_advisory {
    struct bytes id;
    int64_t until; /* seconds since 1970, exclusive; INT64_MAX: no end */
};

struct policy_signer {
    struct bytes mrsigner;
    bool any_product; /* which only Enarx's key means */
    uint16_t product, svn_min;
};

struct evidence_policy {
    bool any_workload, debug, require_crls;
    struct bytes_list simulated_roots; /* DER */
    struct toml_texts references;      /* files with reference values, which the caller reads */
    struct {
        struct bytes_list measurements, chip_ids, csp_ids, host_data, id_keys, author_keys,
            family_ids, image_ids;
        struct bytes_list measurements_denied, id_keys_denied;
        uint32_t versions; /* bits: 1 << version */
        enum snp_product product_of_version_2;
        bool vcek, vlek, masked_chip_id, migration_agent;
        uint32_t guest_svn_min;
        uint32_t vmpls; /* bits: 1 << vmpl */
        uint8_t abi_min[2];
        struct snp_firmware_version firmware_min;
        uint64_t policy_required, policy_forbidden;
        uint64_t platform_required, platform_forbidden;
        uint64_t mitigations;
        struct snp_tcb tcb_min[SNP_TURIN + 1]; /* by product */
    } snp;
    struct {
        uint32_t tcb_info_versions; /* bits: 1 << version */
        uint32_t tcb_statuses;
        const struct policy_advisory *advisories;
        size_t advisory_count;
        uint64_t tcb_evaluation_min;
        struct bytes_list ppids;
    } intel;
    struct {
        struct bytes_list mrenclaves, mrenclaves_denied, config_ids;
        const struct policy_signer *signers;
        size_t signer_count;
        uint64_t attributes_allowed;
        uint32_t misc_allowed;
        uint16_t config_svn_min;
    } sgx;
    struct {
        struct bytes_list mrtds, rtmrs[4], mrconfigids, mrowners, mrownerconfigs, mrservicetds;
        uint64_t attributes_allowed;
        bool sept_ve_disable;
    } tdx;
};

/* The policy of an empty text: every default. It names no workload, and so accepts none. */
void evidence_policy_default(struct evidence_policy *out);

/* Reads the TOML. Unknown keys are errors. *out borrows from the text and the arena. */
MUST_CHECK bool evidence_policy_parse(struct bytes text, struct arena *arena,
                                      struct evidence_policy *out, struct text_error *error);

/* The same of a text that is parsed already, whose top-level keys in `others` (NULL-ended) are
 * somebody else's. */
MUST_CHECK bool evidence_policy_read(struct bytes text, const struct toml_value *root,
                                     const char *const *others, struct arena *arena,
                                     struct evidence_policy *out, struct text_error *error);

/* What a policy accepts, in words, line by line. */
void evidence_policy_explain(struct writer *w, const struct evidence_policy *policy);

/* Whether a list has an item. */
bool bytes_list_has(const struct bytes_list *list, struct bytes item);
