/* The process that has a CA's key. It is handed fields, never a certificate: it builds the
 * certificate by the one profile (identity.h), writes the line of the audit log, and answers when
 * that line is on the disk. It refuses what its CA does not certify, whoever asks.
 *
 * The two ends of a stream socket: signer_main is the process, struct signer the side that asks. */
#pragma once

#include "identity/identity.h"

#define SIGNER_BACKDATE_S INT64_C(300)
/* How far the notBefore that is asked for may be from the signer's own clock. */
#define SIGNER_SKEW_S INT64_C(60)
#define SIGNER_MESSAGE_MAX ((size_t)32 << 20)

struct signer_options {
    int channel;              /* a stream socket */
    const char *audit;        /* the log's file */
    const char *certificate;  /* the CA's, PEM; what follows it there is its issuers' */
    const char *key;          /* P-256, PEM */
    const char *trust_domain; /* of all that it certifies */
    const char *crl_url;
    int64_t lifetime_max_s;
    bool is_simulation; /* certifies simulated identities, and nothing else */
};

/* Opens key and log, shuts itself in, says "ready" on the channel and answers until its other end
 * closes. Returns an exit status, having logged why. */
int signer_main(const struct signer_options *options);

/* ---- asking ---- */

struct signer;

/* What of a decision stands in the audit log beside the certificate's fields. */
struct signer_note {
    struct bytes client;   /* address */
    struct bytes chip;     /* of the platform; may be empty */
    const char *interface; /* a literal: "attest", "enarx" */
};

struct signer_refusal {
    struct signer_note note;
    const char *code;                /* of refusals.def */
    const char *check;               /* the check of the evidence that refused, or "" */
    struct bytes detail;             /* why, in words that a client may have made up */
    const struct identity *identity; /* what was asked for, as far as it is known; NULL: nothing */
    struct bytes spki;               /* or empty */
};

struct signer_revocation {
    uint8_t serial[IDENTITY_SERIAL_SIZE];
    int64_t at;
};

/* Takes over the socket and waits until the process is ready. ERR_IO: it ended. */
MUST_CHECK bool signer_new(int channel, struct signer **out, struct err *err);
/* Closes the socket, upon which the process ends. NULL is nothing. */
void signer_free(struct signer *signer);

/* Whether its process has not ended. From any thread. */
bool signer_is_alive(struct signer *signer);

/* From any thread, several at a time. Each waits until the line about it is in the audit log.
 * ERR_POLICY: the process refused (err->msg says what); ERR_IO: the log cannot be written, or the
 * process is gone; ERR_CRYPTO. *der is in the arena. */
MUST_CHECK bool signer_issue(struct signer *signer, const struct identity_fields *fields,
                             const struct signer_note *note, struct arena *arena, struct bytes *der,
                             struct err *err);
MUST_CHECK bool signer_refuse(struct signer *signer, const struct signer_refusal *refusal,
                              struct err *err);
MUST_CHECK bool signer_crl(struct signer *signer, const struct signer_revocation *revoked,
                           size_t count, int64_t next_update, struct arena *arena,
                           struct bytes *der, struct err *err);
/* A line about anything else that an auditor wants to know: "policy". */
MUST_CHECK bool signer_event(struct signer *signer, const char *event, struct bytes detail,
                             struct err *err);
