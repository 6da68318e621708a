/* A security processor of SEV-SNP in software (DESIGN.md §4): what the loader gives a machine where
 * the hardware is not there. It measures the pages that are really loaded, speaks the encrypted
 * protocol, and signs reports with a key under simulated roots: it protects nothing. */
#pragma once

#include "base/base.h"
#include "evidence/snp_measure.h"

struct psp;

/* A processor with a new VCEK under the roots of a folder of `broch sim init`. ERR_IO,
 * ERR_NOT_FOUND: there are none; ERR_FORMAT, ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool psp_new(const char *sim_folder, struct psp **out, struct err *err);
/* Zeroes its keys. */
void psp_free(struct psp *psp);

/* What `attest` answers beside the report: endorsements as sallyport.h has them. Borrowed. */
struct bytes psp_endorsements(const struct psp *psp);

/* ---- the launch: SNP_LAUNCH_START, _UPDATE, _FINISH (AMD 56860 §8.16 and on) ---- */

void psp_launch_start(struct psp *psp, uint64_t policy);
/* Measures a page of the guest, and fills it where its type is that of secrets or of CPUID.
 * ERR_INVALID: after the end, an address that is no page's; ERR_CRYPTO. */
MUST_CHECK bool psp_launch_update(struct psp *psp, enum snp_page_type type, uint64_t gpa,
                                  uint8_t *page, struct err *err);
/* Ends it with the first vCPU's page. An ID block and its authentication may be NULL, both; they
 * are judged: ERR_POLICY when it says another digest or policy, and as snp_id_auth_verify. */
MUST_CHECK bool psp_launch_finish(struct psp *psp, const uint8_t vmsa[SNP_PAGE_SIZE],
                                  const struct bytes *id_block, const struct bytes *id_auth,
                                  struct err *err);

/* ---- the guest ---- */

/* A message: its page is read once, the answer's is written, and the table of certificates. What
 * SW_EXITINFO2 would be: 0, or the firmware's error (AMD 56860, "Status codes"). */
int64_t psp_guest_request(struct psp *psp, const uint8_t request[SNP_PAGE_SIZE],
                          uint8_t response[SNP_PAGE_SIZE], uint8_t *certs, size_t certs_size);
