/* Token buckets: how many requests an address, and all together, may make. Private to the room.
 *
 * The table is bounded: an address that finds no room takes the place of that which has most left,
 * and which therefore loses least by being forgotten. Not for several threads at once. */
#pragma once

#include "http/address.h"

#define RATE_TABLE_BUCKETS 4096

struct rate_bucket {
    struct address_key key;
    uint64_t level; /* in 1e-9 requests */
    uint64_t at_ns; /* when level was right; 0: the bucket is not in use */
};

struct rate_table;

/* secret decides which addresses share a row, so that nobody can choose them. ERR_MEMORY. */
MUST_CHECK bool rate_table_new(struct http_rate rate, uint64_t secret, struct rate_table **out,
                               struct err *err);
void rate_table_free(struct rate_table *table);

/* Takes one request from an address's bucket. False: it is empty, and holds one again after
 * *wait_s seconds, rounded up. */
MUST_CHECK bool rate_table_take(struct rate_table *table, const struct address_key *key,
                                uint64_t now_ns, unsigned *wait_s);

/* The same of one bucket, which begins as zeros. */
MUST_CHECK bool rate_bucket_take(struct rate_bucket *bucket, struct http_rate rate, uint64_t now_ns,
                                 unsigned *wait_s);
