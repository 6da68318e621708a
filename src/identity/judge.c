/* Who a peer is: its chain by RFC 5280, its certificate by the one profile, its Steward's list.
 *
 * Every certificate here is hostile until X509_verify_cert has said that a trusted root vouches for
 * it. OpenSSL never sees one that is not sound (link.c), nor more of them than IDENTITY_CHAIN_MAX;
 * it fetches nothing, and reads no clock, since the time is always set. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "identity/peer_internal.h"

#define SECURITY_LEVEL 2 /* of OpenSSL: 112 bits */
#define CRL_URL_MAX 1024u

static bool copy_to(struct arena *arena, struct bytes in, struct bytes *out)
{
    uint8_t *copy = arena_alloc(arena, in.size, 1);

    if (copy == NULL)
        return false;
    if (in.size != 0)
        memcpy(copy, in.data, in.size);
    *out = bytes_from(copy, in.size);
    return true;
}

static struct bytes bytes_of_string(const ASN1_STRING *string)
{
    return bytes_from(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

static bool read_time(const ASN1_TIME *time, int64_t *out)
{
    return identity_time_parse((uint8_t)ASN1_STRING_type(time), bytes_of_string(time), out);
}

/* ---- the leaf ---- */

/* RFC 5280 §4.1.2.2: positive, at most 20 octets. */
static bool find_serial(X509 *leaf, struct bytes *out)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    struct bytes magnitude = bytes_of_string(serial);

    if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || magnitude.size == 0 ||
        magnitude.size > SERIAL_SIZE_MAX || magnitude.data[0] == 0)
        return false;
    *out = magnitude;
    return true;
}

/* The one address of the one list, which is its CA's and is about everything. */
static const ASN1_STRING *only_address(const CRL_DIST_POINTS *points)
{
    const DIST_POINT *point =
        sk_DIST_POINT_num(points) == 1 ? sk_DIST_POINT_value(points, 0) : NULL;
    int type;

    if (point == NULL || point->CRLissuer != NULL || point->reasons != NULL ||
        point->distpoint == NULL || point->distpoint->type != 0 ||
        sk_GENERAL_NAME_num(point->distpoint->name.fullname) != 1)
        return NULL;
    const void *text =
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0), &type);
    return type == GEN_URI ? text : NULL;
}

static bool is_address(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    }
    return text.size >= 1 && text.size <= CRL_URL_MAX;
}

static enum identity_fault find_crl_url(X509 *leaf, struct arena *arena, struct bytes *out)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(leaf, NID_crl_distribution_points, NULL, NULL);
    const ASN1_STRING *url = points != NULL ? only_address(points) : NULL;
    enum identity_fault fault = IDENTITY_FAULT_PROFILE;

    if (url != NULL && is_address(bytes_of_string(url)))
        fault = copy_to(arena, bytes_of_string(url), out) ? IDENTITY_FAULT_NONE
                                                          : IDENTITY_FAULT_INTERNAL;
    CRL_DIST_POINTS_free(points);
    return fault;
}

static enum identity_fault read_leaf(X509 *leaf, struct arena *arena, struct identity_peer *out)
{
    struct bytes serial;
    struct err err;

    if (!identity_certificate_parse(leaf, arena, &out->certificate, &err))
        return err.code == ERR_NOT_FOUND ? IDENTITY_FAULT_NO_KEEP
               : err.code == ERR_MEMORY  ? IDENTITY_FAULT_INTERNAL
                                         : IDENTITY_FAULT_PROFILE;
    if (!identity_link_is_sound(leaf) || !find_serial(leaf, &serial))
        return IDENTITY_FAULT_PROFILE;
    return copy_to(arena, serial, &out->serial) ? find_crl_url(leaf, arena, &out->crl_url)
                                                : IDENTITY_FAULT_INTERNAL;
}

/* ---- the chain ---- */

static enum identity_fault fault_of(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return IDENTITY_FAULT_NOT_YET;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return IDENTITY_FAULT_EXPIRED;
    case X509_V_OK: /* it failed, and does not say why */
    case X509_V_ERR_UNSPECIFIED:
    case X509_V_ERR_OUT_OF_MEM:
    case X509_V_ERR_INVALID_CALL:
    case X509_V_ERR_STORE_LOOKUP:
        return IDENTITY_FAULT_INTERNAL;
    default:
        return IDENTITY_FAULT_UNKNOWN_STEWARD;
    }
}

static void drop_links(STACK_OF(X509) * *links)
{
    sk_X509_pop_free(*links, X509_free);
    *links = NULL;
}

