/* What a handler may ask about its request. */
#include <gnutls/gnutls.h>
#include <strings.h>

#include "http/internal.h"
#include "http/text.h"

struct header_search {
    const char *name;
    const char *value;
    size_t count;
    struct accept accept;   /* when media_type is not NULL */
    const char *media_type; /* NULL: none is looked for */
    struct writer *list;    /* of all values; NULL: not wanted */
};

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 size_t name_size, const char *value, size_t value_size)
{
    struct header_search *search = context;

    (void)kind;
    if (name_size != strlen(search->name) || strncasecmp(name, search->name, name_size) != 0)
        return MHD_YES;
    if (search->list != NULL && value != NULL) {
        writer_text(search->list, search->count != 0 ? "," : "");
        writer_bytes(search->list, bytes_from(value, value_size));
    }
    search->count++;
    search->value = value;
    if (value != NULL && memchr(value, '\0', value_size) != NULL)
        search->value = NULL;
    if (search->media_type != NULL && value_size != 0)
        accept_add(&search->accept, bytes_from(value, value_size), search->media_type);
    return MHD_YES;
}

static void search_headers(const struct http_request *request, struct header_search *search)
{
    (void)MHD_get_connection_values_n(request->exchange->connection, MHD_HEADER_KIND, on_header,
                                      search);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    struct header_search search = {.name = name};

    search_headers(request, &search);
    return search.count == 1 ? search.value : NULL;
}

bool http_request_has(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value_n(request->exchange->connection, MHD_HEADER_KIND, name,
                                         strlen(name), NULL, NULL) == MHD_YES;
}

const char *http_request_list(const struct http_request *request, const char *name)
{
    struct writer list = writer_growable(request->arena, HTTP_LIST_MAX);
    struct header_search search = {.name = name, .list = &list};
    struct bytes text;
    struct err err;

    search_headers(request, &search);
    writer_u8(&list, '\0');
    if (search.count == 0 || !writer_done(&list, &text, &err) ||
        memchr(text.data, '\0', text.size) != text.data + text.size - 1)
        return NULL;
    return (const char *)text.data;
}

unsigned http_request_accepts(const struct http_request *request, const char *media_type)
{
    struct header_search search = {.name = "Accept", .media_type = media_type};

    search_headers(request, &search);
    return search.count != 0 ? search.accept.quality : 1000;
}

const char *http_request_parameter(const struct http_request *request, const char *name)
{
    return query_value(bytes_of(request->query), name, request->arena);
}

bool http_request_certificates(const struct http_request *request, const struct bytes **out,
                               size_t *count, struct err *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->exchange->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned peers_count = 0;
    const gnutls_datum_t *peers = NULL;

    if (info != NULL && info->tls_session != NULL)
        peers = gnutls_certificate_get_peers(info->tls_session, &peers_count);
    if (peers == NULL)
        peers_count = 0;
    struct bytes *list = ARENA_ARRAY(request->arena, struct bytes, peers_count);
    bool has_memory = list != NULL;
    for (unsigned i = 0; has_memory && peers != NULL && i < peers_count; i++) {
        uint8_t *copy = arena_alloc(request->arena, peers[i].size, 1);
        has_memory = copy != NULL;
        if (has_memory && peers[i].size != 0)
            memcpy(copy, peers[i].data, peers[i].size);
        list[i] = bytes_from(copy, peers[i].size);
    }
    if (!has_memory)
        return err_set(err, ERR_MEMORY, "no memory for a client's certificates", ERR_NO_AT);
    *out = list;
    *count = peers_count;
    return true;
}
