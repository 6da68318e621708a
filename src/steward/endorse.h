/* Endorsements that requests lack: from the store, where they were imported or fetched before, else
 * from a service that speaks as AMD's and Intel's do. */
#pragma once

#include "steward/config.h"
#include "steward/store.h"

/* What a file of endorsements is, and until when: for the store. *out borrows from file and arena.
 * ERR_FORMAT: it is none. */
MUST_CHECK bool endorsement_parse(struct bytes file, struct arena *arena, struct endorsement *out,
                                  struct err *err);

/* Fetches what a URL gives, with the issuer's chain that comes in a header, and stores it. ERR_IO
 * and others of http_get; ERR_NOT_FOUND: the service answered with another status; ERR_FORMAT. */
MUST_CHECK bool endorsement_fetch(struct store *store, const char *url, struct bytes ca,
                                  struct arena *arena, struct err *err);

/* Looks for what evidence lacks. From any thread, over one store. */
struct endorser;

MUST_CHECK bool endorser_new(struct store *store, struct endorser **out, struct err *err);
void endorser_free(struct endorser *endorser);
/* Adds to `collateral` what is found; returns whether anything was. */
bool endorser_find(struct endorser *endorser, const struct steward_config *config, int64_t now,
                   enum evidence_kind kind, struct bytes evidence, struct collateral *collateral);
