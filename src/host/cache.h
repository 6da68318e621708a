/* Folders of endorsements that a host keeps for its keeps. */
#pragma once

#include "base/base.h"

/* The folder that a variable of the environment names, else `otherwise`. */
const char *cache_folder(const char *variable, const char *otherwise);
/* A file of a folder, in the arena; empty where there is none, of which is warned with `missing`, a
 * literal. ERR_LIMIT: too long a name, or a file of more than 1 MiB; ERR_IO, ERR_MEMORY. */
MUST_CHECK bool cache_read(const char *folder, const char *name, const char *missing,
                           struct arena *arena, struct bytes *out, struct err *err);
