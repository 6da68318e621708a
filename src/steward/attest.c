/* From a request to a certificate: the decision, its line in the audit log, the answer. */
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "os/os.h"
#include "steward/service_internal.h"
#include "base/banned.h"

#define ANSWER_MAX ((size_t)1 << 20)

/* ---- nonces ---- */

void service_get_nonce(void *context, struct http_request *request, struct http_response *response)
{
    struct service *s = context;
    const char *text = http_request_parameter(request, "spki");
    uint8_t hash[NONCE_SPKI_HASH_SIZE], nonce[NONCE_SIZE];
    struct writer w = writer_growable(request->arena, 512);
    char hex[2 * NONCE_SIZE];
    int64_t now = os_unix_ms() / 1000;
    size_t size = 0;
    struct err err;

    if (text == NULL || !hex_decode(bytes_of(text), hash, sizeof hash, &size, &err) ||
        size != sizeof hash) {
        http_response_fail(request, response, 400, "nonce-parameter",
                           "spki is the SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal");
        return;
    }
    struct policy *policy = service_policy(s);
    bool ok = nonce_make(&policy->config.nonces, now, hash, nonce, &err);
    service_policy_done(s, policy);
    if (!ok) {
        http_response_fail(request, response, 500, "internal", err.msg);
        return;
    }
    hex_encode(bytes_from(nonce, sizeof nonce), hex);
    writer_format(&w, "{\"nonce\":\"%.*s\",\"expires\":%lld}\n", (int)sizeof hex, hex,
                  (long long)now + NONCE_LIFETIME_S);
    response->status = 200;
    response->content_type = MEDIA_JSON;
    http_response_header(response, "Cache-Control", "no-store");
    (void)!writer_done(&w, &response->body, &err);
}

/* The nonce of a request, and whose policy has the keys. */
struct nonce_context {
    struct service *service;
    const struct policy *policy;
};

static enum refusal check_nonce(void *context, int64_t now, struct bytes nonce,
                                const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE])
{
    static const enum refusal refusals[] = {
        [NONCE_GOOD] = REFUSAL_NONE,
        [NONCE_MALFORMED] = REFUSAL_NONCE_MALFORMED,
        [NONCE_FOREIGN] = REFUSAL_NONCE_FOREIGN,
        [NONCE_STALE] = REFUSAL_NONCE_STALE,
        [NONCE_USED] = REFUSAL_NONCE_USED,
    };
    const struct nonce_context *c = context;
    const struct steward_config *config = &c->policy->config;
    enum nonce_verdict verdict =
        nonce_check(&config->nonces, now, (int64_t)config->clock_skew_seconds, nonce, spki_hash);

    if (verdict == NONCE_GOOD)
        verdict = nonce_spend(c->service->nonces, now, nonce.data);
    return refusals[verdict];
}

/* ---- endorsements ---- */

struct source_context {
    struct service *service;
    const struct policy *policy;
    int64_t now;
};

static bool find_endorsements(void *context, enum evidence_kind kind, struct bytes evidence,
                              struct collateral *collateral)
{
    const struct source_context *c = context;

    return endorser_find(c->service->endorser, &c->policy->config, c->now, kind, evidence,
                         collateral);
}

/* ---- slugs ---- */

static bool prove_slug(void *context, struct bytes slug, const uint8_t digest[32],
                       struct arena *arena, const char **why)
{
    const struct source_context *c = context;

    return registries_prove(c->service->registries, &c->policy->config, slug, digest, arena, why);
}

/* ---- deciding ---- */

static void refuse(struct judgement *j, enum refusal refusal, const char *detail)
{
    j->refusal = refusal;
    j->detail = detail;
}

/* Who certifies this; NULL: nobody does. */
static struct signer *signer_of(const struct service *s, const struct judgement *j)
{
    return j->has_verdict && j->verdict.is_simulated ? s->options.simulation : s->options.signer;
}

static struct signer_note note_of(const struct judgement *j, const struct http_request *http,
                                  enum identity_namespace space)
{
    return (struct signer_note){.client = bytes_of(http->client),
                                .chip = j->chip,
                                .interface = space == IDENTITY_OF_ENARX ? "enarx" : "attest"};
}

static bool sign(struct service *s, const struct policy *policy, const struct http_request *http,
                 enum identity_namespace space, struct judgement *j, struct bytes *der)
{
    const struct steward_config *config = &policy->config;
    const struct signer_note note = note_of(j, http, space);
    struct signer *signer = signer_of(s, j);
    int64_t now = os_unix_ms() / 1000;
    struct err err;

