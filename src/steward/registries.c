#include "steward/registries.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "http/client.h"
#include "os/os.h"
#include "package/entry.h"
#include "package/slug.h"
#include "base/banned.h"

#define LOOK_MS 2000 /* for one look, and for waiting until one may begin */
#define TAG_MAX ((size_t)64 << 10)
#define LOOKS_MAX 4            /* at once */
#define FAULT_LIFETIME_MS 2000 /* for so long a registry that did not answer is left alone */
#define HASH_SIZE 32

/* A tag that was read. */
struct known_tag {
    uint8_t slug_hash[HASH_SIZE], digest[HASH_SIZE];
    bool is_known;
};

/* A registry that did not answer. */
struct fault {
    uint8_t host_hash[HASH_SIZE];
    int64_t until_ms;
};

struct registries {
    pthread_mutex_t lock; /* of everything */
    pthread_cond_t ended; /* a look */
    uint8_t looks[LOOKS_MAX][HASH_SIZE];
    size_t look_count;
    uint64_t generation; /* of what is known */
    struct fault faults[256];
    struct known_tag tags[4096]; /* the place of a tag is given by its slug's hash */
};

bool registries_new(struct registries **out, struct err *err)
{
    struct registries *r = calloc(1, sizeof *r);

    if (r == NULL)
        return err_set(err, ERR_MEMORY, "no memory for registries", ERR_NO_AT);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->ended, NULL);
    *out = r;
    return true;
}

void registries_free(struct registries *registries)
{
    if (registries == NULL)
        return;
    (void)pthread_cond_destroy(&registries->ended);
    (void)pthread_mutex_destroy(&registries->lock);
    free(registries);
}

void registries_forget(struct registries *registries)
{
    (void)pthread_mutex_lock(&registries->lock);
    registries->generation++;
    for (size_t i = 0; i < COUNT_OF(registries->tags); i++)
        registries->tags[i].is_known = false;
    for (size_t i = 0; i < COUNT_OF(registries->faults); i++)
        registries->faults[i].until_ms = 0;
    (void)pthread_mutex_unlock(&registries->lock);
}

/* ---- one look ---- */

struct look {
    const struct steward_registry *registry;
    struct slug slug;
    struct arena *arena;
    uint8_t slug_hash[HASH_SIZE], host_hash[HASH_SIZE];
    const char *why; /* it proves nothing */
    /* of the registry, not of the tag: or whoever names a tag at which it balks would keep all
     * others of that registry from being proved */
    bool is_fault;
};

static bool say(struct look *look, const char *what, const char *detail)
{
    struct writer w = writer_growable(look->arena, 1024);
    struct bytes text;
    struct err err;

    writer_format(&w, "%s%s", what, detail);
    writer_u8(&w, '\0');
    look->why = writer_done(&w, &text, &err) ? (const char *)text.data : "no memory";
    return false;
}

/* The tag's address; nothing that a slug can have needs an escape in a path. */
static bool write_url(struct look *look, const char **out, struct err *err)
{
    struct writer w = writer_growable(look->arena, 4096);
    const struct slug *s = &look->slug;
    struct bytes url;

    writer_format(&w, "https://%.*s/api/v0.1.0/%.*s/%.*s/_tag/%.*s", (int)s->host.size,
                  (const char *)s->host.data, (int)s->user.size, (const char *)s->user.data,
                  (int)s->repo.size, (const char *)s->repo.data, (int)s->tag.size,
                  (const char *)s->tag.data);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &url, err))
        return false;
    *out = (const char *)url.data;
    return true;
}

static bool read_reply(struct look *look, const struct http_reply *reply, uint8_t digest[HASH_SIZE])
{
    struct tag tag;
    struct err err;

    if (reply->status == 404)
        return say(look, "the registry has no such tag", "");
    if (reply->status == 401 || reply->status == 403)
        return say(look, "the registry does not let this Steward read the repository's tags", "");
    if (reply->status != 200) {
        char status[16];
        (void)snprintf(status, sizeof status, "%u", reply->status);
        look->is_fault = reply->status >= 500 || reply->status == 429 || reply->status == 408;
        return say(look, "the registry answered with HTTP status ", status);
    }
    if (!tag_parse(reply->body, look->arena, &tag, &err))
        return say(look, "what the registry answered is no tag: ", err.msg);
    const struct digest *root = &tag.root.digests.of[DIGEST_SHA256];
    if (root->size != HASH_SIZE)
        return say(look, "the registry's tag has no sha-256", "");
    memcpy(digest, root->bytes, HASH_SIZE);
    return true;
}

/* Reads the tag's digest at its registry. */
static bool read_tag(struct look *look, uint8_t digest[HASH_SIZE])
{
    const struct steward_registry *r = look->registry;
    struct http_get get = {.ca = r->ca_pem,
                           .certificate = r->certificate_pem,
                           .key = r->key_pem,
                           .timeout_ms = LOOK_MS,
                           .body_max = TAG_MAX,
                           .accept = MEDIA_ENTRY ", " MEDIA_JOSE};
    struct http_reply reply;
    struct err err;

    if (!write_url(look, &get.url, &err) || !http_get(&get, look->arena, &reply, &err)) {
        look->is_fault = err.code != ERR_LIMIT && err.code != ERR_MEMORY;
        return say(look, "the registry cannot be asked: ", err.msg);
    }
    return read_reply(look, &reply, digest);
}

