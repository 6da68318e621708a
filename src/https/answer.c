/* Answers as they come, HTTP/1.1 (RFC 9112), by http-parser. Every byte is hostile.
 *
 * Debian builds http-parser without its strict mode: it takes bare LF, anything after some CRs and
 * after the data of a chunk, blanks before the colon of a header, folded headers, "HTTX/7.3", empty
 * lines before the status line. Two readers that differ over such bytes see different answers. So
 * it is fed whole lines only, each checked first (line_check), and the data between them; and what
 * it says of the body's size must be what its headers say.
 * docs/decisions/0006-http-parser-behind-checks.md */
#include <string.h>
#include <strings.h>

#include "https/internal.h"
#include "base/banned.h"

enum field {
    FIELD_OTHER = 0,
    FIELD_LENGTH = 1,
    FIELD_CODING = 2,
    FIELD_TYPE = 4,
    FIELD_DIGEST = 8,
    FIELD_STATE = 16
};

static const struct {
    const char *name;
    enum field field;
} fields[] = {
    {"content-length", FIELD_LENGTH}, {"transfer-encoding", FIELD_CODING},
    {"content-type", FIELD_TYPE},     {"content-digest", FIELD_DIGEST},
    {"broch-state", FIELD_STATE},
};

/* ---- what http-parser finds ---- */

static struct answer *answer_of(http_parser *parser)
{
    return parser->data;
}

/* Ends the parser's work: what a callback returns. */
static int refuse(struct answer *a, enum err_code code, const char *msg, uint64_t at)
{
    a->failed = (struct err){.code = code, .msg = msg, .at = at};
    return -1;
}

