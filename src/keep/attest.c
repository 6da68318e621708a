/* A certificate from a Steward (docs/identity.md, docs/steward-api.md): a nonce for a new key,
 * evidence about key, claims and nonce, and the certificate that answers it. */
#include <jansson.h>
#include <openssl/evp.h>
#include <string.h>

#include "keep/self_internal.h"
#include "tls/tls.h"

#define MEMORY_MAX ((size_t)4 << 20)
#define ANSWER_MAX ((size_t)256 << 10)
#define CHECKS_MAX 16 /* failed ones that are shown */

/* ---- what the Steward says ---- */

static struct bytes text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? bytes_from(json_string_value(value), json_string_length(value))
                                 : bytes_of("");
}

static void tell_checks(const json_t *checks)
{
    for (size_t i = 0; i < json_array_size(checks) && i < CHECKS_MAX; i++) {
        const json_t *check = json_array_get(checks, i);
        if (!bytes_is(text_of(check, "result"), "fail"))
            continue;
        log_error("  a check failed", log_bytes("check", text_of(check, "name")),
                  log_bytes("expected", text_of(check, "expected")),
                  log_bytes("found", text_of(check, "found")));
    }
}

/* Tells a refusal in the Steward's own words. */
static void tell_refusal(const struct attestation *a, const struct https_answer *answer)
{
    json_t *root = json_loadb((const char *)answer->body.data, answer->body.size,
                              JSON_REJECT_DUPLICATES, NULL);
    const json_t *error = json_object_get(root, "error");

    log_error("the Steward refused", log_bytes("steward", a->steward->url),
              log_i64("status", answer->status), log_bytes("code", text_of(error, "code")),
              log_bytes("reason", text_of(error, "message")),
              log_bytes("detail", text_of(error, "detail")));
    tell_checks(json_object_get(error, "checks"));
    json_decref(root);
}

static bool read_nonce(struct bytes body, uint8_t nonce[IDENTITY_NONCE_MAX], size_t *size,
                       struct err *err)
{
    json_t *root = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    bool ok =
        hex_decode(text_of(root, "nonce"), nonce, IDENTITY_NONCE_MAX, size, err) && *size != 0;

    json_decref(root);
    return ok || err_set(err, ERR_FORMAT, "the Steward's nonce cannot be read", ERR_NO_AT);
}

/* ---- the request ---- */

