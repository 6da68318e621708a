/* Completion of command lines by bash: the functions of completion.bash, and the table that they
 * read, made from ours. */
#include "cli/frame.h"
#include "base/banned.h"

static const char functions[] =
#include "cli/completion.inc" /* completion.bash as a string, made by meson.build */
    ;

/* What a word of the help stands for. */
static void print_value(FILE *out, const struct cli_table *table, struct bytes name)
{
    static const char *const kinds[] = {[CLI_VALUE_TEXT] = "@text",
                                        [CLI_VALUE_FILE] = "@file",
                                        [CLI_VALUE_FOLDER] = "@folder",
                                        [CLI_VALUE_COMMAND] = "@command"};
    const struct cli_value *value = cli_find_value(table, name);
    const char *choice;

    if (value != NULL && value->choice != NULL) {
        for (size_t i = 0; (choice = value->choice(i)) != NULL; i++)
            (void)fprintf(out, "%s%s", i != 0 ? "," : "", choice);
    } else if (value != NULL) {
        (void)fputs(kinds[value->kind], out);
    } else if (memchr(name.data, '|', name.size) != NULL) {
        for (size_t i = 0; i < name.size; i++)
            (void)fputc(name.data[i] == '|' ? ',' : name.data[i], out);
    } else {
        (void)fputs(kinds[CLI_VALUE_TEXT], out);
    }
}

/* Arguments as in a synopsis: "FILE...", "[COMMAND]", "HOST/USER/REPO public|private". The last one
 * stands for all that follow. */
static void print_arguments(FILE *out, const struct cli_table *table, const struct cli_command *c)
{
    struct bytes rest = bytes_of(c->positionals != NULL ? c->positionals : "");

    for (size_t count = 1; rest.size != 0; count++) {
        const uint8_t *space = memchr(rest.data, ' ', rest.size);
        size_t size = space != NULL ? (size_t)(space - rest.data) : rest.size;
        struct bytes word = bytes_before(rest, size);
        rest = bytes_after(rest, space != NULL ? size + 1 : size);
        if (size > 2 && word.data[0] == '[' && word.data[size - 1] == ']')
            word = bytes_from(word.data + 1, size - 2);
        if (size > 3 && memcmp(word.data + size - 3, "...", 3) == 0)
            word = bytes_before(word, size - 3);
        print_value(out, table, word);
        bool is_repeated = rest.size == 0 && c->positional_max > count;
        (void)fputs(is_repeated ? "+" : rest.size != 0 ? " " : "", out);
    }
}

static void print_command(FILE *out, const struct cli_table *table, const struct cli_command *c)
{
    (void)fprintf(out, "%s|", c->name);
    for (size_t i = 0; i < c->option_count; i++) {
        const struct cli_option *o = &c->options[i];
        (void)fprintf(out, "%s%s", o->name, o->value != NULL ? ":" : "");
        if (o->value != NULL)
            print_value(out, table, bytes_of(o->value));
        (void)fputs(o->is_repeatable ? "+ " : " ", out);
    }
    (void)fprintf(out, "%s--help|", c->has_json ? "--json " : "");
    print_arguments(out, table, c);
    /* what goes to a workload may be files, as anything */
    (void)fprintf(out, "%s\n", c->rest != NULL ? " @file+" : "");
}

void completion_print_bash(FILE *out, const struct cli_table *table)
{
    (void)fputs(functions, out);
    (void)fputs("\n_broch_table='\\\n", out);
    for (size_t i = 0; i < table->count; i++)
        print_command(out, table, table->commands[i]);
    (void)fputs("'\n\ncomplete -F _broch broch", out);
    for (size_t i = 0; i < table->count; i++) { /* "steward serve" is what broch-steward does */
        struct bytes word = cli_first_word(table->commands[i]);
        const char *name = table->commands[i]->name;
        if (name[word.size] == ' ' && strcmp(name + word.size, " serve") == 0)
            (void)fprintf(out, " broch-%.*s", (int)word.size, name);
    }
    (void)fputc('\n', out);
}
