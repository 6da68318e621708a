/* broch-steward: the Steward's server, and the commands of its operator. */
#include "cli/commands.h"
#include "base/banned.h"

static const struct cli_command *const commands[] = {
    &steward_init_command,
    &steward_serve_command,
    &steward_policy_explain_command,
    &steward_policy_test_command,
    &steward_collateral_import_command,
    &steward_collateral_list_command,
    &steward_collateral_refresh_command,
    &steward_revoke_command,
    &steward_revocations_command,
    &steward_audit_verify_command,
};

int main(int argc, char **argv)
{
    const struct cli_table table = {.commands = commands, .count = COUNT_OF(commands)};

    return cli_server_main(&table, "steward", argc, argv);
}
