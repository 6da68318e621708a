/* The logger. Values may come from anybody: they are escaped here and nowhere else. */
#include "base/log.h"

#include <string.h>

#include "base/text_form.h"
#include "base/utf8.h"
#include "base/writer.h"
#include "base/banned.h"

static struct log_config config;

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

void log_setup(const struct log_config *wanted)
{
    config = *wanted;
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (unsigned i = 0; i < COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return config.write_line != NULL && level <= config.level;
}

/* One character of text between quotes: JSON's escapes (RFC 8259 §7), which people can read too.
 * Bytes that are not UTF-8 become U+FFFD. Returns how many bytes of `text` it used. */
static size_t write_escaped(struct writer *w, struct bytes text)
{
    uint8_t c = text.data[0];

    if (c == '"' || c == '\\') {
        writer_u8(w, '\\');
        writer_u8(w, c);
    } else if (c == '\n') {
        writer_text(w, "\\n");
    } else if (c == '\t') {
        writer_text(w, "\\t");
    } else if (c < 0x20 || c == 0x7f) {
        writer_format(w, "\\u%04x", c);
    } else if (c < 0x80) {
        writer_u8(w, c);
    } else {
        size_t size = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        struct bytes one = bytes_before(text, size);
        /* U+0080 to U+009F are control characters too, some terminals obey them */
        if (!utf8_is_valid(one) || (one.data[0] == 0xc2 && one.data[1] < 0xa0)) {
            writer_text(w, "\xef\xbf\xbd");
            return 1;
        }
        writer_bytes(w, one);
        return size;
    }
    return 1;
}

/* A message: as it is, but for what could forge a line. */
static void write_message(struct writer *w, struct bytes text)
{
    while (text.size != 0 && w->failed == ERR_NONE) {
        if (text.data[0] == '"' || text.data[0] == '\\') {
            writer_u8(w, text.data[0]);
            text = bytes_after(text, 1);
        } else {
            text = bytes_after(text, write_escaped(w, text));
        }
    }
}

static void write_quoted(struct writer *w, struct bytes text)
{
    bool cut = text.size > LOG_VALUE_MAX;
    struct bytes left = bytes_before(text, LOG_VALUE_MAX);

    writer_u8(w, '"');
    while (left.size != 0)
        left = bytes_after(left, write_escaped(w, left));
    writer_text(w, cut ? "…\"" : "\"");
}

/* Whether text reads well without quotes in a text line. */
static bool is_plain(struct bytes text)
{
    if (text.size == 0 || text.size > LOG_VALUE_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return true;
}

static void write_text_value(struct writer *w, struct bytes text)
{
    if (!config.json && is_plain(text))
        writer_bytes(w, text);
    else
        write_quoted(w, text);
}

static void write_hex(struct writer *w, struct bytes value)
{
    bool cut = value.size > LOG_VALUE_MAX / 2;
    struct bytes shown = bytes_before(value, LOG_VALUE_MAX / 2);

    if (config.json || value.size == 0)
        writer_u8(w, '"');
    uint8_t *place = writer_reserve(w, hex_size(shown.size));
    if (place != NULL)
        hex_encode(shown, (char *)place);
    if (cut)
        writer_text(w, "…");
    if (config.json || value.size == 0)
        writer_u8(w, '"');
}

static void write_key(struct writer *w, const char *key)
{
    writer_format(w, config.json ? ",\"%s\":" : " %s=", key);
}

static void write_field(struct writer *w, const struct log_field *f)
{
    write_key(w, f->key);
    switch (f->kind) {
    case LOG_TEXT:
        write_text_value(w, f->value.bytes);
        break;
    case LOG_HEX:
        write_hex(w, f->value.bytes);
        break;
    case LOG_UNSIGNED:
        writer_format(w, "%llu", (unsigned long long)f->value.number);
        break;
    case LOG_SIGNED:
        writer_format(w, "%lld", (long long)f->value.signed_number);
        break;
    case LOG_BOOLEAN:
        writer_text(w, f->value.boolean ? "true" : "false");
        break;
    case LOG_ERR:
        write_text_value(w, bytes_of(err_code_name(f->value.err->code)));
        write_key(w, "reason");
        write_text_value(w, f->value.err->msg != NULL ? bytes_of(f->value.err->msg)
                                                      : (struct bytes){.size = 0});
        if (f->value.err->at != ERR_NO_AT) {
            write_key(w, "at");
            writer_format(w, "%llu", (unsigned long long)f->value.err->at);
        }
        break;
    case LOG_END:
        break;
    }
}

static void write_head(struct writer *w, enum log_level level, struct bytes msg)
{
    char now[RFC3339_SIZE] = "";

    if (config.now_unix_ms != NULL)
        rfc3339_format(config.now_unix_ms(config.context), now);
    if (config.json) {
        writer_u8(w, '{');
        if (now[0] != '\0')
            writer_format(w, "\"time\":\"%s\",", now);
        writer_format(w, "\"level\":\"%s\",\"msg\":", level_names[level]);
        write_quoted(w, msg);
    } else {
        if (now[0] != '\0')
            writer_format(w, "%s ", now);
        if (!config.bare)
            writer_format(w, "%-5s ", level_names[level]);
        write_message(w, msg);
    }
}

void log_event(enum log_level level, const struct log_field *fields)
{
    uint8_t line[LOG_LINE_MAX];
    static const char cut[] = "…";
    struct writer w = writer_fixed(line, sizeof line - sizeof cut - sizeof ",\"cut\":true}\n");

    if (!log_enabled(level))
        return;
    write_head(&w, level, fields[0].value.bytes);
    size_t whole = w.size; /* up to here only whole fields: a line that is cut is still JSON */
    for (const struct log_field *f = fields + 1; f->kind != LOG_END; f++) {
        write_field(&w, f);
        if (w.failed != ERR_NONE)
            break;
        whole = w.size;
    }
    bool was_cut = w.failed != ERR_NONE;
    struct writer tail = writer_fixed(line + whole, sizeof line - whole);
    if (was_cut)
        writer_text(&tail, config.json ? ",\"cut\":true" : cut);
    writer_text(&tail, config.json ? "}\n" : config.bare ? "" : "\n");
    config.write_line(config.context, level, bytes_from(line, whole + tail.size));
}
