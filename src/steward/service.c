/* The service's life: its configuration, its judges, what is revoked. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "os/os.h"
#include "steward/service_internal.h"
#include "base/banned.h"

#define POLICY_ARENA_MAX ((size_t)64 << 20)
#define REVOCATIONS_ARENA_MAX ((size_t)256 << 20)

/* ---- configurations ---- */

static bool copy_der(X509 *certificate, struct arena *arena, struct bytes *out)
{
    uint8_t *der = NULL;
    int size = i2d_X509(certificate, &der);
    uint8_t *copy = size > 0 ? arena_alloc(arena, (size_t)size, 1) : NULL;

    if (copy != NULL) {
        memcpy(copy, der, (size_t)size);
        *out = bytes_from(copy, (size_t)size);
    }
    OPENSSL_free(der);
    return copy != NULL;
}

static bool read_chain(struct bytes pem, struct arena *arena, struct ca_chain *out,
                       struct text_error *error)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    bool ok = bio != NULL;
    X509 *certificate;

    *out = (struct ca_chain){.pem = pem};
    while (ok && out->count < CHAIN_MAX &&
           (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        out->is_self_signed[out->count] = (X509_get_extension_flags(certificate) & EXFLAG_SS) != 0;
        ok = copy_der(certificate, arena, &out->der[out->count++]);
        X509_free(certificate);
    }
    BIO_free(bio);
    ERR_clear_error();
    return (ok && out->count != 0) ||
           text_error_set(error, 0, 0, "the CA's file has no certificate in PEM");
}

static void policy_free(struct policy *policy)
{
    file_set_free(policy->files);
    arena_done(&policy->arena);
    free(policy);
}

static bool parse_policy(struct policy *p, struct bytes text, struct text_error *error)
{
    struct writer w = writer_growable(&p->arena, CONFIG_SIZE_MAX);
    struct bytes copy;
    struct err err;

    writer_bytes(&w, text);
    if (!writer_done(&w, &copy, &err))
        return text_error_set(error, 0, 0, "the configuration is too large");
    return steward_config_parse(copy, p->files, &p->arena, &p->config, error) &&
           read_chain(p->config.ca_pem, &p->arena, &p->ca, error) &&
           (p->config.simulation_ca_pem.size == 0 ||
            read_chain(p->config.simulation_ca_pem, &p->arena, &p->simulation_ca, error));
}

static bool policy_new(struct bytes text, struct file_set *files, struct policy **out,
                       struct text_error *error, struct err *err)
{
    struct policy *p = calloc(1, sizeof *p);

    if (p == NULL) {
        file_set_free(files);
        return err_set(err, ERR_MEMORY, "no memory for a configuration", ERR_NO_AT);
    }
    p->files = files;
    arena_init(&p->arena, arena_heap, POLICY_ARENA_MAX);
    arena_set_wipe(&p->arena);
    if (!parse_policy(p, text, error)) {
        policy_free(p);
        return err_set(err, ERR_FORMAT, "the configuration has an error", ERR_NO_AT);
    }
    *out = p;
    return true;
}

struct policy *service_policy(struct service *s)
{
    (void)pthread_mutex_lock(&s->lock);
    struct policy *policy = s->policy;
    policy->users++;
    (void)pthread_mutex_unlock(&s->lock);
    return policy;
}

void service_policy_done(struct service *s, struct policy *policy)
{
    (void)pthread_mutex_lock(&s->lock);
    bool is_last = --policy->users == 0;
    (void)pthread_mutex_unlock(&s->lock);
    if (is_last)
        policy_free(policy);
}

bool service_configure(struct service *s, struct bytes text, struct file_set *files,
                       struct text_error *error, struct err *err)
{
    struct policy *policy;

    if (!policy_new(text, files, &policy, error, err))
        return false;
    policy->users = 1; /* the service itself */
    (void)pthread_mutex_lock(&s->lock);
    struct policy *old = s->policy;
    policy->generation = s->next_generation++;
    s->policy = policy;
    (void)pthread_mutex_unlock(&s->lock);
    registries_forget(s->registries);
    if (old != NULL)
        service_policy_done(s, old);
    return true;
}

