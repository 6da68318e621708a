/* What the sim commands do. */
#pragma once

#include "cli/cli.h"

int cli_sim_init(const struct cli_args *args);
int cli_sim_show(const struct cli_args *args);
int cli_sim_remove(const struct cli_args *args);
