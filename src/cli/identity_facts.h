/* What certificates and requests of keeps say, beside what every certificate says. */
#pragma once

#include "evidence/evidence.h"

/* The identity in a keep's certificate, or the claims in a keep's request, in DER or PEM. False
 * when the file is neither. A certificate that breaks the profile has one fact, `invalid`. Texts
 * are in the arena. */
bool cli_identity_facts(struct bytes file, struct arena *arena, struct fact_item *out);

/* Puts what the evidence in a keep's request must be about into `out`, which stays as it is when
 * the file is no request, or one of Enarx's. A request that cannot be read is an error, since then
 * nothing says what it binds. */
MUST_CHECK bool cli_request_binding(struct bytes file, struct arena *arena, uint8_t out[64],
                                    struct err *err);
