/* Tables of a known form: each key a field of a structure, and how to read it. Unknown keys are
 * errors that name the nearest known one. */
#pragma once

#include "base/toml.h"

/* A text that is being read. */
struct toml_form {
    struct bytes text;
    struct arena *arena;
    struct text_error *error; /* filled when a reader returns false */
};

struct toml_field {
    const char *name;
    /* Reads the value into *field, which is `offset` bytes into the structure. param is the
     * reader's own: a maximum, a size. */
    bool (*read)(const struct toml_form *form, const struct toml_value *value, void *field,
                 uint64_t param);
    size_t offset;
    uint64_t param;
};

/* Fill form->error with the place of byte `at` and return false. */
bool toml_form_fail(const struct toml_form *form, size_t at, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* "expected WANTED, found …" */
bool toml_form_fail_type(const struct toml_form *form, const struct toml_value *value,
                         const char *wanted);

/* Reads a table into *out; fields whose keys are absent stay as they are. `others` (NULL-ended, or
 * NULL) are keys that are somebody else's: they are skipped. */
MUST_CHECK bool toml_read_fields(const struct toml_form *form, const struct toml_value *table,
                                 const struct toml_field *fields, size_t count,
                                 const char *const *others, void *out);

/* Readers. bool; uint64_t up to param; uint32_t likewise; struct bytes, not empty. */
bool toml_read_bool(const struct toml_form *form, const struct toml_value *value, void *field,
                    uint64_t param);
bool toml_read_u64(const struct toml_form *form, const struct toml_value *value, void *field,
                   uint64_t param);
bool toml_read_u32(const struct toml_form *form, const struct toml_value *value, void *field,
                   uint64_t param);
bool toml_read_text(const struct toml_form *form, const struct toml_value *value, void *field,
                    uint64_t param);
/* A struct toml_texts of at most param strings, none empty. */
struct toml_texts {
    const struct bytes *items;
    size_t count;
};
bool toml_read_texts(const struct toml_form *form, const struct toml_value *value, void *field,
                     uint64_t param);

/* Defines a reader of a table whose fields, of the structure at `field`, are the initialisers. */
#define TOML_READ_TABLE(function, ...)                                                 \
    static bool function(const struct toml_form *form, const struct toml_value *value, \
                         void *field, uint64_t param)                                  \
    {                                                                                  \
        static const struct toml_field fields[] = {__VA_ARGS__};                       \
        (void)param;                                                                   \
        return toml_read_fields(form, value, fields, COUNT_OF(fields), NULL, field);   \
    }