static struct bytes without_blanks(struct bytes text)
{
    while (text.size != 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_after(text, 1);
    while (text.size != 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static bool is_word(struct bytes text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

static int on_header_field(http_parser *parser, const char *name, size_t size)
{
    struct answer *a = answer_of(parser);

    a->field = FIELD_OTHER;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (is_word(bytes_from(name, size), fields[i].name))
            a->field = fields[i].field;
    }
    if (a->part != ANSWER_TRAILERS)
        return 0;
    if ((a->field & (FIELD_LENGTH | FIELD_CODING)) != 0) /* RFC 9110 §6.5.1 */
        return refuse(a, ERR_FORMAT, "a trailer tells the body's size, at offset", a->at);
    a->field = FIELD_OTHER;
    return 0;
}

/* Fields of one name are parts of one list: RFC 9110 §5.3. */
static void add_to_list(struct writer *list, bool is_second, struct bytes value)
{
    if (is_second)
        writer_text(list, ", ");
    writer_bytes(list, value);
}

static int on_header_value(http_parser *parser, const char *text, size_t size)
{
    struct answer *a = answer_of(parser);
    struct bytes value = without_blanks(bytes_from(text, size));
    bool is_second = (a->seen & a->field) != 0;

    a->seen |= a->field;
    switch (a->field) {
    case FIELD_LENGTH:
        if (is_second) /* RFC 9112 §6.3; the number is read by http-parser */
            return refuse(a, ERR_FORMAT, "more than one Content-Length, at offset", a->at);
        break;
    case FIELD_CODING:
        if (is_second || !is_word(value, "chunked")) /* we offered nothing else: RFC 9110 §10.1.4 */
            return refuse(a, ERR_FORMAT, "no known transfer coding, at offset", a->at);
        break;
    case FIELD_TYPE: {
        const uint8_t *end = value.size != 0 ? memchr(value.data, ';', value.size) : NULL;
        if (is_second)
            return refuse(a, ERR_FORMAT, "more than one Content-Type, at offset", a->at);
        if (end != NULL)
            value = without_blanks(bytes_before(value, (size_t)(end - value.data)));
        for (size_t i = 0; i < value.size; i++) {
            uint8_t c = value.data[i];
            writer_u8(&a->type, c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c);
        }
        break;
    }
    case FIELD_DIGEST:
        add_to_list(&a->digest, is_second, value);
        break;
    case FIELD_STATE:
        add_to_list(&a->state, is_second, value);
        break;
    default:
        break;
    }
    if (a->type.failed != ERR_NONE || a->digest.failed != ERR_NONE || a->state.failed != ERR_NONE)
        return refuse(a, ERR_LIMIT, "a header of the answer is too long, in bytes", size);
    return 0;
}

/* 1: the message has no body (RFC 9112 §6.3). */
static int on_headers_complete(http_parser *parser)
{
    struct answer *a = answer_of(parser);
    bool has_length = (a->seen & FIELD_LENGTH) != 0, is_chunked = (a->seen & FIELD_CODING) != 0;
    unsigned status = parser->status_code;

    if (status == 101)
        return refuse(a, ERR_FORMAT, "the server changes the protocol unasked", ERR_NO_AT);
    if (has_length && is_chunked)
        return refuse(a, ERR_FORMAT, "the answer tells two sizes of its body", ERR_NO_AT);
    if (is_chunked && parser->http_minor == 0) /* RFC 9112 §6.1 */
        return refuse(a, ERR_FORMAT, "HTTP/1.0 has no chunks", ERR_NO_AT);
    if (has_length != ((parser->flags & F_CONTENTLENGTH) != 0) ||
        is_chunked != ((parser->flags & F_CHUNKED) != 0))
        return refuse(a, ERR_FORMAT, "the size of the answer's body is not clear", ERR_NO_AT);
    if (status < 200 && (has_length || is_chunked))
        return refuse(a, ERR_FORMAT, "an interim answer with a body:", status);
    if (status < 200 || status == 204 || status == 304)
        return 1;
    if (!has_length)
        return 0;
    if (parser->content_length > a->max)
        return refuse(a, ERR_LIMIT, "the answer's body is too long, in bytes",
                      parser->content_length);
    a->left = parser->content_length;
    a->body = writer_growable(a->arena, (size_t)a->left); /* never more than announced */
    if (a->left != 0 && writer_reserve(&a->body, (size_t)a->left) == NULL)
        return refuse(a, ERR_MEMORY, "no memory for the answer's body, in bytes", a->left);
    writer_truncate(&a->body, 0);
    return 0;
}

static int on_chunk_header(http_parser *parser)
{
    struct answer *a = answer_of(parser);

    a->left = parser->content_length;
    if (a->left > a->max - a->body.size)
        return refuse(a, ERR_LIMIT, "the answer's body is too long, in bytes; allowed", a->max);
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t size)
{
    struct answer *a = answer_of(parser);

    if (size > a->max - a->body.size)
        return refuse(a, ERR_LIMIT, "the answer's body is too long, in bytes; allowed", a->max);
    writer_bytes(&a->body, bytes_from(data, size));
    if (a->body.failed != ERR_NONE)
        return refuse(a, ERR_MEMORY, "no memory for the answer's body, in bytes", a->body.size);
    return 0;
}

static int on_message_complete(http_parser *parser)
{
    struct answer *a = answer_of(parser);

    a->is_whole = true;
    a->is_kept = http_should_keep_alive(parser) != 0;
    return 0;
}

static const http_parser_settings settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Gives bytes to http-parser, which must want them all; none: the connection has ended. */
static bool execute(struct answer *a, struct bytes in, struct err *err)
{
    size_t used = http_parser_execute(&a->parser, &settings, (const char *)in.data, in.size);

    if (a->failed.code != ERR_NONE) {
        *err = a->failed;
        return false;
    }
    if (HTTP_PARSER_ERRNO(&a->parser) != HPE_OK || used != in.size || a->parser.upgrade)
        return err_set(err, ERR_FORMAT, "the answer is no HTTP/1.1, at offset", a->at);
    return true;
}

/* ---- lines, before http-parser sees them ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 9110 §5.6.2 */
static bool is_token_character(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* How many bytes from the start are of a kind. */
static size_t span(struct bytes text, bool (*is_of_kind)(uint8_t))
{
    size_t size = 0;

    while (size < text.size && is_of_kind(text.data[size]))
        size++;
    return size;
}

/* "HTTP/1.1 200 OK", also with no reason. */
static bool is_status_line(struct bytes text)
{
    static const char version[] = "HTTP/1.";
    size_t at = sizeof version - 1;

    return text.size >= at + 5 && memcmp(text.data, version, at) == 0 &&
           (text.data[at] == '0' || text.data[at] == '1') && text.data[at + 1] == ' ' &&
           text.data[at + 2] >= '1' && text.data[at + 2] <= '5' && is_digit(text.data[at + 3]) &&
           is_digit(text.data[at + 4]) && (text.size == at + 5 || text.data[at + 5] == ' ');
}

/* Whether a line, with its LF, is what its part of an answer is made of. */
static bool line_check(const struct answer *a, struct bytes line, struct err *err)
{
    if (line.size < 2 || line.data[line.size - 2] != '\r')
        return err_set(err, ERR_FORMAT, "a line of the answer does not end in CR LF, at offset",
                       a->at);
    struct bytes text = bytes_before(line, line.size - 2);
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] < 0x20 && text.data[i] != '\t') || text.data[i] == 0x7f)
            return err_set(err, ERR_FORMAT, "a control character in the answer's line to offset",
                           a->at);
    }
    size_t size;
    switch (a->part) {
    case ANSWER_STATUS:
        if (!is_status_line(text))
            return err_set(err, ERR_FORMAT, "no HTTP/1.1 answer with a status of 100 to 599",
                           ERR_NO_AT);
        return true;
    case ANSWER_HEADERS:
    case ANSWER_TRAILERS:
        size = span(text, is_token_character);
        if (text.size != 0 && (size == 0 || size == text.size || text.data[size] != ':'))
            return err_set(err, ERR_FORMAT, "no header in the answer's line to offset", a->at);
        return true;
    case ANSWER_CHUNK_SIZE:
        size = span(text, is_hex_digit);
        if (size == 0 || size > 16 || (size < text.size && text.data[size] != ';'))
            return err_set(err, ERR_FORMAT, "no chunk's size in the answer's line to offset",
                           a->at);
        return true;
    default:
        if (text.size != 0)
            return err_set(err, ERR_FORMAT, "a chunk does not end where it should, at offset",
                           a->at);
        return true;
    }
}

