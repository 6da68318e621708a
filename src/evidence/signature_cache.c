#include "evidence/signature_cache.h"

#include <stdlib.h>

struct signature_cache {
    size_t mask;
    uint8_t ids[][SIGNATURE_ID_SIZE]; /* zeroes: free; no digest that we will meet is zero */
};

bool signature_cache_new(size_t count, struct signature_cache **out, struct err *err)
{
    struct signature_cache *cache = calloc(1, sizeof *cache + count * sizeof cache->ids[0]);

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
    memset(cache->ids, 0, (cache->mask + 1) * sizeof cache->ids[0]);
}

static size_t place_of(const struct signature_cache *cache, const uint8_t id[SIGNATURE_ID_SIZE])
{
    uint32_t first;

    memcpy(&first, id, sizeof first);
    return first & cache->mask;
}

bool signature_cache_has(const struct signature_cache *cache, const uint8_t id[SIGNATURE_ID_SIZE])
{
    return cache != NULL && memcmp(cache->ids[place_of(cache, id)], id, SIGNATURE_ID_SIZE) == 0;
}

void signature_cache_add(struct signature_cache *cache, const uint8_t id[SIGNATURE_ID_SIZE])
{
    if (cache != NULL)
        memcpy(cache->ids[place_of(cache, id)], id, SIGNATURE_ID_SIZE);
}
