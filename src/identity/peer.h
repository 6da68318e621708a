/* Who is at the other end of a TLS connection, and whether it may be (DESIGN.md §5, §7).
 *
 * Pure: certificates, lists and the time are arguments. A peer's bytes are hostile. One thread. */
#pragma once

#include "identity/identity.h"
#include "package/config.h"

struct stack_st_X509;

/* ---- whom a keep believes ---- */

#define IDENTITY_STEWARDS_MAX 65 /* its own, and those of [trust] */
#define IDENTITY_ROOTS_MAX 16    /* certificates in one file */
#define IDENTITY_CRLS_MAX 128    /* lists that are kept, of one trust */
#define IDENTITY_CRL_SIZE_MAX ((size_t)8 << 20)
#define IDENTITY_CRL_AGE_MAX 90000 /* seconds, 25 hours: an older list is unavailable */
#define IDENTITY_CHAIN_MAX 8       /* certificates that a peer may send */

/* Stewards and their revocation lists. */
struct identity_trust;

/* ERR_MEMORY. */
MUST_CHECK bool identity_trust_new(struct identity_trust **out, struct err *err);
void identity_trust_free(struct identity_trust *trust);

/* Believes a Steward: keeps' certificates whose chain ends in one of the self-signed CA
 * certificates of the PEM text. name: what it is called in configurations and messages (a file of
 * the package); copied. ERR_FORMAT: no certificate, a malformed one, or one that is no self-signed
 * CA, or has a weak key or digest, or constraints on names; ERR_LIMIT. A root that several Stewards
 * have belongs to the first. */
MUST_CHECK bool identity_trust_add(struct identity_trust *trust, struct bytes name,
                                   struct bytes pem, struct err *err);
/* How many Stewards are believed. */
size_t identity_trust_count(const struct identity_trust *trust);

/* ---- verdicts ---- */

/* In the order of trust; the words of /net/peer's JSON. */
enum identity_peer_kind { IDENTITY_ANONYMOUS, IDENTITY_LOCAL, IDENTITY_KEEP };

/* Why a peer is anonymous. */
enum identity_fault {
    IDENTITY_FAULT_NONE,            /* it is not: kind is LOCAL or KEEP */
    IDENTITY_FAULT_ABSENT,          /* it showed no certificate */
    IDENTITY_FAULT_NO_KEEP,         /* its certificate is no keep's */
    IDENTITY_FAULT_PROFILE,         /* its certificate breaks the profile */
    IDENTITY_FAULT_UNKNOWN_STEWARD, /* its chain does not end in a trusted Steward */
    IDENTITY_FAULT_NOT_YET,         /* some certificate of the chain is not valid yet */
    IDENTITY_FAULT_EXPIRED,         /* or not any more */
    IDENTITY_FAULT_PLATFORM,        /* a platform's certificate, which is never a peer's */
    IDENTITY_FAULT_ENARX,           /* a keep of Enarx's: nothing is said of what it runs */
    IDENTITY_FAULT_SIMULATED,       /* simulated, and that is not allowed */
    IDENTITY_FAULT_NO_CRL,          /* there is no revocation list that is new enough */
    IDENTITY_FAULT_REVOKED,
    IDENTITY_FAULT_INTERNAL, /* no memory, or OpenSSL failed: no entry lets it in */
    IDENTITY_FAULT_COUNT
};

/* A sentence without capital or full stop, as "the peer's certificate has expired". */
const char *identity_fault_text(enum identity_fault fault);

/* What was found. Texts are the arena's. Everything but `kind` and `fault` means something only
 * when fault is NONE, NO_CRL or REVOKED. */
struct identity_peer {
    enum identity_peer_kind kind;
    enum identity_fault fault;
    struct identity_certificate certificate;
    struct bytes steward; /* the name of identity_trust_add */
    struct bytes crl_url; /* of its certificate's distribution point */
    struct bytes issuer;  /* DER of the CA's certificate that signed it, which signs its list too */
    struct bytes serial;  /* magnitude, big-endian */
    int64_t not_after;    /* the soonest of its chain; seconds since 1970; it has expired then */
    int64_t floor;        /* the latest notBefore of its chain: it is not earlier than this */
};

