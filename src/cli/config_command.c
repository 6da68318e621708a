/* broch config init, broch config check. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "os/os.h"
#include "package/config.h"
#include "base/banned.h"

#define TEMPLATE_FILE "Keep.toml"

/* Ample: the largest configuration, of nothing but small tables, takes 25 MB. */
#define CONFIG_ARENA_LIMIT ((size_t)256 << 20)

static int run_init(const struct cli_args *args)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (cli_is_given(args, "--force") ? O_TRUNC : O_EXCL);
    CLEANUP(os_closep) int fd = open(TEMPLATE_FILE, flags, 0666);
    struct err err;

    if (fd < 0 && errno == EEXIST)
        return cli_fail(TEMPLATE_FILE, "exists already; --force overwrites it");
    if (fd < 0) {
        (void)err_set(&err, ERR_IO, "cannot create", (uint64_t)errno);
        return cli_fail_err(TEMPLATE_FILE, &err);
    }
    if (!os_write_fd(fd, bytes_of(config_template), &err))
        return cli_fail_err(TEMPLATE_FILE, &err);
    (void)puts("wrote " TEMPLATE_FILE);
    return CLI_OK;
}

int cli_config_fault(const struct cli_args *args, const char *file, const struct text_error *error)
{
    if (args->json) {
        uint8_t text[8192];
        struct writer w = writer_fixed(text, sizeof text);
        writer_text(&w, "{\"valid\":false,\"file\":");
        writer_json(&w, bytes_before(bytes_of(file), 1024));
        writer_format(&w, ",\"line\":%u,\"column\":%u,\"message\":", error->line, error->column);
        writer_json(&w, bytes_of(error->text));
        (void)printf("%.*s}\n", (int)w.size, (const char *)text);
    } else {
        cli_print_shown(stderr, bytes_of(file));
        (void)fprintf(stderr, ":%u:%u: ", error->line, error->column);
        cli_print_shown(stderr, bytes_of(error->text));
        (void)fputc('\n', stderr);
    }
    return CLI_FAILED;
}

/* The explanation's lines, of which those that warn go to a list of their own. */
static void write_lines(struct writer *w, struct bytes text, bool warnings)
{
    const struct bytes mark = bytes_of("warning: ");
    const char *comma = "";

    while (text.size != 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        struct bytes line = end != NULL ? bytes_before(text, (size_t)(end - text.data)) : text;
        text = bytes_after(text, line.size + 1);
        if (bytes_starts_with(line, mark) != warnings || line.size == 0)
            continue;
        writer_text(w, comma);
        writer_json(w, bytes_after(line, warnings ? mark.size : 0));
        comma = ",";
    }
}

static bool write_json(struct writer *w, const char *file, const struct config *config,
                       struct bytes explanation, struct bytes *out, struct err *err)
{
    writer_text(w, "{\"valid\":true,\"file\":");
    writer_json(w, bytes_of(file));
    writer_format(w, ",\"form\":\"%s\",\"facts\":[",
                  config->form == CONFIG_KEEP ? "keep" : "enarx");
    write_lines(w, explanation, false);
    writer_text(w, "],\"warnings\":[");
    write_lines(w, explanation, true);
    writer_text(w, "]}\n");
    return writer_done(w, out, err);
}

/* Nothing but the ends of lines reaches the terminal as a command. */
static void print_lines(struct bytes text)
{
    while (text.size != 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        struct bytes line = end != NULL ? bytes_before(text, (size_t)(end - text.data)) : text;
        cli_print_shown(stdout, line);
        (void)fputc('\n', stdout);
        text = bytes_after(text, line.size + 1);
    }
}

static int check(const struct cli_args *args, const char *file, struct arena *arena)
{
    struct text_error error;
    struct config config;
    struct bytes text, shown;
    struct err err;

    if (!os_read_file(file, CONFIG_SIZE_MAX, arena, &text, &err))
        return cli_fail_err(file, &err);
    if (!config_parse(text, config_form_of(file), arena, &config, &error))
        return cli_config_fault(args, file, &error);
    struct writer w = writer_growable(arena, CONFIG_ARENA_LIMIT);
    config_explain(&config, &w);
    bool ok = writer_done(&w, &shown, &err);
    if (ok && args->json) {
        struct writer json = writer_growable(arena, CONFIG_ARENA_LIMIT);
        ok = write_json(&json, file, &config, shown, &shown, &err);
    }
    if (!ok)
        return cli_fail_err(file, &err);
    if (args->json)
        (void)fwrite(shown.data, 1, shown.size, stdout);
    else
        print_lines(shown);
    return CLI_OK;
}

static int run_check(const struct cli_args *args)
{
    struct arena arena;

    arena_init(&arena, arena_heap, CONFIG_ARENA_LIMIT);
    int status = check(args, args->positionals[0], &arena);
    arena_done(&arena);
    return status;
}

static const struct cli_option init_options[] = {
    {.name = "--force", .help = "overwrite the file that is there"},
};

const struct cli_command config_init_command = {
    .name = "config init",
    .summary = "write a commented " TEMPLATE_FILE " to the current folder",
    .details = "As it is, the file means: standard input and output are the host's, no network.\n"
               "Every other key stands in it as a comment.\n",
    .options = init_options,
    .option_count = COUNT_OF(init_options),
    .run = run_init,
};

const struct cli_command config_check_command = {
    .name = "config check",
    .summary = "check a configuration and say in words what it means",
    .positionals = "FILE",
    .positional_min = 1,
    .positional_max = 1,
    .details = "A file named Enarx.toml has the meaning that it has for Enarx, any other that of\n"
               "Keep.toml. Lines that begin with 'warning: ' name what is risky. A fault is shown\n"
               "as FILE:LINE:COLUMN: MESSAGE, with exit status 1.\n",
    .has_json = true,
    .run = run_check,
};
