/* The module "spectest", which the scripts of the suite import from. */
#pragma once

#include "wasm/wasm.h"

MUST_CHECK bool spectest_define(struct wasm_store *store, struct wasm_linker *linker,
                                struct err *err);
