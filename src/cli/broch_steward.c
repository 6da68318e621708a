/* broch-steward: the Steward's server, and the commands of its operator. */
#include <stdlib.h>

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

/* "broch-steward --config F" is "broch steward serve --config F"; anything else it is given, broch
 * was. */
int main(int argc, char **argv)
{
    const struct cli_table table = {.commands = commands, .count = COUNT_OF(commands)};
    static char steward[] = "steward", serve[] = "serve";

    if (argc > 1 && (strcmp(argv[1], steward) == 0 || strcmp(argv[1], "--version") == 0))
        return cli_main(&table, argc, argv);
    char **words = calloc((size_t)argc + 3, sizeof *words);
    if (words == NULL)
        return cli_fail("broch-steward", "no memory for the command line");
    words[0] = argv[0];
    words[1] = steward;
    words[2] = serve;
    for (int i = 1; i < argc; i++)
        words[i + 2] = argv[i];
    int status = cli_main(&table, argc + 2, words);
    free(words);
    return status;
}
