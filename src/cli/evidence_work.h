/* What the evidence commands do. */
#pragma once

#include "cli/cli.h"

int cli_evidence_verify(const struct cli_args *args);
int cli_evidence_explain(const struct cli_args *args);
int cli_evidence_show(const struct cli_args *args);
