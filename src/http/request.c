/* What handlers ask of a request. */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <strings.h>

#include "http/exchange.h"

/* ---- headers ---- */

struct lookup {
    const char *name, *value;
    unsigned count;
};

static enum MHD_Result look_at(void *context, enum MHD_ValueKind kind, const char *key,
                               const char *value)
{
    struct lookup *l = context;

    (void)kind;
    if (strcasecmp(key, l->name) == 0) {
        l->value = value;
        l->count++;
    }
    return MHD_YES;
}

const char *exchange_header(struct MHD_Connection *connection, const char *name)
{
    struct lookup l = {.name = name};

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, look_at, &l);
    return l.count == 1 ? l.value : NULL;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return exchange_header(request->exchange->connection, name);
}

unsigned http_request_accepts(const struct http_request *request, const char *media_type)
{
    return accept_quality(http_request_header(request, "Accept"), media_type);
}

/* ---- parameters ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static const char *decode(struct bytes text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.size + 1, 1);
    size_t size = 0;

    for (size_t i = 0; out != NULL && i < text.size; i++) {
        int c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.size ? hex_value((char)text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_value((char)text.data[i + 2]) : -1;
            if (low < 0)
                return NULL;
            c = high * 16 + low;
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == '\0')
            return NULL;
        out[size++] = (char)c;
    }
    if (out != NULL)
        out[size] = '\0';
    return out;
}

const char *query_parameter(const char *query, const char *name, struct arena *arena)
{
    struct bytes rest = bytes_of(query), found = {.size = 0};
    size_t name_size = strlen(name);
    unsigned count = 0;

    while (rest.size != 0) {
        const uint8_t *end = memchr(rest.data, '&', rest.size);
        struct bytes part = bytes_before(rest, end != NULL ? (size_t)(end - rest.data) : rest.size);
        rest = bytes_after(rest, part.size + 1);
        if (part.size > name_size && part.data[name_size] == '=' &&
            bytes_equal(bytes_before(part, name_size), bytes_of(name))) {
            found = bytes_after(part, name_size + 1);
            count++;
        }
    }
    return count == 1 ? decode(found, arena) : NULL;
}

const char *http_request_parameter(const struct http_request *request, const char *name)
{
    return query_parameter(request->query, name, request->arena);
}

/* ---- Accept: RFC 9110 §12.5.1 ---- */

static struct bytes trim(struct bytes b)
{
    while (b.size != 0 && (b.data[0] == ' ' || b.data[0] == '\t'))
        b = bytes_after(b, 1);
    while (b.size != 0 && (b.data[b.size - 1] == ' ' || b.data[b.size - 1] == '\t'))
        b.size--;
    return b;
}

/* What comes before a character, and what after it. */
static struct bytes cut(struct bytes *rest, char at)
{
    const uint8_t *end = rest->size != 0 ? memchr(rest->data, at, rest->size) : NULL;
    struct bytes part = bytes_before(*rest, end != NULL ? (size_t)(end - rest->data) : rest->size);

    *rest = bytes_after(*rest, part.size + 1);
    return trim(part);
}

static bool is_same(struct bytes a, struct bytes b)
{
    return a.size == b.size &&
           (a.size == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0);
}

/* "0.5" in thousandths; what is no weight counts as 0. */
static unsigned weight_of(struct bytes text)
{
    unsigned value = 0, unit = 1000;

    for (size_t i = 0; i < text.size && i < 5; i++) {
        uint8_t c = text.data[i];
        if (i == 1 && c == '.')
            continue;
        if (c < '0' || c > '9')
            return 0;
        value += (unsigned)(c - '0') * unit;
        unit /= 10;
    }
    return value <= 1000 ? value : 0;
}

/* How closely a range names the type: 3 itself, 2 its family, 1 any, 0 not. */
static unsigned closeness(struct bytes range, struct bytes type)
{
    struct bytes family = type;

    family = cut(&family, '/');
    if (bytes_is(range, "*/*"))
        return 1;
    if (range.size == family.size + 2 && bytes_is(bytes_after(range, family.size), "/*") &&
        is_same(bytes_before(range, family.size), family))
        return 2;
    return is_same(range, type) ? 3 : 0;
}

unsigned accept_quality(const char *accept, const char *media_type)
{
    struct bytes rest = bytes_of(accept != NULL ? accept : "*/*");
    unsigned quality = 0, best = 0;

    while (rest.size != 0) {
        struct bytes item = cut(&rest, ',');
        unsigned close = closeness(cut(&item, ';'), bytes_of(media_type)), weight = 1000;
        while (item.size != 0) {
            struct bytes parameter = cut(&item, ';');
            if (parameter.size > 2 && (parameter.data[0] | 0x20) == 'q' && parameter.data[1] == '=')
                weight = weight_of(bytes_after(parameter, 2));
        }
        if (close > best) {
            best = close;
            quality = weight;
        }
    }
    return quality;
}

/* ---- clients ---- */

bool http_request_certificates(const struct http_request *request, const struct bytes **out,
                               size_t *count, struct err *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->exchange->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned given = 0;
    const gnutls_datum_t *list =
        info != NULL ? gnutls_certificate_get_peers(info->tls_session, &given) : NULL;
    struct bytes *items = ARENA_ARRAY(request->arena, struct bytes, given);

    *count = list != NULL ? given : 0;
    *out = items;
    for (size_t i = 0; items != NULL && list != NULL && i < given; i++) {
        uint8_t *copy = arena_alloc(request->arena, list[i].size, 1);
        if (copy == NULL)
            return err_set(err, ERR_MEMORY, "no memory for a client's certificate", ERR_NO_AT);
        memcpy(copy, list[i].data, list[i].size);
        items[i] = bytes_from(copy, list[i].size);
    }
    return items != NULL ||
           err_set(err, ERR_MEMORY, "no memory for a client's certificate", ERR_NO_AT);
}

/* ---- answers ---- */

void http_response_header(struct http_response *response, const char *name, const char *value)
{
    if (response->header_count < HTTP_HEADERS_MAX)
        response->headers[response->header_count++] =
            (struct http_header){.name = name, .value = value};
}

void http_response_fail(const struct http_request *request, struct http_response *response,
                        unsigned status, const char *code, const char *message)
{
    struct writer w = writer_growable(request->arena, 8192);
    struct err err;

    if (response->done != NULL)
        response->done(response->context);
    *response = (struct http_response){.status = status, .content_type = "application/json"};
    writer_text(&w, "{\"error\":{\"code\":");
    writer_json(&w, bytes_of(code));
    writer_text(&w, ",\"message\":");
    writer_json(&w, bytes_before(bytes_of(message), HTTP_MESSAGE_MAX));
    writer_text(&w, "}}\n");
    if (!writer_done(&w, &response->body, &err))
        response->body =
            bytes_of("{\"error\":{\"code\":\"internal\",\"message\":\"no memory\"}}\n");
}
