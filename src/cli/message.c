/* What the command line says on stderr. */
#include "cli/cli.h"

#include "cli/frame.h"
#include "os/os.h"
#include "base/banned.h"

void cli_print_shown(FILE *out, struct bytes text)
{
    while (text.size != 0) { /* one byte becomes at most four, three become six */
        uint8_t shown[1024];
        struct writer w = writer_fixed(shown, sizeof shown);
        struct bytes part = bytes_before(text, sizeof shown / 4);
        size_t whole = utf8_valid_prefix(part);
        if (part.size < text.size && whole != 0) /* do not cut a character */
            part = bytes_before(part, whole);
        writer_shown(&w, part);
        (void)fwrite(shown, 1, w.size, out);
        text = bytes_after(text, part.size);
    }
}

int cli_fail(const char *what, const char *why)
{
    (void)fputs("broch: ", stderr);
    cli_print_shown(stderr, bytes_of(what));
    (void)fputs(": ", stderr);
    cli_print_shown(stderr, bytes_of(why));
    (void)fputc('\n', stderr);
    return CLI_FAILED;
}

int cli_fail_err(const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];
    return cli_fail(what, err_text(err, os_strerror, text));
}

int cli_usage_error(const struct cli_args *args, const char *what, const char *why)
{
    (void)cli_fail(what, why);
    (void)fputs("usage: ", stderr);
    help_print_synopsis(stderr, args->command);
    (void)fprintf(stderr, "\n'broch help %s' says more\n", args->command->name);
    return CLI_USAGE;
}
