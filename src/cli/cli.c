/* The way from argv to a command: finds it by its one or two words, or says what is near. */
#include "cli/cli.h"

#include <assert.h>
#include <stdlib.h>

#include "cli/frame.h"
#include "base/banned.h"

/* Larger than what the kernel lets argv be. */
#define CLI_ARENA_LIMIT ((size_t)1 << 30)

/* The first word of a command's name. */
static struct bytes first_word(const struct cli_command *command)
{
    const char *space = strchr(command->name, ' ');
    return space != NULL ? bytes_from(command->name, (size_t)(space - command->name))
                         : bytes_of(command->name);
}

bool cli_is_in_group(const struct cli_command *command, const char *group)
{
    return strchr(command->name, ' ') != NULL && bytes_is(first_word(command), group);
}

bool cli_is_group(const struct cli_table *table, const char *word)
{
    for (size_t i = 0; i < table->count; i++) {
        if (cli_is_in_group(table->commands[i], word))
            return true;
    }
    return false;
}

const struct cli_command *cli_find(const struct cli_table *table, const char *const *words,
                                   size_t count, size_t *used)
{
    for (size_t i = 0; i < table->count && count != 0; i++) {
        const struct cli_command *c = table->commands[i];
        bool has_two = strchr(c->name, ' ') != NULL;
        if (!bytes_is(first_word(c), words[0]) || (has_two && count < 2))
            continue;
        if (has_two && strcmp(strchr(c->name, ' ') + 1, words[1]) != 0)
            continue;
        *used = has_two ? 2 : 1;
        return c;
    }
    return NULL;
}

int cli_unknown_command(const struct cli_table *table, const char *const *words, size_t count)
{
    const char *names[CLI_COMMANDS_MAX];
    char typed[200], why[200];

    assert(table->count <= CLI_COMMANDS_MAX);
    for (size_t i = 0; i < table->count; i++)
        names[i] = table->commands[i]->name;
    bool has_two = count > 1 && words[1][0] != '-';
    (void)snprintf(typed, sizeof typed, "%s%s%s", words[0], has_two ? " " : "",
                   has_two ? words[1] : "");
    const char *near = nearest_word(typed, strlen(typed), names, table->count);
    if (near == NULL && has_two && !cli_is_group(table, words[0])) { /* the second is no name */
        (void)snprintf(typed, sizeof typed, "%s", words[0]);
        near = nearest_word(typed, strlen(typed), names, table->count);
    }
    for (size_t i = 0; i < table->count && near == NULL; i++) { /* a group's name misspelt */
        struct bytes group = first_word(table->commands[i]);
        char word[64];
        const char *const only = word;
        (void)snprintf(word, sizeof word, "%.*s", (int)group.size, (const char *)group.data);
        if (nearest_word(words[0], strlen(words[0]), &only, 1) != NULL &&
            strcmp(words[0], word) != 0)
            near = table->commands[i]->name;
    }
    (void)snprintf(why, sizeof why, near != NULL ? "unknown command; did you mean '%s'?" : "%s",
                   near != NULL ? near : "unknown command");
    (void)cli_fail(typed, why);
    (void)fprintf(stderr, "'broch help' lists the commands\n");
    return CLI_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* broch [--help|--version], broch GROUP [--help], or words that name nothing. */
static int run_without_command(const struct cli_table *table, const char *const *words,
                               size_t count)
{
    if (count == 0) {
        help_print_overview(stderr, table);
        return CLI_USAGE;
    }
    if (is_help(words[0])) {
        help_print_overview(stdout, table);
        return CLI_OK;
    }
    if (strcmp(words[0], "--version") == 0) {
        (void)puts("broch " BROCH_VERSION);
        return CLI_OK;
    }
    if (cli_is_group(table, words[0]) && (count == 1 || is_help(words[1]))) {
        help_print_group(count == 1 ? stderr : stdout, table, words[0]);
        return count == 1 ? CLI_USAGE : CLI_OK;
    }
    return cli_unknown_command(table, words, count);
}

/* Whether --help stands where an option may. */
static bool asks_for_help(const char *const *words, size_t count)
{
    for (size_t i = 0; i < count && strcmp(words[i], "--") != 0; i++) {
        if (is_help(words[i]))
            return true;
    }
    return false;
}

static int run_command_line(const struct cli_table *table, const char *const *words, size_t count)
{
    size_t used;
    const struct cli_command *command = cli_find(table, words, count, &used);
    struct cli_args args;
    struct arena arena;
    int status;

    if (command == NULL)
        return run_without_command(table, words, count);
    words += used;
    count -= used;
    if (asks_for_help(words, count)) {
        help_print_command(stdout, command);
        return CLI_OK;
    }
    arena_init(&arena, arena_heap, CLI_ARENA_LIMIT);
    if (cli_parse(table, command, words, count, &arena, &args, &status))
        status = command->run(&args);
    arena_done(&arena);
    return status;
}

int cli_main(const struct cli_table *table, int argc, char **argv)
{
    const char *const *words = (const char *const *)argv;
    int status = run_command_line(table, words + (argc > 0), argc > 0 ? (size_t)argc - 1 : 0);

    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_OK)
        status = cli_fail("standard output", "cannot write");
    return status;
}
