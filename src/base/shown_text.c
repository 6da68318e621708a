#include "base/shown_text.h"

#include "base/text_form.h"
#include "base/utf8.h"

/* Whether a character of UTF-8 is one that terminals obey rather than show: U+0080 to U+009F, and
 * the marks and overrides of bidirectional text (Unicode UAX #9), which make a line read otherwise
 * than it is. */
static bool is_commanding(uint32_t c)
{
    return (c >= 0x80 && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

/* The character that text begins with and its size; size 0 when it is not UTF-8. */
static size_t take_character(struct bytes text, uint32_t *c)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

    if (text.size < size || !utf8_is_valid(bytes_before(text, size)))
        return 0;
    *c = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++)
        *c = *c << 6 | (text.data[i] & 0x3fu);
    return size;
}

void writer_shown(struct writer *w, struct bytes text)
{
    while (text.size != 0) {
        uint32_t c;
        size_t size = take_character(text, &c);
        if (size == 0)
            writer_format(w, "\\x%02x", text.data[0]);
        else if (c == '\n')
            writer_text(w, "\\n");
        else if (c < 0x20 || c == 0x7f)
            writer_format(w, "\\x%02x", c);
        else if (is_commanding(c))
            writer_format(w, "\\u%04x", c);
        else
            writer_bytes(w, bytes_before(text, size));
        text = bytes_after(text, size == 0 ? 1 : size);
    }
}

void writer_hex(struct writer *w, struct bytes in)
{
    uint8_t *place = writer_reserve(w, hex_size(in.size));

    if (place != NULL)
        hex_encode(in, (char *)place);
}

void writer_json(struct writer *w, struct bytes text)
{
    writer_u8(w, '"');
    while (text.size != 0) {
        uint32_t c;
        size_t size = take_character(text, &c);
        if (size == 0)
            writer_text(w, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            writer_format(w, "\\%c", (char)c);
        else if (c < 0x20 || c == 0x7f || is_commanding(c))
            writer_format(w, "\\u%04x", c);
        else
            writer_bytes(w, bytes_before(text, size));
        text = bytes_after(text, size == 0 ? 1 : size);
    }
    writer_u8(w, '"');
}
