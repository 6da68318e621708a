/* Answers: from what handlers say to what libmicrohttpd sends. */
#include <assert.h>

#include "http/internal.h"
#include "http/text.h"

#define BLOCK_SIZE ((size_t)128 << 10)
/* A message whose every byte is escaped, and what stands around it. */
#define ERROR_SIZE_MAX (HTTP_MESSAGE_MAX * 6 + 200)

static const char no_memory[] =
    "{\"error\":{\"code\":\"internal\",\"message\":\"the server could not make its answer\"}}";

void http_response_header(struct http_response *response, const char *name, const char *value)
{
    assert(response->header_count < HTTP_HEADERS_MAX);
    response->headers[response->header_count++] =
        (struct http_header){.name = name, .value = value};
}

void http_response_fail(const struct http_request *request, struct http_response *response,
                        unsigned status, const char *code, const char *message)
{
    struct writer w = writer_growable(request->arena, ERROR_SIZE_MAX);
    struct bytes body;
    struct err ignored;

    writer_text(&w, "{\"error\":{\"code\":");
    json_string(&w, bytes_of(code));
    writer_text(&w, ",\"message\":");
    json_string(&w, bytes_before(bytes_of(message), HTTP_MESSAGE_MAX));
    writer_text(&w, "}}");
    if (!writer_done(&w, &body, &ignored))
        body = bytes_of(no_memory);
    response->status = status;
    response->content_type = "application/json";
    response->body = body;
}

static ssize_t read_block(void *context, uint64_t at, char *out, size_t room)
{
    const struct http_response *r = context;
    int64_t got = r->read(r->context, at, out, room);

    /* nothing where there must be something would be asked for again and again */
    if (got <= 0 || (uint64_t)got > room)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return (ssize_t)got;
}

static struct MHD_Response *make(struct http_response *r)
{
    struct MHD_Response *m =
        r->read != NULL
            ? MHD_create_response_from_callback(r->size, BLOCK_SIZE, read_block, r, NULL)
            : MHD_create_response_from_buffer(r->body.size, (void *)(uintptr_t)r->body.data,
                                              MHD_RESPMEM_PERSISTENT);
    bool is_good = m != NULL && r->status >= 200 && r->status <= 599;

    if (is_good && r->content_type != NULL)
        is_good = MHD_add_response_header(m, "Content-Type", r->content_type) == MHD_YES;
    for (size_t i = 0; is_good && i < r->header_count; i++)
        is_good = MHD_add_response_header(m, r->headers[i].name, r->headers[i].value) == MHD_YES;
    if (!is_good && m != NULL) {
        MHD_destroy_response(m);
        m = NULL;
    }
    return m;
}

void answer_make(struct http_exchange *e)
{
    e->answer = make(&e->response);
    e->status = e->response.status;
    if (e->answer == NULL) {
        e->status = 500;
        e->answer = MHD_create_response_from_buffer(
            sizeof no_memory - 1, (void *)(uintptr_t)no_memory, MHD_RESPMEM_PERSISTENT);
        if (e->answer != NULL)
            (void)MHD_add_response_header(e->answer, "Content-Type", "application/json");
    }
}

void answer_fail(struct http_exchange *e, unsigned status, const char *code, const char *message)
{
    http_response_fail(&e->request, &e->response, status, code, message);
    answer_make(e);
}
