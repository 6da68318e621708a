/* The log on stderr. */
#include "os/os.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_to_stderr(void *context, enum log_level level, struct bytes line)
{
    struct err ignored; /* there is nowhere to say that stderr is gone */

    (void)context;
    (void)level;
    if (!os_write_fd(STDERR_FILENO, line, &ignored))
        return;
}

static int64_t now_unix_ms(void *context)
{
    (void)context;
    return os_unix_ms();
}

bool os_log_setup(enum log_level level, struct err *err)
{
    const char *form = getenv("BROCH_LOG");
    const char *wanted = getenv("BROCH_LOG_LEVEL");

    if (form != NULL && strcmp(form, "json") != 0 && strcmp(form, "text") != 0)
        return err_set(err, ERR_FORMAT, "BROCH_LOG must be json or text", ERR_NO_AT);
    if (wanted != NULL && !log_level_parse(wanted, &level))
        return err_set(err, ERR_FORMAT, "BROCH_LOG_LEVEL must be error, warn, info or debug",
                       ERR_NO_AT);
    log_setup(&(struct log_config){
        .level = level,
        .json = form != NULL && strcmp(form, "json") == 0,
        .write_line = write_to_stderr,
        .now_unix_ms = now_unix_ms,
    });
    return true;
}
