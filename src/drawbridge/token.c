#include "drawbridge/token.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "base/banned.h"

#define ID_BYTES (TOKEN_ID_SIZE / 2)
#define SECRET_BYTES 32

static const char *const levels[] = {[SCOPE_READ] = "read", [SCOPE_WRITE] = "write"};
static const char *const contexts[] = {
    [SCOPE_USERS] = ":drawbridge_users",
    [SCOPE_REPOSITORIES] = ":drawbridge_repositories",
    [SCOPE_TAGS] = ":drawbridge_tags",
};

static bool is_scope(struct bytes word, const char *level, const char *context)
{
    struct bytes start = bytes_of(level);

    return bytes_starts_with(word, start) && bytes_is(bytes_after(word, start.size), context);
}

/* Takes the next word. */
static struct bytes take_word(struct bytes *rest)
{
    size_t size = 0;

    while (rest->size != 0 && rest->data[0] == ' ')
        *rest = bytes_after(*rest, 1);
    while (size < rest->size && rest->data[size] != ' ')
        size++;
    struct bytes word = bytes_before(*rest, size);
    *rest = bytes_after(*rest, size);
    return word;
}

bool scope_has(struct bytes scopes, enum scope_level level, enum scope_context context)
{
    while (scopes.size != 0) {
        struct bytes word = take_word(&scopes);
        if (is_scope(word, levels[level], contexts[context]) ||
            is_scope(word, "manage", contexts[context]))
            return true;
    }
    return false;
}

bool scope_is_known(struct bytes word)
{
    static const char *const starts[] = {"read", "write", "manage"};

    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        for (size_t j = 0; j < COUNT_OF(contexts); j++) {
            if (is_scope(word, starts[i], contexts[j]))
                return true;
        }
    }
    return false;
}

static bool hash_token(struct bytes text, uint8_t out[TOKEN_HASH_SIZE], struct err *err)
{
    unsigned size = 0;

    return EVP_Digest(text.data, text.size, out, &size, EVP_sha256(), NULL) == 1 ||
           err_set(err, ERR_MEMORY, "no memory for a token", ERR_NO_AT);
}

bool token_create(struct registry *registry, struct registry_token *token, struct arena *arena,
                  char text[TOKEN_TEXT_SIZE], struct err *err)
{
    uint8_t id[ID_BYTES], secret[SECRET_BYTES];
    char *id_text = arena_alloc(arena, TOKEN_ID_SIZE, 1);
    char secret_text[64];
    size_t size = base64_encoded_size(sizeof secret, BASE64_URL);

    if (id_text == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a token", ERR_NO_AT);
    if (RAND_bytes(id, sizeof id) != 1 || RAND_priv_bytes(secret, sizeof secret) != 1)
        return err_set(err, ERR_CRYPTO, "there are no random numbers", ERR_NO_AT);
    hex_encode(bytes_from(id, sizeof id), id_text);
    base64_encode(bytes_from(secret, sizeof secret), BASE64_URL, secret_text);
    (void)snprintf(text, TOKEN_TEXT_SIZE, TOKEN_PREFIX "%.*s_%.*s", TOKEN_ID_SIZE, id_text,
                   (int)size, secret_text);
    secret_wipe(secret, sizeof secret);
    secret_wipe(secret_text, sizeof secret_text);
    token->id = bytes_from(id_text, TOKEN_ID_SIZE);
    return hash_token(bytes_of(text), token->hash, err) && registry_add_token(registry, token, err);
}

bool token_is_local(struct bytes text)
{
    struct bytes prefix = bytes_of(TOKEN_PREFIX);

    return bytes_starts_with(text, prefix) &&
           text.size ==
               prefix.size + TOKEN_ID_SIZE + 1 + base64_encoded_size(SECRET_BYTES, BASE64_URL) &&
           text.data[prefix.size + TOKEN_ID_SIZE] == '_';
}

enum registry_answer token_check(struct registry *registry, struct bytes text, int64_t now,
                                 struct arena *arena, struct registry_token *out, struct err *err)
{
    struct bytes id = bytes_before(bytes_after(text, strlen(TOKEN_PREFIX)), TOKEN_ID_SIZE);
    uint8_t hash[TOKEN_HASH_SIZE];

    enum registry_answer answer = registry_token(registry, id, arena, out, err);
    if (answer != REGISTRY_DONE)
        return answer;
    if (!hash_token(text, hash, err))
        return REGISTRY_FAILED;
    bool is_good = secret_equal(hash, out->hash, sizeof hash) && !out->is_revoked &&
                   (out->expires == 0 || out->expires > now);
    return is_good ? REGISTRY_DONE : REGISTRY_ABSENT;
}
