/* The frame, with a table of its own: options in all their forms, and what is said of mistakes. */
#include "support.h"

#include <stdio.h>

#include "cli/commands.h"
#include "cli/frame.h"

static int run_noting(const struct cli_args *args);

static const struct cli_option options[] = {
    {.name = "--backend", .value = "nil|kvm", .env = "CLI_TEST_BACKEND", .help = "where to run"},
    {.name = "--env", .value = "NAME=VALUE", .help = "a variable", .is_repeatable = true},
    {.name = "--trace", .env = "CLI_TEST_TRACE", .help = "print every call"},
};

static const struct cli_command run_it = {
    .name = "run",
    .summary = "run a module",
    .positionals = "MODULE",
    .positional_min = 1,
    .positional_max = 1,
    .rest = "ARGUMENT…",
    .options = options,
    .option_count = COUNT_OF(options),
    .has_json = true,
    .run = run_noting,
};

static const struct cli_command key_make = {
    .name = "key make",
    .summary = "make a key",
    .positionals = "[FILE]",
    .positional_max = 1,
    .run = run_noting,
};

static const char *color(size_t i)
{
    static const char *const colors[] = {"red", "blue"};
    return i < COUNT_OF(colors) ? colors[i] : NULL;
}

static const struct cli_option odd_options[] = {
    {.name = "--color", .value = "COLOR", .help = "a \\colour\\"},
};

/* What a man page must not obey. */
static const struct cli_command key_odd = {
    .name = "key odd",
    .summary = "try \\fBodd\\fR text",
    .positionals = "DIR red|blue FILE...",
    .positional_min = 3,
    .positional_max = 9,
    .details = ".SH is no heading, 'nor this\n"
               "'nor this. €\xf0\x9f\x8f\xb0\n"
               "\n"
               "As in:\n"
               "    .set in \\n\n"
               "    and kept\n"
               "and no more.\n",
    .options = odd_options,
    .option_count = COUNT_OF(odd_options),
    .run = run_noting,
};

static const struct cli_command *const commands[] = {&run_it, &key_make, &key_odd, &help_command};
static const struct cli_value values[] = {{"MODULE", CLI_VALUE_FILE, NULL},
                                          {"FILE", CLI_VALUE_FILE, NULL},
                                          {"DIR", CLI_VALUE_FOLDER, NULL},
                                          {"COMMAND", CLI_VALUE_COMMAND, NULL},
                                          {"COLOR", CLI_VALUE_TEXT, color}};
static const struct cli_group groups[] = {{"key", "make keys"}};
static const struct cli_table table = {.commands = commands,
                                       .count = COUNT_OF(commands),
                                       .values = values,
                                       .value_count = COUNT_OF(values),
                                       .groups = groups,
                                       .group_count = COUNT_OF(groups)};

/* What the command was given, as one line; and what was printed. */
static char given[1000];
static char *out, *complaint;

static int run_noting(const struct cli_args *args)
{
    struct writer w = writer_fixed(given, sizeof given - 1);

    writer_format(&w, "%s", args->command->name);
    for (size_t i = 0; i < args->command->option_count; i++) {
        const struct cli_option *o = &args->command->options[i];
        if (!cli_is_given(args, o->name))
            continue;
        writer_format(&w, " %s", o->name);
        if (!o->is_repeatable)
            writer_format(&w, "=%s", cli_value(args, o->name));
        for (const char *const *v = o->is_repeatable ? cli_values(args, o->name) : NULL;
             v != NULL && *v != NULL; v++)
            writer_format(&w, " [%s]", *v);
    }
    writer_text(&w, args->json ? " json" : "");
    for (size_t i = 0; i < args->positional_count; i++)
        writer_format(&w, " <%s>", args->positionals[i]);
    for (size_t i = 0; i < args->rest_count; i++)
        writer_format(&w, " {%s}", args->rest[i]);
    given[w.size] = '\0';
    return 42;
}

static int reset(void **state)
{
    (void)state;
    free(out);
    free(complaint);
    out = complaint = NULL;
    return 0;
}

