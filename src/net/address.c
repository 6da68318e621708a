/* Addresses as bytes, as the calls take them, and as text; errors of calls. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/internal.h"

static const struct {
    int number;
    enum vfs_error error;
    const char *text;
} errors[] = {
    {EACCES, VFS_ACCES, "not permitted"},
    {EPERM, VFS_ACCES, "not permitted"},
    {EADDRINUSE, VFS_ADDRINUSE, "the address is in use"},
    {EADDRNOTAVAIL, VFS_ADDRNOTAVAIL, "the machine has no such address"},
    {EAFNOSUPPORT, VFS_AFNOSUPPORT, "the machine does not speak this protocol"},
    {EAGAIN, VFS_AGAIN, "not now"},
    {ECONNABORTED, VFS_CONNABORTED, "the connection was aborted"},
    {ECONNREFUSED, VFS_CONNREFUSED, "the connection was refused"},
    {ECONNRESET, VFS_CONNRESET, "the peer reset the connection"},
    {EHOSTUNREACH, VFS_HOSTUNREACH, "there is no way to the host"},
    {EINPROGRESS, VFS_INPROGRESS, "the connection is being made"},
    {EINTR, VFS_INTR, "interrupted"},
    {EINVAL, VFS_INVAL, "not possible for this socket"},
    {EMFILE, VFS_MFILE, "too many open files"},
    {ENFILE, VFS_NFILE, "too many connections"},
    {ENETUNREACH, VFS_NETUNREACH, "there is no way to the network"},
    {ENOBUFS, VFS_NOBUFS, "no memory for the network"},
    {ENOENT, VFS_NOENT, "there is no host of this name"},
    {ENOMEM, VFS_NOMEM, "no memory"},
    {ENOTCONN, VFS_NOTCONN, "not connected"},
    {EPIPE, VFS_PIPE, "the connection has ended"},
    {EPROTONOSUPPORT, VFS_PROTONOSUPPORT, "this build has no TLS"},
    {ETIMEDOUT, VFS_TIMEDOUT, "no answer in time"},
};

enum vfs_error net_error(int number)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (errors[i].number == number)
            return errors[i].error;
    }
    return VFS_IO;
}

const char *net_error_text(enum vfs_error error)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (errors[i].error == error)
            return errors[i].text;
    }
    return "the host failed";
}

struct endpoint endpoint_of(const struct net_address *address, uint16_t port)
{
    struct endpoint e = {.size = 0};

    if (address->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, address->bytes, 4);
        memcpy(&e.address, &in, sizeof in);
        e.size = sizeof in;
    } else {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in6.sin6_addr, address->bytes, 16);
        memcpy(&e.address, &in6, sizeof in6);
        e.size = sizeof in6;
    }
    return e;
}

bool address_parse(struct bytes text, struct net_address *out)
{
    char name[INET6_ADDRSTRLEN];

    if (text.size >= 2 && text.data[0] == '[' && text.data[text.size - 1] == ']')
        text = bytes_from(text.data + 1, text.size - 2);
    if (text.size == 0 || text.size >= sizeof name || memchr(text.data, 0, text.size) != NULL)
        return false;
    memcpy(name, text.data, text.size);
    name[text.size] = '\0';
    *out = (struct net_address){.family = 4};
    if (inet_pton(AF_INET, name, out->bytes) == 1)
        return true;
    out->family = 6;
    return inet_pton(AF_INET6, name, out->bytes) == 1;
}

void endpoint_text(const struct sockaddr_storage *address, char out[ENDPOINT_TEXT_SIZE])
{
    char text[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (address->ss_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        (void)inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
        (void)snprintf(out, ENDPOINT_TEXT_SIZE, "%s:%u", text, ntohs(in.sin_port));
        return;
    }
    memcpy(&in6, address, sizeof in6);
    if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
        (void)inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, sizeof text);
        (void)snprintf(out, ENDPOINT_TEXT_SIZE, "%s:%u", text, ntohs(in6.sin6_port));
        return;
    }
    if (address->ss_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
    (void)snprintf(out, ENDPOINT_TEXT_SIZE, "[%s]:%u", text,
                   address->ss_family == AF_INET6 ? ntohs(in6.sin6_port) : 0u);
}
