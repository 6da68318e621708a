/* Requests as text (RFC 9112 §3). What goes into one is checked here, whoever it came from: nothing
 * of it can end a line. */
#include <arpa/inet.h>
#include <string.h>

#include "https/internal.h"
#include "base/banned.h"

#define METHOD_MAX 16
#define HOST_MAX 253

const char request_user_agent[] = "broch/" BROCH_VERSION;

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool host_is_address(struct bytes host)
{
    char name[INET_ADDRSTRLEN];
    struct in_addr address;

    if (host.size != 0 && host.data[0] == '[')
        return true;
    if (host.size >= sizeof name)
        return false;
    memcpy(name, host.data, host.size);
    name[host.size] = '\0';
    return inet_pton(AF_INET, name, &address) == 1;
}

bool server_check(const struct https_server *server, struct err *err)
{
    if (server->host.size == 0 || server->host.size > HOST_MAX)
        return err_set(err, ERR_INVALID, "a server's name has 1 to 253 bytes, not",
                       server->host.size);
    for (size_t i = 0; i < server->host.size; i++) {
        uint8_t c = server->host.data[i];
        if (!is_letter_or_digit(c) && (c == '\0' || strchr("-._:[]", c) == NULL))
            return err_set(err, ERR_INVALID, "no character of a server's name, at offset", i);
    }
    if (server->port == 0)
        return err_set(err, ERR_INVALID, "a server has no port 0", ERR_NO_AT);
    if (server->address_count == 0 || server->address_count > HTTPS_ADDRESSES_MAX)
        return err_set(err, ERR_INVALID, "a server has 1 to 16 addresses, not",
                       server->address_count);
    for (size_t i = 0; i < server->address_count; i++) {
        if (server->addresses[i].family != 4 && server->addresses[i].family != 6)
            return err_set(err, ERR_INVALID,
                           "no family of addresses:", server->addresses[i].family);
    }
    if (server->tls != NULL && server->judge == NULL)
        return err_set(err, ERR_INVALID, "nobody judges the server", ERR_NO_AT);
    return true;
}

/* GET, POST, …; not those whose answers are framed in other ways (RFC 9112 §6.3). */
static bool method_is_taken(const char *method)
{
    size_t size = strnlen(method, METHOD_MAX + 1);

    if (size == 0 || size > METHOD_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (method[i] < 'A' || method[i] > 'Z')
            return false;
    }
    return strcmp(method, "HEAD") != 0 && strcmp(method, "CONNECT") != 0;
}

/* Visible ASCII, and blanks inside. */
static bool text_is_value(const char *text)
{
    size_t size = strnlen(text, REQUEST_TEXT_MAX + 1);

    if (size == 0 || size > REQUEST_TEXT_MAX || text[0] == ' ' || text[size - 1] == ' ')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return true;
}

/* Origin form (RFC 9112 §3.2.1); percent-encoding is the caller's. */
static bool path_check(struct bytes path, struct err *err)
{
    if (path.size > HTTPS_PATH_MAX)
        return err_set(err, ERR_LIMIT, "the request's path is too long, in bytes", path.size);
    if (path.size == 0 || path.data[0] != '/')
        return err_set(err, ERR_INVALID, "a request's path begins with '/'", ERR_NO_AT);
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] <= 0x20 || path.data[i] > 0x7e || path.data[i] == '#')
            return err_set(err, ERR_INVALID, "no character of a request's path, at offset", i);
    }
    return true;
}

bool request_head(const struct https_server *server, const struct https_request *request,
                  uint8_t memory[REQUEST_HEAD_MAX], struct bytes *out, struct err *err)
{
    struct writer w = writer_fixed(memory, REQUEST_HEAD_MAX);

    if (request->method == NULL || !method_is_taken(request->method))
        return err_set(err, ERR_INVALID, "no method of requests", ERR_NO_AT);
    if (!path_check(request->path, err))
        return false;
    if ((request->accept != NULL && !text_is_value(request->accept)) ||
        (request->content_type != NULL && !text_is_value(request->content_type)))
        return err_set(err, ERR_INVALID, "no media type", ERR_NO_AT);
    writer_format(&w, "%s ", request->method);
    writer_bytes(&w, request->path);
    writer_text(&w, " HTTP/1.1\r\nHost: ");
    writer_bytes(&w, server->host);
    if (server->port != (server->tls != NULL ? 443 : 80))
        writer_format(&w, ":%u", server->port);
    writer_format(&w, "\r\nConnection: keep-alive\r\nUser-Agent: %s\r\n", request_user_agent);
    if (request->accept != NULL)
        writer_format(&w, "Accept: %s\r\n", request->accept);
    if (request->body.size != 0 && request->content_type != NULL)
        writer_format(&w, "Content-Type: %s\r\n", request->content_type);
    /* An empty body is said where one is expected (RFC 9110 §8.6). */
    if (request->body.size != 0 || strcmp(request->method, "GET") != 0)
        writer_format(&w, "Content-Length: %zu\r\n", request->body.size);
    writer_text(&w, "\r\n");
    return writer_done(&w, out, err);
}