/* ---- the parts ---- */

static void message_init(struct answer *a)
{
    http_parser_init(&a->parser, HTTP_RESPONSE);
    a->parser.data = a;
    a->part = ANSWER_STATUS;
    a->field = FIELD_OTHER;
    a->seen = 0;
    a->left = 0;
    a->is_whole = a->is_kept = false;
    a->failed = (struct err){.code = ERR_NONE};
    a->body = writer_growable(a->arena, a->max);
    a->type = writer_fixed(a->type_memory, sizeof a->type_memory);
    a->digest = writer_fixed(a->digest_memory, sizeof a->digest_memory);
    a->state = writer_fixed(a->state_memory, sizeof a->state_memory);
}

void answer_init(struct answer *a, size_t max, struct arena *arena)
{
    a->max = max;
    a->arena = arena;
    a->at = 0;
    a->lines_size = a->line_size = 0;
    a->interim = 0;
    message_init(a);
}

/* What follows the empty line after the headers. */
static bool headers_end(struct answer *a, struct err *err)
{
    if (a->parser.status_code < 200) {
        if (++a->interim > ANSWER_INTERIM_MAX)
            return err_set(err, ERR_LIMIT, "too many interim answers; allowed", ANSWER_INTERIM_MAX);
        message_init(a);
    } else if (a->is_whole) {
        a->part = ANSWER_DONE;
    } else if ((a->seen & FIELD_CODING) != 0) {
        a->part = ANSWER_CHUNK_SIZE;
    } else if ((a->seen & FIELD_LENGTH) != 0) {
        a->part = ANSWER_BODY;
    } else {
        a->part = ANSWER_REST;
    }
    return true;
}

/* Bytes that the line which is coming may have. */
static size_t line_max(const struct answer *a)
{
    if (a->part == ANSWER_CHUNK_END)
        return 2;
    return HTTPS_HEADERS_MAX - a->lines_size +
           (a->part == ANSWER_CHUNK_SIZE ? ANSWER_CHUNK_LINE : 0);
}

/* Counts a line. Chunks are free of charge, but for what servers add to their sizes. */
static void line_count(struct answer *a, size_t size)
{
    size_t free_size = a->part == ANSWER_CHUNK_SIZE  ? ANSWER_CHUNK_LINE
                       : a->part == ANSWER_CHUNK_END ? 2
                                                     : 0;

    a->lines_size += size > free_size ? size - free_size : 0;
}

/* Goes to the part after a line that http-parser has seen. */
static bool line_end(struct answer *a, struct bytes line, struct err *err)
{
    bool is_empty = line.size == 2;

    switch (a->part) {
    case ANSWER_STATUS:
        a->part = ANSWER_HEADERS;
        return true;
    case ANSWER_HEADERS:
        return !is_empty || headers_end(a, err);
    case ANSWER_CHUNK_SIZE:
        a->part = a->left != 0 ? ANSWER_BODY : ANSWER_TRAILERS;
        return true;
    case ANSWER_CHUNK_END:
        a->part = ANSWER_CHUNK_SIZE;
        return true;
    default:
        if (is_empty != a->is_whole)
            return err_set(err, ERR_FORMAT, "the answer's end is not clear, at offset", a->at);
        if (is_empty)
            a->part = ANSWER_DONE;
        return true;
    }
}

