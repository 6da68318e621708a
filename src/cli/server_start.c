/* Commands that need the libraries of a server or of a client, in broch itself: starts the program
 * beside it that has the command, with the same command line. */
#include <errno.h>
#include <unistd.h>

#include "cli/drawbridge_work.h"
#include "cli/inspect_work.h"
#include "cli/registry_work.h"
#include "cli/sgx_work.h"
#include "cli/snp_work.h"
#include "cli/steward_work.h"
#include "os/os.h"
#include "base/banned.h"

#define PATH_SIZE 4096

/* The program beside this one, else by PATH. */
static void find_program(const char *name, char out[PATH_SIZE])
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
    (void)snprintf(out, PATH_SIZE, "%s/%s", slash != NULL ? self : ".", name);
    if (slash == NULL || access(out, X_OK) != 0)
        (void)snprintf(out, PATH_SIZE, "%s", name);
}

static int start(const char *name, const struct cli_args *args)
{
    char program[PATH_SIZE];

    find_program(name, program);
    (void)fflush(NULL);
    (void)execvp(program, (char *const *)(uintptr_t)args->argv);
    return cli_fail(name, errno == ENOENT ? "the program is not installed, which has this command"
                                          : os_strerror(errno));
}

#define START(program, name)              \
    int name(const struct cli_args *args) \
    {                                     \
        return start(program, args);      \
    }

START("broch-steward", cli_steward_init)
START("broch-steward", cli_steward_serve)
START("broch-steward", cli_steward_audit_verify)
START("broch-steward", cli_steward_policy_explain)
START("broch-steward", cli_steward_policy_test)
START("broch-steward", cli_steward_collateral_import)
START("broch-steward", cli_steward_collateral_list)
START("broch-steward", cli_steward_collateral_refresh)
START("broch-steward", cli_steward_revoke)
START("broch-steward", cli_steward_revocations)
START("broch-drawbridge", cli_drawbridge_init)
START("broch-drawbridge", cli_drawbridge_serve)
START("broch-drawbridge", cli_drawbridge_token_create)
START("broch-drawbridge", cli_drawbridge_token_list)
START("broch-drawbridge", cli_drawbridge_token_revoke)
START("broch-drawbridge", cli_drawbridge_fsck)
START("broch-drawbridge", cli_drawbridge_gc)
START("broch-registry", cli_inspect)
START("broch-registry", cli_platform_sgx_show)
START("broch-registry", cli_platform_sgx_update)
START("broch-registry", cli_platform_snp_show)
START("broch-registry", cli_platform_snp_update)
START("broch-registry", cli_platform_snp_cache_crl)
START("broch-registry", cli_platform_snp_vcek)
START("broch-registry", cli_user_register)
START("broch-registry", cli_user_info)
START("broch-registry", cli_repo_register)
START("broch-registry", cli_repo_info)
START("broch-registry", cli_repo_list)
START("broch-registry", cli_repo_search)
START("broch-registry", cli_repo_visibility)
START("broch-registry", cli_repo_steward_add)
START("broch-registry", cli_repo_steward_list)
START("broch-registry", cli_repo_steward_remove)
START("broch-registry", cli_package_publish)
START("broch-registry", cli_package_fetch)
START("broch-registry", cli_package_info)
START("broch-registry", cli_package_verify)
START("broch-registry", cli_package_yank)
START("broch-registry", cli_tree_digest)
START("broch-registry", cli_tree_info)
START("broch-registry", cli_tree_fetch)
START("broch-registry", cli_key_publisher_create)
START("broch-registry", cli_key_publisher_show)