    struct identity_fields fields = {
        .spki = j->request.spki,
        .trust_domain = config->trust_domain,
        .identity = j->identity,
        .space = space,
        .not_before = now - SIGNER_BACKDATE_S,
        .not_after = now + (int64_t)config->lifetime_hours * 3600,
    };
    if (RAND_bytes(fields.serial, sizeof fields.serial) != 1) {
        refuse(j, REFUSAL_INTERNAL, "no random numbers");
        return false;
    }
    fields.serial[0] &= 0x7f; /* positive */
    if (signer == NULL) {
        refuse(j, REFUSAL_INTERNAL, "simulated platforms have no CA here");
        return false;
    }
    if (!signer_issue(signer, &fields, &note, http->arena, der, &err)) {
        refuse(j, err.code == ERR_IO ? REFUSAL_AUDIT_UNAVAILABLE : REFUSAL_INTERNAL, "");
        log_error("a certificate was not issued", log_err(&err));
        return false;
    }
    struct store_certificate c = {.not_after = fields.not_after,
                                  .measurement = j->identity.measurement,
                                  .chip = j->chip,
                                  .slug = j->identity.claims.slug,
                                  .is_simulated = j->identity.is_simulated};
    memcpy(c.serial, fields.serial, sizeof c.serial);
    if (!store_add_certificate(s->options.store, &c, &err)) {
        refuse(j, REFUSAL_STORE_UNAVAILABLE, "");
        log_error("a certificate is not given out, as it cannot be remembered", log_err(&err));
        return false;
    }
    return true;
}

/* The line of a refusal. What cannot be written is answered as that. */
static void record_refusal(struct service *s, const struct http_request *http,
                           enum identity_namespace space, struct judgement *j)
{
    enum check_id check =
        j->refusal == REFUSAL_EVIDENCE_REFUSED ? verdict_refusal(&j->verdict) : CHECK_COUNT;
    const struct signer_refusal refusal = {
        .note = note_of(j, http, space),
        .code = refusal_text(j->refusal)->code,
        .check = check != CHECK_COUNT ? check_name(check) : "",
        .detail = bytes_of(j->detail),
        .identity = j->has_verdict ? &j->identity : NULL,
        .spki = j->request.spki,
    };
    struct signer *signer = signer_of(s, j);
    struct err err;

    if (signer == NULL)
        signer = s->options.signer;
    if (!signer_refuse(signer, &refusal, &err)) {
        log_error("a refusal cannot be written to the audit log", log_err(&err));
        refuse(j, REFUSAL_AUDIT_UNAVAILABLE, "");
    }
}

static void judge(struct service *s, const struct policy *policy, const struct http_request *http,
                  struct bytes csr, enum identity_namespace space, struct judgement *j)
{
    struct nonce_context nonce_context = {s, policy};
    struct source_context source_context = {s, policy, os_unix_ms() / 1000};
    const struct judge_nonces nonces = {check_nonce, &nonce_context};
    const struct judge_source source = {find_endorsements, &source_context};
    const struct judge_registries registries = {prove_slug, &source_context};
    const struct judge_question question = {.config = &policy->config,
                                            .source = &source,
                                            .registries = &registries,
                                            .nonces = &nonces,
                                            .now = source_context.now,
                                            .space = space};
    struct judge_place *place;
    bool is_revoked;
    struct err err;

    *j = (struct judgement){.refusal = REFUSAL_INTERNAL, .detail = ""};
    if (!service_judge(s, policy, &place, &err)) {
        refuse(j, err.code == ERR_IO ? REFUSAL_STORE_UNAVAILABLE : REFUSAL_INTERNAL, "");
        log_error("a request cannot be judged", log_err(&err));
        return;
    }
    uint64_t version = place->version;
    judge_request(place->judge, &question, csr, http->arena, j);
    service_judge_done(s, place);
    if (j->refusal != REFUSAL_NONE)
        return;
    if (!service_is_revoked(s, j, version, &is_revoked, &err)) {
        refuse(j, REFUSAL_STORE_UNAVAILABLE, "");
        log_error("revocations cannot be read", log_err(&err));
    } else if (is_revoked) {
        refuse(j, REFUSAL_REVOKED, "");
    }
}

void service_decide(struct service *s, const struct policy *policy, const struct http_request *http,
                    struct bytes csr, enum identity_namespace space, struct judgement *j,
                    struct bytes *der)
{
    judge(s, policy, http, csr, space, j);
    if (j->refusal == REFUSAL_NONE && sign(s, policy, http, space, j, der)) {
        s->decisions[REFUSAL_NONE]++;
        return;
    }
    if (j->refusal != REFUSAL_AUDIT_UNAVAILABLE)
        record_refusal(s, http, space, j);
    s->decisions[j->refusal]++;
}

/* ---- answers ---- */

