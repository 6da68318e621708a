/* broch help. */
#include "cli/commands.h"
#include "cli/frame.h"
#include "base/banned.h"

static int run(const struct cli_args *args)
{
    size_t used = 0, count = args->positional_count;
    const struct cli_command *command = cli_find(args->table, args->positionals, count, &used);

    if (cli_is_given(args, "--man"))
        return manual_write(cli_value(args, "--man"), args->table);
    if (cli_is_given(args, "--bash-completion"))
        completion_print_bash(stdout, args->table);
    else if (cli_is_given(args, "--markdown"))
        help_print_markdown(stdout, args->table);
    else if (count == 0)
        help_print_overview(stdout, args->table);
    else if (command != NULL && used < count)
        return cli_usage_error(args, args->positionals[used], "one argument too many for 'help'");
    else if (command != NULL)
        help_print_command(stdout, args->table, command);
    else if (count == 1 && cli_is_group(args->table, args->positionals[0]))
        help_print_group(stdout, args->table, args->positionals[0]);
    else
        return cli_unknown_command(args->table, args->positionals, count);
    return CLI_OK;
}

static const struct cli_option options[] = {
    {.name = "--man", .value = "DIR", .help = "write the man pages into a folder"},
    {.name = "--bash-completion", .help = "print what bash sources to complete command lines"},
    {.name = "--markdown", .help = "print docs/command-line.md"},
};

const struct cli_command help_command = {
    .name = "help",
    .summary = "explain a command, or list them all",
    .positionals = "[COMMAND]",
    .positional_max = 3,
    .options = options,
    .option_count = COUNT_OF(options),
    .run = run,
};
