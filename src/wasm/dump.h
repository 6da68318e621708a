/* Listings of modules, for people. */
#pragma once

#include "wasm/wasm.h"

/* Calls line for each line of the listing: types, imports, functions, tables, memories, globals,
 * exports, segments; with_ir adds each function's code in the internal form, which is translated
 * for it. Lines end with '\n' and are valid during the call. ERR_MEMORY. */
MUST_CHECK bool wasm_dump(struct wasm_module *module, bool with_ir,
                          void (*line)(void *context, struct bytes text), void *context,
                          struct err *err);

/* Writes a name that comes from a module, as it can be shown: what a terminal may obey is a dot. */
void wasm_name_write(struct writer *w, struct bytes name);
