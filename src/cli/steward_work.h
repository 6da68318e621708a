/* What the commands of the Steward's operator do. */
#pragma once

#include "cli/cli.h"

int cli_steward_init(const struct cli_args *args);
int cli_steward_serve(const struct cli_args *args);
int cli_steward_audit_verify(const struct cli_args *args);
int cli_steward_policy_explain(const struct cli_args *args);
int cli_steward_policy_test(const struct cli_args *args);
int cli_steward_collateral_import(const struct cli_args *args);
int cli_steward_collateral_list(const struct cli_args *args);
int cli_steward_collateral_refresh(const struct cli_args *args);
int cli_steward_revoke(const struct cli_args *args);
int cli_steward_revocations(const struct cli_args *args);
