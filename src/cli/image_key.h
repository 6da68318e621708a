/* Keys that sign images. Private to cli. */
#pragma once

#include "base/base.h"

struct evp_pkey_st;

/* A private key, or a public one, of a file in PEM; the caller frees it. False when it is
 * none, which has been said. */
MUST_CHECK bool image_key_read(const char *path, bool is_private, struct evp_pkey_st **out);
/* Writes a new file, or, path NULL, to standard output. An exit code; a failure has been said. */
int image_key_write_out(const char *path, unsigned mode, struct bytes content);