static bool write_pem(struct writer *w, struct bytes der)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    bool ok = bio != NULL && PEM_write_bio(bio, PEM_STRING_X509, "", der.data, (long)der.size) > 0;
    if (ok) {
        long size = BIO_get_mem_data(bio, &text);
        writer_bytes(w, bytes_from(text, (size_t)size));
    }
    BIO_free(bio);
    return ok;
}

/* PkiPath (RFC 6066 §8 as X.509 has it): from the CA to the leaf; who trusts a root has it. */
static void write_path(struct writer *w, const struct ca_chain *chain, struct bytes leaf)
{
    size_t path = der_open(w, DER_SEQUENCE);

    for (size_t i = chain->count; i > 0; i--) {
        if (!chain->is_self_signed[i - 1])
            writer_bytes(w, chain->der[i - 1]);
    }
    writer_bytes(w, leaf);
    der_close(w, path);
}

static void answer_refusal(const struct http_request *request, const struct judgement *j,
                           unsigned status, struct http_response *response)
{
    struct writer w = writer_growable(request->arena, ANSWER_MAX);
    struct err err;

    judgement_write_refusal(&w, j);
    response->status = status;
    response->content_type = MEDIA_JSON;
    if (status == 503)
        http_response_header(response, "Retry-After", "1");
    if (!writer_done(&w, &response->body, &err))
        http_response_fail(request, response, 500, "internal", err.msg);
}

static const struct ca_chain *chain_of(const struct policy *policy, const struct judgement *j)
{
    return j->identity.is_simulated ? &policy->simulation_ca : &policy->ca;
}

#define MEDIA_PEM_CHAIN "application/pem-certificate-chain"
#define MEDIA_PATH "application/pkix-pkipath"

void service_attest(void *context, struct http_request *request, struct http_response *response)
{
    struct service *s = context;
    unsigned pem = http_request_accepts(request, MEDIA_PEM_CHAIN);
    unsigned path = http_request_accepts(request, MEDIA_PATH);
    struct writer w = writer_growable(request->arena, ANSWER_MAX);
    struct judgement j;
    struct bytes der = {.size = 0};
    struct err err;

    if (pem == 0 && path == 0) {
        http_response_fail(request, response, 406, "not-acceptable",
                           "a chain is given as " MEDIA_PEM_CHAIN " or " MEDIA_PATH);
        return;
    }
    struct policy *policy = service_policy(s);
    service_decide(s, policy, request, request->body, IDENTITY_OF_BROCH, &j, &der);
    if (j.refusal != REFUSAL_NONE) {
        answer_refusal(request, &j, refusal_text(j.refusal)->status, response);
    } else {
        const struct ca_chain *chain = chain_of(policy, &j);
        bool ok = true;
        if (path > pem) {
            write_path(&w, chain, der);
        } else {
            ok = write_pem(&w, der);
            writer_bytes(&w, chain->pem);
        }
        response->status = 200;
        response->content_type = path > pem ? MEDIA_PATH : MEDIA_PEM_CHAIN;
        http_response_header(response, "Cache-Control", "no-store");
        if (!ok || !writer_done(&w, &response->body, &err))
            http_response_fail(request, response, 500, "internal", "no memory for the answer");
    }
    service_policy_done(s, policy);
}

/* ---- Enarx's interface ---- */

#define MEDIA_PKCS10 "application/pkcs10"
#define MEDIA_BUNDLE "application/vnd.steward.pkcs10-bundle.v1"
#define BUNDLE_REQUESTS_MAX 16u

/* Its codes: 401 for a request without evidence, 400 for whatever else does not please. */
static unsigned enarx_status(enum refusal refusal)
{
    unsigned status = refusal_text(refusal)->status;

    return refusal == REFUSAL_EVIDENCE_MISSING ? 401 : status >= 500 ? status : 400;
}

/* One request's certificate; false: refused, and answered. */
static bool enarx_decide(struct service *s, const struct policy *policy,
                         const struct http_request *request, struct bytes csr, struct judgement *j,
                         struct bytes *der, struct http_response *response)
{
    service_decide(s, policy, request, csr, IDENTITY_OF_ENARX, j, der);
    if (j->refusal == REFUSAL_NONE)
        return true;
    answer_refusal(request, j, enarx_status(j->refusal), response);
    return false;
}

/* SEQUENCE OF CertificationRequest; each with its header. */
static bool split_bundle(struct bytes body, struct bytes *out, size_t *count)
{
    struct reader r = reader_of(body), items;

    *count = 0;
    if (!der_enter(&r, DER_SEQUENCE, &items) || !reader_at_end(&r))
        return false;
    while (!reader_at_end(&items)) {
        size_t at = items.at;
        struct bytes content;
        if (*count == BUNDLE_REQUESTS_MAX || !der_element(&items, DER_SEQUENCE, &content))
            return false;
        out[(*count)++] = bytes_after(bytes_before(items.in, items.at), at);
    }
    return true;
}

