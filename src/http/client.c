#include "http/client.h"

#include <curl/curl.h>
#include <strings.h>

#define TIMEOUT_MS 10000u

struct transfer {
    struct writer body, headers;
};

bool http_client_setup(struct err *err)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ||
           err_set(err, ERR_MEMORY, "no memory for an HTTP client", ERR_NO_AT);
}

static size_t take(struct writer *w, const char *data, size_t size)
{
    writer_bytes(w, bytes_from(data, size));
    return w->failed == ERR_NONE ? size : 0;
}

static size_t take_body(char *data, size_t one, size_t size, void *context)
{
    return take(&((struct transfer *)context)->body, data, one * size);
}

static size_t take_header(char *data, size_t one, size_t size, void *context)
{
    return take(&((struct transfer *)context)->headers, data, one * size);
}

static bool set_ca(CURL *curl, struct bytes pem)
{
    struct curl_blob blob = {
        .data = (void *)(uintptr_t)pem.data, .len = pem.size, .flags = CURL_BLOB_COPY};

    return pem.size == 0 || (curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK &&
                             curl_easy_setopt(curl, CURLOPT_CAINFO, NULL) == CURLE_OK &&
                             curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK);
}

static bool set_options(CURL *curl, const struct http_get *get, struct transfer *t,
                        struct curl_slist *headers)
{
    long timeout = (long)(get->timeout_ms != 0 ? get->timeout_ms : TIMEOUT_MS);

    return curl_easy_setopt(curl, CURLOPT_URL, get->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           set_ca(curl, get->ca) &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, t) == CURLE_OK;
}

static bool fail(CURLcode code, const struct transfer *t, struct err *err)
{
    if (t->body.failed == ERR_MEMORY || t->headers.failed == ERR_MEMORY ||
        code == CURLE_OUT_OF_MEMORY)
        return err_set(err, ERR_MEMORY, "no memory for an answer", ERR_NO_AT);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, ERR_TIMEOUT, "the server did not answer in time", ERR_NO_AT);
    case CURLE_WRITE_ERROR:
        return err_set(err, ERR_LIMIT, "the answer is larger than may be, in bytes", t->body.limit);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
        return err_set(err, ERR_CRYPTO, "the server's certificate is not one that is trusted",
                       ERR_NO_AT);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(err, ERR_FORMAT, "the address does not begin with https://", ERR_NO_AT);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, ERR_IO, "the server's name cannot be resolved", ERR_NO_AT);
    case CURLE_COULDNT_CONNECT:
        return err_set(err, ERR_IO, "cannot connect to the server", ERR_NO_AT);
    default:
        return err_set(err, ERR_IO, "the transfer failed; libcurl's code is", (uint64_t)code);
    }
}

static bool perform(CURL *curl, struct transfer *t, struct http_reply *out, struct err *err)
{
    CURLcode code = curl_easy_perform(curl);
    long status = 0;

    if (code != CURLE_OK)
        return fail(code, t, err);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    out->status = (unsigned)status;
    return writer_done(&t->body, &out->body, err) && writer_done(&t->headers, &out->headers, err);
}

bool http_get(const struct http_get *get, struct arena *arena, struct http_reply *out,
              struct err *err)
{
    struct transfer t = {.body = writer_growable(arena, get->body_max),
                         .headers = writer_growable(arena, HTTP_REPLY_HEADERS_MAX)};
    char accept[200] = "Accept: */*";
    CURL *curl = curl_easy_init();

    if (get->accept != NULL)
        (void)snprintf(accept, sizeof accept, "Accept: %s", get->accept);
    struct curl_slist *headers = curl_slist_append(NULL, accept);
    bool ok = (curl != NULL && headers != NULL && set_options(curl, get, &t, headers)) ||
              err_set(err, ERR_MEMORY, "no memory for an HTTP client", ERR_NO_AT);
    ok = ok && perform(curl, &t, out, err);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return ok;
}

bool http_reply_header(const struct http_reply *reply, const char *name, struct bytes *out)
{
    struct bytes rest = reply->headers;
    size_t name_size = strlen(name);

    while (rest.size != 0) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        struct bytes line = bytes_before(rest, end != NULL ? (size_t)(end - rest.data) : rest.size);
        rest = bytes_after(rest, line.size + 1);
        if (line.size <= name_size || line.data[name_size] != ':' ||
            strncasecmp((const char *)line.data, name, name_size) != 0)
            continue;
        struct bytes value = bytes_after(line, name_size + 1);
        while (value.size != 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
            value = bytes_after(value, 1);
        while (value.size != 0 &&
               (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\r'))
            value.size--;
        *out = value;
        return true;
    }
    return false;
}
