/* Structured logging: one event a line, as text for people or as JSON for programs.
 *
 *     log_info("listening", log_u64("port", 50000), log_str("protocol", "tls"));
 *
 *     2026-11-23T08:28:43.123Z info  listening port=50000 protocol=tls
 *     {"time":"2026-11-23T08:28:43.123Z","level":"info","msg":"listening","port":50000,…}
 *
 * Who logs: programs, and the rooms that DESIGN names; libraries return errors instead. Values are
 * escaped, so that a peer cannot forge a line, and cut, so that none grows without bound. A secret
 * has no form here: never pass one. Logging is set up once by main, before any thread; after that
 * log_event may be called from any thread, since a line reaches the sink in one call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Where lines go and what time it is; base knows neither. */
struct log_config {
    enum log_level level; /* less urgent lines are dropped */
    bool json;            /* else text */
    bool bare;            /* text without level and end of line: another
                             logger adds its own */
    void (*write_line)(void *context, enum log_level level, struct bytes line); /* ends with '\n' */
    int64_t (*now_unix_ms)(void *context); /* NULL: lines carry no time */
    void *context;
};

/* The longest line, with its end; a longer one is cut and marked "…". */
#define LOG_LINE_MAX 4096
/* The longest value of one field, in bytes before escaping. */
#define LOG_VALUE_MAX 1024

/* Takes effect at once; config is copied. Without it nothing is logged. */
void log_setup(const struct log_config *config);

/* "error", "warn", "info" or "debug". */
MUST_CHECK bool log_level_parse(const char *text, enum log_level *out);

/* Whether a line of this level would be written: to spare work for one that would not. */
bool log_enabled(enum log_level level);

enum log_kind { LOG_END, LOG_TEXT, LOG_HEX, LOG_UNSIGNED, LOG_SIGNED, LOG_BOOLEAN, LOG_ERR };

/* Made by the functions below; key is a literal of lower-case letters, digits and '_'. */
struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        struct bytes bytes;
        uint64_t number;
        int64_t signed_number;
        bool boolean;
        const struct err *err;
    } value;
};

/* Text, borrowed until the line is written; it need not be UTF-8. */
static inline struct log_field log_bytes(const char *key, struct bytes value)
{
    return (struct log_field){.key = key, .kind = LOG_TEXT, .value = {.bytes = value}};
}

static inline struct log_field log_str(const char *key, const char *value)
{
    return log_bytes(key, value != NULL ? bytes_of(value) : (struct bytes){.size = 0});
}

/* Public bytes in hexadecimal: digests, identifiers. */
static inline struct log_field log_hex(const char *key, struct bytes value)
{
    return (struct log_field){.key = key, .kind = LOG_HEX, .value = {.bytes = value}};
}

static inline struct log_field log_u64(const char *key, uint64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_UNSIGNED, .value = {.number = value}};
}

static inline struct log_field log_i64(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_SIGNED, .value = {.signed_number = value}};
}

static inline struct log_field log_bool(const char *key, bool value)
{
    return (struct log_field){.key = key, .kind = LOG_BOOLEAN, .value = {.boolean = value}};
}

/* An error, as fields "error" (its code's name), "reason" (its text) and "at". */
static inline struct log_field log_err(const struct err *err)
{
    return (struct log_field){.key = "error", .kind = LOG_ERR, .value = {.err = err}};
}

/* The first field is the message, which may be anybody's text, too; the last has kind LOG_END. */
void log_event(enum log_level level, const struct log_field *fields);

#define LOG_EVENT(level, msg, ...) \
    log_event((level),             \
              (const struct log_field[]){log_str("msg", (msg)), ##__VA_ARGS__, {.kind = LOG_END}})
#define log_error(msg, ...) LOG_EVENT(LOG_ERROR, msg, ##__VA_ARGS__)
#define log_warn(msg, ...) LOG_EVENT(LOG_WARN, msg, ##__VA_ARGS__)
#define log_info(msg, ...) LOG_EVENT(LOG_INFO, msg, ##__VA_ARGS__)
#define log_debug(msg, ...) LOG_EVENT(LOG_DEBUG, msg, ##__VA_ARGS__)
