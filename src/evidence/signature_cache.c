#include "evidence/signature_cache.h"

#include <stdlib.h>

/* All zero: free; no digest that we will meet is zero. */
struct pair {
    uint8_t key[SIGNATURE_DIGEST_SIZE], item[SIGNATURE_DIGEST_SIZE];
};

struct signature_cache {
    size_t mask;
    struct pair pairs[];
};

bool signature_cache_new(size_t count, struct signature_cache **out, struct err *err)
{
    struct signature_cache *cache = calloc(1, sizeof *cache + count * sizeof cache->pairs[0]);

    if (cache == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a cache of signatures", ERR_NO_AT);
    cache->mask = count - 1;
    *out = cache;
    return true;
}

void signature_cache_free(struct signature_cache *cache)
{
    free(cache);
}

void signature_cache_clear(struct signature_cache *cache)
{
    memset(cache->pairs, 0, (cache->mask + 1) * sizeof cache->pairs[0]);
}

/* Where a pair would be: by the first bytes of the item's digest. */
static size_t place_of(const struct signature_cache *cache,
                       const uint8_t item[SIGNATURE_DIGEST_SIZE])
{
    uint32_t first;

    memcpy(&first, item, sizeof first);
    return first & cache->mask;
}

bool signature_cache_has(const struct signature_cache *cache,
                         const uint8_t key[SIGNATURE_DIGEST_SIZE],
                         const uint8_t item[SIGNATURE_DIGEST_SIZE])
{
    if (cache == NULL)
        return false;
    const struct pair *pair = &cache->pairs[place_of(cache, item)];
    return memcmp(pair->key, key, sizeof pair->key) == 0 &&
           memcmp(pair->item, item, sizeof pair->item) == 0;
}

void signature_cache_add(struct signature_cache *cache, const uint8_t key[SIGNATURE_DIGEST_SIZE],
                         const uint8_t item[SIGNATURE_DIGEST_SIZE])
{
    if (cache == NULL)
        return;
    struct pair *pair = &cache->pairs[place_of(cache, item)];
    memcpy(pair->key, key, sizeof pair->key);
    memcpy(pair->item, item, sizeof pair->item);
}
