/* broch-drawbridge: the registry's server, and the commands of its operator. */
#include "cli/commands.h"
#include "base/banned.h"

static const struct cli_command *const commands[] = {
    &drawbridge_init_command,         &drawbridge_serve_command,
    &drawbridge_token_create_command, &drawbridge_token_list_command,
    &drawbridge_token_revoke_command, &drawbridge_fsck_command,
    &drawbridge_gc_command,
};

int main(int argc, char **argv)
{
    const struct cli_table table = {.commands = commands, .count = COUNT_OF(commands)};

    return cli_server_main(&table, "drawbridge", argc, argv);
}
