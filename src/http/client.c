/* libcurl within limits. */
#include "http/client.h"

#include <string.h>
#include <strings.h>

#include "http/curl.h"
#include "http/text.h"

#define TIMEOUT_DEFAULT_MS 10000
#define ACCEPT_MAX 1000

struct fetch {
    struct writer headers, body;
    size_t body_max;
};

static size_t on_header(char *data, size_t one, size_t size, void *context)
{
    struct fetch *fetch = context;
    struct bytes line = bytes_from(data, size);

    (void)one;
    /* an interim reply, such as 100, came before */
    if (bytes_starts_with(line, bytes_of("HTTP/")))
        writer_truncate(&fetch->headers, 0);
    writer_bytes(&fetch->headers, line);
    return fetch->headers.failed == ERR_NONE ? size : CURL_WRITEFUNC_ERROR;
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct fetch *fetch = context;

    (void)one;
    writer_bytes(&fetch->body, bytes_from(data, size));
    return fetch->body.failed == ERR_NONE ? size : CURL_WRITEFUNC_ERROR;
}

/* Why a transfer failed, as ours. */
static bool set_failure(CURLcode code, const struct fetch *fetch, struct err *err)
{
    enum err_code failed =
        fetch->headers.failed != ERR_NONE ? fetch->headers.failed : fetch->body.failed;

    if (failed == ERR_MEMORY)
        return err_set(err, ERR_MEMORY, "no memory for a reply", ERR_NO_AT);
    if (fetch->headers.failed != ERR_NONE)
        return err_set(err, ERR_LIMIT, "the headers of a reply are larger than, in bytes",
                       HTTP_REPLY_HEADERS_MAX);
    if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED)
        return err_set(err, ERR_LIMIT, "a reply is larger than, in bytes", fetch->body_max);
    return curl_fail(code, err);
}

static bool set_options(CURL *curl, const struct http_get *get, struct fetch *fetch,
                        struct curl_slist *headers)
{
    const struct curl_peer peer = {get->url, get->ca, get->certificate, get->key};
    long timeout = get->timeout_ms != 0 ? (long)get->timeout_ms : TIMEOUT_DEFAULT_MS;
    bool is_set = curl_set_peer(curl, &peer);

    CURL_SET(curl, CURLOPT_TIMEOUT_MS, timeout);
    CURL_SET(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)get->body_max);
    CURL_SET(curl, CURLOPT_HTTPHEADER, headers);
    CURL_SET(curl, CURLOPT_HEADERFUNCTION, on_header);
    CURL_SET(curl, CURLOPT_HEADERDATA, fetch);
    CURL_SET(curl, CURLOPT_WRITEFUNCTION, on_body);
    CURL_SET(curl, CURLOPT_WRITEDATA, fetch);
    return is_set;
}

/* "Accept: …" in a list that the caller frees; NULL: no memory, or no header's value. */
static struct curl_slist *accept_list(const char *accept)
{
    char line[ACCEPT_MAX + sizeof "Accept: "];
    struct writer w = writer_fixed(line, sizeof line - 1);

    if (strpbrk(accept, "\r\n") != NULL)
        return NULL;
    writer_text(&w, "Accept: ");
    writer_text(&w, accept);
    if (w.failed != ERR_NONE)
        return NULL;
    line[w.size] = '\0';
    return curl_slist_append(NULL, line);
}

bool http_get(const struct http_get *get, struct arena *arena, struct http_reply *out,
              struct err *err)
{
    struct fetch fetch = {.headers = writer_growable(arena, HTTP_REPLY_HEADERS_MAX),
                          .body = writer_growable(arena, get->body_max),
                          .body_max = get->body_max};
    struct http_reply reply;
    long status = 0;

    if (strncasecmp(get->url, "https://", strlen("https://")) != 0)
        return err_set(err, ERR_FORMAT, "this is no https:// URL", ERR_NO_AT);
    struct curl_slist *headers = accept_list(get->accept != NULL ? get->accept : "*/*");
    CURL *curl = curl_easy_init();
    bool is_ready = curl != NULL && headers != NULL && set_options(curl, get, &fetch, headers);
    CURLcode code = is_ready ? curl_easy_perform(curl) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return set_failure(code, &fetch, err);
    if (!writer_done(&fetch.headers, &reply.headers, err) ||
        !writer_done(&fetch.body, &reply.body, err))
        return false;
    reply.status = (unsigned)status;
    *out = reply;
    return true;
}

bool http_reply_header(const struct http_reply *reply, const char *name, struct bytes *out)
{
    return header_find(reply->headers, name, out);
}

bool http_client_setup(struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_MEMORY, "no memory for the HTTP client", ERR_NO_AT);
    return true;
}
