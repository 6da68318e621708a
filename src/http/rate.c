#include "http/rate.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 8192u /* a power of two */
#define WAYS 4u       /* places in which an address may be */
#define NS_PER_S UINT64_C(1000000000)

/* Tokens are counted in nanoseconds of the rate: one is worth NS_PER_S / rate. */
struct bucket {
    uint64_t key;        /* of the address; 0: empty */
    uint64_t full_at_ns; /* when it will be full again; in the past: it is */
};

struct rate {
    struct http_rate of_address, of_all;
    pthread_mutex_t lock;
    uint64_t seed;
    struct bucket all;
    struct bucket buckets[BUCKETS];
};

bool rate_new(struct http_rate of_address, struct http_rate of_all, struct rate **out,
              struct err *err)
{
    struct rate *r = calloc(1, sizeof *r);

    if (r == NULL || RAND_bytes((uint8_t *)&r->seed, sizeof r->seed) != 1) {
        free(r);
        return err_set(err, ERR_MEMORY, "no memory to count requests", ERR_NO_AT);
    }
    r->of_address = of_address;
    r->of_all = of_all;
    (void)pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return true;
}

void rate_free(struct rate *rate)
{
    if (rate == NULL)
        return;
    (void)pthread_mutex_destroy(&rate->lock);
    free(rate);
}

/* SplitMix64's finaliser; the seed keeps strangers from choosing who shares their bucket. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t key_of(const struct rate *r, const struct sockaddr *address)
{
    uint64_t part = 0, family = 0;

    if (address != NULL && address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        part = in.sin_addr.s_addr;
        family = 4;
    } else if (address != NULL && address->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, address, sizeof in);
        family = 6;
        if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
            uint32_t v4;
            memcpy(&v4, in.sin6_addr.s6_addr + 12, sizeof v4);
            part = v4;
            family = 4;
        } else {
            memcpy(&part, in.sin6_addr.s6_addr, sizeof part);
        }
    }
    uint64_t key = mix(mix(part ^ r->seed) + family);
    return key != 0 ? key : 1;
}

/* The address's bucket, or in its place the one that is the fullest: who asks least is forgotten.
 */
static struct bucket *find(struct rate *r, uint64_t key)
{
    size_t at = (size_t)key & (BUCKETS - 1) & ~(size_t)(WAYS - 1);
    struct bucket *fullest = &r->buckets[at];

    for (size_t i = 0; i < WAYS; i++) {
        struct bucket *b = &r->buckets[at + i];
        if (b->key == key)
            return b;
        if (b->full_at_ns < fullest->full_at_ns)
            fullest = b;
    }
    *fullest = (struct bucket){.key = key};
    return fullest;
}

/* Whether a bucket has a token at this time. */
static bool has_token(const struct bucket *b, struct http_rate rate, uint64_t now_ns)
{
    uint64_t burst_ns = (uint64_t)(rate.burst != 0 ? rate.burst : 1) * (NS_PER_S / rate.rate);

    return b->full_at_ns <= now_ns || b->full_at_ns - now_ns + NS_PER_S / rate.rate <= burst_ns;
}

static void take_token(struct bucket *b, struct http_rate rate, uint64_t now_ns)
{
    if (b->full_at_ns < now_ns)
        b->full_at_ns = now_ns;
    b->full_at_ns += NS_PER_S / rate.rate;
}

bool rate_admits(struct rate *r, const struct sockaddr *address, uint64_t now_ns)
{
    bool has_address = r->of_address.rate != 0, has_all = r->of_all.rate != 0;
    struct bucket *b = NULL;

    if (!has_address && !has_all)
        return true;
    (void)pthread_mutex_lock(&r->lock);
    if (has_address)
        b = find(r, key_of(r, address));
    bool ok = (b == NULL || has_token(b, r->of_address, now_ns)) &&
              (!has_all || has_token(&r->all, r->of_all, now_ns));
    if (ok && b != NULL)
        take_token(b, r->of_address, now_ns);
    if (ok && has_all)
        take_token(&r->all, r->of_all, now_ns);
    (void)pthread_mutex_unlock(&r->lock);
    return ok;
}
