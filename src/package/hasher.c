#include <openssl/evp.h>

#include "package/digest.h"
#include "base/banned.h"

static const EVP_MD *method(enum digest_algorithm algorithm)
{
    switch (algorithm) {
    case DIGEST_SHA224:
        return EVP_sha224();
    case DIGEST_SHA256:
        return EVP_sha256();
    case DIGEST_SHA384:
        return EVP_sha384();
    case DIGEST_SHA512:
        return EVP_sha512();
    case DIGEST_NONE:
        break;
    }
    return NULL;
}

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "no memory for a digest", ERR_NO_AT);
}

bool hasher_init(struct hasher *hasher, unsigned algorithms, struct err *err)
{
    *hasher = (struct hasher){.size = 0};
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        if ((algorithms & 1u << i) == 0)
            continue;
        hasher->contexts[i] = EVP_MD_CTX_new();
        if (hasher->contexts[i] == NULL ||
            EVP_DigestInit_ex(hasher->contexts[i], method((enum digest_algorithm)i), NULL) != 1) {
            hasher_free(hasher);
            return no_memory(err);
        }
    }
    return true;
}

bool hasher_add(struct hasher *hasher, struct bytes part, struct err *err)
{
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        if (hasher->contexts[i] != NULL &&
            EVP_DigestUpdate(hasher->contexts[i], part.data, part.size) != 1)
            return no_memory(err);
    }
    hasher->size += part.size;
    return true;
}

bool hasher_done(struct hasher *hasher, struct digest_set *out, struct err *err)
{
    struct digest_set set = {.of = {{.size = 0}}};

    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        struct digest *d = &set.of[i];
        d->algorithm = (enum digest_algorithm)i;
        if (hasher->contexts[i] == NULL)
            continue;
        unsigned size = 0;
        if (EVP_DigestFinal_ex(hasher->contexts[i], d->bytes, &size) != 1)
            return no_memory(err);
        d->size = (uint8_t)size;
    }
    *out = set;
    return true;
}

void hasher_free(struct hasher *hasher)
{
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        EVP_MD_CTX_free(hasher->contexts[i]);
        hasher->contexts[i] = NULL;
    }
}

bool digest_compute(struct bytes content, unsigned algorithms, struct digest_set *out,
                    struct err *err)
{
    struct hasher hasher;
    bool ok = hasher_init(&hasher, algorithms, err) && hasher_add(&hasher, content, err) &&
              hasher_done(&hasher, out, err);

    hasher_free(&hasher);
    return ok;
}
