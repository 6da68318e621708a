/* Token buckets. Levels are whole numbers of 1e-9 requests, so that nothing is lost by rounding. */
#include "http/rate.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST UINT64_C(1000000000) /* one, in the unit of levels; a second in ns, too */
#define ROW 8                        /* buckets that an address may have */

struct rate_table {
    struct http_rate rate;
    uint64_t secret;
    struct rate_bucket buckets[RATE_TABLE_BUCKETS];
};

bool rate_table_new(struct http_rate rate, uint64_t secret, struct rate_table **out,
                    struct err *err)
{
    struct rate_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the rates of addresses", ERR_NO_AT);
    table->rate = rate;
    table->secret = secret;
    *out = table;
    return true;
}

void rate_table_free(struct rate_table *table)
{
    free(table);
}

static uint64_t full_level(struct http_rate rate)
{
    return (uint64_t)(rate.burst != 0 ? rate.burst : rate.rate) * REQUEST;
}

/* What the bucket holds now. */
static uint64_t level_now(const struct rate_bucket *bucket, struct http_rate rate, uint64_t now_ns)
{
    uint64_t full = full_level(rate), gain, level;

    if (bucket->at_ns == 0)
        return full;
    uint64_t passed = now_ns > bucket->at_ns ? now_ns - bucket->at_ns : 0;
    if (!checked_mul(passed, rate.rate, &gain) || !checked_add(bucket->level, gain, &level))
        return full;
    return level < full ? level : full;
}

bool rate_bucket_take(struct rate_bucket *bucket, struct http_rate rate, uint64_t now_ns,
                      unsigned *wait_s)
{
    if (rate.rate == 0)
        return true;
    bucket->level = level_now(bucket, rate, now_ns);
    bucket->at_ns = now_ns != 0 ? now_ns : 1;
    if (bucket->level < REQUEST) {
        uint64_t per_second = (uint64_t)rate.rate * REQUEST;
        *wait_s = (unsigned)((REQUEST - bucket->level + per_second - 1) / per_second);
        return false;
    }
    bucket->level -= REQUEST;
    return true;
}

/* The finisher of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct rate_bucket *row_of(struct rate_table *table, const struct address_key *key)
{
    uint64_t halves[2];

    memcpy(halves, key->bytes, sizeof halves);
    uint64_t hash = mix(mix(halves[0] ^ table->secret) ^ halves[1]);
    return table->buckets + hash % (RATE_TABLE_BUCKETS / ROW) * ROW;
}

bool rate_table_take(struct rate_table *table, const struct address_key *key, uint64_t now_ns,
                     unsigned *wait_s)
{
    if (table->rate.rate == 0)
        return true;
    struct rate_bucket *row = row_of(table, key), *best = NULL;
    uint64_t best_level = 0;
    for (size_t i = 0; i < ROW; i++) {
        if (row[i].at_ns != 0 && address_equal(&row[i].key, key))
            return rate_bucket_take(&row[i], table->rate, now_ns, wait_s);
        uint64_t level = row[i].at_ns == 0 ? UINT64_MAX : level_now(&row[i], table->rate, now_ns);
        if (best == NULL || level > best_level) {
            best = &row[i];
            best_level = level;
        }
    }
    *best = (struct rate_bucket){.key = *key};
    return rate_bucket_take(best, table->rate, now_ns, wait_s);
}
