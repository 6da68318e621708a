/* The text format as a tree: lists, words and strings. */
#pragma once

#include "base/base.h"

enum sexpr_kind { SEXPR_LIST, SEXPR_WORD, SEXPR_STRING };

struct sexpr {
    enum sexpr_kind kind;
    uint32_t line;
    struct bytes text;         /* of a word or string */
    const struct sexpr *first; /* of a list */
    const struct sexpr *next;  /* after this one in its list */
};

/* *out is the first of what the text holds, NULL when it holds nothing. It borrows from the text
 * and the arena. */
MUST_CHECK bool sexpr_parse(struct bytes text, struct arena *arena, const struct sexpr **out,
                            struct text_error *error);

/* These take NULL, which is nothing. */
bool sexpr_is_word(const struct sexpr *e, const char *word);
bool sexpr_is_id(const struct sexpr *e);                     /* $name */
bool sexpr_is_list(const struct sexpr *e, const char *head); /* (head …) */

/* Takes what stands at *at, when it is such a thing, and moves *at past it. */
bool sexpr_take_word(const struct sexpr **at, const char *word);
bool sexpr_take_string(const struct sexpr **at, struct bytes *out);
bool sexpr_take_id(const struct sexpr **at, struct bytes *out); /* else *out is empty */
/* *out is what follows the head; it may be *at itself. */
bool sexpr_take_list(const struct sexpr **at, const char *head, const struct sexpr **out);

/* Writes it as text on one line. */
void sexpr_print(const struct sexpr *e, struct writer *out);
