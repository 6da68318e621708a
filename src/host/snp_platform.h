/* What AMD's secure processor says of this machine, through /dev/sev. */
#pragma once

#include "evidence/snp_report.h"
#include "host/snp_launch.h"

struct snp_platform {
    enum snp_product product;
    uint8_t chip_id[SNP_CHIP_ID_SIZE]; /* all zero: it is masked */
    uint8_t tcb[8];                    /* the reported one, as a TCB_VERSION */
};

/* family and model: of CPUID. ERR_IO with errno, ERR_UNSUPPORTED: a product that is not known. */
MUST_CHECK bool snp_platform_read(const struct snp_kernel *kernel, int sev, uint8_t family,
                                  uint8_t model, struct snp_platform *out, struct err *err);
/* The same of this machine: opens the device, asks CPUID. */
MUST_CHECK bool snp_platform_here(struct snp_platform *out, struct err *err);
