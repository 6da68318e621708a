/* Keys and certificates of a new server: a root of its own, what is under it, and the files that
 * they lie in (RFC 5280). For the commands that set servers up. */
#pragma once

#include <sys/types.h>

#include "base/base.h"

struct evp_pkey_st;
struct x509_st;

struct pki_authority {
    struct evp_pkey_st *key;
    struct x509_st *certificate;
};
void pki_authority_done(struct pki_authority *authority);

struct pki_profile {
    const char *name; /* common name */
    int64_t days;
    const char *constraints, *usage; /* as openssl.cnf has them */
    const char *names;               /* of a server; NULL: none */
};

/* A key on the curve (P-256, P-384) and its certificate, valid from five minutes ago; by itself
 * when issuer is NULL. ERR_CRYPTO. *out is to be given back in either case. */
MUST_CHECK bool pki_make(const char *curve, const struct pki_profile *profile,
                         const struct pki_authority *issuer, struct pki_authority *out,
                         struct err *err);

/* Splits "HOST[:PORT]"; without a port 8443. ERR_FORMAT. */
MUST_CHECK bool pki_split_host(const char *text, char host[256], unsigned *port, struct err *err);
/* Makes server-key.pem and server.pem for a host's name or address, by the root. ERR_CRYPTO,
 * ERR_IO, ERR_INVALID: they are there. */
MUST_CHECK bool pki_make_server(const char *folder, const char *host,
                                const struct pki_authority *root, struct err *err);

/* Makes the folder; refuses one that has the configuration. ERR_INVALID, ERR_IO, ERR_LIMIT. */
MUST_CHECK bool pki_make_folder(const char *folder, const char *config, struct err *err);
/* A new file in the folder, synced. ERR_INVALID: it is there; ERR_IO. */
MUST_CHECK bool pki_write_file(const char *folder, const char *name, mode_t mode,
                               struct bytes content, struct err *err);
/* In PEM, mode 0600. */
MUST_CHECK bool pki_write_key(const char *folder, const char *name, struct evp_pkey_st *key,
                              struct err *err);
/* A certificate, and its issuer's behind it (NULL: none). */
MUST_CHECK bool pki_write_chain(const char *folder, const char *name, struct x509_st *certificate,
                                struct x509_st *issuer, struct err *err);
