/* Certificates and revocation lists, as strictly as evidence needs them: OpenSSL reads and
 * computes, the rules are ours. RFC 5280. Private to the room. */
#pragma once

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/base.h"
#include "evidence/crypto.h"
#include "evidence/signature_cache.h"

#define CERTIFICATE_SIZE_MAX 16384u
#define CRL_SIZE_MAX (256u << 10)
#define COMMON_NAME_SIZE 65 /* RFC 5280 ub-common-name, and a NUL */

struct certificate {
    X509 *x509;
    struct bytes der;                      /* borrowed from whoever parsed it */
    uint8_t digest[SIGNATURE_DIGEST_SIZE]; /* of der */
    char name[COMMON_NAME_SIZE];   /* the subject's common name; "" when it has none or several */
    char issuer[COMMON_NAME_SIZE]; /* likewise */
};

struct crl {
    X509_CRL *crl;
    struct bytes der;
    uint8_t digest[SIGNATURE_DIGEST_SIZE];
    char issuer[COMMON_NAME_SIZE];
};

/* The two ways of signing that there are: AMD's RSA-PSS with SHA-384, MGF1 of the same and 48 bytes
 * of salt, and Intel's ECDSA on P-256 with SHA-256. */
enum x509_form { X509_FORM_AMD, X509_FORM_INTEL };

/* Reads exactly one certificate: version 3, DER, nothing behind it, extensions that OpenSSL can
 * parse, none critical but basic constraints and key usage, no constraints on names. ERR_FORMAT,
 * ERR_LIMIT, ERR_CRYPTO. out->der borrows; the caller ends it with certificate_done. */
MUST_CHECK bool certificate_parse(struct bytes der, struct certificate *out, struct err *err);
void certificate_done(struct certificate *certificate);
MUST_CHECK bool crl_parse(struct bytes der, struct crl *out, struct err *err);
void crl_done(struct crl *crl);

/* Whether it is of one who signs things that are no certificates: no CA, a sound key on the curve,
 * its usage not narrowed to something else. */
bool certificate_is_signer(const struct certificate *c, enum crypto_curve curve);
/* Whether it may sign certificates: a CA by its basic constraints and its key usage. */
bool certificate_is_ca(const struct certificate *c);
/* Whether both have the same name and key. */
bool certificate_is_same(const struct certificate *a, const struct certificate *b);
/* Whether the issuer's name is the other's subject, and the key identifiers agree, if there are
 * any. */
bool certificate_is_issued_by(const struct certificate *c, const struct certificate *issuer);
bool crl_is_issued_by(const struct crl *crl, const struct certificate *issuer);

/* Whether the issuer's key signed it, in exactly this form. */
bool certificate_is_signed_by(const struct certificate *c, const struct certificate *issuer,
                              enum x509_form form, struct signature_cache *cache);
bool crl_is_signed_by(const struct crl *crl, const struct certificate *issuer, enum x509_form form,
                      struct signature_cache *cache);

/* The span of validity, both ends included; seconds since 1970. A time that cannot be read, and a
 * list without its next update, are an empty span. */
struct span {
    int64_t from, to;
};
struct span certificate_span(const struct certificate *c);
struct span crl_span(const struct crl *crl);

static inline bool span_has(struct span s, int64_t at)
{
    return at >= s.from && at <= s.to;
}

/* Whether a list has the certificate's serial number. */
bool crl_lists(const struct crl *crl, const struct certificate *c);

/* The content of a certificate's extension by its dotted number; false when there is none, or more
 * than one. */
MUST_CHECK bool certificate_extension(const struct certificate *c, const char *oid,
                                      struct bytes *out);
