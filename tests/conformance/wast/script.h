/* Runs a script of the WebAssembly test suite: its commands one after the other, in one store. */
#pragma once

#include "feature.h"
#include "wasm/wasm.h"

/* What became of the assertions of a script. A command that is no assertion counts only when it
 * fails or is not supported. */
struct tally {
    uint32_t passed, failed;
    uint32_t not_supported[FEATURE_COUNT]; /* assertions that need what the engine lacks */
    uint32_t commands_not_supported[FEATURE_COUNT];
    uint32_t superseded[FEATURE_COUNT]; /* assertions of a fault that is none any more */
};

/* Takes a failure, as "LINE: expected …, got …". */
typedef void script_failed(void *context, uint32_t line, const char *text);

/* False when the text cannot be read or the engine cannot be set up; then *error says why, and
 * line 0 means none. Otherwise the script has run to its end. */
MUST_CHECK bool script_run(struct bytes text, enum wasm_bounds bounds, script_failed *failed,
                           void *context, struct tally *out, struct text_error *error);
