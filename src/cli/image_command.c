/* broch image, broch key sev, broch key sgx: the command lines. The work is in image_work.c and
 * image_key_work.c. */
#include "cli/commands.h"
#include "cli/image_work.h"
#include "base/banned.h"

#define IMAGE \
    "FILE is an image of 'broch image build'; without it, it is the one of this installation.\n"

static const struct cli_option build_options[] = {
    {"--out", "FILE", NULL, "the image; required", false},
    {"--shim", "FILE", NULL, "another shim of machines than this installation's", false},
    {"--enclave-shim", "FILE", NULL, "likewise that of enclaves", false},
    {"--keep", "FILE", NULL, "another exec layer than this installation's", false},
};

const struct cli_command image_build_command = {
    .name = "image build",
    .summary = "put a keep image into one file, to be signed, kept and given to deploy",
    .details = "The same parts give the same file. What is measured are the parts, as they are.\n",
    .options = build_options,
    .option_count = COUNT_OF(build_options),
    .run = cli_image_build,
};

static const struct cli_option measure_options[] = {
    {"--reference", "FILE", NULL,
     "write the reference values for a Steward's policy, and from what they were built", false},
};

const struct cli_command image_measure_command = {
    .name = "image measure",
    .summary = "compute what a TEE measures of a keep image",
    .positionals = "[FILE]",
    .positional_max = 1,
    .details = "One line for each way in which a host is known to start it: technology, variant,\n"
               "measurement. The first of snp is how broch does; of sgx it is the same "
               "everywhere.\n" IMAGE,
    .options = measure_options,
    .option_count = COUNT_OF(measure_options),
    .has_json = true,
    .run = cli_image_measure,
};

static const struct cli_option sign_options[] = {
    {"--sgx-key", "FILE", NULL, "the key that signs it for SGX, of 'key sgx create'", false},
    {"--sev-id-key", "FILE", NULL, "the key that signs it for SEV-SNP, P-384 in PEM", false},
    {"--sev-author-key", "FILE", NULL, "the key that vouches for that one", false},
    {"--sev-id-key-signature", "FILE", NULL, "instead of that key: what it said ('key sev sign')",
     false},
    {"--svn", "N", NULL, "the image's security version, 0 if not given", false},
    {"--product", "N", NULL, "of SGX, which product this is; 1 if not given", false},
    {"--family", "HEX", NULL, "of SEV-SNP, 16 bytes that name what the image belongs to", false},
    {"--image", "HEX", NULL, "likewise, that name the image", false},
};

const struct cli_command image_sign_command = {
    .name = "image sign",
    .summary = "sign an image: processors start no other under this signature",
    .positionals = "FILE",
    .positional_min = 1,
    .positional_max = 1,
    .details =
        "The signatures are put into FILE: for SEV-SNP an ID block and its authentication, for "
        "SGX\n"
        "SIGSTRUCT. Reports show the digests of the keys ('broch key sev digest', 'broch key sgx\n"
        "digest') and the version, which policies ask for as id_keys, author_keys and "
        "guest_svn_min,\n"
        "or as signers. An image that is not signed for SGX is started under a development key,\n"
        "which everybody has: then a policy names its MRENCLAVE.\n",
    .options = sign_options,
    .option_count = COUNT_OF(sign_options),
    .run = cli_image_sign,
};

const struct cli_command image_show_command = {
    .name = "image show",
    .summary = "show the parts of a keep image, its measurements, and who signed it",
    .positionals = "[FILE]",
    .positional_max = 1,
    .details = IMAGE "A signature that does not fit the image is an error.\n",
    .has_json = true,
    .run = cli_image_show,
};

const struct cli_command image_reproduce_command = {
    .name = "image reproduce",
    .summary = "compare reference values with the image of this installation, and say what differs",
    .positionals = "REFERENCE",
    .positional_min = 1,
    .positional_max = 1,
    .details =
        "REFERENCE is a file of 'image measure --reference', of somebody else's build. Who has\n"
        "built the same sources here learns whether that gave the same image and, if not, which\n"
        "of its makings differ: source, compiler, archives. The exit code is 0 when the\n"
        "measurements are the same, else 1.\n",
    .has_json = true,
    .run = cli_image_reproduce,
};

static const struct cli_option key_options[] = {
    {"--out", "FILE", NULL, "where to; else standard output", false},
};

const struct cli_command key_sev_create_command = {
    .name = "key sev create",
    .summary = "make a key that signs images for SEV-SNP, or vouches for such keys",
    .details = "ECDSA on P-384, PKCS#8 in PEM, readable by its owner alone.\n",
    .options = key_options,
    .option_count = COUNT_OF(key_options),
    .run = cli_key_sev_create,
};

const struct cli_command key_sev_digest_command = {
    .name = "key sev digest",
    .summary = "print the digest of such a key, as reports show it",
    .positionals = "KEY",
    .positional_min = 1,
    .positional_max = 1,
    .options = key_options,
    .option_count = COUNT_OF(key_options),
    .run = cli_key_sev_digest,
};

static const struct cli_option key_sign_options[] = {
    {"--author-key", "FILE", NULL, "the key that vouches; required", false},
    {"--id-key", "FILE", NULL, "the key that it vouches for; required", false},
    {"--out", "FILE", NULL, "where to; else standard output", false},
};

const struct cli_command key_sev_sign_command = {
    .name = "key sev sign",
    .summary = "vouch for a key that signs images",
    .details =
        "For 'image sign --sev-id-key-signature': the signature, then the public half of the\n"
        "author's key, 1540 bytes.\n",
    .options = key_sign_options,
    .option_count = COUNT_OF(key_sign_options),
    .run = cli_key_sev_sign,
};

const struct cli_command key_sgx_create_command = {
    .name = "key sgx create",
    .summary = "make a key that signs images for SGX",
    .details = "RSA of 3072 bits with exponent 3, PKCS#8 in PEM, readable by its owner alone.\n",
    .options = key_options,
    .option_count = COUNT_OF(key_options),
    .run = cli_key_sgx_create,
};

const struct cli_command key_sgx_digest_command = {
    .name = "key sgx digest",
    .summary = "print MRSIGNER of such a key, as quotes show it",
    .positionals = "KEY",
    .positional_min = 1,
    .positional_max = 1,
    .options = key_options,
    .option_count = COUNT_OF(key_options),
    .run = cli_key_sgx_digest,
};
