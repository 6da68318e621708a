/* Modules of the text format made into binaries: WebAssembly Core Specification 2.0, §6, with tail
 * calls, extended constant expressions and multiple memories. What the text says is taken at its
 * word: only what cannot be written down in the binary format is refused, the rest is validation.
 */
#pragma once

#include "sexpr.h"

/* fields: what follows "(module" and its name. The binary is in memory of the arena. */
MUST_CHECK bool assemble(const struct sexpr *fields, struct arena *arena, struct bytes *out,
                         struct text_error *error);
