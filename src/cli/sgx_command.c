/* broch platform sgx: the command lines. The work is in sgx_work.c, in broch-registry, which can
 * fetch. */
#include "cli/commands.h"
#include "cli/sgx_work.h"
#include "base/banned.h"

#define QUOTE                                                                        \
    {                                                                                \
        "--quote", "FILE", NULL,                                                     \
            "a quote of the platform, or a request with one; else asks aesmd", false \
    }

static const struct cli_option show_options[] = {QUOTE};

static const struct cli_option update_options[] = {
    {"--cache", "DIR", "BROCH_SGX_CACHE", "the folder of what is kept", false},
    {"--pcs", "URL", NULL, "Intel's service, or a caching one that speaks the same", false},
    {"--pcs-ca", "FILE", NULL, "PEM: who that service is; else the web's authorities", false},
    {"--fmspc", "HEX", NULL, "the platform's kind, 6 bytes", false},
    {"--ca", "NAME", NULL, "who certifies it: platform, processor", false},
    QUOTE,
};

const struct cli_command platform_sgx_show_command = {
    .name = "platform sgx show",
    .summary = "show what Intel certifies of this machine",
    .details =
        "That stands in the certificate (PCK) that every quote of the machine has with it. Who\n"
        "signed it is not judged here: see 'broch evidence verify'.\n",
    .options = show_options,
    .option_count = COUNT_OF(show_options),
    .has_json = true,
    .run = cli_platform_sgx_show,
};

const struct cli_command platform_sgx_update_command = {
    .name = "platform sgx update",
    .summary = "fetch Intel's TCB info and revocation lists for this platform",
    .details =
        "A keep sends them to its Steward. They expire after some 30 days: fetch anew by then. "
        "They\n"
        "are kept in --cache, else $BROCH_SGX_CACHE, else /var/cache/broch/sgx, from where keeps "
        "are\n"
        "given them; Intel's QE identity is kept there too, for Stewards that fetch nothing.\n"
        "--fmspc and --ca, or --quote, fetch for another machine: there 'broch platform sgx show'\n"
        "says them. Without --pcs, the root's list comes from where Intel's certificates say.\n",
    .options = update_options,
    .option_count = COUNT_OF(update_options),
    .run = cli_platform_sgx_update,
};