/* A keep is server and client by the same certificate; OpenSSL looks at one purpose at a time. */
static bool serves_clients_too(const STACK_OF(X509) * links)
{
    for (int i = 1; i < sk_X509_num(links); i++) {
        if (X509_check_purpose(sk_X509_value(links, i), X509_PURPOSE_SSL_CLIENT, 1) != 1)
            return false;
    }
    return sk_X509_num(links) >= 2;
}

/* By the certificates of a store. *links: the leaf first, what the store has of it last. */
static enum identity_fault verify_in(X509_STORE *store, X509 *leaf, STACK_OF(X509) * untrusted,
                                     int64_t at, unsigned long flags, STACK_OF(X509) * *links)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    enum identity_fault fault = IDENTITY_FAULT_INTERNAL;

    *links = NULL;
    if (context == NULL || X509_STORE_CTX_init(context, store, leaf, untrusted) != 1) {
        X509_STORE_CTX_free(context);
        return fault;
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(param, (time_t)at);
    X509_VERIFY_PARAM_set_depth(param, IDENTITY_CHAIN_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    if (X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | flags) == 1 &&
        X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) == 1) {
        if (X509_verify_cert(context) != 1)
            fault = fault_of(X509_STORE_CTX_get_error(context));
        else if ((*links = X509_STORE_CTX_get1_chain(context)) != NULL)
            fault =
                serves_clients_too(*links) ? IDENTITY_FAULT_NONE : IDENTITY_FAULT_UNKNOWN_STEWARD;
    }
    X509_STORE_CTX_free(context);
    if (fault != IDENTITY_FAULT_NONE)
        drop_links(links);
    return fault;
}

/* ---- what was verified before ----
 *
 * A Steward's CA is in the chain of each of its keeps, and its root's signature, on P-384, takes
 * longer to verify than all else in a chain. So who was vouched for by a root is remembered, to the
 * byte; whatever hangs on the time or on the leaf is looked at each time. */

void identity_vouched_done(struct vouched *v)
{
    X509_STORE_free(v->store);
    X509_free(v->ca);
    X509_free(v->root);
    *v = (struct vouched){.store = NULL};
}

/* Remembers the CA of a chain that is a leaf, a CA and a root. Without memory nothing is. */
static void note_vouched(const struct steward *steward, const STACK_OF(X509) * links)
{
    struct vouched v = {.store = NULL}, *place = &steward->vouched[VOUCHED_MAX - 1];

    if (sk_X509_num(links) != 3)
        return;
    v.store = X509_STORE_new();
    X509 *ca = sk_X509_value(links, 1), *top = sk_X509_value(links, 2);
    if (v.store != NULL && X509_STORE_add_cert(v.store, ca) == 1) {
        v.ca = X509_up_ref(ca) == 1 ? ca : NULL;
        v.root = X509_up_ref(top) == 1 ? top : NULL;
    }
    if (v.ca == NULL || v.root == NULL) {
        identity_vouched_done(&v);
        return;
    }
    identity_vouched_done(place); /* the oldest */
    memmove(steward->vouched + 1, steward->vouched, (VOUCHED_MAX - 1) * sizeof v);
    steward->vouched[0] = v;
}

static bool is_sent(X509 *x509, const STACK_OF(X509) * sent)
{
    for (int i = 0; i < sk_X509_num(sent); i++) {
        if (X509_cmp(sk_X509_value(sent, i), x509) == 0)
            return true;
    }
    return false;
}

static bool is_valid(const X509 *x509, int64_t at)
{
    int64_t from, to;

    return read_time(X509_get0_notBefore(x509), &from) &&
           read_time(X509_get0_notAfter(x509), &to) && from <= at && at < to;
}

/* Whether the leaf is good by a CA that was vouched for. When it is not, nothing is said. */
static bool verify_by_vouched(const struct steward *steward, X509 *leaf, STACK_OF(X509) * untrusted,
                              int64_t at, STACK_OF(X509) * *links)
{
    for (size_t i = 0; i < VOUCHED_MAX && steward->vouched[i].store != NULL; i++) {
        const struct vouched *v = &steward->vouched[i];
        if (!is_sent(v->ca, untrusted) || !is_valid(v->root, at) ||
            verify_in(v->store, leaf, NULL, at, X509_V_FLAG_PARTIAL_CHAIN, links) !=
                IDENTITY_FAULT_NONE)
            continue;
        if (sk_X509_num(*links) == 2 && X509_up_ref(v->root) == 1) {
            if (sk_X509_push(*links, v->root) > 0)
                return true;
            X509_free(v->root);
        }
        drop_links(links);
    }
    return false;
}

/* By one Steward's roots. *links: the leaf first, the root last. */
static enum identity_fault verify_by(const struct steward *steward, X509 *leaf,
                                     STACK_OF(X509) * untrusted, int64_t at,
                                     STACK_OF(X509) * *links)
{
    if (verify_by_vouched(steward, leaf, untrusted, at, links))
        return IDENTITY_FAULT_NONE;
    enum identity_fault fault = verify_in(steward->roots, leaf, untrusted, at, 0, links);
    if (fault == IDENTITY_FAULT_NONE)
        note_vouched(steward, *links);
    return fault;
}

