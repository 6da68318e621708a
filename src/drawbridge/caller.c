/* Who asks, and what for: bearer tokens, and certificates of platforms and of Stewards (DESIGN.md
 * §6). */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <strings.h>

#include "drawbridge/service_internal.h"
#include "identity/identity.h"
#include "base/banned.h"

/* ---- tokens ---- */

static bool refuse_token(struct exchange *x, const struct err *err)
{
    if (err->code == ERR_MEMORY || err->code == ERR_IO)
        return deny_failed(x, err);
    return deny_named(x, 401, "unauthorized", "Invalid token provided: ", bytes_of(err->msg), "");
}

static bool read_local(struct exchange *x, struct bytes text)
{
    struct registry_token token;
    struct err err;

    switch (token_check(x->service->registry, text, x->now, x->arena, &token, &err)) {
    case REGISTRY_DONE:
        x->caller = (struct caller){
            .has_token = true, .is_local = true, .user = token.user, .scopes = token.scopes};
        return true;
    case REGISTRY_FAILED:
        return deny_failed(x, &err);
    case REGISTRY_ABSENT:
    case REGISTRY_EXISTS:
        break;
    }
    return deny(x, 401, "unauthorized",
                "Invalid token provided: it is none of this registry's, or expired, or revoked");
}

static bool read_issued(struct exchange *x, struct bytes text)
{
    const struct jose_expected expected = {.issuer = x->policy->config.tokens.issuer,
                                           .audience = x->policy->config.tokens.audience,
                                           .now = x->now};
    struct jose_claims claims;
    struct err err;

    if (x->policy->keys == NULL)
        return deny(x, 401, "unauthorized",
                    "Invalid token provided: this registry takes no issuer's tokens");
    if (!jose_token_verify(x->policy->keys, text, &expected, x->arena, &claims, &err))
        return refuse_token(x, &err);
    if (bytes_starts_with(claims.subject, bytes_of(TOKEN_SUBJECT)))
        return deny(x, 401, "unauthorized",
                    "Invalid token provided: its subject is one of this registry's own");
    x->caller =
        (struct caller){.has_token = true, .subject = claims.subject, .scopes = claims.scope};
    return true;
}

bool caller_read(struct exchange *x)
{
    const char *header = http_request_header(x->request, "Authorization");

    x->caller = (struct caller){.has_token = false};
    if (header == NULL)
        return true;
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return deny(x, 400, "malformed", "the Authorization header has no bearer token");
    struct bytes text = bytes_of(header + 7);
    return token_is_local(text) ? read_local(x, text) : read_issued(x, text);
}

/* ---- owners ---- */

static bool check_scope(struct exchange *x, enum scope_level level, enum scope_context context)
{
    static const char *const messages[][2] = {
        [SCOPE_USERS] = {"Token is missing a scope for level read, context drawbridge_users",
                         "Token is missing a scope for level write, context drawbridge_users"},
        [SCOPE_REPOSITORIES] = {"Token is missing a scope for level read, context "
                                "drawbridge_repositories",
                                "Token is missing a scope for level write, context "
                                "drawbridge_repositories"},
        [SCOPE_TAGS] = {"Token is missing a scope for level read, context drawbridge_tags",
                        "Token is missing a scope for level write, context drawbridge_tags"},
    };

    return scope_has(x->caller.scopes, level, context) ||
           deny(x, 401, "unauthorized", messages[context][level]);
}

/* Whose token it is, for messages. */
static struct bytes caller_name(const struct caller *caller)
{
    return caller->is_local ? caller->user : caller->subject;
}

static bool need_token(struct exchange *x)
{
    return x->caller.has_token || deny(x, 401, "unauthorized", "Bearer token header missing");
}

bool caller_owns(struct exchange *x, enum scope_level level, enum scope_context context)
{
    struct registry_user user;
    struct err err;

    if (!need_token(x))
        return false;
    enum registry_answer answer =
        registry_user(x->service->registry, x->route.user, x->arena, &user, &err);
    if (answer == REGISTRY_FAILED)
        return deny_failed(x, &err);
    if (answer == REGISTRY_ABSENT)
        return deny_named(x, 401, "unauthorized", "User `", x->route.user, "` not found");
    bool is_owner = x->caller.is_local ? bytes_equal(x->caller.user, x->route.user)
                                       : bytes_equal(x->caller.subject, user.subject);
    if (!is_owner)
        return deny_named(x, 401, "unauthorized", "You are logged in as ", caller_name(&x->caller),
                          ", and not authorized for this user");
    return check_scope(x, level, context);
}

bool caller_is_subject(struct exchange *x, struct bytes subject)
{
    struct bytes prefix = bytes_of(TOKEN_SUBJECT);

    if (!need_token(x) || !check_scope(x, SCOPE_WRITE, SCOPE_USERS))
        return false;
    bool is_own =
        x->caller.is_local
            ? bytes_equal(x->caller.user, x->route.user) && bytes_starts_with(subject, prefix) &&
                  bytes_equal(bytes_after(subject, prefix.size), x->caller.user)
            : bytes_equal(subject, x->caller.subject) && !bytes_starts_with(subject, prefix);
    return is_own || deny(x, 401, "unauthorized", "OpenID Connect subject mismatch");
}

/* ---- certificates ---- */

struct certificate {
    X509 *leaf;
    STACK_OF(X509) * chain;
};

static void certificate_done(struct certificate *c)
{
    X509_free(c->leaf);
    sk_X509_pop_free(c->chain, X509_free);
}

