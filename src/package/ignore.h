/* .brochignore: which files of a folder do not belong to the package. A line is a pattern of
 * glob(7); one with a '/' before its end is of the whole path, else of the name alone; a '/' at the
 * end fits folders only; '!' in front takes back what a line above left out; '#' begins a comment.
 */
#pragma once

#include "base/base.h"

#define IGNORE_NAME ".brochignore"
#define IGNORE_SIZE_MAX ((size_t)64 << 10)
#define IGNORE_LINES_MAX 1024u

struct ignore {
    const char **patterns; /* in the arena */
    size_t count;
};

/* ERR_LIMIT, ERR_FORMAT (a NUL), ERR_MEMORY. */
MUST_CHECK bool ignore_parse(struct bytes text, struct arena *arena, struct ignore *out,
                             struct err *err);
/* Whether a path, relative to the package's folder, is left out; the file of patterns always is. */
bool ignore_has(const struct ignore *ignore, const char *path, bool is_folder);
