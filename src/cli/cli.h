/* The command line's frame: one table of commands drives parsing, help, suggestions, exit codes,
 * and later man pages and completions. Private to cli. */
#pragma once

#include "base/base.h"

/* Exit codes of broch itself; docs/command-line.md has the list. A workload's own are passed on. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,    /* the command could not do its work; the message says why */
    CLI_USAGE = 2,     /* the command line is wrong */
    CLI_TIMEOUT = 124, /* run --timeout */
    CLI_TRAP = 134     /* the workload trapped */
};

struct cli_option {
    const char *name;  /* "--backend" */
    const char *value; /* "NAME"; NULL: a switch */
    const char *env;   /* a variable that stands for it, or NULL */
    const char *help;  /* one line */
    bool is_repeatable;
};

/* What was given. Borrowed from argv and the environment. */
struct cli_args {
    const struct cli_command *command;
    const char **values;    /* of options, in the command's order; NULL: not given */
    const char ***repeated; /* of repeatable ones: NULL-ended lists; else NULL */
    const char *const *positionals;
    size_t positional_count;
    const char *const *rest; /* what follows `--` */
    size_t rest_count;
    bool json; /* --json, which commands with has_json take */
};

struct cli_command {
    const char *name;        /* "config check" */
    const char *summary;     /* one line, lower case, no full stop */
    const char *positionals; /* as in the synopsis: "MODULE", "[FILE]"; NULL: none */
    size_t positional_min, positional_max;
    const char *rest;    /* what follows `--` in the synopsis; NULL: nothing may */
    const char *details; /* paragraphs for --help and the man page */
    const struct cli_option *options;
    size_t option_count;
    bool has_json;
    int (*run)(const struct cli_args *args); /* returns the exit code; has printed its errors */
};

/* The value of an option by its name; NULL when it was not given. Asserts that there is one. */
const char *cli_value(const struct cli_args *args, const char *name);
bool cli_is_given(const struct cli_args *args, const char *name);

/* Prints "broch: WHAT: WHY" on stderr and returns CLI_FAILED. */
int cli_fail(const char *what, const char *why);
int cli_fail_err(const char *what, const struct err *err);

/* Parses argv by the table and runs the command. */
int cli_main(const struct cli_command *commands, size_t count, int argc, char **argv);
