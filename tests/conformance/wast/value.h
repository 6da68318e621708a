/* Values in scripts: arguments, and the patterns that results must match. */
#pragma once

#include "sexpr.h"
#include "wasm/wasm.h"

struct value {
    enum wasm_type type;
    union wasm_value is;
};

/* (i32.const 1), (v128.const i8x16 …), (ref.null func), (ref.extern 1), … */
MUST_CHECK bool value_parse(const struct sexpr *e, struct value *out, struct err *err);

/* The same, or (f32.const nan:canonical), (ref.func), (either … …), …; a pattern that cannot be
 * read matches nothing. */
bool value_matches(const struct sexpr *pattern, const struct value *value);

void value_print(const struct value *value, struct writer *out);
