/* broch: everything a person types. */
#include "cli/commands.h"
#include "base/banned.h"

static const struct cli_command *const commands[] = {
    &run_command,
    &deploy_command,
    &platform_info_command,
    &inspect_command,
    &config_init_command,
    &config_check_command,
    &evidence_verify_command,
    &evidence_explain_command,
    &evidence_show_command,
    &sim_init_command,
    &sim_show_command,
    &sim_remove_command,
    &steward_init_command,
    &steward_serve_command,
    &steward_policy_explain_command,
    &steward_policy_test_command,
    &steward_collateral_import_command,
    &steward_collateral_list_command,
    &steward_collateral_refresh_command,
    &steward_revoke_command,
    &steward_revocations_command,
    &steward_audit_verify_command,
    &user_register_command,
    &user_info_command,
    &repo_register_command,
    &repo_info_command,
    &repo_list_command,
    &repo_search_command,
    &repo_visibility_command,
    &repo_steward_add_command,
    &repo_steward_list_command,
    &repo_steward_remove_command,
    &package_publish_command,
    &package_fetch_command,
    &package_info_command,
    &package_verify_command,
    &package_yank_command,
    &tree_digest_command,
    &tree_info_command,
    &tree_fetch_command,
    &key_publisher_create_command,
    &key_publisher_show_command,
    &drawbridge_init_command,
    &drawbridge_serve_command,
    &drawbridge_token_create_command,
    &drawbridge_token_list_command,
    &drawbridge_token_revoke_command,
    &drawbridge_fsck_command,
    &drawbridge_gc_command,
    &help_command,
};

int main(int argc, char **argv)
{
    const struct cli_table table = {.commands = commands, .count = COUNT_OF(commands)};
    return cli_main(&table, argc, argv);
}
