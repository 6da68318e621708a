/* What the files of the TOML parser share. Private to base/toml*.c. */
#pragma once

#include "base/toml.h"

enum toml_table_origin {
    TOML_IMPLICIT, /* named on the way to another: [a.b] makes a */
    TOML_DOTTED,   /* made or extended by a dotted key */
    TOML_EXPLICIT, /* by its own header, or an element of an array of tables, or the root */
    TOML_INLINE    /* { … }: closed for good */
};

struct toml_table {
    struct toml_entry *first, *last;
    struct toml_entry **buckets; /* NULL: `only` is the one bucket */
    struct toml_entry *only;
    uint32_t count;
    uint32_t bucket_count; /* a power of two, when there are buckets */
    enum toml_table_origin origin;
    uint32_t section; /* of a dotted one: the section that may extend it */
};

struct toml_chunk {
    struct toml_chunk *next;
    uint32_t count, capacity;
    struct toml_value values[];
};

struct toml_array {
    struct toml_chunk *first, *last;
    uint32_t count;
    bool of_tables; /* [[…]]: may grow by further headers */
};

/* The parser. Everything fails by toml_fail, or toml_no_memory, and returns false at once. */
struct toml_parser {
    struct bytes text;
    size_t at;
    struct arena *arena;
    struct text_error *error;
    unsigned depth;
    uint32_t section;      /* counts headers and inline tables */
    uint32_t section_last; /* the highest number given */
};

/* The byte at the parser's place; 0 at the end (a NUL in the text is refused wherever it stands).
 */
static inline uint8_t toml_peek(const struct toml_parser *p)
{
    return p->at < p->text.size ? p->text.data[p->at] : 0;
}

static inline uint8_t toml_peek_at(const struct toml_parser *p, size_t ahead)
{
    return ahead < p->text.size - p->at ? p->text.data[p->at + ahead] : 0;
}

/* Says what is wrong at offset `at`. Returns false. */
bool toml_fail(struct toml_parser *p, size_t at, const char *format, ...) PRINTF_LIKE(3, 4);
bool toml_no_memory(struct toml_parser *p);

/* What stands at offset `at`, for messages: "'x'", "end of line", "byte 0x07", … */
struct toml_shown {
    char text[16];
};
struct toml_shown toml_show(const struct toml_parser *p, size_t at);

/* toml_text.c: strings. The place is at the opening quote; after success, behind the closing one.
 */
bool toml_parse_string(struct toml_parser *p, bool multiline_allowed, struct bytes *out);

/* toml_number.c: numbers, dates and times, inf and nan. */
bool toml_parse_number(struct toml_parser *p, struct toml_value *out);

/* toml_tree.c: the entry of a key, or NULL; a new entry for a key that is not there (value all
 * zero), NULL without memory; a further item. */
struct toml_entry *toml_find(const struct toml_table *t, struct bytes key);
struct toml_entry *toml_insert(struct toml_table *t, struct bytes key, uint32_t key_at,
                               struct arena *arena);
struct toml_value *toml_append(struct toml_array *a, struct arena *arena);
