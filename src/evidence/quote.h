/* Quotes of SGX and TDX, field by field: versions 3, 4 and 5 with ECDSA on P-256. Intel DCAP quote
 * library API, appendix A.3 (version 4: A.3 of the TDX edition; version 5 adds type and size of the
 * body). Parsing decides nothing about trust: see the verifier. */
#pragma once

#include "base/base.h"

#define QUOTE_HEADER_SIZE 48u
#define QUOTE_KEY_TYPE_P256 2u
#define QUOTE_TEE_SGX 0u
#define QUOTE_TEE_TDX 0x81u

/* What follows the header, as version 5 numbers it. */
enum quote_body { QUOTE_BODY_SGX = 1, QUOTE_BODY_TD_1_0 = 2, QUOTE_BODY_TD_1_5 = 3 };

/* A report of SGX: of the enclave, or of the quoting enclave. SDM volume 3D, REPORT. */
#define SGX_REPORT_BODY_SIZE 384u
struct sgx_report {
    uint8_t cpu_svn[16];
    uint32_t misc_select;
    uint8_t isv_ext_prod_id[16];
    uint8_t attributes[16]; /* FLAGS, XFRM */
    uint8_t mrenclave[32], mrsigner[32];
    uint8_t config_id[64];
    uint16_t isv_prod_id, isv_svn, config_svn;
    uint8_t isv_family_id[16];
    uint8_t report_data[64];
    bool reserved_are_zero;
    struct bytes raw;
};

/* A trust domain's report, of TDX 1.0 or 1.5. */
struct td_report {
    uint8_t tee_tcb_svn[16];
    uint8_t mrseam[48], mrsignerseam[48];
    uint8_t seam_attributes[8], td_attributes[8], xfam[8];
    uint8_t mrtd[48], mrconfigid[48], mrowner[48], mrownerconfig[48];
    uint8_t rtmr[4][48];
    uint8_t report_data[64];
    /* 1.5 alone; else zero */
    uint8_t tee_tcb_svn_2[16], mrservicetd[48];
};

struct quote {
    uint16_t version, key_type;
    uint32_t tee_type;
    uint16_t qe_svn, pce_svn; /* reserved from version 4 on */
    uint8_t vendor[16], user_data[20];
    enum quote_body body;
    struct sgx_report sgx; /* when the body is QUOTE_BODY_SGX */
    struct td_report td;   /* otherwise */
    struct bytes signed_bytes;
    uint8_t signature[64], key[64]; /* r, s; x, y; big-endian */
    struct sgx_report qe;
    uint8_t qe_signature[64];
    struct bytes qe_auth;
    uint16_t cert_type; /* 5: a chain in PEM */
    struct bytes cert_data;
    size_t padding; /* zero bytes behind the quote, as some hosts hand out whole buffers */
};

/* Reads a quote. Every length must fit what it is in and fill it; nothing but zeroes may follow.
 * ERR_FORMAT, at = offset; ERR_UNSUPPORTED: a version that is not 3 to 5, or a TEE that is neither
 * SGX nor TDX. *out borrows. */
MUST_CHECK bool quote_parse(struct bytes in, struct quote *out, struct err *err);

/* Whether bytes that cannot be parsed mean to be a TDX quote. */
bool quote_is_meant_for_tdx(struct bytes in);
