/* What a keep is, and how it proves it: claims, their binding to evidence, certificate requests,
 * and the one profile of certificates that a Steward issues (docs/identity.md). Used by keep,
 * Steward and Drawbridge. Pure but for OpenSSL's random numbers when a key is used to sign.
 *
 * Object identifiers are 2.25.1880230127500594781 and below: .1 claims, .2
 * nonce, .3 identity. The DER of the structures has IMPLICIT tags. */
#pragma once

#include "base/base.h"

struct evp_pkey_st;
struct x509_st;

#define IDENTITY_DIGEST_SIZE 32
#define IDENTITY_NONCE_MAX 128   /* bytes; a Steward's has 72 */
#define IDENTITY_CLAIMS_MAX 1200 /* bytes of DER */
#define IDENTITY_REQUEST_MAX (512u << 10)
#define IDENTITY_SERIAL_SIZE 16

/* What a keep says that it runs. Both absent: only that it is a keep ("platform"). A slug needs a
 * digest. */
struct identity_claims {
    struct bytes slug; /* canonical host/user/repo:tag; empty: absent */
    bool has_digest;
    uint8_t digest[IDENTITY_DIGEST_SIZE]; /* SHA-256 of the package's root */
};

/* KeepClaims ::= SEQUENCE { version INTEGER (1), slug [0] UTF8String OPTIONAL,
 *                           digest [1] OCTET STRING (SIZE 32) OPTIONAL } */
void identity_claims_write(struct writer *w, const struct identity_claims *claims);
/* Exactly this, the slug in canonical form: ERR_FORMAT. *out borrows. */
MUST_CHECK bool identity_claims_parse(struct bytes der, struct identity_claims *out,
                                      struct err *err);

/* What evidence must say (REPORTDATA, report_data): SHA-512 of a fixed text, a zero, and SPKI,
 * claims and nonce, each after its length in four bytes, big-endian. ERR_LIMIT, ERR_CRYPTO. */
MUST_CHECK bool identity_bind(struct bytes spki, struct bytes claims, struct bytes nonce,
                              uint8_t out[64], struct err *err);

/* The numbers are those of the certificate's ENUMERATED. */
enum identity_technology { IDENTITY_SNP = 1, IDENTITY_SGX = 2, IDENTITY_TDX = 3 };

/* What a Steward certifies. The strings are borrowed. */
struct identity {
    struct identity_claims claims;
    enum identity_technology technology;
    struct bytes measurement; /* 32 or 48 bytes */
    struct bytes signer;      /* MRSIGNER or the ID key's digest; empty: none */
    struct bytes tcb;         /* as the technology writes it; at most 64 bytes */
    struct bytes tcb_status;  /* Intel's word; empty: none */
    bool is_simulated;
};

/* KeepIdentity ::= SEQUENCE { version INTEGER (1), claims KeepClaims,
 *     technology ENUMERATED { snp(1), sgx(2), tdx(3) }, measurement OCTET STRING,
 *     signer [0] OCTET STRING OPTIONAL, tcb [1] OCTET STRING, tcbStatus [2] UTF8String OPTIONAL,
 *     simulated BOOLEAN } */
void identity_write(struct writer *w, const struct identity *identity);
/* ERR_FORMAT. *out borrows. */
MUST_CHECK bool identity_parse(struct bytes der, struct identity *out, struct err *err);

/* ---- names ---- */

/* Which part of a trust domain an identity is named in. Which of platform and workload it is
 * follows from its claims; Enarx's keeps have none and are named apart. */
enum identity_namespace { IDENTITY_OF_BROCH, IDENTITY_OF_ENARX };

/* "spiffe://DOMAIN[/simulated]/keep/…". ERR_INVALID: the slug has no such name (slug-not-nameable).
 */
MUST_CHECK bool identity_name(struct writer *w, struct bytes trust_domain,
                              const struct identity *identity, enum identity_namespace space,
                              struct err *err);
