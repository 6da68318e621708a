/* broch platform snp: the command lines. The work is in snp_work.c, in broch-registry, which can
 * fetch. */
#include "cli/commands.h"
#include "cli/snp_work.h"
#include "base/banned.h"

#define WHERE                                                                                 \
    "They are kept in --cache, else $BROCH_SNP_CACHE, else /var/cache/broch/snp, from where " \
    "keeps\n"                                                                                 \
    "are given them. --chip-id, --tcb and --product fetch for another machine: there\n"       \
    "'broch platform snp show' says them.\n"

#define CACHE                                                                    \
    {                                                                            \
        "--cache", "DIR", "BROCH_SNP_CACHE", "the folder of what is kept", false \
    }

static const struct cli_option fetch_options[] = {
    CACHE,
    {"--kds", "URL", NULL, "AMD's service, or one that speaks the same", false},
    {"--kds-ca", "FILE", NULL, "PEM: who that service is; else the web's authorities", false},
    {"--chip-id", "HEX", NULL, "another machine's chip", false},
    {"--tcb", "HEX", NULL, "its TCB, 8 bytes", false},
    {"--product", "Milan|Genoa|Turin", NULL, "its product", false},
};

static const struct cli_option vcek_options[] = {
    CACHE,
    {"--file", NULL, NULL, "print the file's name instead", false},
};

const struct cli_command platform_snp_show_command = {
    .name = "platform snp show",
    .summary = "show what AMD's secure processor says of this machine",
    .has_json = true,
    .run = cli_platform_snp_show,
};

const struct cli_command platform_snp_update_command = {
    .name = "platform snp update",
    .summary = "fetch AMD's certificate of this processor's key, and the revocation list",
    .details = "A keep sends both to its Steward. Firmware that is updated has another key; then\n"
               "fetch anew. " WHERE,
    .options = fetch_options,
    .option_count = COUNT_OF(fetch_options),
    .run = cli_platform_snp_update,
};

const struct cli_command platform_snp_cache_crl_command = {
    .name = "platform snp cache-crl",
    .summary = "fetch the revocation list alone",
    .details = WHERE,
    .options = fetch_options,
    .option_count = COUNT_OF(fetch_options),
    .run = cli_platform_snp_cache_crl,
};

const struct cli_command platform_snp_vcek_command = {
    .name = "platform snp vcek",
    .summary = "print the certificate that is kept, in DER",
    .options = vcek_options,
    .option_count = COUNT_OF(vcek_options),
    .run = cli_platform_snp_vcek,
};
