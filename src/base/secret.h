/* Handling of secrets. Fit for shims.
 *
 * A secret lives in one struct, or in an arena with arena_set_wipe, and is wiped when that is
 * freed. Nothing in base prints one: the logger takes text and public bytes only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Zeroes memory in a way that the compiler may not leave out. */
void secret_wipe(void *data, size_t size);

/* Whether two secrets of the same size are equal, in a time that depends on the size alone. */
MUST_CHECK bool secret_equal(const void *a, const void *b, size_t size);
