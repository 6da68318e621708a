/* broch inspect: the command line. The work is that of the program broch-registry, which has the
 * libraries of a client. */
#include "cli/commands.h"
#include "cli/inspect_work.h"
#include "base/banned.h"

static const struct cli_option inspect_options[] = {
    {.name = "--steward-ca",
     .value = "FILE",
     .help = "the root of a Steward that is believed, in PEM",
     .is_repeatable = true},
    {.name = "--registry-ca",
     .value = "FILE",
     .env = "BROCH_CA_BUNDLE",
     .help = "roots for the registry's certificate, in PEM, instead of the system's"},
};

const struct cli_command inspect_command = {
    .name = "inspect",
    .summary = "show who a TLS server is: which workload, digest and TEE, and who says so",
    .positionals = "HOST:PORT",
    .positional_min = 1,
    .positional_max = 1,
    .details =
        "Connects with TLS 1.3 and without a certificate, and shows the chain that the server\n"
        "shows; also when it turns us away afterwards, as a keep does that wants to know its\n"
        "peers. With --steward-ca the chain must end in that root, be valid now and not be\n"
        "revoked; without it nothing is said of trust. A revocation list that cannot be fetched\n"
        "is shown as 'revocation: unknown' and is no failure here, though keeps refuse then.\n"
        "\n"
        "Then the registry that the certificate's slug names is asked whether it serves the same\n"
        "digest now; that it cannot be asked is no failure. It is not asked when the certificate\n"
        "was judged and is not to be trusted.\n"
        "\n"
        "The exit status is 1 when there is no TLS 1.3 server, its certificate is no keep's or\n"
        "not to be trusted, or the digests differ.\n",
    .options = inspect_options,
    .option_count = COUNT_OF(inspect_options),
    .has_json = true,
    .run = cli_inspect,
};
