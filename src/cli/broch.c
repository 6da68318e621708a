/* broch: everything a person types. */
#include "cli/commands.h"
#include "host/host.h"
#include "base/banned.h"

static const struct cli_command *const commands[] = {
    &run_command,
    &deploy_command,
    &platform_info_command,
    &platform_snp_show_command,
    &platform_snp_update_command,
    &platform_snp_cache_crl_command,
    &platform_snp_vcek_command,
    &platform_sgx_show_command,
    &platform_sgx_update_command,
    &inspect_command,
    &image_build_command,
    &image_measure_command,
    &image_sign_command,
    &image_show_command,
    &image_reproduce_command,
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
    &key_sev_create_command,
    &key_sev_digest_command,
    &key_sev_sign_command,
    &key_sgx_create_command,
    &key_sgx_digest_command,
    &drawbridge_init_command,
    &drawbridge_serve_command,
    &drawbridge_token_create_command,
    &drawbridge_token_list_command,
    &drawbridge_token_revoke_command,
    &drawbridge_fsck_command,
    &drawbridge_gc_command,
    &help_command,
};

static const struct cli_group groups[] = {
    {"config", "write and check the configuration of a workload"},
    {"drawbridge", "make and run a registry of workloads"},
    {"evidence", "judge what TEEs measure and sign"},
    {"image", "build, measure and sign keep images"},
    {"key", "make keys that sign packages and images, and look at them"},
    {"package", "publish packages in a registry, fetch them and check them"},
    {"platform", "see what this machine can run keeps with, and care for it"},
    {"repo", "make repositories of a registry, and say who may read them"},
    {"sim", "make simulated platforms, which protect nothing, for trying things out"},
    {"steward", "make and run an attestation service and certificate authority"},
    {"tree", "look at the files of packages"},
    {"user", "make a user of a registry, or show one"},
};

static const char *backend(size_t i)
{
    return host_backends[i] != NULL ? host_backends[i]->name : NULL;
}

static const struct cli_value values[] = {
    {"BACKEND", CLI_VALUE_TEXT, backend}, {"COMMAND", CLI_VALUE_COMMAND, NULL},
    {"DIR", CLI_VALUE_FOLDER, NULL},      {"FILE", CLI_VALUE_FILE, NULL},
    {"KEY", CLI_VALUE_FILE, NULL},        {"MODULE", CLI_VALUE_FILE, NULL},
    {"PACKAGE", CLI_VALUE_FILE, NULL},    {"PATH", CLI_VALUE_FILE, NULL},
    {"PROGRAM", CLI_VALUE_FILE, NULL},    {"REFERENCE", CLI_VALUE_FILE, NULL},
};

int main(int argc, char **argv)
{
    const struct cli_table table = {.commands = commands,
                                    .count = COUNT_OF(commands),
                                    .values = values,
                                    .value_count = COUNT_OF(values),
                                    .groups = groups,
                                    .group_count = COUNT_OF(groups)};
    return cli_main(&table, argc, argv);
}