static bool take_line(struct answer *a, struct bytes in, size_t *used, struct err *err)
{
    const uint8_t *end = memchr(in.data, '\n', in.size);
    size_t size = end != NULL ? (size_t)(end - in.data) + 1 : in.size;

    if (size > line_max(a) - a->line_size) {
        if (a->part == ANSWER_CHUNK_END)
            return err_set(err, ERR_FORMAT, "a chunk does not end where it should, at offset",
                           a->at);
        return err_set(err, ERR_LIMIT, "the answer's headers are too long, in bytes; allowed",
                       HTTPS_HEADERS_MAX);
    }
    memcpy(a->line + a->line_size, in.data, size);
    a->line_size += size;
    a->at += size;
    *used = size;
    if (end == NULL)
        return true;
    struct bytes line = bytes_from(a->line, a->line_size);
    a->line_size = 0;
    line_count(a, line.size);
    return line_check(a, line, err) && execute(a, line, err) && line_end(a, line, err);
}

static bool take_body(struct answer *a, struct bytes in, size_t *used, struct err *err)
{
    if (a->part == ANSWER_BODY)
        in = bytes_before(in, a->left < in.size ? (size_t)a->left : in.size);
    a->at += in.size;
    *used = in.size;
    if (!execute(a, in, err))
        return false;
    if (a->part == ANSWER_REST)
        return true;
    a->left -= in.size;
    if (a->left != 0)
        return true;
    bool is_chunk = (a->seen & FIELD_CODING) != 0;
    if (is_chunk == a->is_whole)
        return err_set(err, ERR_FORMAT, "the answer's end is not clear, at offset", a->at);
    a->part = is_chunk ? ANSWER_CHUNK_END : ANSWER_DONE;
    return true;
}

bool answer_take(struct answer *a, struct bytes in, size_t *used, struct err *err)
{
    size_t at = 0;

    while (at < in.size && a->part != ANSWER_DONE) {
        struct bytes rest = bytes_after(in, at);
        size_t size = 0;
        bool is_body = a->part == ANSWER_BODY || a->part == ANSWER_REST;
        if (is_body ? !take_body(a, rest, &size, err) : !take_line(a, rest, &size, err))
            return false;
        at += size;
    }
    *used = at;
    return true;
}

bool answer_end(struct answer *a, struct err *err)
{
    static const uint8_t nothing[1];

    if (a->part == ANSWER_DONE)
        return true;
    if (a->part != ANSWER_REST)
        return err_set(err, ERR_FORMAT, "the answer ends early, after bytes", a->at);
    if (!execute(a, bytes_from(nothing, 0), err))
        return false;
    if (!a->is_whole)
        return err_set(err, ERR_FORMAT, "the answer's end is not clear, at offset", a->at);
    a->part = ANSWER_DONE;
    a->is_kept = false;
    return true;
}

bool answer_has_begun(const struct answer *a)
{
    return a->at != 0;
}

bool answer_is_done(const struct answer *a)
{
    return a->part == ANSWER_DONE;
}

bool answer_is_kept(const struct answer *a)
{
    return a->is_kept;
}

const char *answer_detail(const struct answer *a)
{
    enum http_errno number = HTTP_PARSER_ERRNO(&a->parser);

    return number == HPE_OK || a->failed.code != ERR_NONE ? "" : http_errno_description(number);
}

static bool copy_to_arena(struct arena *arena, const struct writer *w, struct bytes *out,
                          struct err *err)
{
    struct bytes text;

    if (!writer_done(w, &text, err))
        return false;
    uint8_t *copy = arena_alloc(arena, text.size, 1);
    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the answer's headers, in bytes", text.size);
    memcpy(copy, text.data, text.size);
    *out = bytes_from(copy, text.size);
    return true;
}

bool answer_result(const struct answer *a, struct https_answer *out, struct err *err)
{
    struct https_answer answer = {.status = (int)a->parser.status_code};

    if (!writer_done(&a->body, &answer.body, err) ||
        !copy_to_arena(a->arena, &a->type, &answer.content_type, err) ||
        !copy_to_arena(a->arena, &a->digest, &answer.content_digest, err) ||
        !copy_to_arena(a->arena, &a->state, &answer.state, err))
        return false;
    *out = answer;
    return true;
}