/* Judges a peer's certificate. leaf NULL: it showed none. chain: what it sent, leaf included or
 * not; may be NULL. at: seconds since 1970. The chain must end in a trusted root, each link by RFC
 * 5280 with CA flags, key usage, path length, and names; the leaf must keep to the profile. A peer
 * whose list is missing or too old has fault NO_CRL, kind ANONYMOUS. Cannot fail: what cannot be
 * judged is anonymous. The trust remembers the CAs for which a root has vouched, so that this
 * signature is verified once; it changes no verdict. */
void identity_peer_judge(const struct identity_trust *trust, struct x509_st *leaf,
                         const struct stack_st_X509 *chain, bool simulated_allowed, int64_t at,
                         struct arena *arena, struct identity_peer *out);

/* Keeps a revocation list of a CA (DER; identity_peer's issuer, whose chain has been checked), in
 * the place of an older one of the same CA, or of one that is too old. The list must be signed by
 * that CA, be of version 2, have thisUpdate not after `at` (300 seconds are forgiven), be no older
 * than IDENTITY_CRL_AGE_MAX and not past its nextUpdate, have no unknown critical extension, and
 * not be older than the one that is kept (by thisUpdate, and by CRL number where both have one).
 * *floor: its thisUpdate. ERR_FORMAT, ERR_CRYPTO (signature), ERR_POLICY (dates), ERR_LIMIT,
 * ERR_MEMORY. */
MUST_CHECK bool identity_trust_put_crl(struct identity_trust *trust, struct bytes issuer,
                                       struct bytes crl, int64_t at, int64_t *floor,
                                       struct err *err);
/* Whether a certificate that was good has been revoked since, or its list has become too old: NONE,
 * REVOKED or NO_CRL. */
enum identity_fault identity_trust_recheck(const struct identity_trust *trust, struct bytes issuer,
                                           struct bytes serial, int64_t at);

/* Checks a certificate that a Steward has issued to this keep: the chain (PEM, the leaf first) ends
 * in a root of `trust`, the leaf keeps to the profile, has this key and exactly these claims, and
 * is valid at `at`, or, when that is later, at the time that the Steward signed: the leaf answers a
 * fresh nonce, so a clock that is behind is what is wrong. Its revocation list is not asked. As
 * identity_peer_judge it fills *out (a platform's has fault PLATFORM, and everything means
 * something), of which `floor` is here that time: the leaf's notBefore and 300 seconds. ERR_FORMAT,
 * ERR_CRYPTO (the chain), ERR_POLICY (another key, claims or date). */
MUST_CHECK bool identity_issued_check(const struct identity_trust *trust, struct bytes chain_pem,
                                      struct bytes spki, const struct identity_claims *claims,
                                      int64_t at, struct arena *arena, struct identity_peer *out,
                                      struct err *err);

/* ---- policy ---- */

/* Whether an entry of the configuration, which must be for TLS and not for an ordinary server, lets
 * a peer in. Refused: *why is a literal, as "its tag is not one of those allowed". A platform's
 * certificate, and fault INTERNAL, are refused whatever the entry says. Where the entry admits
 * peers without a valid keep certificate they are in; a keep that has a valid one and is not listed
 * is not. */
MUST_CHECK bool identity_admits(const struct config_rule *rule, const struct identity_peer *peer,
                                const char **why);

/* The peer as a line of JSON without end of line (docs/workloads.md): {"kind":"anonymous"},
 * {"kind":"local","digest":D,…}, {"kind":"keep","workload":"host/user/repo:tag","digest":D,…} with
 * "technology" ("snp", "sgx", "tdx"), "simulated" (a boolean) and "measurement" (hexadecimal)
 * behind it; D is the SHA-256 in unpadded standard base64. */
void identity_peer_write(struct writer *w, const struct identity_peer *peer);
