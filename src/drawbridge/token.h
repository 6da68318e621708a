/* Tokens of this registry's own: "broch_ID_SECRET". Only their hashes are kept. For the server and
 * for its operator's commands; a token is a secret, to be wiped after use. */
#pragma once

#include "drawbridge/registry.h"

#define TOKEN_PREFIX "broch_"
#define TOKEN_ID_SIZE 12       /* characters of a token's public name */
#define TOKEN_TEXT_SIZE 64     /* of a token with its NUL */
#define TOKEN_SUBJECT "local:" /* before a user's name: the subject of its local tokens */

/* What a token may do, for whom. */
enum scope_level { SCOPE_READ, SCOPE_WRITE };
enum scope_context { SCOPE_USERS, SCOPE_REPOSITORIES, SCOPE_TAGS };

/* Whether a list of scopes with spaces between has the one: read:drawbridge_users and so on;
 * manage: is read and write. */
bool scope_has(struct bytes scopes, enum scope_level level, enum scope_context context);
/* Whether the word is a scope that there is. */
bool scope_is_known(struct bytes word);

/* Makes a token and adds it to the registry. text gets it, once. token's user, scopes, created and
 * expires are given; its id is made, in the arena. ERR_IO, ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool token_create(struct registry *registry, struct registry_token *token,
                             struct arena *arena, char text[TOKEN_TEXT_SIZE], struct err *err);

/* Whether the text has the form of such a token. */
bool token_is_local(struct bytes text);
/* Whose it is, when it is good now. ABSENT: it is not, whatever the reason. */
MUST_CHECK enum registry_answer token_check(struct registry *registry, struct bytes text,
                                            int64_t now, struct arena *arena,
                                            struct registry_token *out, struct err *err);
