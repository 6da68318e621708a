/* What the commands of the Drawbridge's operator do. */
#pragma once

#include "cli/cli.h"

int cli_drawbridge_init(const struct cli_args *args);
int cli_drawbridge_serve(const struct cli_args *args);
int cli_drawbridge_token_create(const struct cli_args *args);
int cli_drawbridge_token_list(const struct cli_args *args);
int cli_drawbridge_token_revoke(const struct cli_args *args);
int cli_drawbridge_fsck(const struct cli_args *args);
int cli_drawbridge_gc(const struct cli_args *args);
