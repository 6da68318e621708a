/* Options and positionals of one command, from argv and the environment: --opt VALUE, --opt=VALUE,
 * switches, in any order with positionals; `--` ends the options. */
#include "cli/frame.h"

#include <assert.h>
#include <stdlib.h>

#include "base/banned.h"

struct parse {
    struct cli_args args;
    const char *const *words;
    size_t count, at;
    const char **positionals;
    struct arena *arena;
    int status; /* of a failure */
};

static bool fail(struct parse *p, const char *what, const char *why)
{
    p->status = cli_usage_error(&p->args, what, why);
    return false;
}

static bool no_memory(struct parse *p)
{
    p->status = cli_fail(p->args.command->name, "no memory for the command line");
    return false;
}

static size_t find_option(const struct cli_command *command, struct bytes name)
{
    size_t i = 0;

    while (i < command->option_count && !bytes_is(name, command->options[i].name))
        i++;
    return i;
}

static bool unknown_option(struct parse *p, struct bytes name)
{
    const struct cli_command *command = p->args.command;
    const char *names[CLI_COMMANDS_MAX];
    char what[200], why[200];
    size_t count = command->option_count;

    assert(count + 2 <= CLI_COMMANDS_MAX);
    for (size_t i = 0; i < count; i++)
        names[i] = command->options[i].name;
    names[count++] = "--help";
    if (command->has_json)
        names[count++] = "--json";
    const char *near = nearest_word((const char *)name.data, name.size, names, count);
    (void)snprintf(what, sizeof what, "%.*s", name.size < 150 ? (int)name.size : 150,
                   (const char *)name.data);
    (void)snprintf(why, sizeof why, "unknown option of '%s'%s%s%s", command->name,
                   near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                   near != NULL ? "?" : "");
    return fail(p, what, why);
}

/* Notes a value of option i. */
static bool add_value(struct parse *p, size_t i, const char *value)
{
    const struct cli_option *option = &p->args.command->options[i];

    if (p->args.values[i] != NULL && !option->is_repeatable)
        return fail(p, option->name, "given twice");
    p->args.values[i] = value;
    if (!option->is_repeatable)
        return true;
    if (p->args.repeated[i] == NULL)
        p->args.repeated[i] = ARENA_ARRAY(p->arena, const char *, p->count + 2);
    if (p->args.repeated[i] == NULL)
        return no_memory(p);
    size_t n = 0;
    while (p->args.repeated[i][n] != NULL)
        n++;
    p->args.repeated[i][n] = value;
    return true;
}

/* One word that begins with '-'. */
static bool parse_option(struct parse *p, const char *word)
{
    const char *equals = strchr(word, '=');
    struct bytes name = equals != NULL ? bytes_from(word, (size_t)(equals - word)) : bytes_of(word);
    size_t i = find_option(p->args.command, name);

    if (p->args.command->has_json && strcmp(word, "--json") == 0) {
        p->args.json = true;
        return true;
    }
    if (i == p->args.command->option_count)
        return unknown_option(p, name);
    const struct cli_option *option = &p->args.command->options[i];
    if (option->value == NULL)
        return equals == NULL ? add_value(p, i, "") : fail(p, option->name, "takes no value");
    if (equals != NULL)
        return add_value(p, i, equals + 1);
    /* a word that begins with -- is an option whose neighbour was forgotten, not a value */
    if (p->at == p->count || strncmp(p->words[p->at], "--", 2) == 0) {
        char why[200];
        (void)snprintf(why, sizeof why, "needs a value, as in %s=%s", option->name, option->value);
        return fail(p, option->name, why);
    }
    return add_value(p, i, p->words[p->at++]);
}

/* Variables stand for options that were not given. Empty ones do not, and 0 for no switch. */
static bool parse_environment(struct parse *p)
{
    const struct cli_command *command = p->args.command;

    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];
        const char *value = option->env != NULL ? getenv(option->env) : NULL;
        if (p->args.values[i] != NULL || value == NULL || value[0] == '\0')
            continue;
        if (option->value == NULL && strcmp(value, "0") == 0)
            continue;
        if (!add_value(p, i, option->value == NULL ? "" : value))
            return false;
    }
    return true;
}

static bool check_positionals(struct parse *p)
{
    const struct cli_command *command = p->args.command;
    char why[200];

    if (p->args.positional_count < command->positional_min) {
        (void)snprintf(why, sizeof why, "%s is missing", command->positionals);
        return fail(p, command->name, why);
    }
    if (p->args.positional_count <= command->positional_max)
        return true;
    if (command->rest != NULL)
        (void)snprintf(why, sizeof why, "one argument too many for '%s'; %s goes after --",
                       command->name, command->rest);
    else
        (void)snprintf(why, sizeof why, "one argument too many for '%s'", command->name);
    return fail(p, p->args.positionals[command->positional_max], why);
}

static bool parse_words(struct parse *p)
{
    while (p->at < p->count) {
        const char *word = p->words[p->at++];
        if (strcmp(word, "--") == 0)
            break;
        if (word[0] != '-' || word[1] == '\0')
            p->positionals[p->args.positional_count++] = word;
        else if (!parse_option(p, word))
            return false;
    }
    if (p->args.command->rest != NULL) {
        p->args.rest = p->words + p->at;
        p->args.rest_count = p->count - p->at;
    } else {
        while (p->at < p->count)
            p->positionals[p->args.positional_count++] = p->words[p->at++];
    }
    return check_positionals(p) && parse_environment(p);
}

bool cli_parse(const struct cli_table *table, const struct cli_command *command,
               const char *const *words, size_t count, struct arena *arena, struct cli_args *out,
               int *status)
{
    struct parse p = {.args = {.table = table, .command = command},
                      .words = words,
                      .count = count,
                      .arena = arena,
                      .status = CLI_FAILED};

    p.args.values = ARENA_ARRAY(arena, const char *, command->option_count);
    p.args.repeated = ARENA_ARRAY(arena, const char **, command->option_count);
    p.positionals = ARENA_ARRAY(arena, const char *, count + 1);
    p.args.positionals = p.positionals;
    bool ok = (p.args.values != NULL && p.args.repeated != NULL && p.positionals != NULL) ||
              no_memory(&p);
    ok = ok && parse_words(&p);
    *status = p.status;
    if (ok)
        *out = p.args;
    return ok;
}

static size_t option_index(const struct cli_args *args, const char *name)
{
    size_t i = find_option(args->command, bytes_of(name));

    assert(i < args->command->option_count);
    return i;
}

const char *cli_value(const struct cli_args *args, const char *name)
{
    return args->values[option_index(args, name)];
}

bool cli_is_given(const struct cli_args *args, const char *name)
{
    return cli_value(args, name) != NULL;
}

const char *const *cli_values(const struct cli_args *args, const char *name)
{
    static const char *const none[] = {NULL};
    const char **values = args->repeated[option_index(args, name)];

    return values != NULL ? (const char *const *)values : none;
}
