/* An error: what a caller may act on, and a message that cannot leak.
 *
 * The text is a literal, so it needs no heap, works in a shim and cannot print a secret. A function
 * whose last parameter is `struct err *` can fail; it returns bool and is marked MUST_CHECK. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum err_code {
    ERR_NONE,
    ERR_FORMAT,      /* bytes are not of the form they should have */
    ERR_INVALID,     /* well-formed, and breaks a rule of its language */
    ERR_LIMIT,       /* well-formed, and larger than we take */
    ERR_MEMORY,      /* no memory */
    ERR_UNSUPPORTED, /* a feature that is absent, named by msg */
    ERR_POLICY,      /* understood and refused */
    ERR_CRYPTO,      /* a signature, digest or key does not fit */
    ERR_IO,          /* the operating system said no; `at` is errno */
    ERR_TIMEOUT,
    ERR_NOT_FOUND,
    ERR_CODE_COUNT
};

struct err {
    enum err_code code;
    const char *msg; /* a literal; ends so that `at` can follow: "claim ends early, at offset" */
    uint64_t at;     /* the offset, size or errno that msg speaks of; else ERR_NO_AT */
};

/* `at` of a message that needs no number. */
#define ERR_NO_AT UINT64_MAX

/* Fills *err and returns false, so that a check reads `return err_set(…)`. */
static inline bool err_set(struct err *err, enum err_code code, const char *msg, uint64_t at)
{
    *err = (struct err){.code = code, .msg = msg, .at = at};
    return false;
}

/* The code's name for logs and JSON ("format", "limit", …); never NULL. */
const char *err_code_name(enum err_code code);

/* Enough for any message of ours and a number. */
#define ERR_TEXT_SIZE 200

/* Writes "msg N", "msg" without a number, or "msg: strerror" for ERR_IO, to text, cut to
 * ERR_TEXT_SIZE. Returns text. strerror is passed in (NULL prints the number), since base does not
 * know the system. */
const char *err_text(const struct err *err, const char *(*strerror_fn)(int),
                     char text[ERR_TEXT_SIZE]);

/* What a parser of text that people write says: where, and in words. Lines and columns count from
 * one, columns in bytes. text always ends with a NUL. */
struct text_error {
    uint32_t line;
    uint32_t column;
    char text[160];
};

/* Fills *error and returns false. Text that does not fit is cut. */
bool text_error_set(struct text_error *error, uint32_t line, uint32_t column, const char *format,
                    ...) PRINTF_LIKE(4, 5);

/* The word of `words` nearest to `word` (Damerau's optimal string alignment distance), for "did you
 * mean"; NULL when none is near: more than a third of the longer word's letters differ. Words over
 * 64 bytes are never near. */
const char *nearest_word(const char *word, size_t word_size, const char *const *words,
                         size_t count);
