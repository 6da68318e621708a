/* Whether a peer may come in, by the entry of the configuration (docs/configuration.md), and how
 * the workload sees it. */
#include <assert.h>

#include "identity/peer.h"

const char *identity_fault_text(enum identity_fault fault)
{
    static const char *const texts[] = {
        [IDENTITY_FAULT_NONE] = "the peer's certificate is valid",
        [IDENTITY_FAULT_ABSENT] = "the peer showed no certificate",
        [IDENTITY_FAULT_NO_KEEP] = "the peer's certificate is no keep's",
        [IDENTITY_FAULT_PROFILE] = "the peer's certificate is not as a Steward makes them",
        [IDENTITY_FAULT_UNKNOWN_STEWARD] =
            "the peer's certificate does not come from a trusted Steward",
        [IDENTITY_FAULT_NOT_YET] = "the peer's certificate, or its Steward's, is not valid yet",
        [IDENTITY_FAULT_EXPIRED] = "the peer's certificate, or its Steward's, has expired",
        [IDENTITY_FAULT_PLATFORM] = "the peer's certificate is for reading from registries only",
        [IDENTITY_FAULT_ENARX] = "the peer's certificate does not say what it runs",
        [IDENTITY_FAULT_SIMULATED] = "the peer runs on a simulated platform",
        [IDENTITY_FAULT_NO_CRL] = "there is no new revocation list of the peer's Steward",
        [IDENTITY_FAULT_REVOKED] = "the peer's certificate has been revoked",
        [IDENTITY_FAULT_INTERNAL] = "the peer's certificate could not be checked",
    };
    _Static_assert(COUNT_OF(texts) == IDENTITY_FAULT_COUNT, "every fault has a text");

    assert(fault < IDENTITY_FAULT_COUNT);
    return texts[fault];
}

/* ---- policy ---- */

/* The fields of a pattern in the order in which they are compared. */
enum field { STEWARD, TECHNOLOGY, WORKLOAD, TAG, DIGEST, FIELDS };

static const char *const mismatches[FIELDS] = {
    [STEWARD] = "its Steward is not one of those allowed",
    [TECHNOLOGY] = "its technology is not one of those allowed",
    [WORKLOAD] = "its workload is not one of those allowed",
    [TAG] = "its tag is not one of those allowed",
    [DIGEST] = "its digest is not one of those allowed",
};

/* A slug in its two parts. A tag has no ':', a host may. Nothing gives nothing. */
static void split_slug(struct bytes slug, struct bytes *workload, struct bytes *tag)
{
    const uint8_t *colon = slug.size != 0 ? memrchr(slug.data, ':', slug.size) : NULL;
    size_t at = colon != NULL ? (size_t)(colon - slug.data) : slug.size;

    *workload = bytes_before(slug, at);
    *tag = bytes_after(slug, at + 1);
}

static bool has_tag(const struct config_peer *pattern, struct bytes tag)
{
    for (size_t i = 0; i < pattern->tag_count; i++) {
        if (bytes_equal(pattern->tags[i], tag))
            return true;
    }
    return pattern->tag_count == 0;
}

static bool has_digest(const struct config_peer *pattern, const struct identity_claims *claims)
{
    const struct digest *digest = &pattern->digest;

    return digest->size == 0 ||
           (digest->algorithm == DIGEST_SHA256 && digest->size == sizeof claims->digest &&
            claims->has_digest && memcmp(digest->bytes, claims->digest, digest->size) == 0);
}

/* The first field that does not match; FIELDS: all do. */
static enum field compare(const struct config_peer *pattern, const struct identity_peer *peer)
{
    const struct identity *identity = &peer->certificate.identity;
    struct bytes workload, tag;

    split_slug(identity->claims.slug, &workload, &tag);
    if (pattern->steward.size != 0 && !bytes_equal(pattern->steward, peer->steward))
        return STEWARD;
    if (pattern->technologies != 0 && (pattern->technologies & 1u << identity->technology) == 0)
        return TECHNOLOGY;
    if (pattern->workload.size != 0 && !bytes_equal(pattern->workload, workload))
        return WORKLOAD;
    if (!has_tag(pattern, tag))
        return TAG;
    return has_digest(pattern, &identity->claims) ? FIELDS : DIGEST;
}

/* Why is told of the pattern that came furthest. */
static bool is_listed(const struct config_rule *rule, const struct identity_peer *peer,
                      const char **why)
{
    enum field furthest = STEWARD;

    for (size_t i = 0; i < rule->peer_count; i++) {
        enum field at = compare(&rule->peers[i], peer);
        if (at == FIELDS)
            return true;
        furthest = at > furthest ? at : furthest;
    }
    *why = mismatches[furthest];
    return false;
}

bool identity_admits(const struct config_rule *rule, const struct identity_peer *peer,
                     const char **why)
{
    assert(rule->protocol == CONFIG_TLS && !rule->web && rule->anchor.size == 0);
    assert((peer->kind == IDENTITY_ANONYMOUS) == (peer->fault != IDENTITY_FAULT_NONE));
    /* what could not be judged is not known to be no platform */
    bool is_barred =
        peer->fault == IDENTITY_FAULT_PLATFORM || peer->fault == IDENTITY_FAULT_INTERNAL;
    if (!is_barred && rule->admission == CONFIG_ADMIT_PROGRAM)
        return true;
    if (peer->kind != IDENTITY_ANONYMOUS)
        return rule->admission == CONFIG_ADMIT_ANY_KEEP || is_listed(rule, peer, why);
    if (!is_barred && rule->anonymous)
        return true;
    *why = identity_fault_text(peer->fault);
    return false;
}

/* ---- JSON ---- */

static void write_digest(struct writer *w, const uint8_t digest[IDENTITY_DIGEST_SIZE])
{
    const struct bytes bytes = bytes_from(digest, IDENTITY_DIGEST_SIZE);
    uint8_t *place = writer_reserve(w, base64_encoded_size(bytes.size, BASE64_STANDARD_UNPADDED));

    if (place != NULL)
        base64_encode(bytes, BASE64_STANDARD_UNPADDED, (char *)place);
}

void identity_peer_write(struct writer *w, const struct identity_peer *peer)
{
    static const char *const technologies[] = {
        [IDENTITY_SNP] = "snp", [IDENTITY_SGX] = "sgx", [IDENTITY_TDX] = "tdx"};
    const struct identity *identity = &peer->certificate.identity;

    if (peer->kind == IDENTITY_ANONYMOUS) {
        writer_text(w, "{\"kind\":\"anonymous\"}");
        return;
    }
    if (peer->kind == IDENTITY_KEEP) {
        writer_text(w, "{\"kind\":\"keep\",\"workload\":");
        writer_json(w, identity->claims.slug);
    } else {
        writer_text(w, "{\"kind\":\"local\"");
    }
    writer_text(w, ",\"digest\":\"");
    write_digest(w, identity->claims.digest);
    writer_format(w, "\",\"technology\":\"%s\",\"simulated\":%s,\"measurement\":\"",
                  technologies[identity->technology], identity->is_simulated ? "true" : "false");
    writer_hex(w, identity->measurement);
    writer_text(w, "\"}");
}
