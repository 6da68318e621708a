/* What a Steward remembers, in SQLite: certificates that it issued, revocations, endorsements. The
 * audit log is the truth about certificates; the store is how they are found again, and is brought
 * up to the log when the Steward starts. Several processes may have it open.
 *
 * Every function: ERR_IO (also: locked by another for two seconds), ERR_MEMORY. From any thread. */
#pragma once

#include "identity/identity.h"

struct store;

/* Opens or makes FOLDER/steward.db. When root opens a folder of another user's, it does as that
 * user would, so that the files are theirs. */
MUST_CHECK bool store_open(const char *folder, struct store **out, struct err *err);
void store_close(struct store *store);

/* A number that rises whenever somebody revokes or adds an endorsement. */
MUST_CHECK bool store_version(struct store *store, uint64_t *out, struct err *err);

/* ---- certificates ---- */

struct store_certificate {
    uint8_t serial[IDENTITY_SERIAL_SIZE];
    int64_t not_after;
    struct bytes measurement, chip, slug; /* the latter two may be empty */
    bool is_simulated;
};

/* One that is there already is no error. */
MUST_CHECK bool store_add_certificate(struct store *store, const struct store_certificate *c,
                                      struct err *err);
/* Reads the audit log from where it was read last, and adds what is missing. is_simulated says
 * which of the two logs it is. ERR_FORMAT, ERR_INVALID: the log is broken; *line says where. */
MUST_CHECK bool store_catch_up(struct store *store, const char *audit, bool is_simulated,
                               uint64_t *line, struct err *err);
/* Forgets certificates that expired before `now`. */
MUST_CHECK bool store_prune(struct store *store, int64_t now, struct err *err);

/* ---- revocations ---- */

enum revocation_kind {
    REVOCATION_SERIAL,
    REVOCATION_MEASUREMENT,
    REVOCATION_CHIP,
    REVOCATION_SLUG, /* host/user/repo:tag, or host/user/repo for all its tags */
    REVOCATION_KINDS
};

/* "serial", "measurement", "chip", "slug". */
extern const char *const revocation_kind_names[REVOCATION_KINDS];

struct revocation {
    enum revocation_kind kind;
    struct bytes value; /* bytes; of a slug: its canonical text */
    struct bytes reason;
    int64_t at;
};

MUST_CHECK bool store_revoke(struct store *store, const struct revocation *revocation,
                             struct err *err);
/* In the arena, oldest first. */
MUST_CHECK bool store_revocations(struct store *store, struct arena *arena,
                                  const struct revocation **out, size_t *count, struct err *err);

/* A certificate that a revocation names and that has not expired. */
struct revoked_certificate {
    uint8_t serial[IDENTITY_SERIAL_SIZE];
    int64_t at;
};
MUST_CHECK bool store_revoked(struct store *store, int64_t now, bool is_simulated,
                              struct arena *arena, const struct revoked_certificate **out,
                              size_t *count, struct err *err);

/* ---- endorsements ---- */

struct endorsement {
    struct bytes kind, subject; /* words of evidence_facts */
    struct bytes url;           /* where it came from, or empty: it was imported */
    int64_t expires;            /* INT64_MAX: never */
    struct bytes chip;          /* of a VCEK: so it is found; else empty */
    struct bytes content;       /* as collateral_add takes it */
};

/* Adds it, in place of the same content or of what the same URL gave before. */
MUST_CHECK bool store_add_endorsement(struct store *store, const struct endorsement *e,
                                      struct err *err);
/* In the arena: those that belong to a chip, or to none when chip is empty; `all`: every one. */
MUST_CHECK bool store_endorsements(struct store *store, struct bytes chip, bool all,
                                   struct arena *arena, const struct endorsement **out,
                                   size_t *count, struct err *err);
/* Whether what a URL gave is there and expires after `now`. */
MUST_CHECK bool store_has_endorsement(struct store *store, struct bytes url, int64_t now, bool *has,
                                      struct err *err);
