/* What the files that read a configuration share: keys taken from a table by their names, values of
 * the type that a key has, messages with line and column. Private to package. */
#pragma once

#include "package/config.h"

struct config_parser {
    struct bytes text;
    struct arena *arena;
    struct text_error *error;
    struct config *config; /* as far as it is read */
    size_t line_at;        /* of config_line's last answer */
    uint32_t line;
};

/* Each fills *error for the offset in the text and returns false. */
bool config_fail(struct config_parser *p, uint32_t at, const char *format, ...) PRINTF_LIKE(3, 4);
bool config_no_memory(struct config_parser *p, uint32_t at);

/* The line of an offset; cheap when offsets mostly grow. */
uint32_t config_line(struct config_parser *p, uint32_t at);

/* Looks up every name in the table: found[i] is its entry or NULL. Fails on a key that is none of
 * the names, and when it is no table. `where` is for messages: " in [limits]". */
MUST_CHECK bool config_take_keys(struct config_parser *p, const struct toml_value *table,
                                 const char *where, const char *const *names, size_t count,
                                 const struct toml_entry **found);

/* The value of an entry. All take NULL for a key that is absent and leave *out as it is. */

MUST_CHECK bool config_expect(struct config_parser *p, const struct toml_entry *e,
                              enum toml_type type, const char *type_name);
/* A string without NULs. */
MUST_CHECK bool config_read_text(struct config_parser *p, const struct toml_entry *e,
                                 struct bytes *out);
MUST_CHECK bool config_read_flag(struct config_parser *p, const struct toml_entry *e, bool *out);
MUST_CHECK bool config_read_number(struct config_parser *p, const struct toml_entry *e,
                                   uint64_t least, uint64_t most, uint64_t *out);
/* One of the words, by its index. */
MUST_CHECK bool config_read_word(struct config_parser *p, const struct toml_entry *e,
                                 const char *const *words, size_t count, unsigned *out);
/* The name of a file of the package. */
MUST_CHECK bool config_read_file_name(struct config_parser *p, const struct toml_entry *e,
                                      struct bytes *out);

/* What an item of a list must be: "is no …" in words, or NULL when it is right. */
typedef const char *config_item_check(struct bytes item);

/* An array of at most `most` strings without NULs; check may be NULL. */
MUST_CHECK bool config_read_list(struct config_parser *p, const struct toml_entry *e, size_t most,
                                 config_item_check *check, const struct bytes **items,
                                 size_t *count);
const char *config_check_file_name(struct bytes name);

/* The keys of an entry that say who may be at the other end. */
struct config_rule_keys {
    const struct toml_entry *protocol, *peers, *anonymous, *server;
};

/* What a TLS entry means that says nothing of its peers. */
enum config_silent {
    CONFIG_SILENT_IS_ERROR,   /* Keep.toml */
    CONFIG_SILENT_IS_PROGRAM, /* Enarx.toml: the program decides */
    CONFIG_SILENT_IS_OPEN /* [[files]]: listen admits everybody, connect believes the web's roots */
};

/* A rule from its keys; `at` is the entry's offset. */
MUST_CHECK bool config_read_rule(struct config_parser *p, uint32_t at, bool is_incoming,
                                 enum config_silent silent, const struct config_rule_keys *keys,
                                 struct config_rule *out);
bool config_rule_equal(const struct config_rule *a, const struct config_rule *b);

/* [network], and [[files]]; NULL: absent. */
MUST_CHECK bool config_read_network(struct config_parser *p, const struct toml_entry *network);
MUST_CHECK bool config_read_files(struct config_parser *p, const struct toml_entry *files);
