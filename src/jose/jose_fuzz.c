/* What is refused has a reason, and no token is accepted: nobody whose key is here signed one. */
#include <assert.h>

#include "jose/jose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key of RFC 7515, A.3, both ways. */
static const char key_set[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"one\","
                              "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                              "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCSyikYjKIWI5a0\"}]}";
static const char key[] = "-----BEGIN PUBLIC KEY-----\n"
                          "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
                          "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
                          "-----END PUBLIC KEY-----\n";

static void check_token(const struct jose_keys *keys, struct bytes text, struct arena *arena)
{
    const struct jose_expected expected = {.issuer = bytes_of("https://issuer.example/"),
                                           .audience = bytes_of("https://registry.example/"),
                                           .now = 1800000000};
    struct jose_claims claims;
    struct bytes subject;
    struct err err = {.msg = NULL};

    bool ok = jose_token_verify(keys, text, &expected, arena, &claims, &err);
    assert(!ok && err.msg != NULL && err.code != ERR_NONE);
    if (jose_token_subject(text, arena, &subject, &err))
        assert(memchr(subject.data, '\0', subject.size + 1) == subject.data + subject.size);
}

static void check_keys(struct bytes text)
{
    struct jose_keys *keys = NULL;
    struct err err = {.msg = NULL};

    if (!jose_keys_parse(text, &keys, &err))
        assert(err.msg != NULL && keys == NULL);
    jose_keys_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jose_keys *keys;
    struct arena arena;
    struct err err = {.msg = NULL};

    if (keys == NULL) {
        bool ok = jose_keys_parse(bytes_of(key_set), &keys, &err);
        assert(ok);
    }
    arena_init(&arena, arena_heap, (size_t)16 << 20);
    check_token(keys, bytes_from(data, size), &arena);
    check_keys(bytes_from(data, size));
    if (!jose_verify(bytes_from(data, size), bytes_of(key), &err))
        assert(err.msg != NULL);
    arena_done(&arena);
    return 0;
}