/* How many certificates the peer sent; the leaf may be among them. */
static int count_sent(X509 *leaf, const STACK_OF(X509) * chain)
{
    int count = chain != NULL ? sk_X509_num(chain) : 0;

    return count > 0 && X509_cmp(sk_X509_value(chain, 0), leaf) == 0 ? count : count + 1;
}

/* Those that may be links; borrowed. NULL: no memory. */
static STACK_OF(X509) * sound_links(const STACK_OF(X509) * chain)
{
    STACK_OF(X509) *sound = sk_X509_new_null();

    for (int i = 0; sound != NULL && chain != NULL && i < sk_X509_num(chain); i++) {
        X509 *link = sk_X509_value(chain, i);
        if (identity_link_is_sound(link) && sk_X509_push(sound, link) <= 0) {
            sk_X509_free(sound);
            return NULL;
        }
    }
    return sound;
}

/* The chain to a root of any Steward's: of several that have it, the first. When none has, a date
 * that is wrong says more than that others do not know it. */
static enum identity_fault verify(const struct identity_trust *trust, X509 *leaf,
                                  const STACK_OF(X509) * chain, int64_t at, STACK_OF(X509) * *links,
                                  const struct steward **steward)
{
    enum identity_fault fault = IDENTITY_FAULT_UNKNOWN_STEWARD;

    *links = NULL;
    if (count_sent(leaf, chain) > IDENTITY_CHAIN_MAX)
        return fault;
    STACK_OF(X509) *untrusted = sound_links(chain);
    if (untrusted == NULL)
        return IDENTITY_FAULT_INTERNAL;
    for (size_t i = 0; *links == NULL && i < trust->steward_count; i++) {
        enum identity_fault one = verify_by(&trust->stewards[i], leaf, untrusted, at, links);
        if (one == IDENTITY_FAULT_NONE)
            *steward = &trust->stewards[i];
        if (one != IDENTITY_FAULT_UNKNOWN_STEWARD && fault != IDENTITY_FAULT_INTERNAL)
            fault = one;
    }
    sk_X509_free(untrusted);
    return *links != NULL ? IDENTITY_FAULT_NONE : fault;
}

/* What a verified chain says besides the leaf. */
static enum identity_fault read_links(const STACK_OF(X509) * links, const struct steward *steward,
                                      struct arena *arena, struct identity_peer *out)
{
    uint8_t *der = NULL;

    out->not_after = INT64_MAX;
    out->floor = 0;
    for (int i = 0; i < sk_X509_num(links); i++) {
        const X509 *link = sk_X509_value(links, i);
        int64_t from, to;
        if (!read_time(X509_get0_notBefore(link), &from) ||
            !read_time(X509_get0_notAfter(link), &to))
            return IDENTITY_FAULT_UNKNOWN_STEWARD;
        out->floor = from > out->floor ? from : out->floor;
        out->not_after = to < out->not_after ? to : out->not_after;
    }
    int size = i2d_X509(sk_X509_value(links, 1), &der);
    bool ok = size > 0 && copy_to(arena, bytes_from(der, (size_t)size), &out->issuer) &&
              copy_to(arena, bytes_from(steward->name, steward->name_size), &out->steward);
    OPENSSL_free(der);
    return ok ? IDENTITY_FAULT_NONE : IDENTITY_FAULT_INTERNAL;
}

/* Leaf and chain. out->fault is the caller's. */
static enum identity_fault inspect(const struct identity_trust *trust, X509 *leaf,
                                   const STACK_OF(X509) * chain, int64_t at, struct arena *arena,
                                   struct identity_peer *out)
{
    const struct steward *steward = NULL;
    STACK_OF(X509) *links = NULL;

    enum identity_fault fault = read_leaf(leaf, arena, out);
    if (fault == IDENTITY_FAULT_NONE)
        fault = verify(trust, leaf, chain, at, &links, &steward);
    if (fault == IDENTITY_FAULT_NONE)
        fault = read_links(links, steward, arena, out);
    sk_X509_pop_free(links, X509_free);
    ERR_clear_error();
    return fault;
}

/* ---- who it is ---- */

/* What the certificate of a trusted Steward makes of its holder. */
static enum identity_fault classify(const struct identity_certificate *c, bool simulated_allowed)
{
    if (c->space == IDENTITY_OF_ENARX)
        return IDENTITY_FAULT_ENARX;
    if (!c->identity.claims.has_digest)
        return IDENTITY_FAULT_PLATFORM;
    return c->identity.is_simulated && !simulated_allowed ? IDENTITY_FAULT_SIMULATED
                                                          : IDENTITY_FAULT_NONE;
}

