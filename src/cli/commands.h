/* Every command: each in its x_command.c, listed in broch.c. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command config_check_command;
extern const struct cli_command config_init_command;
extern const struct cli_command help_command;
