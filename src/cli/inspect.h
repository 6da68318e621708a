/* What `broch inspect` finds out, and shows. Private to broch-registry. */
#pragma once

#include "identity/peer.h"
#include "package/digest.h"

struct stack_st_X509;

#define INSPECT_WHY_MAX                                                      \
    1200 /* bytes of a reason, NUL included; may have a server's words in it \
          */

/* ---- the server ---- */

/* How it took it that we have no certificate. */
enum inspect_reception {
    INSPECT_NOT_ASKED,   /* it asked for none */
    INSPECT_LET_IN,      /* it asked, and did not mind */
    INSPECT_TURNED_AWAY, /* it asked, and ended the connection with `alert` */
    INSPECT_HUNG_UP      /* it asked, and ended the connection without a word */
};

/* What a TLS 1.3 server showed. Its handshake was whole, so the key of the first certificate is its
 * own. */
struct inspect_server {
    struct stack_st_X509 *chain; /* as it was sent, the leaf first; never empty; to be freed */
    char address[80];            /* that answered */
    char cipher[64], group[32];
    enum inspect_reception reception;
    char alert[48]; /* of TURNED_AWAY: "certificate required" */
};

/* Connects, shakes hands as a client without a certificate, and hangs up. Takes at most timeout_ms,
 * and what looking up the name takes. host: as config_host_parse has it. False: *why says why, and
 * what to do. */
MUST_CHECK bool inspect_connect(struct bytes host, uint16_t port, uint64_t timeout_ms,
                                struct inspect_server *out, char why[INSPECT_WHY_MAX]);
void inspect_server_done(struct inspect_server *server);

/* ---- all that was found ---- */

enum inspect_revocation {
    INSPECT_NOT_REVOKED,
    INSPECT_REVOKED,
    INSPECT_REVOCATION_UNKNOWN,  /* the list cannot be had: revocation_why */
    INSPECT_REVOCATION_NOT_ASKED /* nobody's list: the certificate is not trusted anyway */
};

enum inspect_digest {
    INSPECT_SAME,
    INSPECT_DIFFERS,
    INSPECT_NO_TAG,          /* the registry has none of that name, or does not show it */
    INSPECT_DIGEST_UNKNOWN,  /* no answer: registry_why */
    INSPECT_DIGEST_NOT_ASKED /* there is no slug, or no reason to believe it: registry_why */
};

struct inspection {
    const char *target; /* as it was given */
    struct inspect_server server;
    int64_t now; /* seconds since 1970 */

    bool is_keep; /* the leaf keeps to the profile of keeps' certificates */
    struct identity_certificate leaf;
    const char *no_keep; /* not is_keep: why */

    bool is_judged; /* --steward-ca was given */
    struct identity_peer peer;
    bool is_trusted;
    enum inspect_revocation revocation;
    char revocation_why[INSPECT_WHY_MAX];

    enum inspect_digest digest;
    char registry_why[INSPECT_WHY_MAX];
    struct digest served; /* SAME, DIFFERS */
    bool is_yanked;
};

/* Why the exit status is 1; NULL: all that was asked is good. */
const char *inspect_problem(const struct inspection *inspection);
void inspect_write_text(struct writer *w, const struct inspection *inspection);
void inspect_write_json(struct writer *w, const struct inspection *inspection);