static void settle(struct identity_peer *peer, enum identity_fault fault)
{
    peer->fault = fault;
    peer->kind = fault != IDENTITY_FAULT_NONE                       ? IDENTITY_ANONYMOUS
                 : peer->certificate.identity.claims.slug.size != 0 ? IDENTITY_KEEP
                                                                    : IDENTITY_LOCAL;
}

void identity_peer_judge(const struct identity_trust *trust, X509 *leaf,
                         const STACK_OF(X509) * chain, bool simulated_allowed, int64_t at,
                         struct arena *arena, struct identity_peer *out)
{
    struct identity_peer peer = {.kind = IDENTITY_ANONYMOUS, .fault = IDENTITY_FAULT_ABSENT};
    enum identity_fault fault = IDENTITY_FAULT_ABSENT;

    at = identity_time_clamp(at);
    if (leaf != NULL)
        fault = inspect(trust, leaf, chain, at, arena, &peer);
    if (fault == IDENTITY_FAULT_NONE)
        fault = classify(&peer.certificate, simulated_allowed);
    if (fault == IDENTITY_FAULT_NONE)
        fault = identity_trust_recheck(trust, peer.issuer, peer.serial, at);
    settle(&peer, fault);
    *out = peer;
}

/* ---- one's own certificate ---- */

/* The time by which to judge it: one's own, or what the Steward signed with its answer to a fresh
 * nonce, when that is later (DESIGN.md §3, Time). */
static int64_t time_for(X509 *leaf, int64_t at)
{
    int64_t from;

    return read_time(X509_get0_notBefore(leaf), &from) && from > at - CLOCK_SKEW_S
               ? from + CLOCK_SKEW_S
               : at;
}

static bool refuse_issued(enum identity_fault fault, struct err *err)
{
    switch (fault) {
    case IDENTITY_FAULT_NO_KEEP:
    case IDENTITY_FAULT_PROFILE:
        return err_set(err, ERR_FORMAT, "the Steward's answer is no keep's certificate", ERR_NO_AT);
    case IDENTITY_FAULT_NOT_YET:
        return err_set(err, ERR_POLICY, "the Steward's certificate is not valid yet", ERR_NO_AT);
    case IDENTITY_FAULT_EXPIRED:
        return err_set(
            err, ERR_POLICY,
            "the Steward's certificate has expired, by the clock of this host: is it wrong?",
            ERR_NO_AT);
    case IDENTITY_FAULT_UNKNOWN_STEWARD:
        return err_set(err, ERR_CRYPTO,
                       "the Steward's certificate does not end in the root that is trusted",
                       ERR_NO_AT);
    default:
        return err_set(err, ERR_MEMORY, "no memory to check the Steward's certificate", ERR_NO_AT);
    }
}

static bool claims_equal(const struct identity_claims *a, const struct identity_claims *b)
{
    return bytes_equal(a->slug, b->slug) && a->has_digest == b->has_digest &&
           (!a->has_digest || memcmp(a->digest, b->digest, sizeof a->digest) == 0);
}

bool identity_issued_check(const struct identity_trust *trust, struct bytes chain_pem,
                           struct bytes spki, const struct identity_claims *claims, int64_t at,
                           struct arena *arena, struct identity_peer *out, struct err *err)
{
    struct identity_peer peer = {.kind = IDENTITY_ANONYMOUS};
    STACK_OF(X509) *chain = NULL;
    int64_t signed_at = 0;

    if (!identity_pem_read(chain_pem, IDENTITY_CHAIN_MAX, &chain, err))
        return false;
    X509 *leaf = sk_X509_value(chain, 0);
    at = time_for(leaf, identity_time_clamp(at));
    enum identity_fault fault = inspect(trust, leaf, chain, at, arena, &peer);
    bool has_time = read_time(X509_get0_notBefore(leaf), &signed_at);
    sk_X509_pop_free(chain, X509_free);
    if (fault != IDENTITY_FAULT_NONE || !has_time)
        return refuse_issued(fault, err);
    if (!bytes_equal(peer.certificate.spki, spki))
        return err_set(err, ERR_POLICY, "the Steward's certificate is for another key", ERR_NO_AT);
    if (peer.certificate.space != IDENTITY_OF_BROCH ||
        !claims_equal(&peer.certificate.identity.claims, claims))
        return err_set(err, ERR_POLICY, "the Steward's certificate has other claims", ERR_NO_AT);
    peer.floor = signed_at + CLOCK_SKEW_S; /* by as much it is backdated (DESIGN.md §3) */
    settle(&peer, classify(&peer.certificate, true));
    *out = peer;
    return true;
}
