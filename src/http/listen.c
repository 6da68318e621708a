#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server.h"

#define BACKLOG 512

static bool split(const char *address, char host[256], const char **port, struct err *err)
{
    const char *colon = strrchr(address, ':');
    size_t size = colon != NULL ? (size_t)(colon - address) : 0;

    if (size > 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    if (colon == NULL || size == 0 || size > 255 || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return err_set(err, ERR_FORMAT, "an address to listen on is HOST:PORT or [IPV6]:PORT",
                       ERR_NO_AT);
    (void)snprintf(host, 256, "%.*s", (int)size, address);
    *port = colon + 1;
    return true;
}

static int open_socket(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol), on = 1, off = 0;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6) /* [::] is everybody */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int fault = errno;
    (void)close(fd);
    errno = fault;
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 0;
    memcpy(&in, &address, sizeof in);
    memcpy(&in6, &address, sizeof in6);
    return ntohs(address.ss_family == AF_INET6 ? in6.sin6_port : in.sin_port);
}

bool http_listen(const char *address, int *fd, uint16_t *port, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list;
    char host[256];
    const char *service;

    if (!split(address, host, &service, err))
        return false;
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return err_set(err, ERR_FORMAT, "an address to listen on is numeric, as in 127.0.0.1:8443",
                       ERR_NO_AT);
    *fd = open_socket(list);
    freeaddrinfo(list);
    if (*fd < 0)
        return err_set(err, ERR_IO, "cannot listen", (uint64_t)errno);
    if (port != NULL)
        *port = port_of(*fd);
    return true;
}
