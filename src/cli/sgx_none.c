/* Machines that have no SGX. */
#include "cli/cli.h"
#include "cli/sgx_work.h"
#include "base/banned.h"

static int absent(const struct cli_args *args)
{
    return cli_fail(args->command->name, "SGX is a matter of x86-64");
}

int cli_platform_sgx_show(const struct cli_args *args)
{
    return absent(args);
}

int cli_platform_sgx_update(const struct cli_args *args)
{
    return absent(args);
}
