/* Values and patterns. A scalar is treated as a vector of one lane. */
#include "value.h"

#include <inttypes.h>

#include "number.h"
#include "base/banned.h"

/* Splits (i32.const 1) or (v128.const i32x4 1 2 3 4) into the type of its numbers, the type of the
 * whole, and the first number; false when it is neither. */
static bool split_const(const struct sexpr *e, const struct number_type **number,
                        enum wasm_type *type, const struct sexpr **first)
{
    static const struct {
        const char *head, *number;
        enum wasm_type type;
    } scalars[] = {{"i32.const", "i32", WASM_I32},
                   {"i64.const", "i64", WASM_I64},
                   {"f32.const", "f32", WASM_F32},
                   {"f64.const", "f64", WASM_F64}};

    for (size_t i = 0; i < COUNT_OF(scalars); i++) {
        if (sexpr_take_list(&e, scalars[i].head, first)) {
            *type = scalars[i].type;
            *number = number_type_find(bytes_of(scalars[i].number));
            return true;
        }
    }
    if (!sexpr_take_list(&e, "v128.const", first) || *first == NULL)
        return false;
    *type = WASM_V128;
    *number = number_type_find((*first)->text);
    *first = (*first)->next;
    return *number != NULL;
}

/* An external reference of the script, which is a number: NULL is none of them. */
static void *extern_ref(uint64_t number)
{
    return (void *)(uintptr_t)(number + 1);
}

static bool parse_ref(const struct sexpr *e, struct value *out, struct err *err)
{
    const struct sexpr *rest = NULL;
    uint64_t number;

    if (sexpr_take_list(&e, "ref.null", &rest)) {
        out->type = sexpr_is_word(rest, "extern") ? WASM_EXTERNREF : WASM_FUNCREF;
        return true;
    }
    if ((!sexpr_take_list(&e, "ref.extern", &rest) && !sexpr_take_list(&e, "ref.host", &rest)) ||
        rest == NULL)
        return err_set(err, ERR_FORMAT, "not a value", ERR_NO_AT);
    if (!number_unsigned(rest->text, 32, &number, err))
        return false;
    out->type = WASM_EXTERNREF;
    out->is.externref = extern_ref(number);
    return true;
}

bool value_parse(const struct sexpr *e, struct value *out, struct err *err)
{
    const struct number_type *number;
    const struct sexpr *at;
    uint8_t *lane = out->is.v128;

    *out = (struct value){0};
    if (!split_const(e, &number, &out->type, &at))
        return parse_ref(e, out, err);
    for (unsigned i = 0; i < number->lanes; i++, at = at->next, lane += number->bits / 8) {
        if (at == NULL)
            return err_set(err, ERR_FORMAT, "a number is missing", ERR_NO_AT);
        if (!number_parse(number, at->text, lane, err))
            return false;
    }
    return at == NULL || err_set(err, ERR_FORMAT, "too many numbers", ERR_NO_AT);
}

/* Whether a float is a NaN of the kind: canonical ones have only the top bit of their payload,
 * arithmetic ones have at least it. §6.3.2 of the core specification, and its §4.3.3. */
static bool is_nan(const uint8_t *bits, unsigned size, bool is_canonical)
{
    unsigned fraction = size == 32 ? 23 : 52;
    uint64_t sign = UINT64_C(1) << (size - 1);
    uint64_t canonical = (sign - 1) & ~((UINT64_C(1) << (fraction - 1)) - 1);
    uint64_t value = 0;

    memcpy(&value, bits, size / 8);
    value &= ~sign;
    return is_canonical ? value == canonical : (value & canonical) == canonical;
}

static bool lane_matches(const struct number_type *number, struct bytes pattern,
                         const uint8_t *lane)
{
    uint8_t expected[8];
    struct err err;

    if (number->is_float && bytes_is(pattern, "nan:canonical"))
        return is_nan(lane, number->bits, true);
    if (number->is_float && bytes_is(pattern, "nan:arithmetic"))
        return is_nan(lane, number->bits, false);
    return number_parse(number, pattern, expected, &err) &&
           memcmp(expected, lane, number->bits / 8) == 0;
}

static bool either_matches(const struct sexpr *patterns, const struct value *value)
{
    while (patterns != NULL && !value_matches(patterns, value))
        patterns = patterns->next;
    return patterns != NULL;
}

bool value_matches(const struct sexpr *pattern, const struct value *value)
{
    const struct number_type *number;
    const struct sexpr *at = pattern;
    enum wasm_type type;
    struct value expected;
    struct err err;
    const uint8_t *lane = value->is.v128;

    if (sexpr_take_list(&at, "either", &at))
        return either_matches(at, value);
    if (!split_const(pattern, &number, &type, &at)) {
        /* Without an argument, any reference of the kind that is not null; any null. */
        if (sexpr_is_list(pattern, "ref.func"))
            return value->type == WASM_FUNCREF && value->is.funcref != NULL;
        if (sexpr_is_list(pattern, "ref.extern") && pattern->first->next == NULL)
            return value->type == WASM_EXTERNREF && value->is.externref != NULL;
        if (sexpr_is_list(pattern, "ref.null") && pattern->first->next == NULL)
            return (value->type == WASM_FUNCREF || value->type == WASM_EXTERNREF) &&
                   value->is.externref == NULL;
        return value_parse(pattern, &expected, &err) && expected.type == value->type &&
               expected.is.externref == value->is.externref;
    }
    if (type != value->type)
        return false;
    for (unsigned i = 0; i < number->lanes; i++, at = at->next, lane += number->bits / 8)
        if (at == NULL || !lane_matches(number, at->text, lane))
            return false;
    return at == NULL;
}

void value_print(const struct value *value, struct writer *out)
{
    writer_format(out, "(%s ", wasm_type_name(value->type));
    switch (value->type) {
    case WASM_I32:
    case WASM_F32:
        writer_format(out, "0x%" PRIx32, value->is.i32);
        break;
    case WASM_I64:
    case WASM_F64:
        writer_format(out, "0x%" PRIx64, value->is.i64);
        break;
    case WASM_V128:
        for (size_t i = 0; i < 16; i++)
            writer_format(out, "%02x", value->is.v128[i]);
        break;
    default:
        if (value->is.externref == NULL)
            writer_text(out, "null");
        else if (value->type == WASM_FUNCREF)
            writer_text(out, "a function");
        else
            writer_format(out, "%" PRIuPTR, (uintptr_t)value->is.externref - 1);
        break;
    }
    writer_text(out, ")");
}