/* ---- judges ---- */

/* Endorsements of the configured folders, and those of the store that belong to no chip. */
static bool fill_judge(struct service *s, const struct policy *policy, struct judge *judge,
                       struct err *err)
{
    const struct endorsement *items;
    struct err fault;
    struct arena arena;
    size_t count, left_out = 0;

    judge_forget(judge);
    for (size_t i = 0; i < policy->config.collateral_file_count; i++)
        left_out += !judge_add_collateral(judge, policy->config.collateral_files[i], &fault);
    arena_init(&arena, arena_heap, REVOCATIONS_ARENA_MAX);
    bool ok = store_endorsements(s->options.store, (struct bytes){.size = 0}, false, &arena, &items,
                                 &count, err);
    for (size_t i = 0; ok && i < count; i++)
        left_out += !judge_add_collateral(judge, items[i].content, &fault);
    arena_done(&arena);
    if (ok && left_out != 0)
        log_warn("endorsements are left out, as they cannot be read or are too many",
                 log_u64("files", left_out), log_err(&fault));
    return ok;
}

bool service_judge(struct service *s, const struct policy *policy, struct judge_place **out,
                   struct err *err)
{
    struct judge_place *place = NULL;
    uint64_t version;

    if (!store_version(s->options.store, &version, err))
        return false;
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; place == NULL && i < COUNT_OF(s->judges); i++) {
        if (!s->judges[i].is_taken)
            place = &s->judges[i];
    }
    if (place != NULL)
        place->is_taken = true;
    (void)pthread_mutex_unlock(&s->lock);
    if (place == NULL)
        return err_set(err, ERR_LIMIT, "more requests at once than can be judged", ERR_NO_AT);
    bool is_new = place->judge == NULL;
    bool ok = !is_new || judge_new(&place->judge, err);
    if (ok && (is_new || place->generation != policy->generation || place->version != version)) {
        ok = fill_judge(s, policy, place->judge, err);
        place->generation = policy->generation;
        place->version = ok ? version : UINT64_MAX;
    }
    if (!ok) {
        service_judge_done(s, place);
        return false;
    }
    *out = place;
    return true;
}

void service_judge_done(struct service *s, struct judge_place *place)
{
    (void)pthread_mutex_lock(&s->lock);
    place->is_taken = false;
    (void)pthread_mutex_unlock(&s->lock);
}

/* ---- revocations ---- */

/* Reads the list again when the store has another version. */
static bool refresh_revocations(struct service *s, uint64_t version, struct err *err)
{
    struct revocation_cache fresh = {.version = version};

    arena_init(&fresh.arena, arena_heap, REVOCATIONS_ARENA_MAX);
    if (!store_revocations(s->options.store, &fresh.arena, &fresh.items, &fresh.count, err)) {
        arena_done(&fresh.arena);
        return false;
    }
    (void)pthread_rwlock_wrlock(&s->revocation_lock);
    arena_done(&s->revocations.arena);
    s->revocations = fresh;
    (void)pthread_rwlock_unlock(&s->revocation_lock);
    return true;
}

static bool names_slug(struct bytes value, struct bytes slug)
{
    return slug.size != 0 && bytes_starts_with(slug, value) &&
           (slug.size == value.size || slug.data[value.size] == ':');
}

static bool names(const struct revocation *r, const struct judgement *j)
{
    switch (r->kind) {
    case REVOCATION_MEASUREMENT:
        return bytes_equal(r->value, j->identity.measurement);
    case REVOCATION_CHIP:
        return j->chip.size != 0 && bytes_equal(r->value, j->chip);
    case REVOCATION_SLUG:
        return names_slug(r->value, j->request.claims.slug);
    case REVOCATION_SERIAL:
    case REVOCATION_KINDS:
        break;
    }
    return false;
}

