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

/* The first word of a command's name. */
struct bytes cli_first_word(const struct cli_command *command);

/* What the word of a value stands for; NULL when the table does not say. */
const struct cli_value *cli_find_value(const struct cli_table *table, struct bytes name);

/* What a group is for; NULL when the table does not say. */
const char *cli_group_summary(const struct cli_table *table, struct bytes name);

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
void help_print_command(FILE *out, const struct cli_table *table,
                        const struct cli_command *command);
/* docs/command-line.md. */
void help_print_markdown(FILE *out, const struct cli_table *table);

/* All that is said of an option behind its name, on one line; print: fputs, or as it. */
void help_print_option(FILE *out, const struct cli_table *table, const struct cli_option *option,
                       bool with_env, int (*print)(const char *text, FILE *out));

/* The i-th of the exit codes and what it means; false when there are no more. */
bool help_exit_code(size_t i, int *code, const char **meaning);

/* What is said behind them, on two lines: the exit statuses that are not broch's own. */
extern const char help_exit_passed_on[];

/* How options are written, for a manual; with `code`. */
extern const char help_conventions[];

/* Writes the man pages into a folder, which is made: broch.1, and for the first word of every
 * command broch-WORD.1. Returns the exit code, and has told why. */
int manual_write(const char *folder, const struct cli_table *table);

/* What bash sources to complete command lines. */
void completion_print_bash(FILE *out, const struct cli_table *table);
