/* What anybody may know: certificates of the CAs, trust bundles, revocation lists, figures. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "os/os.h"
#include "steward/service_internal.h"
#include "base/banned.h"

#define ANSWER_MAX ((size_t)32 << 20)

#define CRL_LIFETIME_S INT64_C(90000) /* 25 hours: as long as keeps believe one */
#define CRL_RENEWAL_S INT64_C(3600)

static bool is_simulation(const struct http_request *request)
{
    return strncmp(request->path, "/v1/simulation/", 15) == 0;
}

/* Whether the request is for a CA that is not there; then it is answered. */
static bool has_no_ca(const struct ca_chain *chain, const struct http_request *request,
                      struct http_response *response)
{
    if (chain->count != 0)
        return false;
    http_response_fail(request, response, 404, "not-found",
                       "this Steward has no CA for simulated platforms");
    return true;
}

static const struct ca_chain *chain_of(const struct policy *policy,
                                       const struct http_request *request)
{
    return is_simulation(request) ? &policy->simulation_ca : &policy->ca;
}

static void answer(const struct http_request *request, struct http_response *response,
                   const char *type, const struct writer *w)
{
    struct err err;

    response->status = 200;
    response->content_type = type;
    if (!writer_done(w, &response->body, &err))
        http_response_fail(request, response, 500, "internal", err.msg);
}

void service_get_ca(void *context, struct http_request *request, struct http_response *response)
{
    struct policy *policy = service_policy(context);
    const struct ca_chain *chain = chain_of(policy, request);
    struct writer w = writer_growable(request->arena, ANSWER_MAX);

    if (!has_no_ca(chain, request, response)) {
        writer_bytes(&w, chain->pem);
        answer(request, response, "application/pem-certificate-chain", &w);
    }
    service_policy_done(context, policy);
}

/* ---- trust bundles: SPIFFE Trust Domain and Bundle, §4; JWK, RFC 7517 ---- */

static void write_base64(struct writer *w, struct bytes in, enum base64_form form)
{
    uint8_t *place = writer_reserve(w, base64_encoded_size(in.size, form));

    if (place != NULL)
        base64_encode(in, form, (char *)place);
}

/* A key's parameter as a member of base64url, as long as the curve's fields. */
static bool write_coordinate(struct writer *w, EVP_PKEY *key, const char *name,
                             const char *parameter, int size)
{
    uint8_t bytes[66];
    BIGNUM *number = NULL;

    bool ok = EVP_PKEY_get_bn_param(key, parameter, &number) == 1 &&
              BN_bn2binpad(number, bytes, size) == size;
    BN_free(number);
    if (!ok)
        return false;
    writer_format(w, ",\"%s\":\"", name);
    write_base64(w, bytes_from(bytes, (size_t)size), BASE64_URL);
    writer_text(w, "\"");
    return true;
}

static bool write_jwk(struct writer *w, struct bytes der)
{
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);
    EVP_PKEY *key = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
    char group[32] = "";

    bool ok = key != NULL && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1;
    bool is_p256 = strcmp(group, "prime256v1") == 0;
    ok = ok && (is_p256 || strcmp(group, "secp384r1") == 0);
    if (ok) {
        writer_format(w, "{\"kty\":\"EC\",\"use\":\"x509-svid\",\"crv\":\"%s\"",
                      is_p256 ? "P-256" : "P-384");
        ok = write_coordinate(w, key, "x", OSSL_PKEY_PARAM_EC_PUB_X, is_p256 ? 32 : 48) &&
             write_coordinate(w, key, "y", OSSL_PKEY_PARAM_EC_PUB_Y, is_p256 ? 32 : 48);
        writer_text(w, ",\"x5c\":[\"");
        write_base64(w, der, BASE64_STANDARD);
        writer_text(w, "\"]}");
    }
    X509_free(certificate);
    return ok;
}

void service_get_bundle(void *context, struct http_request *request, struct http_response *response)
{
    struct policy *policy = service_policy(context);
    const struct ca_chain *chain = chain_of(policy, request);
    struct writer w = writer_growable(request->arena, ANSWER_MAX);

    if (!has_no_ca(chain, request, response)) {
        writer_text(&w, "{\"spiffe_sequence\":1,\"spiffe_refresh_hint\":3600,\"keys\":[");
        /* what one trusts is the end of the chain */
        bool ok = write_jwk(&w, chain->der[chain->count - 1]);
        writer_text(&w, "]}\n");
        if (ok)
            answer(request, response, MEDIA_JSON, &w);
        else
            http_response_fail(request, response, 500, "internal",
                               "the CA's key has no form as a JWK");
    }
    service_policy_done(context, policy);
}

