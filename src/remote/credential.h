/* Where a caller's token comes from: said in words by the command line, or kept for a registry in a
 * file of the user's or by a credential helper. A login that talks to an issuer would be one more
 * source behind credential_find. */
#pragma once

#include "base/base.h"
#include "remote/fault.h"

#define CREDENTIAL_MAX 8192 /* bytes of a token */

/* What the command line said; NULL: nothing. */
struct credential_source {
    const char *token;      /* the token itself */
    const char *token_file; /* a file with it */
    const char *helper;     /* a program: HELPER show ID, HELPER insert ID (as Enarx's) */
    const char *issuer;     /* the URL of the tokens' issuer: part of ID */
};

/* The token for a registry, with a NUL, by the first source that was named: token, token_file,
 * helper, else the file $XDG_CONFIG_HOME/broch/credentials/ID, which nobody else may read. *out
 * NULL: there is none. The arena is to be one that is wiped. */
MUST_CHECK bool credential_find(const struct credential_source *source, struct bytes host,
                                struct arena *arena, const char **out, struct remote_fault *fault);
/* Keeps a token for later, with the helper or in the file (mode 0600). */
MUST_CHECK bool credential_keep(const struct credential_source *source, struct bytes host,
                                const char *token, struct arena *arena, struct remote_fault *fault);
/* The file's path. */
MUST_CHECK bool credential_path(const struct credential_source *source, struct bytes host,
                                struct arena *arena, const char **out, struct remote_fault *fault);
