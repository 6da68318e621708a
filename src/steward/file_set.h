/* The files that a configuration speaks of, read once: so that a process which may no longer read
 * them can be handed their contents when the configuration changes. */
#pragma once

#include "base/base.h"

#define FILE_SET_MAX ((size_t)64 << 20) /* bytes of contents */

struct file_set;

/* Reads files relative to the folder; NULL: it has only what it is given. What it has is wiped in
 * the end. ERR_MEMORY. */
MUST_CHECK bool file_set_new(const char *folder, struct file_set **out, struct err *err);
void file_set_free(struct file_set *set);

/* The file's content, borrowed from the set. ERR_IO, ERR_LIMIT, ERR_NOT_FOUND, ERR_MEMORY. */
MUST_CHECK bool file_set_read(struct file_set *set, struct bytes path, size_t limit,
                              struct bytes *out, struct err *err);
/* The names of the regular files of a folder that do not begin with a dot, sorted, each with its
 * path as file_set_read takes it; in the arena. */
MUST_CHECK bool file_set_list(struct file_set *set, struct bytes folder, struct arena *arena,
                              const struct bytes **out, size_t *count, struct err *err);
/* The path of a file as programs open it, with a NUL, in the arena. ERR_LIMIT, ERR_MEMORY. */
MUST_CHECK bool file_set_path(struct file_set *set, struct bytes path, struct arena *arena,
                              const char **out, struct err *err);

/* Everything that was read, as bytes, and back. */
void file_set_write(const struct file_set *set, struct writer *w);
MUST_CHECK bool file_set_parse(struct bytes in, struct file_set **out, struct err *err);
