/* broch-registry: the commands about registries and packages, and that about servers, which broch
 * starts. */
#include "cli/commands.h"
#include "base/banned.h"

static const struct cli_command *const commands[] = {
    &inspect_command,
    &platform_snp_show_command,
    &platform_snp_update_command,
    &platform_snp_cache_crl_command,
    &platform_snp_vcek_command,
    &platform_sgx_show_command,
    &platform_sgx_update_command,
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
};

int main(int argc, char **argv)
{
    const struct cli_table table = {.commands = commands, .count = COUNT_OF(commands)};

    return cli_main(&table, argc, argv);
}