/* SEQUENCE { chain SEQUENCE OF Certificate, issued SEQUENCE OF Certificate } */
static void enarx_bundle(struct service *s, const struct policy *policy,
                         const struct http_request *request, struct http_response *response)
{
    struct bytes requests[BUNDLE_REQUESTS_MAX], issued[BUNDLE_REQUESTS_MAX] = {{.size = 0}};
    struct writer w = writer_growable(request->arena, ANSWER_MAX);
    const struct ca_chain *chain = &policy->ca;
    struct judgement j;
    struct err err;
    size_t count;

    if (!split_bundle(request->body, requests, &count)) {
        http_response_fail(request, response, 400, "request-malformed",
                           "the body is no bundle of up to 16 certificate requests");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!enarx_decide(s, policy, request, requests[i], &j, &issued[i], response))
            return;
        if (i != 0 && chain != chain_of(policy, &j)) {
            http_response_fail(request, response, 400, "bundle-mixed",
                               "the bundle has simulated platforms and others");
            return;
        }
        chain = chain_of(policy, &j);
    }
    size_t whole = der_open(&w, DER_SEQUENCE), part = der_open(&w, DER_SEQUENCE);
    writer_bytes(&w, chain->der[0]);
    der_close(&w, part);
    part = der_open(&w, DER_SEQUENCE);
    for (size_t i = 0; i < count; i++)
        writer_bytes(&w, issued[i]);
    der_close(&w, part);
    der_close(&w, whole);
    response->status = 200;
    response->content_type = "application/octet-stream";
    if (!writer_done(&w, &response->body, &err))
        http_response_fail(request, response, 500, "internal", err.msg);
}

/* SEQUENCE OF Certificate: the CA's, then the leaf. */
static void enarx_single(struct service *s, const struct policy *policy,
                         const struct http_request *request, struct http_response *response)
{
    struct writer w = writer_growable(request->arena, ANSWER_MAX);
    struct judgement j;
    struct bytes der = {.size = 0};
    struct err err;

    if (!enarx_decide(s, policy, request, request->body, &j, &der, response))
        return;
    size_t path = der_open(&w, DER_SEQUENCE);
    writer_bytes(&w, chain_of(policy, &j)->der[0]);
    writer_bytes(&w, der);
    der_close(&w, path);
    response->status = 200;
    response->content_type = "application/octet-stream";
    if (!writer_done(&w, &response->body, &err))
        http_response_fail(request, response, 500, "internal", err.msg);
}

void service_enarx(void *context, struct http_request *request, struct http_response *response)
{
    struct service *s = context;
    const char *type = http_request_header(request, "Content-Type");

    if (strcmp(request->method, "POST") != 0) { /* how Enarx asks for its health */
        response->status = 200;
        return;
    }
    struct policy *policy = service_policy(s);
    if (type != NULL && strcmp(type, MEDIA_PKCS10) == 0)
        enarx_single(s, policy, request, response);
    else if (type != NULL && strcmp(type, MEDIA_BUNDLE) == 0)
        enarx_bundle(s, policy, request, response);
    else
        http_response_fail(request, response, 400, "media-type",
                           "the body is " MEDIA_PKCS10 " or " MEDIA_BUNDLE);
    service_policy_done(s, policy);
}

/* ---- verdicts alone ---- */

void service_verify(void *context, struct http_request *request, struct http_response *response)
{
    struct service *s = context;
    struct writer w = writer_growable(request->arena, ANSWER_MAX);
    struct policy *policy = service_policy(s);
    struct source_context source_context = {s, policy, os_unix_ms() / 1000};
    const struct judge_source source = {find_endorsements, &source_context};
    const struct judge_question question = {
        .config = &policy->config, .source = &source, .now = source_context.now};
    struct judge_place *place;
    struct verdict verdict;
    struct err err;

    if (!service_judge(s, policy, &place, &err)) {
        http_response_fail(request, response, 503, "store-unavailable",
                           "endorsements cannot be read; try again later");
    } else {
        if (judge_evidence(place->judge, &question, request->body, request->arena, &verdict,
                           &err)) {
            writer_text(&w, "{");
            verdict_write_json(&w, &verdict);
            writer_text(&w, "}\n");
            response->status = 200;
            response->content_type = MEDIA_JSON;
            if (!writer_done(&w, &response->body, &err))
                http_response_fail(request, response, 500, "internal", err.msg);
        } else {
            http_response_fail(request, response, 400, "evidence-malformed", err.msg);
        }
        service_judge_done(s, place);
    }
    service_policy_done(s, policy);
}
