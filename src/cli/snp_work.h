/* broch platform snp, behind its command lines. Each returns an exit code. */
#pragma once

struct cli_args;

int cli_platform_snp_show(const struct cli_args *args);
int cli_platform_snp_update(const struct cli_args *args);
int cli_platform_snp_cache_crl(const struct cli_args *args);
int cli_platform_snp_vcek(const struct cli_args *args);