/* ---- what is remembered ---- */

static size_t place_of(const uint8_t hash[HASH_SIZE], size_t count)
{
    return ((size_t)hash[0] << 8 | hash[1]) % count;
}

static bool is_known(const struct registries *r, const struct look *look, uint8_t digest[HASH_SIZE])
{
    const struct known_tag *tag = &r->tags[place_of(look->slug_hash, COUNT_OF(r->tags))];

    if (!tag->is_known || memcmp(tag->slug_hash, look->slug_hash, HASH_SIZE) != 0)
        return false;
    memcpy(digest, tag->digest, HASH_SIZE);
    return true;
}

static bool is_at_fault(const struct registries *r, const struct look *look)
{
    const struct fault *fault = &r->faults[place_of(look->host_hash, COUNT_OF(r->faults))];

    return fault->until_ms > (int64_t)(os_monotonic_ns() / 1000000) &&
           memcmp(fault->host_hash, look->host_hash, HASH_SIZE) == 0;
}

static bool is_under_way(const struct registries *r, const struct look *look)
{
    bool any = false;

    for (size_t i = 0; i < r->look_count; i++)
        any |= memcmp(r->looks[i], look->slug_hash, HASH_SIZE) == 0;
    return any;
}

/* Under the lock: waits until the look may begin (true), or needs to no more: *is_read, or
 * look->why. Who asks for the same tag waits for one look. */
static bool may_begin(struct registries *r, struct look *look, uint8_t digest[HASH_SIZE],
                      bool *is_read)
{
    struct timespec end;
    bool is_late = false;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LOOK_MS / 1000;
    for (;;) {
        *is_read = is_known(r, look, digest);
        if (*is_read)
            return false;
        if (is_at_fault(r, look))
            return say(look, "the registry did not answer a moment ago; try again", "");
        if (r->look_count < LOOKS_MAX && !is_under_way(r, look))
            return true;
        if (is_late)
            return say(look, "too many tags are being looked up; try again", "");
        is_late = pthread_cond_timedwait(&r->ended, &r->lock, &end) != 0;
    }
}

static void end_look(struct registries *r, const struct look *look, uint64_t generation,
                     const uint8_t *digest)
{
    size_t i = 0;

    while (memcmp(r->looks[i], look->slug_hash, HASH_SIZE) != 0)
        i++;
    memcpy(r->looks[i], r->looks[--r->look_count], HASH_SIZE);
    if (digest != NULL && r->generation == generation) {
        struct known_tag *tag = &r->tags[place_of(look->slug_hash, COUNT_OF(r->tags))];
        memcpy(tag->slug_hash, look->slug_hash, HASH_SIZE);
        memcpy(tag->digest, digest, HASH_SIZE);
        tag->is_known = true;
    }
    if (look->is_fault) {
        struct fault *fault = &r->faults[place_of(look->host_hash, COUNT_OF(r->faults))];
        memcpy(fault->host_hash, look->host_hash, HASH_SIZE);
        fault->until_ms = (int64_t)(os_monotonic_ns() / 1000000) + FAULT_LIFETIME_MS;
    }
    (void)pthread_cond_broadcast(&r->ended);
}

/* The digest that the tag names, from memory or by a look. */
static bool find_tag(struct registries *r, struct look *look, uint8_t digest[HASH_SIZE])
{
    bool is_read;

    (void)pthread_mutex_lock(&r->lock);
    if (may_begin(r, look, digest, &is_read)) {
        uint64_t generation = r->generation;
        memcpy(r->looks[r->look_count++], look->slug_hash, HASH_SIZE);
        (void)pthread_mutex_unlock(&r->lock);
        is_read = read_tag(look, digest);
        (void)pthread_mutex_lock(&r->lock);
        end_look(r, look, generation, is_read ? digest : NULL);
    }
    (void)pthread_mutex_unlock(&r->lock);
    return is_read;
}

static const struct steward_registry *find_registry(const struct steward_config *config,
                                                    struct bytes host)
{
    for (size_t i = 0; i < config->registry_count; i++) {
        if (bytes_equal(config->registries[i].host, host))
            return &config->registries[i];
    }
    return NULL;
}

static bool hash(struct bytes text, uint8_t out[HASH_SIZE])
{
    return EVP_Digest(text.data, text.size, out, NULL, EVP_sha256(), NULL) == 1;
}

bool registries_prove(struct registries *registries, const struct steward_config *config,
                      struct bytes slug, const uint8_t digest[32], struct arena *arena,
                      const char **why)
{
    struct look look = {.arena = arena, .why = ""};
    uint8_t found[HASH_SIZE];
    struct err err;

    *why = "it is no slug";
    if (!slug_parse(slug, SLUG_TAG, arena, &look.slug, &err))
        return false;
    *why = "its registry is not one that this Steward asks: [registries] lists them";
    look.registry = find_registry(config, look.slug.host);
    if (look.registry == NULL)
        return false;
    *why = "no SHA-256";
    if (!hash(slug, look.slug_hash) || !hash(look.slug.host, look.host_hash))
        return false;
    bool is_read = find_tag(registries, &look, found);
    *why = is_read ? "the registry's tag names another digest" : look.why;
    return is_read && memcmp(found, digest, HASH_SIZE) == 0;
}
