/* What `broch inspect` does, in the program broch-registry. */
#pragma once

#include "cli/cli.h"

int cli_inspect(const struct cli_args *args);
