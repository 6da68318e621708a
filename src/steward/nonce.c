#include "steward/nonce.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/banned.h"

#define TIME_SIZE 8
#define RANDOM_SIZE 32
#define MAC_SIZE 32
_Static_assert(TIME_SIZE + RANDOM_SIZE + MAC_SIZE == NONCE_SIZE, "the nonce's parts");

static bool make_mac(const uint8_t key[NONCE_KEY_SIZE], const uint8_t nonce[NONCE_SIZE],
                     const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE], uint8_t out[MAC_SIZE])
{
    uint8_t message[TIME_SIZE + RANDOM_SIZE + NONCE_SPKI_HASH_SIZE];
    unsigned size = 0;

    memcpy(message, nonce, TIME_SIZE + RANDOM_SIZE);
    memcpy(message + TIME_SIZE + RANDOM_SIZE, spki_hash, NONCE_SPKI_HASH_SIZE);
    return HMAC(EVP_sha256(), key, NONCE_KEY_SIZE, message, sizeof message, out, &size) != NULL &&
           size == MAC_SIZE;
}

bool nonce_make(const struct nonce_keys *keys, int64_t now,
                const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE], uint8_t out[NONCE_SIZE],
                struct err *err)
{
    struct writer w = writer_fixed(out, NONCE_SIZE);

    writer_u64be(&w, (uint64_t)now);
    if (RAND_bytes(out + TIME_SIZE, RANDOM_SIZE) != 1 ||
        !make_mac(keys->keys[0], out, spki_hash, out + TIME_SIZE + RANDOM_SIZE))
        return err_set(err, ERR_CRYPTO, "cannot make a nonce", ERR_NO_AT);
    return true;
}

static bool is_ours(const struct nonce_keys *keys, const uint8_t nonce[NONCE_SIZE],
                    const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE])
{
    uint8_t mac[MAC_SIZE];
    bool is_any = false;

    for (size_t i = 0; i < keys->count; i++)
        is_any |= make_mac(keys->keys[i], nonce, spki_hash, mac) &&
                  secret_equal(mac, nonce + TIME_SIZE + RANDOM_SIZE, MAC_SIZE);
    return is_any;
}

enum nonce_verdict nonce_check(const struct nonce_keys *keys, int64_t now, int64_t skew,
                               struct bytes nonce, const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE])
{
    struct reader r = reader_of(nonce);
    uint64_t time;

    if (nonce.size != NONCE_SIZE || !reader_u64be(&r, &time))
        return NONCE_MALFORMED;
    if (!is_ours(keys, nonce.data, spki_hash))
        return NONCE_FOREIGN;
    /* ours: the time is one that a Steward wrote */
    if ((int64_t)time > now + skew || (int64_t)time + NONCE_LIFETIME_S < now)
        return NONCE_STALE;
    return NONCE_GOOD;
}

/* ---- those that were spent ---- */

/* Two tables that take turns: what was spent in a span, and in the span before it. A nonce is known
 * by its random part, which its MAC keeps from being chosen. */
#define SPAN_S INT64_C(120) /* longer than a nonce is good, clocks that differ included */
#define FIRST_CAPACITY 256u
#define CAPACITY_MAX ((size_t)1 << 22)

struct table {
    uint8_t (*slots)[RANDOM_SIZE]; /* all zero: empty */
    size_t capacity, count;        /* capacity: a power of two */
};

struct nonce_book {
    pthread_mutex_t lock;
    struct table now, before;
    int64_t began; /* the span of `now` */
};

static size_t find(const struct table *t, const uint8_t random[RANDOM_SIZE])
{
    static const uint8_t empty[RANDOM_SIZE];
    uint64_t hash;

    memcpy(&hash, random, sizeof hash);
    size_t at = (size_t)hash & (t->capacity - 1);
    while (memcmp(t->slots[at], empty, RANDOM_SIZE) != 0 &&
           memcmp(t->slots[at], random, RANDOM_SIZE) != 0)
        at = (at + 1) & (t->capacity - 1);
    return at;
}

static bool has(const struct table *t, const uint8_t random[RANDOM_SIZE])
{
    return t->capacity != 0 && memcmp(t->slots[find(t, random)], random, RANDOM_SIZE) == 0;
}

/* Room for one more: at most half full. */
static bool make_room(struct table *t)
{
    if (t->capacity != 0 && t->count < t->capacity / 2)
        return true;
    struct table larger = {.capacity = t->capacity != 0 ? t->capacity * 2 : FIRST_CAPACITY};
    if (larger.capacity > CAPACITY_MAX ||
        (larger.slots = calloc(larger.capacity, RANDOM_SIZE)) == NULL)
        return false;
    for (size_t i = 0; i < t->capacity; i++) {
        if (!bytes_are_zero(bytes_from(t->slots[i], RANDOM_SIZE)))
            memcpy(larger.slots[find(&larger, t->slots[i])], t->slots[i], RANDOM_SIZE);
    }
    larger.count = t->count;
    free(t->slots);
    *t = larger;
    return true;
}

/* A new span, when this one is over. When the clock was set back both are kept for longer. */
static void turn(struct nonce_book *book, int64_t now)
{
    if (now < book->began)
        book->began = now;
    if (now < book->began + SPAN_S)
        return;
    free(book->before.slots);
    book->before = book->now;
    book->now = (struct table){.capacity = 0};
    book->began = now;
}

bool nonce_book_new(struct nonce_book **out, struct err *err)
{
    struct nonce_book *book = calloc(1, sizeof *book);

    if (book == NULL)
        return err_set(err, ERR_MEMORY, "no memory for nonces", ERR_NO_AT);
    (void)pthread_mutex_init(&book->lock, NULL);
    *out = book;
    return true;
}

void nonce_book_free(struct nonce_book *book)
{
    if (book == NULL)
        return;
    (void)pthread_mutex_destroy(&book->lock);
    free(book->now.slots);
    free(book->before.slots);
    free(book);
}

enum nonce_verdict nonce_spend(struct nonce_book *book, int64_t now,
                               const uint8_t nonce[NONCE_SIZE])
{
    const uint8_t *random = nonce + TIME_SIZE;
    enum nonce_verdict verdict = NONCE_USED;

    (void)pthread_mutex_lock(&book->lock);
    turn(book, now);
    if (!has(&book->now, random) && !has(&book->before, random) && make_room(&book->now)) {
        memcpy(book->now.slots[find(&book->now, random)], random, RANDOM_SIZE);
        book->now.count++;
        verdict = NONCE_GOOD;
    }
    (void)pthread_mutex_unlock(&book->lock);
    return verdict;
}