/* ---- revocation lists ---- */

static bool make_crl(struct service *s, bool is_simulated, int64_t now, struct arena *arena,
                     struct bytes *der, struct err *err)
{
    struct signer *signer = is_simulated ? s->options.simulation : s->options.signer;
    const struct revoked_certificate *revoked;
    size_t count;

    if (!store_revoked(s->options.store, now, is_simulated, arena, &revoked, &count, err))
        return false;
    struct signer_revocation *items = ARENA_ARRAY(arena, struct signer_revocation, count);
    if (items == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the revocation list", ERR_NO_AT);
    for (size_t i = 0; i < count; i++) {
        items[i].at = revoked[i].at;
        memcpy(items[i].serial, revoked[i].serial, sizeof items[i].serial);
    }
    return signer_crl(signer, items, count, now + CRL_LIFETIME_S, arena, der, err);
}

/* Makes the list anew when something was revoked since, or it is old; the cache's lock is held. */
static bool refresh_crl(struct service *s, bool is_simulated, int64_t now, struct arena *arena,
                        struct err *err)
{
    struct crl_cache *cache = &s->crls[is_simulated];
    struct bytes der;
    uint64_t version;

    if (!store_version(s->options.store, &version, err))
        return false;
    if (cache->made_at != 0 && cache->version == version && now >= cache->made_at &&
        now < cache->made_at + CRL_RENEWAL_S)
        return true;
    if (!make_crl(s, is_simulated, now, arena, &der, err))
        return false;
    uint8_t *copy = malloc(der.size);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the revocation list", ERR_NO_AT);
    memcpy(copy, der.data, der.size);
    free((void *)(uintptr_t)cache->der.data);
    cache->der = bytes_from(copy, der.size);
    cache->version = version;
    cache->made_at = now;
    return true;
}

void service_get_crl(void *context, struct http_request *request, struct http_response *response)
{
    struct service *s = context;
    struct policy *policy = service_policy(s);
    bool is_simulated = is_simulation(request);
    bool is_absent = has_no_ca(chain_of(policy, request), request, response);
    struct crl_cache *cache = &s->crls[is_simulated];
    struct writer w = writer_growable(request->arena, ANSWER_MAX);
    struct err err;

    service_policy_done(s, policy);
    if (is_absent)
        return;
    (void)pthread_mutex_lock(&cache->lock);
    bool ok = refresh_crl(s, is_simulated, os_unix_ms() / 1000, request->arena, &err);
    if (ok)
        writer_bytes(&w, cache->der);
    (void)pthread_mutex_unlock(&cache->lock);
    if (ok) {
        http_response_header(response, "Cache-Control", "max-age=60");
        answer(request, response, "application/pkix-crl", &w);
    } else {
        log_error("the revocation list cannot be made", log_err(&err));
        http_response_fail(request, response, 503, "crl-unavailable",
                           "the revocation list cannot be made; try again later");
    }
}

/* ---- health and figures ---- */

/* The signing processes and the store answer. */
void service_get_health(void *context, struct http_request *request, struct http_response *response)
{
    struct service *s = context;
    struct writer w = writer_growable(request->arena, ANSWER_MAX);
    uint64_t version;
    struct err err;

    bool ok = store_version(s->options.store, &version, &err) &&
              signer_is_alive(s->options.signer) &&
              (s->options.simulation == NULL || signer_is_alive(s->options.simulation));
    if (ok) {
        writer_text(&w, "{\"status\":\"ok\"}\n");
        answer(request, response, MEDIA_JSON, &w);
    } else {
        http_response_fail(request, response, 503, "unhealthy",
                           "the store or a signing process does not answer");
    }
}

void service_get_metrics(void *context, struct http_request *request,
                         struct http_response *response)
{
    struct service *s = context;
    struct writer w = writer_growable(request->arena, ANSWER_MAX);

    writer_text(&w,
                "# HELP steward_decisions_total Requests for certificates by what was decided.\n"
                "# TYPE steward_decisions_total counter\n");
    for (enum refusal r = REFUSAL_NONE; r < REFUSAL_COUNT; r++)
        writer_format(&w, "steward_decisions_total{code=\"%s\"} %llu\n",
                      r == REFUSAL_NONE ? "issued" : refusal_text(r)->code,
                      (unsigned long long)s->decisions[r]);
    struct http_server *server = s->server;
    if (server != NULL)
        http_server_write_metrics(server, &w);
    answer(request, response, "text/plain; version=0.0.4", &w);
}
