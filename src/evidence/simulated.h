/* Endorsements of simulated platforms: certificate chains, collateral and signatures in the exact
 * formats of AMD and Intel, under roots that a person made. They prove nothing about a machine: a
 * verifier believes them only when its policy names the root, and then its verdict says so.
 *
 * Times are seconds since 1970. Keys are struct evp_pkey_st; who gets one frees it. All fail with
 * ERR_MEMORY, ERR_CRYPTO (OpenSSL), ERR_LIMIT (a writer that is full); parsers also with
 * ERR_FORMAT, and SNP for an unknown product with ERR_UNSUPPORTED. What was written to a writer
 * before a failure stays there. One thread at a time for each object.
 *
 * Names are those of real certificates, but for the organization, which is "Simulated". */
#pragma once

#include "base/base.h"
#include "evidence/snp_report.h"

struct evp_pkey_st;

struct simulated_dates {
    int64_t not_before, not_after;
};

/* ---- SNP: an ARK (CN=ARK-Milan …, with O=Simulated) and its ASK, RSA-4096 with PSS ---- */

struct simulated_snp;

MUST_CHECK bool simulated_snp_new(enum snp_product product, struct simulated_dates dates,
                                  struct simulated_snp **out, struct err *err);
/* Keys and certificates as PEM, which is secret; and back. */
MUST_CHECK bool simulated_snp_write(const struct simulated_snp *roots, struct writer *w,
                                    struct err *err);
MUST_CHECK bool simulated_snp_parse(struct bytes pem, struct simulated_snp **out, struct err *err);
void simulated_snp_free(struct simulated_snp *roots);

/* The ARK in DER, for policies. */
MUST_CHECK bool simulated_snp_root(const struct simulated_snp *roots, struct writer *w,
                                   struct err *err);
/* ASK and ARK as PEM, as AMD's service has them. */
MUST_CHECK bool simulated_snp_chain(const struct simulated_snp *roots, struct writer *w,
                                    struct err *err);
/* The ARK's revocation list in DER, listing the ASK when asked to. */
MUST_CHECK bool simulated_snp_crl(const struct simulated_snp *roots, struct simulated_dates dates,
                                  bool revokes_ask, struct writer *w, struct err *err);
/* A VCEK for a TCB and a chip: a new key, and its certificate in DER with AMD's extensions. */
MUST_CHECK bool simulated_snp_vcek(const struct simulated_snp *roots, const struct snp_tcb *tcb,
                                   const uint8_t chip_id[SNP_CHIP_ID_SIZE],
                                   struct simulated_dates dates, struct evp_pkey_st **key,
                                   struct writer *w, struct err *err);
/* Signs the first 672 bytes of a report and puts the signature behind them. */
MUST_CHECK bool simulated_snp_sign(uint8_t report[SNP_REPORT_SIZE], struct evp_pkey_st *vcek,
                                   struct err *err);

/* ---- SGX: an Intel-style root, a PCK platform CA and a TCB signing key, P-256 ---- */

struct simulated_sgx;

/* A platform as its PCK certificate and TCB info describe it. */
struct simulated_platform {
    uint8_t ppid[16], fmspc[6], pce_id[2];
    uint8_t svns[16]; /* of the components, which is also CPUSVN */
    uint16_t pce_svn;
};

#define SGX_REPORT_SIZE 384u

MUST_CHECK bool simulated_sgx_new(struct simulated_dates dates, struct simulated_sgx **out,
                                  struct err *err);
MUST_CHECK bool simulated_sgx_write(const struct simulated_sgx *roots, struct writer *w,
                                    struct err *err);
MUST_CHECK bool simulated_sgx_parse(struct bytes pem, struct simulated_sgx **out, struct err *err);
void simulated_sgx_free(struct simulated_sgx *roots);

MUST_CHECK bool simulated_sgx_root(const struct simulated_sgx *roots, struct writer *w,
                                   struct err *err);
/* The chain of the TCB signing key as PEM: it, then the root. */
MUST_CHECK bool simulated_sgx_tcb_chain(const struct simulated_sgx *roots, struct writer *w,
                                        struct err *err);
/* TCB info version 3, with its signature, as Intel's service answers: the platform as it is now is
 * UpToDate, anything older OutOfDate. */
MUST_CHECK bool simulated_sgx_tcb_info(const struct simulated_sgx *roots,
                                       const struct simulated_platform *platform,
                                       struct simulated_dates dates, struct writer *w,
                                       struct err *err);
/* The identity of the simulated quoting enclave (version 2), with its signature. */
MUST_CHECK bool simulated_sgx_qe_identity(const struct simulated_sgx *roots,
                                          struct simulated_dates dates, struct writer *w,
                                          struct err *err);
/* Revocation lists in DER: of the root, and of the platform CA; the first may list the CA, the
 * second the PCK of a serial (NULL: none). */
MUST_CHECK bool simulated_sgx_root_crl(const struct simulated_sgx *roots,
                                       struct simulated_dates dates, bool revokes_ca,
                                       struct writer *w, struct err *err);
MUST_CHECK bool simulated_sgx_pck_crl(const struct simulated_sgx *roots,
                                      struct simulated_dates dates, const struct bytes *serial,
                                      struct writer *w, struct err *err);

/* A platform's key and certificate, and a quoting enclave there with an attestation key. */
struct simulated_quoting;

MUST_CHECK bool simulated_quoting_new(const struct simulated_sgx *roots,
                                      const struct simulated_platform *platform,
                                      struct simulated_dates dates, struct simulated_quoting **out,
                                      struct err *err);
void simulated_quoting_free(struct simulated_quoting *quoting);
/* A quote of version 3 about an enclave's report body (the first 384 bytes of REPORT), with the PCK
 * chain in it. */
MUST_CHECK bool simulated_quote(const struct simulated_quoting *quoting,
                                const uint8_t report[SGX_REPORT_SIZE], struct writer *w,
                                struct err *err);
