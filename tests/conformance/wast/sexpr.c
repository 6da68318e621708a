/* The tree, made without recursion; an annotation is read like a list and left out. */
#include "sexpr.h"

#include "lexer.h"
#include "base/banned.h"

enum {
    DEPTH_MAX = 10000, /* of lists in lists: what recursion over the tree can bear */
};

/* An open list. */
struct level {
    struct sexpr *list;
    const struct sexpr **end; /* where the next item goes */
    bool is_annotation;
};

static bool parse(struct lexer *l, struct level *levels, struct text_error *error)
{
    struct level *top = levels;
    struct token token;

    for (;;) {
        if (!lexer_next(l, &token, error))
            return false;
        if (token.kind == TOKEN_END && top == levels)
            return true;
        if (token.kind == TOKEN_END || (token.kind == TOKEN_CLOSE && top == levels))
            return text_error_set(error, token.line, 0, "unbalanced parentheses");
        if (token.kind == TOKEN_CLOSE) {
            if (!top->is_annotation) {
                *top[-1].end = top->list;
                top[-1].end = &top->list->next;
            }
            top--;
            continue;
        }
        struct sexpr *e = ARENA_NEW(l->arena, struct sexpr);
        if (e == NULL)
            return text_error_set(error, token.line, 0, "no memory");
        *e = (struct sexpr){.kind = SEXPR_LIST, .line = token.line, .text = token.text};
        if (token.kind == TOKEN_OPEN || token.kind == TOKEN_ANNOTATION) {
            if (top == levels + DEPTH_MAX)
                return text_error_set(error, token.line, 0, "nested too deeply");
            *++top = (struct level){e, &e->first, token.kind == TOKEN_ANNOTATION};
        } else {
            e->kind = token.kind == TOKEN_WORD ? SEXPR_WORD : SEXPR_STRING;
            *top->end = e;
            top->end = &e->next;
        }
    }
}

bool sexpr_parse(struct bytes text, struct arena *arena, const struct sexpr **out,
                 struct text_error *error)
{
    struct level *levels = ARENA_ARRAY(arena, struct level, DEPTH_MAX + 1);
    struct lexer l;

    if (levels == NULL)
        return text_error_set(error, 0, 0, "no memory");
    *out = NULL;
    levels->end = out;
    return lexer_init(&l, text, arena, error) && parse(&l, levels, error);
}

bool sexpr_is_word(const struct sexpr *e, const char *word)
{
    return e != NULL && e->kind == SEXPR_WORD && bytes_is(e->text, word);
}

bool sexpr_is_id(const struct sexpr *e)
{
    return e != NULL && e->kind == SEXPR_WORD && e->text.size > 1 && e->text.data[0] == '$';
}

bool sexpr_is_list(const struct sexpr *e, const char *head)
{
    return e != NULL && e->kind == SEXPR_LIST && sexpr_is_word(e->first, head);
}

bool sexpr_take_word(const struct sexpr **at, const char *word)
{
    if (!sexpr_is_word(*at, word))
        return false;
    *at = (*at)->next;
    return true;
}

bool sexpr_take_string(const struct sexpr **at, struct bytes *out)
{
    if (*at == NULL || (*at)->kind != SEXPR_STRING)
        return false;
    *out = (*at)->text;
    *at = (*at)->next;
    return true;
}

bool sexpr_take_id(const struct sexpr **at, struct bytes *out)
{
    *out = (struct bytes){.data = NULL, .size = 0};
    if (!sexpr_is_id(*at))
        return false;
    *out = (*at)->text;
    *at = (*at)->next;
    return true;
}

bool sexpr_take_list(const struct sexpr **at, const char *head, const struct sexpr **out)
{
    const struct sexpr *list = *at;

    if (!sexpr_is_list(list, head))
        return false;
    *at = list->next;
    *out = list->first->next;
    return true;
}

static void print_string(struct bytes text, struct writer *out)
{
    writer_text(out, "\"");
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            writer_format(out, "\\%02x", c);
        else
            writer_u8(out, c);
    }
    writer_text(out, "\"");
}

void sexpr_print(const struct sexpr *e, struct writer *out)
{
    if (e->kind == SEXPR_STRING) {
        print_string(e->text, out);
    } else if (e->kind == SEXPR_WORD) {
        writer_bytes(out, e->text);
    } else {
        writer_text(out, "(");
        for (const struct sexpr *item = e->first; item != NULL; item = item->next) {
            sexpr_print(item, out);
            writer_text(out, item->next != NULL ? " " : "");
        }
        writer_text(out, ")");
    }
}