/* Whether a trust domain is one: lower-case letters, digits, '.', '-', '_', at most 255 bytes. */
bool identity_trust_domain_is_valid(struct bytes domain);

/* ---- requests ---- */

/* A certificate request, read and its signature checked. Borrows from the arena. */
struct identity_request {
    struct bytes spki; /* DER */
    bool is_p256;      /* else P-384, which only Enarx's keeps on SNP have */
    bool has_claims;   /* a keep of Broch's: then claims and nonce are there */
    struct identity_claims claims;
    struct bytes claims_der, nonce;
    /* The content of Enarx's extension, not looked into; empty: there is none. */
    struct bytes evidence;
    enum identity_technology technology; /* whose extension it is: IDENTITY_SNP or IDENTITY_SGX */
};

/* Makes a request: PKCS#10, signed by the key, with claims, nonce and evidence (the content of
 * Enarx's SNP or SGX extension; empty: there is none to show). Writes DER. ERR_CRYPTO, ERR_LIMIT,
 * ERR_INVALID. */
MUST_CHECK bool identity_request_write(struct writer *w, struct evp_pkey_st *key,
                                       const struct identity_claims *claims, struct bytes nonce,
                                       enum identity_technology technology, struct bytes evidence,
                                       struct err *err);
/* Reads the request; its evidence is evidence_open_extension's. ERR_FORMAT, ERR_CRYPTO (its
 * signature), ERR_UNSUPPORTED (another kind of key), ERR_LIMIT. */
MUST_CHECK bool identity_request_parse(struct bytes der, struct arena *arena,
                                       struct identity_request *out, struct err *err);

/* Whether DER means to be a certificate request, rather than a certificate. */
bool identity_is_request(struct bytes der);

/* The content of Enarx's SNP extension: the VEK's certificate, revocation lists with the addresses
 * that they came from, and the report. Certificate and lists in DER. */
struct identity_crl {
    struct bytes url, der;
};
void identity_snp_evidence_write(struct writer *w, struct bytes vek,
                                 const struct identity_crl *crls, size_t crl_count,
                                 struct bytes report);
/* Of its SGX extension: the quote, lists, the chain of the TCB signing key and Intel's TCB info as
 * its service answered it. */
void identity_sgx_evidence_write(struct writer *w, struct bytes quote,
                                 const struct identity_crl *crls, size_t crl_count,
                                 const struct bytes *tcb_chain, size_t tcb_chain_count,
                                 struct bytes tcb_info);

/* ---- certificates ---- */

/* Everything that differs between two certificates of one Steward. Times: seconds since 1970. */
struct identity_fields {
    struct bytes spki; /* DER, P-256 or P-384 */
    struct bytes trust_domain;
    struct identity identity;
    enum identity_namespace space;
    uint8_t serial[IDENTITY_SERIAL_SIZE]; /* big-endian; not zero, first bit clear */
    int64_t not_before, not_after;
    struct bytes crl_url;
};

/* Builds the certificate by the profile and signs it with the CA's key (P-256). Writes DER.
 * ERR_INVALID: a field breaks the profile; ERR_CRYPTO. */
MUST_CHECK bool identity_certificate_write(struct writer *w, const struct identity_fields *fields,
                                           struct x509_st *ca, struct evp_pkey_st *ca_key,
                                           struct err *err);

/* What a certificate says, when it keeps to the profile: key usage, names and extension agree.
 * Nothing is said of who signed it or of its dates. Borrows from the arena. */
struct identity_certificate {
    struct identity identity;
    enum identity_namespace space;
    struct bytes name; /* the URI */
    struct bytes trust_domain;
    struct bytes spki;
};

/* ERR_NOT_FOUND: it is no keep's certificate at all; ERR_INVALID: it is one that breaks the
 * profile; ERR_MEMORY. */
MUST_CHECK bool identity_certificate_parse(struct x509_st *certificate, struct arena *arena,
                                           struct identity_certificate *out, struct err *err);
