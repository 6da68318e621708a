/* Help in all its forms, from the table alone. */
#include "cli/frame.h"

#include "base/banned.h"

/* Where the second column of a list begins, and the line's end. */
enum { HELP_COLUMN = 30 };

static const struct {
    enum cli_exit code;
    const char *meaning;
} exits[] = {
    {CLI_OK, "done"},
    {CLI_FAILED, "the command could not do its work; the message says why"},
    {CLI_USAGE, "the command line is wrong"},
    {CLI_TIMEOUT, "the workload ran longer than it may"},
    {CLI_NO_IDENTITY, "no Steward certified the keep"},
    {CLI_TRAP, "the workload trapped"},
};

const char help_exit_passed_on[] = "A workload's own exit status is passed on. It is 128 and the "
                                   "number of a signal when the workload\n"
                                   "raised one, or one ended the keep.";

void help_print_synopsis(FILE *out, const struct cli_command *c)
{
    (void)fprintf(out, "broch %s [OPTION…]", c->name);
    if (c->positionals != NULL)
        (void)fprintf(out, " %s", c->positionals);
    if (c->rest != NULL)
        (void)fprintf(out, " [-- %s]", c->rest);
}

static void print_item(FILE *out, const char *name, const char *value, const char *help)
{
    char text[100];

    (void)snprintf(text, sizeof text, "%s%s%s", name, value != NULL ? " " : "",
                   value != NULL ? value : "");
    if (strlen(text) > HELP_COLUMN - 4)
        (void)fprintf(out, "  %s\n%*s%s", text, HELP_COLUMN, "", help);
    else
        (void)fprintf(out, "  %-*s%s", HELP_COLUMN - 2, text, help);
}

static void print_commands(FILE *out, const struct cli_table *table, const char *group)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *c = table->commands[i];
        if (group == NULL || cli_is_in_group(c, group)) {
            print_item(out, c->name, NULL, c->summary);
            (void)fputc('\n', out);
        }
    }
}

void help_print_overview(FILE *out, const struct cli_table *table)
{
    (void)fputs("usage: broch COMMAND [OPTION…] [ARGUMENT…]\n\n", out);
    print_commands(out, table, NULL);
    (void)fputc('\n', out);
    print_item(out, "--help", NULL, "this text; 'broch help COMMAND' for one command\n");
    print_item(out, "--version", NULL, "the version\n");
    (void)fputs("\nExit status:\n", out);
    for (size_t i = 0; i < COUNT_OF(exits); i++)
        (void)fprintf(out, "  %-5d %s\n", (int)exits[i].code, exits[i].meaning);
    (void)fprintf(out, "%s\n", help_exit_passed_on);
}

void help_print_group(FILE *out, const struct cli_table *table, const char *group)
{
    const char *summary = cli_group_summary(table, bytes_of(group));

    (void)fprintf(out, "usage: broch %s COMMAND [OPTION…] [ARGUMENT…]\n\n", group);
    if (summary != NULL)
        (void)fprintf(out, "To %s.\n\n", summary);
    print_commands(out, table, group);
}

/* "; one of A, B, C", for a value that is. */
static void print_choices(FILE *out, const struct cli_table *table, const struct cli_option *o)
{
    const struct cli_value *value =
        o->value != NULL ? cli_find_value(table, bytes_of(o->value)) : NULL;
    const char *choice;

    if (value == NULL || value->choice == NULL)
        return;
    for (size_t i = 0; (choice = value->choice(i)) != NULL; i++)
        (void)fprintf(out, "%s%s", i != 0 ? ", " : "; one of ", choice);
}

void help_print_option(FILE *out, const struct cli_table *table, const struct cli_option *o,
                       bool with_env, int (*print)(const char *text, FILE *out))
{
    (void)print(o->help, out);
    print_choices(out, table, o);
    if (o->is_repeatable)
        (void)fputs("; may be repeated", out);
    if (with_env && o->env != NULL)
        (void)fprintf(out, "; or the variable %s", o->env);
}

