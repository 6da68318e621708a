/* Man pages, from the table alone: broch(1), and broch-WORD(1) for the first word of every command.
 * The language is that of groff_man(7); everything outside ASCII and all that roff would obey is
 * written as its escapes, so pages read the same under every locale. */
#include <assert.h>
#include <errno.h>
#include <sys/stat.h>

#include "cli/frame.h"
#include "os/os.h"
#include "base/banned.h"

#define PATH_SIZE 4096

/* ---- text ---- */

/* The code point that the bytes begin with, which are UTF-8; *size is how many it takes. */
static uint32_t code_point(const unsigned char *text, size_t *size)
{
    unsigned first = text[0];
    uint32_t c = first & (first < 0xc0   ? 0x7fu
                          : first < 0xe0 ? 0x1fu
                          : first < 0xf0 ? 0x0fu
                                         : 0x07u);
    size_t at = 1;

    for (; (text[at] & 0xc0u) == 0x80u; at++)
        c = c << 6 | (text[at] & 0x3fu);
    *size = at;
    return c;
}

/* Text of the table. As fputs, to be given to help_print_option. */
static int print_text(const char *text, FILE *out)
{
    static const char plain[] = "\\-'`^~\"";
    static const char *const escapes[] = {"\\e",   "\\-",   "\\(aq", "\\(ga",
                                          "\\(ha", "\\(ti", "\\(dq"};
    const unsigned char *at = (const unsigned char *)text;
    size_t size;

    for (; *at != '\0'; at += size) {
        uint32_t c = code_point(at, &size);
        const char *special = c < 0x80 ? strchr(plain, (int)c) : NULL;
        bool begins_line = at == (const unsigned char *)text || at[-1] == '\n';
        if (special != NULL)
            (void)fputs(escapes[special - plain], out);
        else if (c >= 0x80)
            (void)fprintf(out, "\\[u%04X]", (unsigned)c);
        else /* a line that begins with a dot is a request */
            (void)fprintf(out, "%s%c", c == '.' && begins_line ? "\\&" : "", (int)c);
    }
    return 0;
}

/* What is between two backquotes is bold. */
static void print_marked(const char *text, FILE *out)
{
    bool is_bold = false;

    for (const char *at = text; *at != '\0'; at++) {
        char one[2] = {*at, '\0'};
        if (*at == '`')
            is_bold = !is_bold;
        (void)(*at == '`' ? fputs(is_bold ? "\\fB" : "\\fR", out) : print_text(one, out));
    }
}

/* Paragraphs with empty lines between. Lines that are set in stay as they are. */
static void print_paragraphs(const char *text, FILE *out)
{
    bool is_literal = false;

    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        char line[400];
        (void)snprintf(line, sizeof line, "%.*s\n", (int)size, text);
        if ((line[0] == ' ') != is_literal && line[0] != '\n') {
            is_literal = !is_literal;
            (void)fputs(is_literal ? ".nf\n" : ".fi\n", out);
        }
        if (line[0] == '\n')
            (void)fputs(is_literal ? "" : ".PP\n", out);
        else
            (void)print_text(line, out);
        text += size + (text[size] == '\n');
    }
    if (is_literal)
        (void)fputs(".fi\n", out);
}

/* ---- parts of pages ---- */

/* broch-steward as the name of a page; no word: broch. */
static void print_title(FILE *out, struct bytes word, const char *dash)
{
    (void)fprintf(out, "broch%s%.*s", word.size != 0 ? dash : "", (int)word.size,
                  (const char *)word.data);
}

static void print_head(FILE *out, struct bytes word, const char *summary)
{
    (void)fputs(".\\\" Written by 'broch help --man': change the tables in src/cli.\n.TH \"", out);
    print_title(out, word, "\\-");
    (void)fprintf(out, "\" 1 \"\" \"Broch %s\" \"Broch\"\n.ad l\n.SH NAME\n", cli_version);
    print_title(out, word, "\\-");
    (void)fputs(" \\- ", out);
    (void)print_text(summary, out);
    (void)fputc('\n', out);
}

static void print_synopsis(FILE *out, const struct cli_command *c)
{
    (void)fputs("\\fBbroch ", out);
    (void)print_text(c->name, out);
    (void)fputs("\\fR [\\fIOPTION\\fR\\[u2026]]", out);
    if (c->positionals != NULL) {
        (void)fputs(" \\fI", out);
        (void)print_text(c->positionals, out);
        (void)fputs("\\fR", out);
    }
    if (c->rest != NULL) {
        (void)fputs(" [\\-\\- \\fI", out);
        (void)print_text(c->rest, out);
        (void)fputs("\\fR]", out);
    }
    (void)fputc('\n', out);
}

static void print_option(FILE *out, const struct cli_table *table, const struct cli_option *o)
{
    (void)fputs(".TP\n\\fB", out);
    (void)print_text(o->name, out);
    (void)fputs("\\fR", out);
    if (o->value != NULL) {
        (void)fputs(" \\fI", out);
        (void)print_text(o->value, out);
        (void)fputs("\\fR", out);
    }
    (void)fputc('\n', out);
    help_print_option(out, table, o, true, print_text);
    (void)fputc('\n', out);
}

static void print_options(FILE *out, const struct cli_table *table, const struct cli_command *c)
{
    static const struct cli_option json = {.name = "--json", .help = "print JSON for programs"};

    for (size_t i = 0; i < c->option_count; i++)
        print_option(out, table, &c->options[i]);
    if (c->has_json)
        print_option(out, table, &json);
}