/* The client's chain; leaf NULL: it sent none, or one that cannot be read. */
static bool read_certificate(struct exchange *x, struct certificate *out)
{
    const struct bytes *list;
    size_t count = 0;
    struct err err;

    *out = (struct certificate){.leaf = NULL};
    if (!http_request_certificates(x->request, &list, &count, &err))
        return deny_failed(x, &err);
    out->chain = sk_X509_new_null();
    for (size_t i = 0; i < count && i < 8 && out->chain != NULL; i++) {
        const uint8_t *at = list[i].data;
        X509 *one = list[i].size <= INT32_MAX ? d2i_X509(NULL, &at, (long)list[i].size) : NULL;
        if (i == 0)
            out->leaf = one;
        else if (one != NULL && sk_X509_push(out->chain, one) == 0)
            X509_free(one);
    }
    return true;
}

/* Whether the chain ends in the Steward's CA, now, and its leaf may be a client's. */
static bool is_issued(const struct exchange *x, const struct trust *trust,
                      const struct certificate *c)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool ok = context != NULL &&
              X509_STORE_CTX_init(context, trust->store, c->leaf, c->chain) == 1 &&
              X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT) == 1;

    if (ok) {
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context), (time_t)x->now);
        ok = X509_verify_cert(context) == 1;
    }
    X509_STORE_CTX_free(context);
    return ok;
}

/* Whether it is the registered certificate of the Steward itself, within its dates. */
static bool is_steward(const struct exchange *x, const struct trust *trust, X509 *leaf)
{
    time_t now = (time_t)x->now;

    return trust->client != NULL && X509_get0_pubkey(leaf) != NULL &&
           EVP_PKEY_eq(X509_get0_pubkey(leaf), trust->client) == 1 &&
           X509_cmp_time(X509_get0_notBefore(leaf), &now) < 0 &&
           X509_cmp_time(X509_get0_notAfter(leaf), &now) > 0;
}

enum verdict { UNKNOWN, READS, READS_TAGS, REFUSED };

/* What a Steward says of a certificate; of one that is refused x->denial says why. */
static enum verdict judge(struct exchange *x, const struct trust *trust,
                          const struct certificate *c)
{
    struct identity_certificate keep;
    struct err err;

    if (is_steward(x, trust, c->leaf))
        return READS_TAGS;
    if (!is_issued(x, trust, c))
        return UNKNOWN;
    if (!identity_certificate_parse(c->leaf, x->arena, &keep, &err) ||
        keep.space != IDENTITY_OF_BROCH) {
        (void)deny(x, 403, "forbidden", "the certificate is not that of a keep's platform");
        return REFUSED;
    }
    if (keep.identity.claims.has_digest || keep.identity.claims.slug.size != 0) {
        (void)deny(x, 403, "forbidden",
                   "the certificate is a workload's; packages are fetched with a platform's");
        return REFUSED;
    }
    if (keep.identity.is_simulated && !trust->is_simulated) {
        (void)deny(x, 403, "forbidden", "the platform is SIMULATED, which is not accepted here");
        return REFUSED;
    }
    if (trust->technologies != 0 && (trust->technologies >> keep.identity.technology & 1) == 0) {
        (void)deny(x, 403, "forbidden", "the platform's technology is not accepted here");
        return REFUSED;
    }
    return READS;
}

/* The Stewards that the repository trusts by itself. */
static enum verdict judge_by_repo(struct exchange *x, const struct certificate *c)
{
    const struct registry_steward *stewards;
    enum verdict verdict = UNKNOWN;
    size_t count;
    struct err err;

    if (!registry_stewards(x->service->registry, x->repo.id, x->arena, &stewards, &count, &err)) {
        (void)deny_failed(x, &err);
        return REFUSED;
    }
    for (size_t i = 0; i < count && verdict != READS; i++) {
        struct trust trust;
        if (!trust_make(stewards[i].ca, (struct bytes){.size = 0}, &trust, &err))
            continue; /* it was checked when it was put there */
        trust.is_simulated = stewards[i].is_simulated;
        trust.technologies = stewards[i].technologies;
        enum verdict one = judge(x, &trust, c);
        verdict = one != UNKNOWN ? one : verdict;
        trust_done(&trust);
    }
    return verdict;
}

/* One who lets it read is enough. */
static enum verdict judge_by_all(struct exchange *x, const struct certificate *c)
{
    enum verdict verdict = UNKNOWN;

    for (size_t i = 0; i < x->policy->trust_count && verdict != READS; i++) {
        enum verdict one = judge(x, &x->policy->trusts[i], c);
        if (one == READS || one == READS_TAGS || verdict == UNKNOWN)
            verdict = one;
    }
    if (verdict == READS || verdict == READS_TAGS)
        return verdict;
    enum verdict own = judge_by_repo(x, c);
    return own != UNKNOWN ? own : verdict;
}

/* Whether a certificate opens what is private; false without a denial: there is none that is known.
 */
static bool reads_by_certificate(struct exchange *x, bool is_tree)
{
    struct certificate c;
    enum verdict verdict = UNKNOWN;

    if (read_certificate(x, &c) && c.leaf != NULL)
        verdict = judge_by_all(x, &c);
    certificate_done(&c);
    if (verdict == READS_TAGS && is_tree)
        return deny(x, 403, "forbidden", "a Steward reads tags, not trees");
    if (verdict != READS && verdict != READS_TAGS)
        return false;
    x->denial = (struct denial){.status = 0}; /* of another Steward */
    return true;
}

bool caller_reads(struct exchange *x, bool is_tree)
{
    if (x->repo.is_public)
        return true;
    if (!x->caller.has_token) {
        if (reads_by_certificate(x, is_tree))
            return true;
        if (x->denial.status != 0)
            return false;
    }
    return caller_owns(x, SCOPE_READ, SCOPE_REPOSITORIES);
}