static bool ask_nonce(struct attestation *a, struct err *err)
{
    uint8_t hash[32];
    char path[96] = "/v1/nonce?spki=";

    if (EVP_Digest(a->spki.data, a->spki.size, hash, NULL, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_CRYPTO, "no SHA-256", ERR_NO_AT);
    hex_encode(bytes_from(hash, sizeof hash), path + strlen(path));
    struct https_request request = {.method = "GET",
                                    .path = bytes_from(path, strlen("/v1/nonce?spki=") + 64),
                                    .answer_max = ANSWER_MAX,
                                    .arena = &a->arena};
    return client_begin(&a->client, &request, CLIENT_PATIENCE_MS, err);
}

/* The content of Enarx's extension, from what the platform gave. */
static void write_evidence(struct writer *w, const struct keep_evidence *e)
{
    struct identity_crl crls[KEEP_EVIDENCE_CRLS_MAX];

    for (size_t i = 0; i < e->crl_count; i++)
        crls[i] = (struct identity_crl){.url = e->crls[i].url, .der = e->crls[i].der};
    if (e->technology == IDENTITY_SNP)
        identity_snp_evidence_write(w, e->vek, crls, e->crl_count, e->report);
    else
        identity_sgx_evidence_write(w, e->report, crls, e->crl_count, e->tcb_chain,
                                    e->tcb_chain_count, e->tcb_info);
}

static bool make_request(struct attestation *a, struct bytes nonce, struct bytes *out,
                         struct err *err)
{
    struct writer claims = writer_growable(&a->arena, IDENTITY_CLAIMS_MAX);
    struct writer evidence = writer_growable(&a->arena, IDENTITY_REQUEST_MAX);
    struct writer request = writer_growable(&a->arena, IDENTITY_REQUEST_MAX);
    struct keep_evidence found;
    struct bytes claims_der, content;
    uint8_t data[KEEP_REPORT_DATA_SIZE];

    identity_claims_write(&claims, a->claims);
    if (!writer_done(&claims, &claims_der, err) ||
        !identity_bind(a->spki, claims_der, nonce, data, err) ||
        !processor_evidence(data, &a->arena, &found, err))
        return false;
    write_evidence(&evidence, &found);
    return writer_done(&evidence, &content, err) &&
           identity_request_write(&request, a->key, a->claims, nonce,
                                  found.technology == IDENTITY_SNP ? IDENTITY_SNP : IDENTITY_SGX,
                                  content, err) &&
           writer_done(&request, out, err);
}

/* Where there is no evidence the Steward is asked all the same: its refusal is the reason that
 * counts. */
static bool make_bare_request(struct attestation *a, struct bytes nonce, struct bytes *out,
                              struct err *err)
{
    struct writer request = writer_growable(&a->arena, IDENTITY_REQUEST_MAX);

    return identity_request_write(&request, a->key, a->claims, nonce, IDENTITY_SNP, bytes_of(""),
                                  err) &&
           writer_done(&request, out, err);
}

static bool ask_certificate(struct attestation *a, const struct https_answer *answer,
                            struct err *err)
{
    uint8_t nonce[IDENTITY_NONCE_MAX];
    size_t size;
    struct bytes body;

    if (answer->status != 200) {
        tell_refusal(a, answer);
        return err_set(err, ERR_POLICY, "the Steward gives no nonce", ERR_NO_AT);
    }
    if (!read_nonce(answer->body, nonce, &size, err))
        return false;
    if (!make_request(a, bytes_from(nonce, size), &body, err) &&
        (err->code != ERR_UNSUPPORTED ||
         !make_bare_request(a, bytes_from(nonce, size), &body, err)))
        return false;
    struct https_request request = {.method = "POST",
                                    .path = bytes_of("/v1/attest"),
                                    .accept = "application/pem-certificate-chain",
                                    .content_type = "application/pkcs10",
                                    .body = body,
                                    .answer_max = ANSWER_MAX,
                                    .arena = &a->arena};
    return client_begin(&a->client, &request, CLIENT_PATIENCE_MS, err);
}

/* ---- the answer ---- */

struct bytes pem_last(struct bytes pem)
{
    const struct bytes begin = bytes_of("-----BEGIN CERTIFICATE-----");

    for (size_t at = pem.size; at-- != 0;) {
        struct bytes last = bytes_after(pem, at);
        if (bytes_starts_with(last, begin))
            return last;
    }
    return bytes_of("");
}

/* A Steward whose server the web's authorities vouch for is believed with the root that it shows.
 */
static bool adopt_root(const struct attestation *a, struct bytes chain, struct err *err)
{
    return identity_trust_count(a->steward->issuer) != 0 ||
           identity_trust_add(a->steward->issuer, bytes_of(""), pem_last(chain), err);
}

static bool take_certificate(struct attestation *a, const struct https_answer *answer,
                             struct err *err)
{
    if (answer->status != 200) {
        tell_refusal(a, answer);
        return err_set(err, ERR_POLICY, "the Steward refused", ERR_NO_AT);
    }
    a->chain = answer->body;
    if (!adopt_root(a, a->chain, err) ||
        !identity_issued_check(a->steward->issuer, a->chain, a->spki, a->claims, platform_now(),
                               &a->arena, &a->issued, err))
        return false;
    platform_raise_floor(a->issued.floor);
    return true;
}

bool attestation_begin(struct attestation *a, const struct steward *steward,
                       const struct identity_claims *claims, struct err *err)
{
    struct tls_context *nobody;

    *a = (struct attestation){.steward = steward, .claims = claims};
    arena_init(&a->arena, arena_heap, MEMORY_MAX);
    arena_set_wipe(&a->arena);
    if (!tls_key_new(&a->key, err) || !tls_key_spki(a->key, &a->arena, &a->spki, err) ||
        !tls_context_new(bytes_of(""), NULL, &nobody, err))
        return false;
    bool ok = client_open(&a->client, steward->host, false, nobody, steward->roots, err);
    a->client.is_steward = true;
    a->nobody = nobody;
    return ok && ask_nonce(a, err);
}

enum https_state attestation_advance(struct attestation *a, struct err *err)
{
    struct https_answer answer;
    enum https_state state = client_advance(&a->client, &answer, err);

    if (state != HTTPS_DONE)
        return state;
    switch (a->step) {
    case ATTEST_NONCE:
        a->step = ATTEST_CERTIFICATE;
        /* what to wait for, the new request only knows when it has begun to be sent */
        return ask_certificate(a, &answer, err) ? attestation_advance(a, err) : HTTPS_FAILED;
    case ATTEST_CERTIFICATE:
        a->step = ATTEST_DONE;
        return take_certificate(a, &answer, err) ? HTTPS_DONE : HTTPS_FAILED;
    default:
        return HTTPS_DONE;
    }
}

bool attestation_run(struct attestation *a, struct err *err)
{
    enum https_state state;

    while ((state = attestation_advance(a, err)) == HTTPS_WAITING) {
        bool wants_write;
        int fd = https_fd(a->client.connection, &wants_write);
        if (fd >= 0 && platform_wait_one(fd, wants_write, a->client.deadline.at_ns) != VFS_OK)
            return err_set(err, ERR_IO, "the host cannot wait", ERR_NO_AT);
    }
    return state == HTTPS_DONE;
}

void attestation_done(struct attestation *a)
{
    client_close(&a->client);
    tls_context_free(a->nobody);
    EVP_PKEY_free(a->key);
    arena_done(&a->arena);
    *a = (struct attestation){.step = ATTEST_NONCE};
}
