/* What the files that need OpenSSL share: client.c, attest.c, fetch.c, tree.c, self.c. */
#pragma once

#include "https/https.h"
#include "identity/peer.h"
#include "keep/keep.h"
#include "package/config.h"
#include "package/slug.h"

/* ---- client.c: one server, asked by this keep ---- */

#define CLIENT_HOST_MAX 280 /* bytes of HOST:PORT */
#define CLIENT_PATIENCE_MS 30000

struct client {
    struct https_server server;
    struct https_connection *connection;
    struct https_address addresses[HTTPS_ADDRESSES_MAX];
    char host[CLIENT_HOST_MAX];
    const struct tls_roots *roots; /* NULL: Mozilla's */
    bool or_web;                   /* Mozilla's beside them */
    bool is_steward;               /* what it shows says what time it is at least */
    struct deadline deadline;
    const char *refused; /* why its certificate was */
};

/* Resolves HOST[:PORT] (443, or 80 for plain http), and prepares to ask it. own: what it is shown.
 * ERR_NOT_FOUND: the host knows no address; ERR_FORMAT, ERR_MEMORY. Logs nothing. */
MUST_CHECK bool client_open(struct client *client, struct bytes host, bool is_plain,
                            struct tls_context *own, const struct tls_roots *roots,
                            struct err *err);
void client_close(struct client *client);
/* One request, for which the server has `patience_ms`. */
MUST_CHECK bool client_begin(struct client *client, const struct https_request *request,
                             uint64_t patience_ms, struct err *err);
/* As https_advance; ERR_TIMEOUT when patience ends. */
enum https_state client_advance(struct client *client, struct https_answer *answer,
                                struct err *err);
/* All of it, waiting. */
MUST_CHECK bool client_ask(struct client *client, const struct https_request *request,
                           uint64_t patience_ms, struct https_answer *answer, struct err *err);
/* What is known of the last failure beside *err, for a log line. */
const char *client_detail(const struct client *client);

/* Splits https://HOST[:PORT][/PATH]; path is "" or begins with '/'. */
MUST_CHECK bool client_url_parse(struct bytes url, struct bytes *host, struct bytes *path,
                                 struct err *err);

/* ---- attest.c: a certificate from a Steward ---- */

struct steward {
    struct bytes url, host;        /* https://HOST[:PORT], and HOST[:PORT] */
    const struct tls_roots *roots; /* NULL: its server is judged by Mozilla's */
    struct identity_trust *issuer; /* whom its chain must end in; empty: in what it shows itself,
                                      since its server was believed */
};

enum attest_step { ATTEST_NONCE, ATTEST_CERTIFICATE, ATTEST_DONE };

struct attestation {
    enum attest_step step;
    const struct steward *steward;
    const struct identity_claims *claims;
    struct client client;
    struct arena arena;         /* wiped */
    struct tls_context *nobody; /* what the Steward is shown */
    struct evp_pkey_st *key;
    struct bytes spki;
    /* when it is done */
    struct bytes chain; /* PEM; the arena's */
    struct identity_peer issued;
};

/* Begins; steward and claims must outlive it. Then attestation_done, whatever happens; of zeros it
 * is nothing. What fails is logged, but for an error of struct err, which is the caller's to log.
 */
MUST_CHECK bool attestation_begin(struct attestation *a, const struct steward *steward,
                                  const struct identity_claims *claims, struct err *err);
enum https_state attestation_advance(struct attestation *a, struct err *err);
MUST_CHECK bool attestation_run(struct attestation *a, struct err *err);
void attestation_done(struct attestation *a);
/* The last certificate of a PEM text; empty when there is none. */
struct bytes pem_last(struct bytes pem);

/* ---- fetch.c ---- */

struct fetch {
    struct slug slug;
    struct bytes name; /* canonical */
    bool is_plain;
    struct digest pin; /* size 0: none */
    const struct tls_roots *roots;
    struct tls_context *own; /* shown to the registry */
    struct arena *arena;     /* what is fetched */
    struct package *package;
    bool is_denied; /* the registry wants to know who asks (401, 403) */
};

/* Reads [https://|http://]HOST/USER/REPO:TAG[@DIGEST]. ERR_FORMAT, ERR_POLICY: plain http without a
 * digest. */
MUST_CHECK bool fetch_parse(struct bytes text, struct arena *arena, struct fetch *out,
                            struct err *err);
/* Fetches all of it. Logs why it fails, unless is_denied. */
MUST_CHECK bool fetch_run(struct fetch *fetch);

/* ---- tree.c ---- */

/* The digest of the tree that the files make, as a registry would have it. ERR_INVALID: a path that
 * no tree has, or one twice. */
MUST_CHECK bool tree_digest(const struct package *package, uint8_t out[32], struct err *err);
