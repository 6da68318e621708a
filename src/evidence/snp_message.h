/* Messages between a guest and the security processor of SEV-SNP: their form, sealed with a key
 * that both have. AMD 56860 (SEV-SNP firmware ABI) rev. 1.57, §8.26 (SNP_GUEST_REQUEST), chapter 7
 * (messages). */
#pragma once

#include "evidence/snp_report.h"

#define SNP_MESSAGE_KEY_SIZE 32u
#define SNP_MESSAGE_MAX (SNP_PAGE_SIZE - 0x60u) /* bytes of a message, without its header */

enum snp_message_type { SNP_MESSAGE_REPORT_REQUEST = 5, SNP_MESSAGE_REPORT_RESPONSE = 6 };

/* Seals a message of at most SNP_MESSAGE_MAX bytes into a page with AES-256-GCM. A sequence number
 * may be used once with a key, or a second time for the very same message. ERR_LIMIT, ERR_CRYPTO.
 */
MUST_CHECK bool snp_message_seal(const uint8_t key[SNP_MESSAGE_KEY_SIZE], uint64_t sequence,
                                 enum snp_message_type type, struct bytes message,
                                 uint8_t page[SNP_PAGE_SIZE], struct err *err);
/* Opens one that must have this sequence number and type. out: SNP_MESSAGE_MAX bytes. ERR_FORMAT: a
 * header that is none; ERR_CRYPTO: not sealed with this key, or changed; ERR_POLICY: another
 * sequence number or type. */
MUST_CHECK bool snp_message_open(const uint8_t key[SNP_MESSAGE_KEY_SIZE], uint64_t sequence,
                                 enum snp_message_type type, const uint8_t page[SNP_PAGE_SIZE],
                                 uint8_t *out, struct bytes *message, struct err *err);

/* ---- asking for a report ---- */

#define SNP_REPORT_REQUEST_SIZE 96u

void snp_report_request_write(const uint8_t data[64], uint32_t vmpl,
                              uint8_t out[SNP_REPORT_REQUEST_SIZE]);
/* ERR_FORMAT. */
MUST_CHECK bool snp_report_request_parse(struct bytes in, uint8_t data[64], uint32_t *vmpl,
                                         struct err *err);

#define SNP_REPORT_RESPONSE_SIZE (32u + SNP_REPORT_SIZE)

void snp_report_response_write(const uint8_t report[SNP_REPORT_SIZE],
                               uint8_t out[SNP_REPORT_RESPONSE_SIZE]);
/* The report that a response carries, borrowed. ERR_FORMAT; ERR_IO: the processor refused (at: its
 * status). */
MUST_CHECK bool snp_report_response_parse(struct bytes in, struct bytes *report, struct err *err);
