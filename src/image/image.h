/* The keep image: the pages that a virtual machine or an enclave begins with, from the shim's file
 * and the exec layer's, and what SEV-SNP or SGX measures of them. The same pages on every backend,
 * real or simulated (DESIGN.md §4). No I/O. */
#pragma once

#include "base/base.h"
#include "evidence/sgx_measure.h"
#include "evidence/sgx_sigstruct.h"
#include "evidence/snp_measure.h"

/* ---- of a virtual machine ---- */

/* Pages in a row. */
struct image_range {
    uint64_t gpa; /* guest-physical, of a page */
    enum snp_page_type type;
    struct bytes bytes; /* whole pages; of secrets and CPUID: one page, whose content is not ours */
};

#define IMAGE_RANGES_MAX 24

struct image {
    struct image_range ranges[IMAGE_RANGES_MAX]; /* in the order in which they are launched */
    size_t count;
    uint64_t entry;     /* virtual */
    uint64_t keep_size; /* of the exec layer's file, in bytes */
};

#define IMAGE_SHIM_MAX ((size_t)1 << 20) /* bytes of the shim's file */

/* Lays out an image. `keep` is borrowed, the rest is the arena's. ERR_FORMAT: the shim is no ELF
 * file that fits its place; ERR_LIMIT: the exec layer is too large; ERR_MEMORY. */
MUST_CHECK bool image_compose(struct bytes shim, struct bytes keep, struct arena *arena,
                              struct image *out, struct err *err);

/* ---- what is measured ---- */

/* A way in which hosts start a vCPU, which shows in the measurement. */
struct image_variant {
    const char *name, *summary;
    uint64_t sev_features;
};

/* The known ones; the first is that of our own loader. */
#define IMAGE_VARIANTS 2
extern const struct image_variant image_variants[IMAGE_VARIANTS];

/* What its owner allows (snp_report.h): simultaneous threads, no debugging, no migration. */
#define IMAGE_SNP_POLICY UINT64_C(0x30000)

/* The first processor as the measured image has it. */
void image_start(const struct image *image, const struct image_variant *variant,
                 struct snp_long_mode *out);
/* The launch digest. ERR_CRYPTO. */
MUST_CHECK bool image_measure(const struct image *image, const struct image_variant *variant,
                              uint8_t out[SNP_DIGEST_SIZE], struct err *err);

/* ---- of an enclave ---- */

/* Pages in a row, with the same rights. */
struct enclave_range {
    uint64_t offset, size; /* of whole pages */
    uint64_t flags;        /* SECINFO's */
    bool is_measured;      /* their content; that they are there always is */
    struct bytes bytes;    /* as many as size, or none: zeroes */
};

#define ENCLAVE_RANGES_MAX 24

struct enclave_image {
    struct enclave_range ranges[ENCLAVE_RANGES_MAX]; /* in the order in which they are added */
    size_t count;
};

/* Lays out an enclave (shim/sgx/layout.h). Everything is the arena's. ERR_FORMAT: shim or exec
 * layer is no position-independent ELF file with segments that fit their place; ERR_MEMORY. */
MUST_CHECK bool enclave_compose(struct bytes shim, struct bytes keep, struct arena *arena,
                                struct enclave_image *out, struct err *err);
/* MRENCLAVE. ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool enclave_measure(const struct enclave_image *image,
                                uint8_t out[SGX_MEASUREMENT_SIZE], struct err *err);

/* What its author says of it, beside its measurement. */
struct enclave_author {
    uint16_t product, svn;
    uint32_t date; /* binary-coded decimals, 0x20261123 */
};
/* SIGSTRUCT of an enclave with a measurement, signed by a key as sgx_sigstruct_sign has it. */
struct evp_pkey_st;
MUST_CHECK bool enclave_sign(const uint8_t measurement[SGX_MEASUREMENT_SIZE],
                             const struct enclave_author *author, struct evp_pkey_st *key,
                             uint8_t out[SGX_SIGSTRUCT_SIZE], struct err *err);
/* The same by the development key, which everybody has: its signature says nothing, and the
 * processor wants one. */
MUST_CHECK bool enclave_sign_for_development(const uint8_t measurement[SGX_MEASUREMENT_SIZE],
                                             uint8_t out[SGX_SIGSTRUCT_SIZE], struct err *err);

/* ---- an image as one file: docs/keep-image.md ---- */

#define IMAGE_FILE_MAX ((size_t)64 << 20)
#define IMAGE_MAGIC "BROCHIM1"

/* What is absent is empty. Borrowed. */
struct image_file {
    struct bytes shim, keep;        /* files, as they are; the shim of machines */
    struct bytes enclave_shim;      /* that of enclaves */
    struct bytes id_block, id_auth; /* of SEV-SNP: both, or neither */
    struct bytes sigstruct;         /* of SGX */
};

void image_file_write(struct writer *w, const struct image_file *file);
/* ERR_FORMAT: no such file, a part twice or unknown, or one missing. Signatures are not judged. */
MUST_CHECK bool image_file_parse(struct bytes in, struct image_file *out, struct err *err);
