/* What the commands about registries and packages do. */
#pragma once

#include "cli/cli.h"

int cli_user_register(const struct cli_args *args);
int cli_user_info(const struct cli_args *args);
int cli_repo_register(const struct cli_args *args);
int cli_repo_info(const struct cli_args *args);
int cli_repo_list(const struct cli_args *args);
int cli_repo_search(const struct cli_args *args);
int cli_repo_visibility(const struct cli_args *args);
int cli_repo_steward_add(const struct cli_args *args);
int cli_repo_steward_list(const struct cli_args *args);
int cli_repo_steward_remove(const struct cli_args *args);
int cli_package_publish(const struct cli_args *args);
int cli_package_fetch(const struct cli_args *args);
int cli_package_info(const struct cli_args *args);
int cli_package_verify(const struct cli_args *args);
int cli_package_yank(const struct cli_args *args);
int cli_tree_digest(const struct cli_args *args);
int cli_tree_info(const struct cli_args *args);
int cli_tree_fetch(const struct cli_args *args);
int cli_key_publisher_create(const struct cli_args *args);
int cli_key_publisher_show(const struct cli_args *args);
