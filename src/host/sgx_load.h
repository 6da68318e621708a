/* Enclaves from images, on any processor. */
#pragma once

#include "host/sgx_processor.h"
#include "host/sgx_quoting.h"
#include "image/image.h"

/* Creates the enclave, adds its pages, starts it. Errors are the processor's. */
MUST_CHECK bool sgx_load(struct sgx_processor *processor, const struct enclave_image *image,
                         const uint8_t sigstruct[SGX_SIGSTRUCT_SIZE], struct err *err);

/* Has an enclave that does nothing else make a REPORT of itself for a TARGETINFO, with no data.
 * It is the processor's one enclave from then on. ERR_IO: it was left otherwise; ERR_MEMORY,
 * ERR_CRYPTO, and the processor's. */
MUST_CHECK bool sgx_report_by(struct sgx_processor *processor,
                              const uint8_t target[SGX_TARGET_INFO_SIZE],
                              uint8_t out[SGX_WHOLE_REPORT_SIZE], struct err *err);
