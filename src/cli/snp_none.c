/* Machines that have no SEV-SNP. */
#include "cli/cli.h"
#include "cli/snp_work.h"
#include "base/banned.h"

static int absent(const struct cli_args *args)
{
    return cli_fail(args->command->name, "SEV-SNP is a matter of x86-64");
}

int cli_platform_snp_show(const struct cli_args *args)
{
    return absent(args);
}

int cli_platform_snp_update(const struct cli_args *args)
{
    return absent(args);
}

int cli_platform_snp_cache_crl(const struct cli_args *args)
{
    return absent(args);
}

int cli_platform_snp_vcek(const struct cli_args *args)
{
    return absent(args);
}
