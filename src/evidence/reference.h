/* Reference values (RFC 9334): what a keep image measures, in a file that policies include, and
 * from what it was built. docs/keep-image.md has the form. */
#pragma once

#include "evidence/policy.h"

#define REFERENCE_SIZE_MAX ((size_t)256 << 10)
#define REFERENCE_VALUES_MAX 64

/* A static archive that is linked into the image. */
struct evidence_archive {
    struct bytes name, version, sha256; /* "libcrypto.a", its package's, hexadecimal */
};

/* What is absent is empty. */
struct evidence_reference {
    struct bytes broch, commit, compiler;
    struct bytes_list snp, sgx; /* measurements of 48 bytes, MRENCLAVEs of 32 */
    const struct evidence_archive *archives;
    size_t archive_count;
};

/* Reads the TOML; *out borrows from the text and the arena. A file without any value is an error.
 */
MUST_CHECK bool evidence_reference_parse(struct bytes text, struct arena *arena,
                                         struct evidence_reference *out, struct text_error *error);
void evidence_reference_write(struct writer *w, const struct evidence_reference *reference);
/* Adds its values to those of a policy. ERR_MEMORY. */
MUST_CHECK bool evidence_policy_add(struct evidence_policy *policy, struct arena *arena,
                                    const struct evidence_reference *reference, struct err *err);
