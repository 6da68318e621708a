/* broch platform sgx, behind its command lines. Each returns an exit code. */
#pragma once

struct cli_args;

int cli_platform_sgx_show(const struct cli_args *args);
int cli_platform_sgx_update(const struct cli_args *args);
