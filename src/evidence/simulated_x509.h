/* What the endorsements of both makers are made of: keys, certificates, revocation lists, PEM. They
 * are written here byte by byte and read by OpenSSL everywhere else, so that neither believes its
 * own mistakes. Private to the builders of simulated endorsements.
 *
 * Errors are those of simulated.h. */
#pragma once

#include "evidence/crypto.h"
#include "evidence/simulated.h"

/* A bound for anything made here: the largest is a chain of three certificates in PEM. */
#define SIMULATED_SIZE_MAX ((size_t)64 << 10)

/* Whose habits a certificate has: the order in its names, and how it is signed (AMD: RSA of 4096
 * bits, PSS with SHA-384 and 48 bytes of salt; Intel: ECDSA on P-256 with SHA-256). */
enum simulated_maker { SIMULATED_AMD, SIMULATED_INTEL };

/* A key and the certificate about it, in DER. */
struct simulated_party {
    EVP_PKEY *key;
    struct bytes certificate;
};

#define DER_IA5_STRING 0x16

#define SIMULATED_KEY_ID_SIZE 20

/* SHA-1 over the key's bits: RFC 5280 §4.2.1.2 (1). */
MUST_CHECK bool simulated_key_id(EVP_PKEY *key, uint8_t id[SIMULATED_KEY_ID_SIZE], struct err *err);

/* Forgets OpenSSL's errors and sets ERR_CRYPTO. */
bool simulated_fail(struct err *err, const char *msg);

/* ---- extensions: each writes one, for struct certificate_form ---- */

void simulated_extension(struct writer *w, struct bytes oid, bool is_critical, struct bytes value);

/* Each by its bits that are not used, then its bits. */
#define SIMULATED_USE_SIGN_AND_COMMIT 6, 0xc0 /* digital signature, non-repudiation */
#define SIMULATED_USE_CERTIFICATES_AND_CRLS 1, 0x06
/* DER (X.690 §11.2.2) would count two; AMD counts one. */
#define SIMULATED_USE_CERTIFICATES 1, 0x04
void simulated_key_usage(struct writer *w, uint8_t unused, uint8_t bits);
void simulated_subject_key(struct writer *w, const uint8_t id[SIMULATED_KEY_ID_SIZE]);
void simulated_authority_key(struct writer *w, const uint8_t id[SIMULATED_KEY_ID_SIZE]);
void simulated_end_entity(struct writer *w);
/* depth: how many CAs may follow; -1: not said */
void simulated_authority(struct writer *w, int depth);
void simulated_crl_point(struct writer *w, const char *url);
void simulated_crl_number(struct writer *w, uint64_t number);

/* ---- certificates and lists ---- */

struct certificate_form {
    enum simulated_maker maker;
    struct bytes serial;          /* positive, big-endian; empty: zero */
    const char *issuer, *subject; /* common names */
    struct simulated_dates dates;
    EVP_PKEY *key;           /* of the subject */
    struct bytes extensions; /* one after the other */
};

MUST_CHECK bool simulated_certificate(const struct certificate_form *form, EVP_PKEY *signer,
                                      struct writer *w, struct err *err);

struct crl_form {
    enum simulated_maker maker;
    const char *issuer;
    struct simulated_dates dates; /* this update and the next one */
    const struct bytes *revoked;  /* the one serial that it lists; NULL: none */
    struct bytes extensions;
};

MUST_CHECK bool simulated_crl(const struct crl_form *form, EVP_PKEY *signer, struct writer *w,
                              struct err *err);

/* Whether a party's certificate is one that simulated_certificate may have made for its key, this
 * subject and this signer, to the last byte of its signature, and the key is whole. */
bool simulated_party_fits(const struct simulated_party *party, enum simulated_maker maker,
                          const char *subject, EVP_PKEY *signer);

/* ---- PEM ---- */

#define SIMULATED_CERTIFICATE "CERTIFICATE"

/* One block: RFC 7468 §2, in the strict form of its §3 figure 3. */
void simulated_pem(struct writer *w, const char *label, struct bytes der);

/* Certificates and keys of all parties, each certificate before its key. Secret. */
MUST_CHECK bool simulated_parties_write(const struct simulated_party *parties, size_t count,
                                        struct writer *w, struct err *err);
/* Reads what simulated_parties_write writes, to the letter, for `count` parties: ERR_FORMAT.
 * Certificates go to the arena, keys to the caller, who frees those that are not NULL, also on
 * failure. */
MUST_CHECK bool simulated_parties_parse(struct bytes pem, struct arena *arena,
                                        struct simulated_party *parties, size_t count,
                                        struct err *err);
