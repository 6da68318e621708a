/* broch steward …: the command lines. The work is that of the program broch-steward, which has the
 * libraries of a server; broch starts it. */
#include "cli/commands.h"
#include "cli/steward_work.h"
#include "base/banned.h"

#define CONFIG_OPTION                                                          \
    {                                                                          \
        .name = "--config", .value = "FILE", .env = "BROCH_STEWARD_CONFIG",    \
        .help = "the Steward's configuration; without it steward.toml is read" \
    }

static const struct cli_option config_option[] = {CONFIG_OPTION};

static const struct cli_option init_options[] = {
    {.name = "--trust-domain",
     .value = "NAME",
     .help = "the trust domain of its certificates, as in spiffe://NAME/keep/…"},
    {.name = "--host",
     .value = "HOST[:PORT]",
     .help = "where keeps reach it; without it localhost:8443"},
    {.name = "--simulation",
     .help = "makes a CA for simulated platforms too, and believes this machine's"},
    {.name = "--reference",
     .value = "FILE",
     .help = "believe these images, of 'broch image measure --reference'",
     .is_repeatable = true},
    {.name = "--registry",
     .value = "HOST[:PORT]=CA",
     .help = "read tags there; CA is a file in PEM, or web-pki",
     .is_repeatable = true},
};

const struct cli_command steward_init_command = {
    .name = "steward init",
    .summary = "make a Steward: keys, certificates and a configuration, in a folder",
    .positionals = "DIR",
    .positional_min = 1,
    .positional_max = 1,
    .details =
        "Makes a root (P-384) and the Steward's CA under it (P-256), a certificate for its server\n"
        "under the same root, and the key of its nonces. The root's key is not needed again "
        "before\n"
        "the CA's certificate expires: keep it elsewhere. With --simulation, evidence of the\n"
        "platforms that 'broch sim init' made is believed and certified by a CA of its own, whose\n"
        "name says SIMULATED.\n"
        "\n"
        "Without --reference no image is believed, and without --registry no slug is certified,\n"
        "before the configuration says otherwise. The files stay where they are.\n",
    .options = init_options,
    .option_count = COUNT_OF(init_options),
    .run = cli_steward_init,
};

const struct cli_command steward_serve_command = {
    .name = "steward serve",
    .summary = "attest keeps and issue their certificates, over HTTPS",
    .details =
        "The same as 'broch-steward --config FILE'. SIGHUP reads policy and endorsements again "
        "and\n"
        "keeps the old ones when there is an error; SIGTERM and SIGINT answer what was asked, and\n"
        "stop. The CA's key is in a process of its own, which writes the audit log.\n",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .run = cli_steward_serve,
};

static const struct cli_option audit_options[] = {
    {.name = "--head",
     .value = "HEX",
     .help = "the hash of a line that was noted earlier, which must be in the log"},
};

const struct cli_command steward_audit_verify_command = {
    .name = "steward audit verify",
    .summary = "check that no line of an audit log was changed, taken out or put in",
    .positionals = "FILE",
    .positional_min = 1,
    .positional_max = 1,
    .details =
        "Each line has the hash of the one before it. What was cut off at the end shows only to\n"
        "who noted a later hash: this command prints the last one; give it to --head next time.\n",
    .options = audit_options,
    .option_count = COUNT_OF(audit_options),
    .has_json = true,
    .run = cli_steward_audit_verify,
};

const struct cli_command steward_policy_explain_command = {
    .name = "steward policy explain",
    .summary = "say in words what a Steward's policy accepts",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .run = cli_steward_policy_explain,
};

static const struct cli_option test_options[] = {
    CONFIG_OPTION,
    {.name = "--at",
     .value = "TIME",
     .help = "judge as of this time: 2026-11-23T08:00:00Z, or seconds since 1970"},
    {.name = "--enarx", .help = "judge a request as the interface for Enarx's keeps does"},
};

const struct cli_command steward_policy_test_command = {
    .name = "steward policy test",
    .summary = "judge evidence or a certificate request, and issue nothing",
    .positionals = "FILE",
    .positional_min = 1,
    .positional_max = 1,
    .details =
        "FILE is a keep's certificate request in DER, which is judged as the server would, but "
        "for\n"
        "its nonce; or evidence in any form that 'broch evidence verify' reads. Endorsements are\n"
        "taken from the file, the configured folders and the store.\n"
        "\n"
        "Exit status: 0 accepted, 1 refused, 2 unreadable.\n",
    .options = test_options,
    .option_count = COUNT_OF(test_options),
    .has_json = true,
    .run = cli_steward_policy_test,
};

const struct cli_command steward_collateral_import_command = {
    .name = "steward collateral import",
    .summary = "put endorsements into a Steward's store, for use without a network",
    .positionals = "FILE...",
    .positional_min = 1,
    .positional_max = 256,
    .details =
        "Certificates, revocation lists, TCB infos and enclave identities, in any form that\n"
        "'broch evidence verify' reads. A running Steward uses them with its next request.\n",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .run = cli_steward_collateral_import,
};

const struct cli_command steward_collateral_list_command = {
    .name = "steward collateral list",
    .summary = "list the endorsements in a Steward's store",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .has_json = true,
    .run = cli_steward_collateral_list,
};

const struct cli_command steward_collateral_refresh_command = {
    .name = "steward collateral refresh",
    .summary = "fetch anew what came from a service",
    .details = "Everything in the store that has an address, whether it has expired or not.\n",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .run = cli_steward_collateral_refresh,
};

static const struct cli_option revoke_options[] = {
    CONFIG_OPTION,
    {.name = "--serial", .value = "HEX", .help = "a certificate"},
    {.name = "--measurement", .value = "HEX", .help = "every keep of an image"},
    {.name = "--chip", .value = "HEX", .help = "every keep on a platform: chip id, PPID"},
    {.name = "--slug", .value = "HOST/USER/REPO[:TAG]", .help = "every keep of a workload"},
    {.name = "--reason", .value = "TEXT", .help = "why, for who reads the list later"},
};

const struct cli_command steward_revoke_command = {
    .name = "steward revoke",
    .summary = "revoke certificates, and refuse new ones",
    .details =
        "Takes effect with the next request of a running Steward, and in its revocation list. The\n"
        "audit log says what was issued. There is no way back: issue a new image, or move the\n"
        "Steward to a new store.\n",
    .options = revoke_options,
    .option_count = COUNT_OF(revoke_options),
    .run = cli_steward_revoke,
};

const struct cli_command steward_revocations_command = {
    .name = "steward revocations",
    .summary = "list what was revoked",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .has_json = true,
    .run = cli_steward_revocations,
};
