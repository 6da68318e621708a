/* TOML 1.0.0 (https://toml.io/en/v1.0.0): text to a tree in the caller's arena.
 *
 * Time and memory are linear in the size of the text, whatever it contains: keys are found by their
 * bits (toml_tree.c), not by an order or a hash that the text's author could spoil. Strings without
 * escapes are borrowed from the text, which must live as long as the tree. The tree is read only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"

/* Larger than any configuration that people write; offsets fit 32 bits, sizes 28. */
#define TOML_SIZE_MAX (64u << 20)
/* Arrays and inline tables in each other, and parts of a dotted key: bounds the parser's stack. */
#define TOML_DEPTH_MAX 64
/* Characters of one number or time: no value needs more, and it bounds a buffer. */
#define TOML_NUMBER_MAX 400

enum toml_type {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOLEAN,
    TOML_OFFSET_DATETIME,
    TOML_LOCAL_DATETIME,
    TOML_LOCAL_DATE,
    TOML_LOCAL_TIME,
    TOML_ARRAY,
    TOML_TABLE
};

/* The fields that a type does not have are zero. second may be 60 (a leap second). */
struct toml_datetime {
    uint16_t year;
    uint8_t month, day, hour, minute, second;
    int16_t offset_minutes; /* from UTC */
    uint32_t nanosecond;    /* further digits are cut */
};

struct toml_array;
struct toml_table;

struct toml_value {
    uint32_t type : 4;  /* enum toml_type */
    uint32_t size : 28; /* of a string, in bytes */
    uint32_t at; /* offset of the value in the text; of a table made by a header, the header */
    union {
        const uint8_t *string;
        int64_t integer;
        double floating;
        bool boolean;
        const struct toml_datetime *datetime;
        struct toml_array *array;
        struct toml_table *table;
    } of;
};

/* One key of a table. `next` leads on in the order of the text. */
struct toml_entry {
    const uint8_t *key;
    uint32_t key_size;
    uint32_t key_at; /* offset of the key in the text */
    struct toml_value value;
    struct toml_entry *next;
    /* Only for toml_tree.c: the entry as a node of its table's tree. */
    struct toml_entry *child[2];
    uint32_t bit, hash;
};
_Static_assert(sizeof(struct toml_entry) == 64, "an entry is one cache line");

/* Parses the whole text. *root is a table in the arena; what was taken before a failure stays in
 * the arena until its end. On failure *error says where and in words; no memory and text too large
 * are failures too. */
MUST_CHECK bool toml_parse(struct bytes text, struct arena *arena, const struct toml_value **root,
                           struct text_error *error);

/* The name of a value's type for messages, with its article: "a string", "an offset date-time". */
const char *toml_type_name(const struct toml_value *value);

/* A key or string as messages show it: between single quotes, cut after 40 bytes, control
 * characters as '.'. */
struct toml_text {
    char text[48];
};
struct toml_text toml_show_text(struct bytes text);

/* The value of a key; NULL when `table` is not a table or has no such key. */
const struct toml_value *toml_get(const struct toml_value *table, const char *key);

/* The first entry of a table; NULL when it is empty or is not a table. Then entry->next. */
const struct toml_entry *toml_entries(const struct toml_value *table);

/* How many entries or items a table or array has; 0 for other types. */
size_t toml_count(const struct toml_value *value);

static inline struct bytes toml_key(const struct toml_entry *entry)
{
    return (struct bytes){.data = entry->key, .size = entry->key_size};
}

/* The bytes of a string value; nothing for other types. They are UTF-8 and may contain NULs. */
static inline struct bytes toml_string(const struct toml_value *value)
{
    if (value->type != TOML_STRING)
        return (struct bytes){.size = 0};
    return (struct bytes){.data = value->of.string, .size = value->size};
}

/* A walk over the items of an array: start with toml_items, then toml_next until NULL. */
struct toml_walk {
    const struct toml_chunk *chunk;
    uint32_t at;
};

struct toml_walk toml_items(const struct toml_value *array);
const struct toml_value *toml_next(struct toml_walk *walk);

/* Line and column of an offset in the text, counted from one, the column in bytes. */
void toml_position(struct bytes text, size_t at, uint32_t *line, uint32_t *column);
