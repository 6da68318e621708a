/* broch sim init, show, remove: the command lines. The work is in sim_work.c. */
#include "cli/commands.h"
#include "cli/sim_work.h"
#include "base/banned.h"

#define WHERE                                                                                      \
    "They lie in one folder: --dir, else $BROCH_SIM_DIR, else broch/sim in $XDG_DATA_HOME or in\n" \
    "~/.local/share. snp.pem and sgx.pem have the private keys and are readable by their owner\n"  \
    "alone; snp-root.pem and sgx-root.pem are what a verifier must be told to believe them, and\n" \
    "the folder collateral has what it needs beside evidence.\n"

static const struct cli_option options[] = {
    {.name = "--dir",
     .value = "DIR",
     .env = "BROCH_SIM_DIR",
     .help = "the folder of the simulated platforms"},
};

const struct cli_command sim_init_command = {
    .name = "sim init",
    .summary = "make the roots of this machine's simulated platforms",
    .details =
        "A simulated platform stands in for the security processor that a machine lacks, so that\n"
        "everything can be tried. Evidence under these roots proves nothing; nobody believes it "
        "who\n"
        "was not told to. " WHERE,
    .options = options,
    .option_count = COUNT_OF(options),
    .has_json = true,
    .run = cli_sim_init,
};

const struct cli_command sim_show_command = {
    .name = "sim show",
    .summary = "show the roots of this machine's simulated platforms",
    .details = WHERE,
    .options = options,
    .option_count = COUNT_OF(options),
    .has_json = true,
    .run = cli_sim_show,
};

const struct cli_command sim_remove_command = {
    .name = "sim remove",
    .summary = "remove the roots of this machine's simulated platforms, and their keys",
    .details = "Nothing else in the folder is touched; the folder goes when it is empty.\n",
    .options = options,
    .option_count = COUNT_OF(options),
    .run = cli_sim_remove,
};
