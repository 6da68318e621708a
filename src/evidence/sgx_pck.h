/* What Intel certifies of a platform: the extension of PCK certificates. Intel SGX PCK certificate
 * and CRL profile specification, §1.3.5. Private to the room. */
#pragma once

#include "evidence/tcb_info.h"
#include "evidence/x509.h"

#define SGX_PCK_NAME "Intel SGX PCK Certificate"
#define SGX_PLATFORM_CA_NAME "Intel SGX PCK Platform CA"
#define SGX_PROCESSOR_CA_NAME "Intel SGX PCK Processor CA"
#define SGX_TCB_SIGNING_NAME "Intel SGX TCB Signing"

struct sgx_pck {
    uint8_t ppid[16], cpu_svn[16], pce_id[2], fmspc[6];
    uint8_t svns[TCB_COMPONENTS];
    uint16_t pce_svn;
    uint64_t type; /* 0 standard, 1 scalable, 2 scalable with integrity */
};

/* ERR_FORMAT: it is no PCK certificate, or its extension is incomplete or malformed. */
MUST_CHECK bool sgx_pck_parse(const struct certificate *c, struct sgx_pck *out, struct err *err);
