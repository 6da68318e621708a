/* The numbers of the text format: WebAssembly Core Specification 2.0, §6.3.1 and §6.3.2. */
#pragma once

#include "base/base.h"

/* A number type, or the shape of a vector of numbers. */
struct number_type {
    const char *name; /* "i32", "i8x16", … */
    unsigned bits;    /* of one number */
    unsigned lanes;   /* 1, or as many as fill 128 bits */
    bool is_float;
};

/* NULL when the name is none. */
const struct number_type *number_type_find(struct bytes name);

/* Writes the bits/8 bytes of one number, little-endian, to out. ERR_FORMAT, it is not a number of
 * that type; ERR_LIMIT, "constant out of range". */
MUST_CHECK bool number_parse(const struct number_type *type, struct bytes text, uint8_t *out,
                             struct err *err);

/* A number without sign, below 2^bits; errors as above. */
MUST_CHECK bool number_unsigned(struct bytes text, unsigned bits, uint64_t *out, struct err *err);
