/* The commands that builds without OpenSSL do not have. */
#include "cli/evidence_work.h"
#include "cli/image_work.h"
#include "cli/sim_work.h"
#include "base/banned.h"

static int absent(const struct cli_args *args)
{
    return cli_fail(args->command->name, "this build has no OpenSSL, which this command needs");
}

int cli_evidence_verify(const struct cli_args *args)
{
    return absent(args);
}

int cli_evidence_explain(const struct cli_args *args)
{
    return absent(args);
}

int cli_evidence_show(const struct cli_args *args)
{
    return absent(args);
}

int cli_sim_init(const struct cli_args *args)
{
    return absent(args);
}

int cli_sim_show(const struct cli_args *args)
{
    return absent(args);
}

int cli_sim_remove(const struct cli_args *args)
{
    return absent(args);
}

int cli_image_build(const struct cli_args *args)
{
    return absent(args);
}

int cli_image_measure(const struct cli_args *args)
{
    return absent(args);
}

int cli_image_sign(const struct cli_args *args)
{
    return absent(args);
}

int cli_image_show(const struct cli_args *args)
{
    return absent(args);
}

int cli_image_reproduce(const struct cli_args *args)
{
    return absent(args);
}

int cli_key_sev_create(const struct cli_args *args)
{
    return absent(args);
}

int cli_key_sev_digest(const struct cli_args *args)
{
    return absent(args);
}

int cli_key_sev_sign(const struct cli_args *args)
{
    return absent(args);
}

int cli_key_sgx_create(const struct cli_args *args)
{
    return absent(args);
}

int cli_key_sgx_digest(const struct cli_args *args)
{
    return absent(args);
}
