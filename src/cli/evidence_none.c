/* The evidence commands of builds without OpenSSL. */
#include "cli/evidence_work.h"
#include "base/banned.h"

static int absent(const struct cli_args *args)
{
    return cli_fail(args->command->name, "this build has no OpenSSL, which judging evidence needs");
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