/* Runs the words, separated by spaces, with stdout and stderr kept. */
static int run(const char *words)
{
    FILE *real_out = stdout, *real_err = stderr;
    char line[300], *argv[50], *save = NULL;
    int argc = 0;
    size_t out_size, complaint_size;

    (void)reset(NULL);
    given[0] = '\0';
    (void)snprintf(line, sizeof line, "broch %s", words);
    for (char *word = strtok_r(line, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    argv[argc] = NULL;
    stdout = open_memstream(&out, &out_size);
    stderr = open_memstream(&complaint, &complaint_size);
    int status = stdout != NULL && stderr != NULL ? cli_main(&table, argc, argv) : -1;
    if (stdout != NULL)
        (void)fclose(stdout);
    if (stderr != NULL)
        (void)fclose(stderr);
    stdout = real_out;
    stderr = real_err;
    return status;
}

static void words_find_their_place(void **state)
{
    const char *const cases[][2] = {
        {"run a.wasm", "run <a.wasm>"},
        {"run --backend kvm a.wasm", "run --backend=kvm <a.wasm>"},
        {"run a.wasm --backend=kvm", "run --backend=kvm <a.wasm>"},
        {"run --backend= a.wasm", "run --backend= <a.wasm>"},
        {"run --backend=--x a.wasm", "run --backend=--x <a.wasm>"},
        {"run --backend -1 a.wasm", "run --backend=-1 <a.wasm>"},
        {"run --env A=1 a.wasm --env=B=2=3 --trace", "run --env [A=1] [B=2=3] --trace= <a.wasm>"},
        {"run a.wasm -- --trace -- b", "run <a.wasm> {--trace} {--} {b}"},
        {"run a.wasm --", "run <a.wasm>"},
        {"run --json a.wasm", "run json <a.wasm>"},
        {"run -", "run <->"},
        {"key make", "key make"},
        {"key make -- --odd", "key make <--odd>"},
        {"run a.wasm -- --help", "run <a.wasm> {--help}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(run(cases[i][0]), 42);
        assert_string_equal(given, cases[i][1]);
        assert_string_equal(out, "");
        assert_string_equal(complaint, "");
    }
}

static void mistakes_are_explained(void **state)
{
    const char *const cases[][2] = {
        {"rnu a.wasm", "broch: rnu: unknown command; did you mean 'run'?\n"},
        {"rum", "broch: rum: unknown command; did you mean 'run'?\n"},
        {"frobnicate", "broch: frobnicate: unknown command\n"},
        {"key maek", "broch: key maek: unknown command; did you mean 'key make'?\n"},
        {"key frobnicate", "broch: key frobnicate: unknown command\n"},
        {"kye make", "broch: kye make: unknown command; did you mean 'key make'?\n"},
        {"keys", "broch: keys: unknown command; did you mean 'key'?\n"},
        {"--frob", "broch: --frob: unknown command\n"},
        {"help rnu", "broch: rnu: unknown command; did you mean 'run'?\n"},
        {"help run too", "broch: too: one argument too many for 'help'\n"},
        {"run", "broch: run: MODULE is missing\nusage: broch run [OPTION…] MODULE [-- ARGUMENT…]\n"
                "'broch help run' says more\n"},
        {"run a b", "broch: b: one argument too many for 'run'; ARGUMENT… goes after --\nusage: "},
        {"key make a b", "broch: b: one argument too many for 'key make'\nusage: "},
        {"run --bakend nil a",
         "broch: --bakend: unknown option of 'run'; did you mean --backend?\n"},
        {"run --bakend=nil a",
         "broch: --bakend: unknown option of 'run'; did you mean --backend?\n"},
        {"run -x a", "broch: -x: unknown option of 'run'\n"},
        {"run --jsn a", "broch: --jsn: unknown option of 'run'; did you mean --json?\n"},
        {"key make --json", "broch: --json: unknown option of 'key make'\n"},
        {"run a --backend", "broch: --backend: needs a value, as in --backend=nil|kvm\n"},
        {"run --backend --trace a", "broch: --backend: needs a value, as in --backend=nil|kvm\n"},
        {"run --trace=1 a", "broch: --trace: takes no value\n"},
        {"run --backend a --backend b c", "broch: --backend: given twice\n"},
        {"run --trace --trace c", "broch: --trace: given twice\n"},
        {"run a \x1b[31m\n\xff", "broch: \\x1b[31m\\n\\xff: one argument too many"},
        {"run a \xe2\x80\xae", "broch: \\u202e: one argument too many"},
        {"", "usage: broch COMMAND"},
        {"key", "usage: broch key COMMAND"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(run(cases[i][0]), CLI_USAGE);
        if (strncmp(complaint, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s: %s", cases[i][0], complaint);
        assert_string_equal(given, "");
        assert_string_equal(out, "");
    }
}

static void help_is_everywhere(void **state)
{
    const char *const cases[][2] = {
        {"--help", "usage: broch COMMAND [OPTION…] [ARGUMENT…]\n\n  run "},
        {"-h", "usage: broch COMMAND [OPTION…] [ARGUMENT…]\n\n  run "},
        {"help", "usage: broch COMMAND [OPTION…] [ARGUMENT…]\n\n  run "},
        {"key --help",
         "usage: broch key COMMAND [OPTION…] [ARGUMENT…]\n\nTo make keys.\n\n  key make "},
        {"help key",
         "usage: broch key COMMAND [OPTION…] [ARGUMENT…]\n\nTo make keys.\n\n  key make "},
        {"key make --help", "broch key make: make a key\n"},
        {"help key make", "broch key make: make a key\n"},
        {"run --bakend x --help", "broch run: run a module\n"},
        {"run -h", "broch run: run a module\n"},
        {"help --help", "broch help: "},
        {"--version", "broch 0."},
        {"help --markdown", "# The command line\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(run(cases[i][0]), CLI_OK);
        if (strncmp(out, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s: %s", cases[i][0], out);
        assert_string_equal(complaint, "");
    }
    assert_int_equal(run("help run"), CLI_OK);
    assert_non_null(strstr(out, "  --backend nil|kvm           where to run; or the variable "
                                "CLI_TEST_BACKEND\n"));
    assert_non_null(strstr(out, "  --env NAME=VALUE            a variable; may be repeated\n"));
    assert_int_equal(run("help --markdown"), CLI_OK);
    assert_non_null(
        strstr(out, "\n| `--backend nil\\|kvm` | where to run | `CLI_TEST_BACKEND` |\n"));
}

static void choices_are_told(void **state)
{
    (void)state;
    assert_int_equal(run("key odd --help"), CLI_OK);
    assert_non_null(strstr(out, "  --color COLOR               a \\colour\\; one of red, blue\n"));
    assert_int_equal(run("help --markdown"), CLI_OK);
    assert_non_null(strstr(out, "\n| `--color COLOR` | a \\colour\\; one of red, blue | |\n"));
}

static void completion_has_the_table(void **state)
{
    (void)state;
    assert_int_equal(run("help --bash-completion"), CLI_OK);
    assert_non_null(
        strstr(out, "\n_broch_table='\\\n"
                    "run|--backend:nil,kvm --env:@text+ --trace --json --help|@file @file+\n"
                    "key make|--help|@file\n"
                    "key odd|--color:red,blue --help|@folder red,blue @file+\n"
                    "help|--man:@folder --bash-completion --markdown --help|@command+\n'\n"));
}

/* A page, as `help --man` writes it. */
static char *read_page(const char *folder, const char *name)
{
    char path[200], *text = calloc(1, 10000);

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "r");
    assert_true(text != NULL && f != NULL);
    assert_true(fread(text, 1, 9999, f) > 0);
    (void)fclose(f);
    (void)remove(path);
    return text;
}

static void pages_obey_no_text(void **state)
{
    const char *const names[] = {"broch.1", "broch-run.1", "broch-key.1", "broch-help.1"};
    char folder[] = "/tmp/cli_test.XXXXXX", words[100];
    char *pages[COUNT_OF(names)];
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(words, sizeof words, "help --man %s", folder);
    assert_int_equal(run(words), CLI_OK);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        pages[i] = read_page(folder, names[i]);
    assert_int_equal(remove(folder), 0); /* there was nothing else in it */
    assert_non_null(strstr(pages[2], "\n.SS \"broch key odd\"\n"));
    assert_non_null(strstr(pages[2], "\nTo try \\efBodd\\efR text.\n.PP\n"
                                     "\\&.SH is no heading, \\(aqnor this\n"
                                     "\\(aqnor this. \\[u20AC]\\[u1F3F0]\n.PP\nAs in:\n"
                                     ".nf\n    .set in \\en\n    and kept\n.fi\n"
                                     "and no more.\n.TP\n\\fB\\-\\-color\\fR \\fICOLOR\\fR\n"
                                     "a \\ecolour\\e; one of red, blue\n"));
    assert_non_null(strstr(pages[1], "\n\\fBbroch run\\fR [\\fIOPTION\\fR\\[u2026]] "
                                     "\\fIMODULE\\fR [\\-\\- \\fIARGUMENT\\[u2026]\\fR]\n"));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        free(pages[i]);
}

static void variables_stand_for_options(void **state)
{
    (void)state;
    assert_int_equal(setenv("CLI_TEST_BACKEND", "snp", 1), 0);
    assert_int_equal(setenv("CLI_TEST_TRACE", "1", 1), 0);
    assert_int_equal(run("run a"), 42);
    assert_string_equal(given, "run --backend=snp --trace= <a>");
    assert_int_equal(run("run a --backend kvm --trace"), 42);
    assert_string_equal(given, "run --backend=kvm --trace= <a>");
    assert_int_equal(setenv("CLI_TEST_BACKEND", "", 1), 0);
    assert_int_equal(setenv("CLI_TEST_TRACE", "0", 1), 0);
    assert_int_equal(run("run a"), 42);
    assert_string_equal(given, "run <a>");
    assert_int_equal(unsetenv("CLI_TEST_BACKEND") | unsetenv("CLI_TEST_TRACE"), 0);
}

static void text_is_shown_and_not_obeyed(void **state)
{
    const char *const cases[][3] = {
        {"plain ü €", "plain ü €", "\"plain ü €\""},
        {"a\tb\n\x7f", "a\\x09b\\n\\x7f", "\"a\\u0009b\\u000a\\u007f\""},
        {"\xc2\x9b"
         "31m",
         "\\u009b31m", "\"\\u009b31m\""},
        {"\xff\xc3", "\\xff\\xc3", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xe2\x81\xa6\xf0\x9f\x8f\xb0", "\\u2066\xf0\x9f\x8f\xb0", "\"\\u2066\xf0\x9f\x8f\xb0\""},
        {"\"\\", "\"\\", "\"\\\"\\\\\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes text = exact_copy(bytes_of(cases[i][0]));
        char shown[100], json[100];
        struct writer w = writer_fixed(shown, sizeof shown), j = writer_fixed(json, sizeof json);
        writer_shown(&w, text);
        writer_json(&j, text);
        assert_true(bytes_is(bytes_from(shown, w.size), cases[i][1]));
        assert_true(bytes_is(bytes_from(json, j.size), cases[i][2]));
        exact_free(text);
    }
}

/* Characters are not cut where the text is printed in parts. */
static void long_text_is_shown_whole(void **state)
{
    char text[3000], *shown = NULL;
    size_t size;
    (void)state;
    struct writer w = writer_fixed(text, sizeof text);
    for (size_t i = 0; i < 1000; i++)
        writer_text(&w, "€");
    for (size_t skip = 0; skip < 3; skip++) {
        FILE *f = open_memstream(&shown, &size);
        assert_non_null(f);
        struct bytes whole = bytes_from(text, 3000 - 3 * skip);
        cli_print_shown(f, whole);
        assert_int_equal(fclose(f), 0);
        assert_true(bytes_equal(bytes_from(shown, size), whole));
        free(shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(words_find_their_place, reset),
        cmocka_unit_test_teardown(mistakes_are_explained, reset),
        cmocka_unit_test_teardown(help_is_everywhere, reset),
        cmocka_unit_test_teardown(choices_are_told, reset),
        cmocka_unit_test_teardown(completion_has_the_table, reset),
        cmocka_unit_test_teardown(pages_obey_no_text, reset),
        cmocka_unit_test_teardown(variables_stand_for_options, reset),
        cmocka_unit_test(text_is_shown_and_not_obeyed),
        cmocka_unit_test(long_text_is_shown_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
