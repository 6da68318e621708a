/* Intel's signed descriptions: of a kind of platform (TCB info, versions 1 to 3) and of an enclave
 * of Intel's (enclave identity, version 2). Intel PCS API v4. Private to the room. */
#pragma once

#include "base/base.h"

#define TCB_COMPONENTS 16
#define TCB_LEVELS_MAX 128
#define TCB_MODULES_MAX 16
#define TCB_ADVISORIES_MAX 64
#define TCB_JSON_SIZE_MAX ((size_t)256 << 10)

/* Intel's words, in the order of Intel's enumeration of them. */
enum tcb_status {
    TCB_UP_TO_DATE,
    TCB_SW_HARDENING_NEEDED,
    TCB_CONFIGURATION_NEEDED,
    TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
    TCB_OUT_OF_DATE,
    TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
    TCB_REVOKED,
    TCB_NOT_SUPPORTED, /* ours: no level matches */
    TCB_STATUS_COUNT
};

/* "UpToDate", …, "NotSupported". */
const char *tcb_status_name(enum tcb_status status);
/* False for a word that Intel does not use. NotSupported is none. */
MUST_CHECK bool tcb_status_parse(struct bytes text, enum tcb_status *out);

struct advisories {
    const struct bytes *ids;
    size_t count;
};

struct tcb_level {
    uint8_t sgx[TCB_COMPONENTS], tdx[TCB_COMPONENTS];
    uint16_t pce_svn;
    enum tcb_status status;
    struct advisories advisories;
};

/* A level of an enclave or of a TDX module. */
struct isv_level {
    uint16_t isv_svn;
    enum tcb_status status;
    struct advisories advisories;
};

struct tdx_module {
    struct bytes id; /* "TDX_01"; empty: the module of TEE_TCB_SVN[1] = 0 */
    uint8_t mrsigner[48], attributes[8], attributes_mask[8];
    const struct isv_level *levels;
    size_t level_count;
};

/* What Intel signed, as sent. */
struct signed_document {
    struct bytes bytes;
    uint8_t signature[64]; /* r, s; big-endian */
    uint8_t digest[32];    /* SHA-256 of signature and bytes */
};

struct tcb_info {
    struct signed_document document;
    struct bytes id; /* "SGX", "TDX"; empty before version 3 */
    uint64_t version;
    int64_t issued, next_update;
    uint8_t fmspc[6], pce_id[2];
    bool has_pce_id;
    bool has_evaluation;
    uint64_t tcb_type, evaluation;
    const struct tcb_level *levels; /* in Intel's order, which counts */
    size_t level_count;
    bool has_module;
    struct tdx_module module;
    const struct tdx_module *modules;
    size_t module_count;
};

struct enclave_identity {
    struct signed_document document;
    struct bytes id; /* "QE", "TD_QE", "QVE" */
    uint64_t version;
    int64_t issued, next_update;
    uint64_t evaluation;
    uint32_t misc_select, misc_mask;
    uint8_t attributes[16], attributes_mask[16];
    uint8_t mrsigner[32];
    uint16_t isv_prod_id;
    const struct isv_level *levels;
    size_t level_count;
};

/* Reads the object that was signed. ERR_FORMAT, ERR_LIMIT, ERR_MEMORY. Borrows from the text and
 * the arena. The document is left empty. */
MUST_CHECK bool tcb_info_parse(struct bytes json, struct arena *arena, struct tcb_info *out,
                               struct err *err);
MUST_CHECK bool enclave_identity_parse(struct bytes json, struct arena *arena,
                                       struct enclave_identity *out, struct err *err);
