/* TOML's tables and arrays.
 *
 * A table finds its keys by PATRICIA trees (D. R. Morrison, 1968) that live in the entries: each
 * entry carries one branch, and links that lead upwards, or stay, end a search. The bits of a key
 * are the 32 of its hash, then, for each byte, a one and the byte from its highest bit, and zeroes
 * behind the key; so no key is a prefix of another, and a search looks at no more than 32 bits and
 * nine a byte, even when all hashes agree. A table of many keys has many trees, chosen by the hash:
 * the usual search ends after a step or two, without a look at other keys' text. */
#include "base/toml_internal.h"

#include <string.h>

#include "base/banned.h"

enum {
    TREE_ENTRIES = 1, /* a bucket's mean, at most */
    BUCKETS_FIRST = 16,
    BUCKETS_GROWTH = 4,
    CHUNK_FIRST = 4,
    CHUNK_MAX = 256,
};

/* FNV-1a: any hash does, the trees make up for a bad one. */
static uint32_t hash_of(struct bytes key)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < key.size; i++)
        h = (h ^ key.data[i]) * 16777619u;
    return h ^ h >> 15;
}

/* Bits count from one: the hash's, from its highest; bit 33 + 9i says whether byte i is there. */
static unsigned key_bit(uint32_t hash, struct bytes key, uint32_t bit)
{
    if (bit <= 32)
        return hash >> (32 - bit) & 1;
    uint32_t byte = (bit - 33) / 9, place = (bit - 33) % 9;
    if (byte >= key.size)
        return 0;
    return place == 0 ? 1u : (unsigned)key.data[byte] >> (8 - place) & 1;
}

/* The first bit in which the keys of two entries differ. */
static uint32_t first_difference(const struct toml_entry *a, const struct toml_entry *b)
{
    size_t shorter = a->key_size < b->key_size ? a->key_size : b->key_size, at = 0;

    if (a->hash != b->hash)
        return (uint32_t)__builtin_clz(a->hash ^ b->hash) + 1;
    while (at < shorter && a->key[at] == b->key[at])
        at++;
    if (at == shorter)
        return (uint32_t)(33 + 9 * at);
    unsigned difference = a->key[at] ^ b->key[at];
    return (uint32_t)(34 + 9 * at) + (uint32_t)__builtin_clz(difference) - 24;
}

/* The entry whose bits agree longest with those of the key. */
static struct toml_entry *nearest(struct toml_entry *root, uint32_t hash, struct bytes key)
{
    struct toml_entry *e = root;
    uint32_t last = 0;

    while (e->bit > last) {
        last = e->bit;
        e = e->child[key_bit(hash, key, last)];
    }
    return e;
}

static void link_entry(struct toml_entry **root, struct toml_entry *e, uint32_t difference)
{
    uint32_t last = 0;

    while ((*root)->bit > last && (*root)->bit < difference) {
        last = (*root)->bit;
        root = &(*root)->child[key_bit(e->hash, toml_key(e), last)];
    }
    unsigned side = key_bit(e->hash, toml_key(e), difference);
    e->bit = difference;
    e->child[side] = e;
    e->child[1 - side] = *root;
    *root = e;
}

/* Puts an entry whose key is not there yet in its tree. */
static void place(struct toml_table *t, struct toml_entry *e)
{
    struct toml_entry **root =
        t->buckets == NULL ? &t->only : &t->buckets[e->hash & (t->bucket_count - 1)];

    e->bit = 0;
    if (*root == NULL)
        *root = e;
    else
        link_entry(root, e, first_difference(e, nearest(*root, e->hash, toml_key(e))));
}

static bool more_buckets(struct toml_table *t, struct arena *arena)
{
    uint32_t count = t->buckets == NULL ? BUCKETS_FIRST : t->bucket_count * BUCKETS_GROWTH;
    struct toml_entry **buckets = ARENA_ARRAY(arena, struct toml_entry *, count);

    if (buckets == NULL)
        return false;
    t->buckets = buckets;
    t->bucket_count = count;
    for (struct toml_entry *e = t->first; e != NULL; e = e->next)
        place(t, e);
    return true;
}