/* A command of a group, under a heading of its own. */
static void print_section(FILE *out, const struct cli_table *table, const struct cli_command *c)
{
    (void)fputs(".SS \"broch ", out);
    (void)print_text(c->name, out);
    (void)fputs("\"\n", out);
    print_synopsis(out, c);
    (void)fputs(".PP\nTo ", out);
    (void)print_text(c->summary, out);
    (void)fputs(".\n", out);
    if (c->details != NULL) {
        (void)fputs(".PP\n", out);
        print_paragraphs(c->details, out);
    }
    print_options(out, table, c);
}

static void print_reference(FILE *out, struct bytes word, const char *after)
{
    (void)fputs(".BR ", out);
    print_title(out, word, "\\-");
    (void)fprintf(out, " (1)%s\n", after);
}

/* ---- pages ---- */

/* Whether the command is the first one with its first word. */
static bool begins_page(const struct cli_table *table, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (bytes_equal(cli_first_word(table->commands[i]), cli_first_word(table->commands[at])))
            return false;
    }
    return true;
}

static void print_overview(FILE *out, const struct cli_table *table)
{
    int code;
    const char *meaning;

    print_head(out, bytes_of(""), "run WebAssembly in trusted execution environments, provably");
    (void)fputs(".SH SYNOPSIS\n\\fBbroch\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR\\[u2026]] "
                "[\\fIARGUMENT\\fR\\[u2026]]\n.SH DESCRIPTION\n"
                "Runs WebAssembly programs on machines that their owner does not trust, and "
                "proves to others what is running there.\n.PP\n",
                out);
    print_marked(help_conventions, out);
    (void)fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < table->count; i++) {
        (void)fputs(".TP\n\\fBbroch ", out);
        (void)print_text(table->commands[i]->name, out);
        (void)fputs("\\fR\n", out);
        (void)print_text(table->commands[i]->summary, out);
        (void)fputc('\n', out);
    }
    (void)fputs(".SH EXIT STATUS\n", out);
    for (size_t i = 0; help_exit_code(i, &code, &meaning); i++) {
        (void)fprintf(out, ".TP\n\\fB%d\\fR\n", code);
        (void)print_text(meaning, out);
        (void)fputc('\n', out);
    }
    (void)fputs(".PP\n", out);
    (void)print_text(help_exit_passed_on, out);
    (void)fputs("\n.SH SEE ALSO\n", out);
    size_t last = 0;
    for (size_t i = 0; i < table->count; i++)
        last = begins_page(table, i) ? i : last;
    for (size_t i = 0; i < table->count; i++) {
        if (begins_page(table, i))
            print_reference(out, cli_first_word(table->commands[i]), i == last ? "" : " ,");
    }
}

static void print_command_page(FILE *out, const struct cli_table *table,
                               const struct cli_command *c)
{
    print_head(out, bytes_of(c->name), c->summary);
    (void)fputs(".SH SYNOPSIS\n", out);
    print_synopsis(out, c);
    if (c->details != NULL) {
        (void)fputs(".SH DESCRIPTION\n", out);
        print_paragraphs(c->details, out);
    }
    if (c->option_count != 0 || c->has_json) {
        (void)fputs(".SH OPTIONS\n", out);
        print_options(out, table, c);
    }
}

static void print_group_page(FILE *out, const struct cli_table *table, struct bytes group)
{
    const char *summary = cli_group_summary(table, group);
    char name[32];

    (void)snprintf(name, sizeof name, "%.*s", (int)group.size, (const char *)group.data);
    print_head(out, group, summary != NULL ? summary : "commands of broch");
    (void)fprintf(out,
                  ".SH SYNOPSIS\n\\fBbroch %s\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR\\[u2026]] "
                  "[\\fIARGUMENT\\fR\\[u2026]]\n.SH COMMANDS\n",
                  name);
    for (size_t i = 0; i < table->count; i++) {
        if (cli_is_in_group(table->commands[i], name))
            print_section(out, table, table->commands[i]);
    }
}

static int write_page(const char *folder, const struct cli_table *table,
                      const struct cli_command *c)
{
    struct bytes word = c != NULL ? cli_first_word(c) : bytes_of("");
    char path[PATH_SIZE];

    (void)snprintf(path, sizeof path, "%.4000s/broch%s%.*s.1", folder, c != NULL ? "-" : "",
                   (int)word.size, (const char *)word.data);
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return cli_fail(path, os_strerror(errno));
    if (c == NULL)
        print_overview(out, table);
    else if (strchr(c->name, ' ') != NULL)
        print_group_page(out, table, word);
    else
        print_command_page(out, table, c);
    if (c != NULL) {
        (void)fputs(".SH SEE ALSO\n", out);
        print_reference(out, bytes_of(""), "");
    }
    bool ok = ferror(out) == 0;
    ok = fclose(out) == 0 && ok;
    return ok ? CLI_OK : cli_fail(path, "cannot write");
}

int manual_write(const char *folder, const struct cli_table *table)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_fail(folder, os_strerror(errno));
    int code = write_page(folder, table, NULL);
    for (size_t i = 0; i < table->count && code == CLI_OK; i++) {
        const struct cli_command *c = table->commands[i];
        assert(c != NULL);
        if (begins_page(table, i))
            code = write_page(folder, table, c);
    }
    return code;
}
