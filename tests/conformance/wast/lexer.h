/* The tokens of WebAssembly's text format: WebAssembly Core Specification 2.0, §6.3. */
#pragma once

#include "base/base.h"

enum token_kind {
    TOKEN_END,
    TOKEN_OPEN,       /* ( */
    TOKEN_CLOSE,      /* ) */
    TOKEN_ANNOTATION, /* (@name, which opens like a parenthesis */
    TOKEN_WORD,       /* a keyword, an identifier or a number, as written */
    TOKEN_STRING      /* without its quotes, escapes resolved: any bytes */
};

struct token {
    enum token_kind kind;
    uint32_t line;
    struct bytes text; /* of words and strings; borrowed from the input or the arena */
};

struct lexer {
    struct reader in;
    uint32_t line;
    struct arena *arena;
};

/* The text must be UTF-8, and live as long as the tokens. */
MUST_CHECK bool lexer_init(struct lexer *l, struct bytes text, struct arena *arena,
                           struct text_error *error);

MUST_CHECK bool lexer_next(struct lexer *l, struct token *out, struct text_error *error);
