/* What the frame's own files share: the commands' names, parsing, help. */
#pragma once

#include "cli/cli.h"

/* More than the table will ever have; arrays of names have this size. */
#define CLI_COMMANDS_MAX 100

/* The command whose name the first words are; NULL when there is none. *used is how
 * many words its name has. */
const struct cli_command *cli_find(const struct cli_table *table, const char *const *words,
                                   size_t count, size_t *used);

/* Whether the word begins the names of commands of several words. */
bool cli_is_group(const struct cli_table *table, const char *word);

/* Whether the command's name is that of a group and another word. */
bool cli_is_in_group(const struct cli_command *command, const char *group);

/* Says on stderr that the words name no command, with the nearest that do; returns CLI_USAGE. */
int cli_unknown_command(const struct cli_table *table, const char *const *words, size_t count);

/* Parses what follows the command's name. False: *status is the exit code, and all is said. What
 * *out has lives as long as the arena. */
MUST_CHECK bool cli_parse(const struct cli_table *table, const struct cli_command *command,
                          const char *const *words, size_t count, struct arena *arena,
                          struct cli_args *out, int *status);

/* broch SYNOPSIS, on one line. */
void help_print_synopsis(FILE *out, const struct cli_command *command);
/* All commands, those of a group, one. */
void help_print_overview(FILE *out, const struct cli_table *table);
void help_print_group(FILE *out, const struct cli_table *table, const char *group);
void help_print_command(FILE *out, const struct cli_command *command);
/* docs/command-line.md. */
void help_print_markdown(FILE *out, const struct cli_table *table);
