/* The way from argv to a command: finds it by its one to three words, or says what is near. */
#include "cli/cli.h"

#include <assert.h>
#include <stdlib.h>

#include "cli/frame.h"
#include "base/banned.h"

const char *const cli_version = BROCH_VERSION;

/* Larger than what the kernel lets argv be. */
#define CLI_ARENA_LIMIT ((size_t)1 << 30)

struct bytes cli_first_word(const struct cli_command *command)
{
    const char *space = strchr(command->name, ' ');
    return space != NULL ? bytes_from(command->name, (size_t)(space - command->name))
                         : bytes_of(command->name);
}

bool cli_is_in_group(const struct cli_command *command, const char *group)
{
    return strchr(command->name, ' ') != NULL && bytes_is(cli_first_word(command), group);
}

bool cli_is_group(const struct cli_table *table, const char *word)
{
    for (size_t i = 0; i < table->count; i++) {
        if (cli_is_in_group(table->commands[i], word))
            return true;
    }
    return false;
}

const struct cli_value *cli_find_value(const struct cli_table *table, struct bytes name)
{
    for (size_t i = 0; i < table->value_count; i++) {
        if (bytes_is(name, table->values[i].name))
            return &table->values[i];
    }
    return NULL;
}

const char *cli_group_summary(const struct cli_table *table, struct bytes name)
{
    for (size_t i = 0; i < table->group_count; i++) {
        if (bytes_is(name, table->groups[i].name))
            return table->groups[i].summary;
    }
    return NULL;
}

/* How many of the words are the command's name; 0 when they are not. */
static size_t match(const struct cli_command *command, const char *const *words, size_t count)
{
    struct bytes rest = bytes_of(command->name);
    size_t used = 0;

    while (rest.size != 0) {
        const uint8_t *space = memchr(rest.data, ' ', rest.size);
        size_t size = space != NULL ? (size_t)(space - rest.data) : rest.size;
        if (used == count || !bytes_is(bytes_before(rest, size), words[used]))
            return 0;
        used++;
        rest = bytes_after(rest, size + 1);
    }
    return used;
}

const struct cli_command *cli_find(const struct cli_table *table, const char *const *words,
                                   size_t count, size_t *used)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct cli_command *command = table->commands[i];
        assert(command != NULL);
        *used = match(command, words, count);
        if (*used != 0)
            return command;
    }
    return NULL;
}

/* A word of a command's name, as a string. */
struct word {
    char text[32];
};

/* The nearest command or group, in *out; false when none is near. `typed` is one word or two. */
static bool find_nearest(const struct cli_table *table, const char *first, const char *typed,
                         struct word *out)
{
    const char *names[CLI_COMMANDS_MAX], *firsts[CLI_COMMANDS_MAX];
    struct word words[CLI_COMMANDS_MAX] = {{""}};

    assert(table->count <= CLI_COMMANDS_MAX);
    for (size_t i = 0; i < table->count; i++) {
        struct bytes word = cli_first_word(table->commands[i]);
        assert(word.size < sizeof words[i].text);
        (void)snprintf(words[i].text, sizeof words[i].text, "%.*s", (int)word.size,
                       (const char *)word.data);
        firsts[i] = words[i].text;
        names[i] = table->commands[i]->name;
    }
    const char *near = nearest_word(typed, strlen(typed), names, table->count);
    if (near == NULL && !cli_is_group(table, first))
        near = nearest_word(first, strlen(first), firsts, table->count);
    if (near != NULL)
        (void)snprintf(out->text, sizeof out->text, "%s", near);
    return near != NULL;
}

/* The first words that are no options, at most `max`, with spaces between. */
static void join_words(const char *const *words, size_t count, size_t max, char out[200])
{
    struct writer w = writer_fixed(out, 199);

    for (size_t i = 0; i < count && i < max && (i == 0 || words[i][0] != '-'); i++)
        writer_format(&w, "%s%s", i != 0 ? " " : "", words[i]);
    out[w.size] = '\0';
}

int cli_unknown_command(const struct cli_table *table, const char *const *words, size_t count)
{
    char typed[200], longer[200], why[100] = "unknown command";
    struct word near = {.text = ""};

    join_words(words, count, 2, typed);
    join_words(words, count, 3, longer);
    if (find_nearest(table, words[0], longer, &near) || find_nearest(table, words[0], typed, &near))
        (void)snprintf(why, sizeof why, "unknown command; did you mean '%s'?", near.text);
    bool is_group = cli_is_group(table, words[0]);
    /* what follows a word that names nothing may be anything */
    (void)cli_fail(is_group || strchr(near.text, ' ') != NULL ? typed : words[0], why);
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
        (void)printf("broch %s\n", cli_version);
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
    const char *const *all = words;
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
        help_print_command(stdout, table, command);
        return CLI_OK;
    }
    arena_init(&arena, arena_heap, CLI_ARENA_LIMIT);
    if (cli_parse(table, command, words, count, &arena, &args, &status)) {
        args.argv = all - 1;
        status = command->run(&args);
    }
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

int cli_server_main(const struct cli_table *table, const char *server, int argc, char **argv)
{
    static char serve[] = "serve";

    if (argc > 1 && (strcmp(argv[1], server) == 0 || strcmp(argv[1], "--version") == 0))
        return cli_main(table, argc, argv);
    char **words = calloc((size_t)argc + 3, sizeof *words);
    if (words == NULL)
        return cli_fail(server, "no memory for the command line");
    words[0] = argv[0];
    words[1] = (char *)(uintptr_t)server;
    words[2] = serve;
    for (int i = 1; i < argc; i++)
        words[i + 2] = argv[i];
    int status = cli_main(table, argc + 2, words);
    free(words);
    return status;
}
