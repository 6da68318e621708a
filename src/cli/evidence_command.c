/* broch evidence verify, show, explain: the command lines. The work is in evidence_work.c. */
#include "cli/commands.h"
#include "cli/evidence_work.h"
#include "base/banned.h"

/* Evidence and the endorsements beside it. */
#define FILES_MAX 64

#define JUDGING                                                                                   \
    "The first FILE is the evidence: an SNP report, an SGX or TDX quote, Azure's HCL report, or " \
    "a\n"                                                                                         \
    "certificate request or certificate with Enarx's extension; raw, in hexadecimal or PEM. "     \
    "Further\n"                                                                                   \
    "FILEs, and what --collateral names, are endorsements in any form that AMD's and Intel's\n"   \
    "services and caches give out: certificates, revocation lists, certificate tables, TCB "      \
    "infos,\n"                                                                                    \
    "enclave identities. The roots of AMD and Intel, and AMD's intermediate certificates, are\n"  \
    "built in. A file of endorsements that cannot be read is named on stderr and left out.\n"

#define RESULT                                                                                \
    "\n"                                                                                      \
    "Without --policy the evidence must be genuine and current, of a platform without open\n" \
    "advisories, and not debuggable; what runs there may be anything.\n"                      \
    "\n"                                                                                      \
    "Exit status: 0 genuine and within the policy, 1 refused, 2 unreadable.\n"

static const struct cli_option options[] = {
    {.name = "--collateral",
     .value = "PATH",
     .help = "endorsements: a file, or a folder of which every file is tried",
     .is_repeatable = true},
    {.name = "--policy", .value = "FILE", .help = "what is accepted (docs/evidence-policy.md)"},
    {.name = "--at",
     .value = "TIME",
     .help = "judge as of this time: 2026-11-23T08:00:00Z, or seconds since 1970"},
    {.name = "--report-data", .value = "HEX", .help = "64 bytes that the evidence must be about"},
    {.name = "--simulated-root",
     .value = "FILE",
     .help = "believe simulated platforms under this root certificate",
     .is_repeatable = true},
};

const struct cli_command evidence_verify_command = {
    .name = "evidence verify",
    .summary = "judge evidence of a TEE, and say why it is refused",
    .positionals = "FILE...",
    .positional_min = 1,
    .positional_max = FILES_MAX,
    .details = JUDGING RESULT,
    .options = options,
    .option_count = COUNT_OF(options),
    .has_json = true,
    .run = cli_evidence_verify,
};

const struct cli_command evidence_explain_command = {
    .name = "evidence explain",
    .summary = "judge evidence as verify does, and show every check",
    .positionals = "FILE...",
    .positional_min = 1,
    .positional_max = FILES_MAX,
    .details = JUDGING RESULT,
    .options = options,
    .option_count = COUNT_OF(options),
    .has_json = true,
    .run = cli_evidence_explain,
};

const struct cli_command evidence_show_command = {
    .name = "evidence show",
    .summary = "show what evidence or endorsements say, and judge nothing",
    .positionals = "FILE...",
    .positional_min = 1,
    .positional_max = FILES_MAX,
    .details =
        "Nothing that is shown has been checked: signatures, dates and origin least of all.\n",
    .has_json = true,
    .run = cli_evidence_show,
};
