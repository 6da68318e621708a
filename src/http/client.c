/* libcurl within limits. */
#include "http/client.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

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
    switch (code) {
    case CURLE_WRITE_ERROR:
    case CURLE_FILESIZE_EXCEEDED:
        return err_set(err, ERR_LIMIT, "a reply is larger than, in bytes", fetch->body_max);
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, ERR_TIMEOUT, "a server did not answer in time", ERR_NO_AT);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return err_set(err, ERR_CRYPTO, "a server's certificate is not to be trusted", ERR_NO_AT);
    case CURLE_SSL_CERTPROBLEM:
        return err_set(err, ERR_CRYPTO, "the client's certificate or key cannot be used",
                       ERR_NO_AT);
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, ERR_CRYPTO, "the file of trusted certificates cannot be used",
                       ERR_NO_AT);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        return err_set(err, ERR_CRYPTO, "a server speaks no TLS of ours", ERR_NO_AT);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return err_set(err, ERR_FORMAT, "this is no https:// URL", ERR_NO_AT);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return err_set(err, ERR_FORMAT, "a server's answer is no HTTP", ERR_NO_AT);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, ERR_IO, "a server's name has no address", ERR_NO_AT);
    case CURLE_OUT_OF_MEMORY:
        return err_set(err, ERR_MEMORY, "no memory for a request", ERR_NO_AT);
    default:
        return err_set(err, ERR_IO, "no connection to a server, or it broke", ERR_NO_AT);
    }
}

static struct curl_blob blob_of(struct bytes b)
{
    return (struct curl_blob){
        .data = (void *)(uintptr_t)b.data, .len = b.size, .flags = CURL_BLOB_COPY};
}

/* Everything that libcurl would otherwise decide by itself. */
static bool set_options(CURL *curl, const struct http_get *get, struct fetch *fetch,
                        struct curl_slist *headers)
{
    long timeout = get->timeout_ms != 0 ? (long)get->timeout_ms : TIMEOUT_DEFAULT_MS;
    bool is_set = true;

#define SET(option, value) is_set = is_set && curl_easy_setopt(curl, option, value) == CURLE_OK
    SET(CURLOPT_URL, get->url);
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_DEFAULT_PROTOCOL, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, timeout);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)get->body_max);
    SET(CURLOPT_USERAGENT, "broch");
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, fetch);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, fetch);
    struct curl_blob ca = blob_of(get->ca), certificate = blob_of(get->certificate),
                     key = blob_of(get->key);
    if (get->ca.size != 0) {
        SET(CURLOPT_CAINFO_BLOB, &ca);
        SET(CURLOPT_CAINFO, NULL);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (get->certificate.size != 0) {
        SET(CURLOPT_SSLCERT_BLOB, &certificate);
        SET(CURLOPT_SSLKEY_BLOB, &key);
    }
#undef SET
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
