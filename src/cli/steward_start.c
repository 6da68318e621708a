/* broch steward …, in broch itself: starts broch-steward, which lies beside it, with the same
 * command line. */
#include <errno.h>
#include <unistd.h>

#include "cli/steward_work.h"
#include "os/os.h"
#include "base/banned.h"

#define PATH_SIZE 4096

/* The program beside this one, else by PATH. */
static void find_program(char out[PATH_SIZE])
{
    char self[PATH_SIZE - 32];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = NULL;

    if (size > 0) {
        self[size] = '\0';
        slash = strrchr(self, '/');
    }
    if (slash != NULL)
        *slash = '\0';
    (void)snprintf(out, PATH_SIZE, "%s/broch-steward", slash != NULL ? self : ".");
    if (slash == NULL || access(out, X_OK) != 0)
        (void)snprintf(out, PATH_SIZE, "broch-steward");
}

static int start(const struct cli_args *args)
{
    char program[PATH_SIZE];

    find_program(program);
    (void)fflush(NULL);
    (void)execvp(program, (char *const *)(uintptr_t)args->argv);
    return cli_fail("broch-steward", errno == ENOENT
                                         ? "the program is not installed, which has this command"
                                         : os_strerror(errno));
}

#define START(name)                       \
    int name(const struct cli_args *args) \
    {                                     \
        return start(args);               \
    }

START(cli_steward_init)
START(cli_steward_serve)
START(cli_steward_audit_verify)
START(cli_steward_policy_explain)
START(cli_steward_policy_test)
START(cli_steward_collateral_import)
START(cli_steward_collateral_list)
START(cli_steward_collateral_refresh)
START(cli_steward_revoke)
START(cli_steward_revocations)