bool service_is_revoked(struct service *s, const struct judgement *j, uint64_t version,
                        bool *is_revoked, struct err *err)
{
    (void)pthread_rwlock_rdlock(&s->revocation_lock);
    bool is_fresh = s->revocations.version == version;
    (void)pthread_rwlock_unlock(&s->revocation_lock);
    if (!is_fresh && !refresh_revocations(s, version, err))
        return false;
    *is_revoked = false;
    (void)pthread_rwlock_rdlock(&s->revocation_lock);
    for (size_t i = 0; i < s->revocations.count; i++)
        *is_revoked |= names(&s->revocations.items[i], j);
    (void)pthread_rwlock_unlock(&s->revocation_lock);
    return true;
}

/* ---- its life ---- */

bool service_new(const struct service_options *options, struct bytes text, struct file_set *files,
                 struct service **out, struct text_error *error, struct err *err)
{
    struct service *s = calloc(1, sizeof *s);

    if (s == NULL) {
        file_set_free(files);
        return err_set(err, ERR_MEMORY, "no memory for the server", ERR_NO_AT);
    }
    s->options = *options;
    s->revocations.version = UINT64_MAX;
    arena_init(&s->revocations.arena, arena_heap, REVOCATIONS_ARENA_MAX);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_rwlock_init(&s->revocation_lock, NULL);
    for (size_t i = 0; i < COUNT_OF(s->crls); i++)
        (void)pthread_mutex_init(&s->crls[i].lock, NULL);
    bool ok = registries_new(&s->registries, err);
    if (!ok)
        file_set_free(files);
    ok = ok && service_configure(s, text, files, error, err) && nonce_book_new(&s->nonces, err) &&
         endorser_new(options->store, &s->endorser, err);
    if (!ok) {
        service_free(s);
        return false;
    }
    *out = s;
    return true;
}

void service_set_server(struct service *service, struct http_server *server)
{
    service->server = server;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    if (service->policy != NULL)
        service_policy_done(service, service->policy);
    for (size_t i = 0; i < COUNT_OF(service->judges); i++)
        judge_free(service->judges[i].judge);
    for (size_t i = 0; i < COUNT_OF(service->crls); i++) {
        free((void *)(uintptr_t)service->crls[i].der.data);
        (void)pthread_mutex_destroy(&service->crls[i].lock);
    }
    nonce_book_free(service->nonces);
    endorser_free(service->endorser);
    registries_free(service->registries);
    arena_done(&service->revocations.arena);
    (void)pthread_rwlock_destroy(&service->revocation_lock);
    (void)pthread_mutex_destroy(&service->lock);
    free(service);
}

/* ---- routes ---- */

#define BODY_MAX ((size_t)512 << 10)

const struct http_route *service_routes(size_t *count)
{
    static const char *const pkcs10[] = {"application/pkcs10", NULL};
    static const struct http_route routes[] = {
        {.method = "GET", .path = "/healthz", .handle = service_get_health},
        {.method = "GET", .path = "/metrics", .handle = service_get_metrics},
        {.method = "GET", .path = "/v1/nonce", .handle = service_get_nonce},
        {.method = "POST",
         .path = "/v1/attest",
         .body_max = BODY_MAX,
         .media_types = pkcs10,
         .handle = service_attest},
        {.method = "POST", .path = "/v1/verify", .body_max = BODY_MAX, .handle = service_verify},
        {.method = "GET", .path = "/v1/ca.pem", .handle = service_get_ca},
        {.method = "GET", .path = "/v1/bundle", .handle = service_get_bundle},
        {.method = "GET", .path = "/v1/crl", .handle = service_get_crl},
        {.method = "GET", .path = "/v1/simulation/ca.pem", .handle = service_get_ca},
        {.method = "GET", .path = "/v1/simulation/bundle", .handle = service_get_bundle},
        {.method = "GET", .path = "/v1/simulation/crl", .handle = service_get_crl},
        {.method = "GET", .path = "/", .handle = service_enarx},
        {.method = "POST", .path = "/", .body_max = BODY_MAX, .handle = service_enarx},
    };

    *count = COUNT_OF(routes);
    return routes;
}
