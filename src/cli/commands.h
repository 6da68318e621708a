/* Every command. A new one is an x_command.c in meson.build, its name here and in broch.c, and
 * docs/command-line.md written anew by `broch help --markdown`. */
#pragma once

#include "cli/cli.h"

extern const struct cli_command config_check_command;
extern const struct cli_command config_init_command;
extern const struct cli_command deploy_command;
extern const struct cli_command drawbridge_fsck_command;
extern const struct cli_command drawbridge_gc_command;
extern const struct cli_command drawbridge_init_command;
extern const struct cli_command drawbridge_serve_command;
extern const struct cli_command drawbridge_token_create_command;
extern const struct cli_command drawbridge_token_list_command;
extern const struct cli_command drawbridge_token_revoke_command;
extern const struct cli_command evidence_explain_command;
extern const struct cli_command evidence_show_command;
extern const struct cli_command evidence_verify_command;
extern const struct cli_command help_command;
extern const struct cli_command image_build_command;
extern const struct cli_command image_measure_command;
extern const struct cli_command image_reproduce_command;
extern const struct cli_command image_show_command;
extern const struct cli_command image_sign_command;
extern const struct cli_command inspect_command;
extern const struct cli_command key_publisher_create_command;
extern const struct cli_command key_publisher_show_command;
extern const struct cli_command key_sev_create_command;
extern const struct cli_command key_sev_digest_command;
extern const struct cli_command key_sev_sign_command;
extern const struct cli_command key_sgx_create_command;
extern const struct cli_command key_sgx_digest_command;
extern const struct cli_command package_fetch_command;
extern const struct cli_command package_info_command;
extern const struct cli_command package_publish_command;
extern const struct cli_command package_verify_command;
extern const struct cli_command package_yank_command;
extern const struct cli_command platform_info_command;
extern const struct cli_command platform_sgx_show_command;
extern const struct cli_command platform_sgx_update_command;
extern const struct cli_command platform_snp_cache_crl_command;
extern const struct cli_command platform_snp_show_command;
extern const struct cli_command platform_snp_update_command;
extern const struct cli_command platform_snp_vcek_command;
extern const struct cli_command repo_info_command;
extern const struct cli_command repo_list_command;
extern const struct cli_command repo_register_command;
extern const struct cli_command repo_search_command;
extern const struct cli_command repo_steward_add_command;
extern const struct cli_command repo_steward_list_command;
extern const struct cli_command repo_steward_remove_command;
extern const struct cli_command repo_visibility_command;
extern const struct cli_command run_command;
extern const struct cli_command sim_init_command;
extern const struct cli_command sim_remove_command;
extern const struct cli_command sim_show_command;
extern const struct cli_command steward_audit_verify_command;
extern const struct cli_command steward_collateral_import_command;
extern const struct cli_command steward_collateral_list_command;
extern const struct cli_command steward_collateral_refresh_command;
extern const struct cli_command steward_init_command;
extern const struct cli_command steward_policy_explain_command;
extern const struct cli_command steward_policy_test_command;
extern const struct cli_command steward_revocations_command;
extern const struct cli_command steward_revoke_command;
extern const struct cli_command steward_serve_command;
extern const struct cli_command tree_digest_command;
extern const struct cli_command tree_fetch_command;
extern const struct cli_command tree_info_command;
extern const struct cli_command user_info_command;
extern const struct cli_command user_register_command;

/* Reports a fault of a configuration, as JSON when that was asked for; returns CLI_FAILED. */
int cli_config_fault(const struct cli_args *args, const char *file, const struct text_error *error);
