/* broch image and broch key sev, behind their command lines. Each returns an exit code. */
#pragma once

struct cli_args;

int cli_image_build(const struct cli_args *args);
int cli_image_measure(const struct cli_args *args);
int cli_image_sign(const struct cli_args *args);
int cli_image_show(const struct cli_args *args);
int cli_image_reproduce(const struct cli_args *args);
int cli_key_sev_create(const struct cli_args *args);
int cli_key_sev_digest(const struct cli_args *args);
int cli_key_sev_sign(const struct cli_args *args);
int cli_key_sgx_create(const struct cli_args *args);
int cli_key_sgx_digest(const struct cli_args *args);