bool help_exit_code(size_t i, int *code, const char **meaning)
{
    if (i >= COUNT_OF(exits))
        return false;
    *code = (int)exits[i].code;
    *meaning = exits[i].meaning;
    return true;
}

void help_print_command(FILE *out, const struct cli_table *table, const struct cli_command *c)
{
    (void)fprintf(out, "broch %s: %s\n\nusage: ", c->name, c->summary);
    help_print_synopsis(out, c);
    (void)fputs("\n\n", out);
    if (c->details != NULL)
        (void)fprintf(out, "%s\n", c->details);
    for (size_t i = 0; i < c->option_count; i++) {
        const struct cli_option *o = &c->options[i];
        print_item(out, o->name, o->value, "");
        help_print_option(out, table, o, true, fputs);
        (void)fputc('\n', out);
    }
    if (c->has_json)
        print_item(out, "--json", NULL, "print JSON for programs\n");
    print_item(out, "--help", NULL, "this text\n");
}

/* Text in a cell of a Markdown table. */
static int print_cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        (void)fprintf(out, "%s%c", *text == '|' ? "\\" : "", *text);
    return 0;
}

static void print_option_markdown(FILE *out, const struct cli_table *table,
                                  const struct cli_option *o)
{
    (void)fprintf(out, "| `%s%s", o->name, o->value != NULL ? " " : "");
    (void)print_cell(o->value != NULL ? o->value : "", out);
    (void)fputs("` | ", out);
    help_print_option(out, table, o, false, print_cell);
    if (o->env != NULL)
        (void)fprintf(out, " | `%s` |\n", o->env);
    else
        (void)fputs(" | |\n", out);
}

static void print_command_markdown(FILE *out, const struct cli_table *table,
                                   const struct cli_command *c)
{
    (void)fprintf(out, "\n## broch %s\n\nTo %s.\n\n```\n", c->name, c->summary);
    help_print_synopsis(out, c);
    (void)fputs("\n```\n", out);
    if (c->details != NULL)
        (void)fprintf(out, "\n%s", c->details);
    if (c->option_count == 0 && !c->has_json)
        return;
    (void)fputs("\n| option | what it does | variable |\n|---|---|---|\n", out);
    for (size_t i = 0; i < c->option_count; i++)
        print_option_markdown(out, table, &c->options[i]);
    if (c->has_json)
        (void)fputs("| `--json` | print JSON for programs | |\n", out);
}

const char help_conventions[] =
    "Options may stand before or after arguments, as `--option VALUE` or `--option=VALUE`; `--`\n"
    "ends them. Where an option has a variable, that stands for it when the option is not given\n"
    "and the variable is not empty (for a switch: nor `0`). Every command knows `--help`.\n";

void help_print_markdown(FILE *out, const struct cli_table *table)
{
    (void)fputs("# The command line\n\n"
                "<!-- Written by `broch help --markdown`: change the tables in src/cli. -->\n\n"
                "`broch COMMAND [OPTION…] [ARGUMENT…]`\n\n",
                out);
    (void)fputs(help_conventions, out);
    (void)fputs("\n| command | what it does |\n|---|---|\n", out);
    for (size_t i = 0; i < table->count; i++)
        (void)fprintf(out, "| `%s` | %s |\n", table->commands[i]->name,
                      table->commands[i]->summary);
    (void)fputs("\n| exit status | meaning |\n|---|---|\n", out);
    for (size_t i = 0; i < COUNT_OF(exits); i++)
        (void)fprintf(out, "| %d | %s |\n", (int)exits[i].code, exits[i].meaning);
    (void)fprintf(out, "\n%s\n", help_exit_passed_on);
    for (size_t i = 0; i < table->count; i++)
        print_command_markdown(out, table, table->commands[i]);
}