struct toml_entry *toml_find(const struct toml_table *t, struct bytes key)
{
    uint32_t hash = hash_of(key);
    struct toml_entry *root =
        t->buckets == NULL ? t->only : t->buckets[hash & (t->bucket_count - 1)];

    if (root == NULL)
        return NULL;
    struct toml_entry *e = nearest(root, hash, key);
    return e->hash == hash && bytes_equal(toml_key(e), key) ? e : NULL;
}

struct toml_entry *toml_insert(struct toml_table *t, struct bytes key, uint32_t key_at,
                               struct arena *arena)
{
    uint32_t room = t->buckets == NULL ? BUCKETS_FIRST / 2 : t->bucket_count;
    struct toml_entry *e = ARENA_NEW(arena, struct toml_entry);

    if (e == NULL || (t->count >= room * TREE_ENTRIES && !more_buckets(t, arena)))
        return NULL;
    e->key = key.data;
    e->key_size = (uint32_t)key.size; /* at most TOML_SIZE_MAX */
    e->key_at = key_at;
    e->hash = hash_of(key);
    place(t, e);
    if (t->last == NULL)
        t->first = e;
    else
        t->last->next = e;
    t->last = e;
    t->count++;
    return e;
}

struct toml_value *toml_append(struct toml_array *a, struct arena *arena)
{
    struct toml_chunk *chunk = a->last;

    if (chunk == NULL || chunk->count == chunk->capacity) {
        uint32_t capacity = chunk == NULL ? CHUNK_FIRST : chunk->capacity * 2;
        if (capacity > CHUNK_MAX)
            capacity = CHUNK_MAX;
        chunk = arena_alloc(arena, sizeof *chunk + capacity * sizeof chunk->values[0],
                            _Alignof(struct toml_chunk));
        if (chunk == NULL)
            return NULL;
        *chunk = (struct toml_chunk){.capacity = capacity};
        if (a->last == NULL)
            a->first = chunk;
        else
            a->last->next = chunk;
        a->last = chunk;
    }
    a->count++;
    struct toml_value *value = &chunk->values[chunk->count++];
    *value = (struct toml_value){.type = TOML_STRING};
    return value;
}

const struct toml_value *toml_get(const struct toml_value *table, const char *key)
{
    if (table->type != TOML_TABLE)
        return NULL;
    const struct toml_entry *e = toml_find(table->of.table, bytes_of(key));
    return e != NULL ? &e->value : NULL;
}

const struct toml_entry *toml_entries(const struct toml_value *table)
{
    return table->type == TOML_TABLE ? table->of.table->first : NULL;
}

size_t toml_count(const struct toml_value *value)
{
    if (value->type == TOML_TABLE)
        return value->of.table->count;
    return value->type == TOML_ARRAY ? value->of.array->count : 0;
}

struct toml_walk toml_items(const struct toml_value *array)
{
    return (struct toml_walk){.chunk = array->type == TOML_ARRAY ? array->of.array->first : NULL};
}

const struct toml_value *toml_next(struct toml_walk *walk)
{
    if (walk->chunk != NULL && walk->at == walk->chunk->count)
        *walk = (struct toml_walk){.chunk = walk->chunk->next};
    return walk->chunk != NULL ? &walk->chunk->values[walk->at++] : NULL;
}

void toml_position(struct bytes text, size_t at, uint32_t *line, uint32_t *column)
{
    size_t start = 0;
    uint32_t lines = 1;

    if (at > text.size)
        at = text.size;
    for (size_t i = 0; i < at; i++) {
        if (text.data[i] == '\n') {
            lines++;
            start = i + 1;
        }
    }
    *line = lines;
    *column = (uint32_t)(at - start) + 1;
}
