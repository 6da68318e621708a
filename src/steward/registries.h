/* The Steward's own look at registries: whether a slug's tag names the digest that is claimed
 * (DESIGN.md §3, "Slugs are proved"). Only hosts that the configuration lists are ever asked. */
#pragma once

#include "steward/config.h"

struct registries;

/* ERR_MEMORY. */
MUST_CHECK bool registries_new(struct registries **out, struct err *err);
void registries_free(struct registries *registries);
/* Forgets which tags it has read. */
void registries_forget(struct registries *registries);

/* Whether the tag of a slug in canonical form names the digest (SHA-256, 32 bytes). Waits for a
 * registry for no longer than four seconds; tags that were read are remembered, as they cannot
 * change. false: *why says it in words, in the arena or a literal. From any thread. */
bool registries_prove(struct registries *registries, const struct steward_config *config,
                      struct bytes slug, const uint8_t digest[32], struct arena *arena,
                      const char **why);
