/* The command line's frame: one table of commands drives parsing, help, suggestions, exit codes,
 * docs/command-line.md, the man pages and the completion of shells. Private to cli. */
#pragma once

#include <stdio.h>

#include "base/base.h"

/* Exit codes of broch itself; docs/command-line.md has the list. A workload's own are passed on. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,        /* the command could not do its work; the message says why */
    CLI_USAGE = 2,         /* the command line is wrong */
    CLI_TIMEOUT = 124,     /* run --timeout */
    CLI_NO_IDENTITY = 125, /* deploy: no Steward certified the keep */
    CLI_TRAP = 134         /* the workload trapped */
};

struct cli_option {
    const char *name;  /* "--backend" */
    const char *value; /* "FILE"; NULL: a switch */
    const char *env;   /* a variable that stands for it when it is not given, or NULL */
    const char *help;  /* one line */
    bool is_repeatable;
};

/* What a word stands for that names a value in the help, as FILE or BACKEND. A word with no entry
 * stands for any text; one as "public|private" has its choices in itself. */
enum cli_value_kind { CLI_VALUE_TEXT, CLI_VALUE_FILE, CLI_VALUE_FOLDER, CLI_VALUE_COMMAND };
struct cli_value {
    const char *name; /* "BACKEND" */
    enum cli_value_kind kind;
    const char *(*choice)(size_t i); /* the i-th thing that it can be, NULL behind the last; or
                                        NULL: it is not one of a few */
};

/* What commands of several words have in common, by the first. */
struct cli_group {
    const char *name;    /* "config" */
    const char *summary; /* as a command's */
};

/* Every command that there is, in the order of the help. */
struct cli_table {
    const struct cli_command *const *commands;
    size_t count;
    const struct cli_value *values;
    size_t value_count;
    const struct cli_group *groups;
    size_t group_count;
};

/* What was given. Borrowed from argv and the environment. */
struct cli_args {
    const struct cli_table *table;
    const struct cli_command *command;
    const char **values;    /* of options, in the command's order; NULL: not given. A switch: "" */
    const char ***repeated; /* of repeatable ones: NULL-ended lists; else NULL */
    const char *const *positionals;
    size_t positional_count;
    const char *const *rest; /* what follows `--` */
    size_t rest_count;
    bool json;               /* --json, which commands with has_json take */
    const char *const *argv; /* all of it, as the program got it; ends with NULL */
};

struct cli_command {
    const char *name;        /* "config check"; of one to three words */
    const char *summary;     /* one line, lower case, no full stop */
    const char *positionals; /* as in the synopsis: "MODULE", "[FILE]"; NULL: none */
    size_t positional_min, positional_max;
    const char *rest;    /* what follows `--` in the synopsis; NULL: there `--` only ends options */
    const char *details; /* paragraphs for --help and the man page, in lines of 80; or NULL */
    const struct cli_option *options;
    size_t option_count;
    bool has_json;
    int (*run)(const struct cli_args *args); /* returns the exit code; has printed its errors */
};

/* The value of an option by its name; NULL when it was not given, of a switch "" when it was.
 * Asserts that there is one of that name. */
const char *cli_value(const struct cli_args *args, const char *name);
bool cli_is_given(const struct cli_args *args, const char *name);

/* The values of a repeatable option, in their order, ended by NULL; never NULL itself. */
const char *const *cli_values(const struct cli_args *args, const char *name);

/* Prints "broch: WHAT: WHY" on stderr and returns CLI_FAILED. Control characters are escaped. */
int cli_fail(const char *what, const char *why);
int cli_fail_err(const char *what, const struct err *err);

/* As cli_fail, for a command line that is wrong: adds how the command is used, returns CLI_USAGE.
 */
int cli_usage_error(const struct cli_args *args, const char *what, const char *why);

/* Of all these programs: "0.1.0". */
extern const char *const cli_version;

/* Prints text of any origin as writer_shown does. */
void cli_print_shown(FILE *out, struct bytes text);

/* Parses argv by the table and runs the command. Returns the exit code. */
int cli_main(const struct cli_table *table, int argc, char **argv);

/* The same for a server's program, whose commands all begin with the word `server`:
 * "broch-steward --config F" is "broch steward serve --config F"; anything else it is given, broch
 * was. */
int cli_server_main(const struct cli_table *table, const char *server, int argc, char **argv);
