/* DER, ITU-T X.690 (02/2021). Input is untrusted. */
#include "base/der.h"

#include <assert.h>
#include <string.h>

/* Identifier and length octets, §8.1.2 and §8.1.3:
 *
 *   tag   1   class and form in the upper three bits, number below; number 31 would mean more bytes
 *   len   1   0x00-0x7f the length; 0x81-0x84 that many bytes of length follow, big-endian
 */
static bool read_header(struct reader *r, uint8_t *tag, size_t *size)
{
    uint8_t first;
    uint32_t length = 0;

    if (!reader_u8(r, tag) || (*tag & 0x1f) == 0x1f || !reader_u8(r, &first))
        return false;
    if (first < 0x80) {
        *size = first;
        return true;
    }
    unsigned count = first & 0x7f;
    if (count == 0 || count > 4) /* indefinite form, or 4 GiB and more */
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint8_t byte;
        if (!reader_u8(r, &byte) || (i == 0 && byte == 0)) /* §10.1: fewest octets */
            return false;
        length = length << 8 | byte;
    }
    if (length < 0x80) /* §10.1: the short form would have done */
        return false;
    *size = length;
    return true;
}

bool der_any(struct reader *r, uint8_t *tag, struct bytes *content)
{
    struct reader ahead = *r;
    size_t size;
    uint8_t found;

    if (!read_header(&ahead, &found, &size) || !reader_bytes(&ahead, size, content))
        return false;
    *tag = found;
    *r = ahead;
    return true;
}

bool der_element(struct reader *r, uint8_t tag, struct bytes *content)
{
    struct reader ahead = *r;
    struct bytes found_content;
    uint8_t found;

    if (!der_any(&ahead, &found, &found_content) || found != tag)
        return false;
    *content = found_content;
    *r = ahead;
    return true;
}

bool der_enter(struct reader *r, uint8_t tag, struct reader *content)
{
    struct bytes in;

    if (!der_element(r, tag, &in))
        return false;
    *content = reader_of(in);
    return true;
}

bool der_next_is(const struct reader *r, uint8_t tag)
{
    uint8_t found;
    return reader_peek(r, &found) && found == tag;
}

bool der_boolean(struct reader *r, bool *out)
{
    struct reader ahead = *r;
    struct bytes content;

    if (!der_element(&ahead, DER_BOOLEAN, &content) || content.size != 1)
        return false;
    if (content.data[0] != 0x00 && content.data[0] != 0xff) /* §11.1 */
        return false;
    *out = content.data[0] != 0;
    *r = ahead;
    return true;
}

bool der_null(struct reader *r)
{
    struct reader ahead = *r;
    struct bytes content;

    if (!der_element(&ahead, DER_NULL, &content) || content.size != 0)
        return false;
    *r = ahead;
    return true;
}

/* §8.3.2: at least one octet, and the first nine bits neither all zero nor all one. */
static bool integer_is_shortest(struct bytes content)
{
    if (content.size == 0)
        return false;
    if (content.size == 1)
        return true;
    bool next_high = (content.data[1] & 0x80) != 0;
    return !(content.data[0] == 0x00 && !next_high) && !(content.data[0] == 0xff && next_high);
}

/* A non-negative integer's magnitude without leading zeroes; zero has none. */
static bool read_magnitude(struct reader *r, uint8_t tag, struct bytes *magnitude)
{
    struct reader ahead = *r;
    struct bytes content;

    if (!der_element(&ahead, tag, &content) || !integer_is_shortest(content) ||
        (content.data[0] & 0x80) != 0)
        return false;
    *magnitude = content.data[0] == 0 ? bytes_after(content, 1) : content;
    *r = ahead;
    return true;
}

bool der_uint64(struct reader *r, uint8_t tag, uint64_t *out)
{
    struct reader ahead = *r;
    struct bytes magnitude;
    uint64_t value = 0;

    if (!read_magnitude(&ahead, tag, &magnitude) || magnitude.size > sizeof value)
        return false;
    for (size_t i = 0; i < magnitude.size; i++)
        value = value << 8 | magnitude.data[i];
    *out = value;
    *r = ahead;
    return true;
}

bool der_positive(struct reader *r, struct bytes *magnitude)
{
    struct reader ahead = *r;
    struct bytes found;

    if (!read_magnitude(&ahead, DER_INTEGER, &found) || found.size == 0)
        return false;
    *magnitude = found;
    *r = ahead;
    return true;
}

bool der_oid(struct reader *r, struct bytes *out)
{
    struct reader ahead = *r;
    struct bytes content;
    bool at_start = true;

    if (!der_element(&ahead, DER_OID, &content) || content.size == 0)
        return false;
    for (size_t i = 0; i < content.size; i++) { /* §8.19.2: no leading 0x80, no cut-off arc */
        if (at_start && content.data[i] == 0x80)
            return false;
        at_start = content.data[i] < 0x80;
    }
    if (!at_start)
        return false;
    *out = content;
    *r = ahead;
    return true;
}

bool der_bit_string(struct reader *r, struct bytes *out)
{
    struct reader ahead = *r;
    struct bytes content;

    if (!der_element(&ahead, DER_BIT_STRING, &content) || content.size == 0 || content.data[0] != 0)
        return false;
    *out = bytes_after(content, 1);
    *r = ahead;
    return true;
}

size_t der_open(struct writer *w, uint8_t tag)
{
    writer_u8(w, tag);
    writer_u8(w, 0); /* the length, when it is below 128 */
    return w->size;
}

void der_close(struct writer *w, size_t mark)
{
    uint8_t length[4];
    size_t count = 0;

    if (w->failed != ERR_NONE)
        return;
    assert(mark >= 2 && mark <= w->size);
    size_t size = w->size - mark;
    if (size < 0x80) {
        w->data[mark - 1] = (uint8_t)size;
        return;
    }
    if (size > UINT32_MAX) {
        w->failed = ERR_LIMIT;
        return;
    }
    for (unsigned shift = 32; shift != 0; shift -= 8) {
        uint8_t byte = (uint8_t)(size >> (shift - 8));
        if (count != 0 || byte != 0)
            length[count++] = byte;
    }
    if (writer_reserve(w, count) == NULL)
        return;
    memmove(w->data + mark + count, w->data + mark, size);
    w->data[mark - 1] = (uint8_t)(0x80 | count);
    memcpy(w->data + mark, length, count);
}

void der_write(struct writer *w, uint8_t tag, struct bytes content)
{
    size_t mark = der_open(w, tag);
    writer_bytes(w, content);
    der_close(w, mark);
}

void der_write_uint64(struct writer *w, uint8_t tag, uint64_t value)
{
    uint8_t content[9]; /* a zero keeps the sign bit clear */
    size_t at = sizeof content;

    do {
        content[--at] = (uint8_t)value;
        value >>= 8;
    } while (value != 0);
    if ((content[at] & 0x80) != 0)
        content[--at] = 0;
    der_write(w, tag, bytes_from(content + at, sizeof content - at));
}

void der_write_boolean(struct writer *w, bool value)
{
    uint8_t content = value ? 0xff : 0x00;
    der_write(w, DER_BOOLEAN, bytes_from(&content, 1));
}
