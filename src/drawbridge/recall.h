/* Small answers that everybody gets and that do not change: published tags and nodes of public
 * repositories. So that they need neither the database nor a file. Any thread. */
#pragma once

#include "http/server.h"

#define RECALL_BODY_MAX ((size_t)8 << 10) /* bytes of a body that is remembered */

struct recall;

/* ERR_MEMORY. */
MUST_CHECK bool recall_new(struct recall **out, struct err *err);
void recall_free(struct recall *recall);

/* The answer for a path, copied to the arena; false: it is not known. */
MUST_CHECK bool recall_find(struct recall *recall, const char *path, struct arena *arena,
                            struct http_response *response);
/* What recall_keep needs: taken before the answer is looked up, so that what was forgotten
 * meanwhile is not remembered. */
uint64_t recall_age(struct recall *recall);
/* Remembers an answer whose body is in memory. */
void recall_keep(struct recall *recall, uint64_t age, const char *path,
                 const struct http_response *response);
/* Forgets all: a repository's visibility or a tag's mark has changed. */
void recall_forget(struct recall *recall);
