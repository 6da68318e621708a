/* Addresses of clients, and sockets that listen. */
#include "http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 512
#define NETWORK_SIZE 8 /* bytes of an IPv6 /64 */

void address_of(const struct sockaddr *from, struct address_key *key, char text[HTTP_ADDRESS_SIZE])
{
    struct in6_addr six = IN6ADDR_ANY_INIT;
    struct in_addr four;

    *key = (struct address_key){.bytes = {0}};
    (void)snprintf(text, HTTP_ADDRESS_SIZE, "unknown");
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        six.s6_addr[10] = six.s6_addr[11] = 0xff;
        memcpy(six.s6_addr + 12, &in.sin_addr, sizeof in.sin_addr);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, from, sizeof in);
        six = in.sin6_addr;
    } else {
        return;
    }
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
        memcpy(key->bytes, six.s6_addr, sizeof key->bytes);
        memcpy(&four, six.s6_addr + 12, sizeof four);
        (void)inet_ntop(AF_INET, &four, text, HTTP_ADDRESS_SIZE);
    } else {
        memcpy(key->bytes, six.s6_addr, NETWORK_SIZE);
        (void)inet_ntop(AF_INET6, &six, text, HTTP_ADDRESS_SIZE);
    }
}

bool address_equal(const struct address_key *a, const struct address_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* "host:port" and "[host]:port" in two; numbers only. */
static bool split(const char *address, char host[HTTP_ADDRESS_SIZE], const char **port)
{
    const char *colon = strrchr(address, ':');

    if (colon == NULL)
        return false;
    size_t size = (size_t)(colon - address);
    if (size > 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    } else if (memchr(address, ':', size) != NULL) {
        return false;
    }
    if (size == 0 || size >= HTTP_ADDRESS_SIZE)
        return false;
    memcpy(host, address, size);
    host[size] = '\0';
    *port = colon + 1;
    size_t digits = strspn(*port, "0123456789");
    return digits != 0 && digits <= 5 && (*port)[digits] == '\0' &&
           strtoul(*port, NULL, 10) <= UINT16_MAX;
}

static bool fail_open(int fd, struct err *err, const char *msg)
{
    int number = errno;

    if (fd >= 0)
        (void)close(fd);
    return err_set(err, ERR_IO, msg, (uint64_t)number);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof bound;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
        return 0;
    memcpy(&in, &bound, sizeof in);
    memcpy(&in6, &bound, sizeof in6);
    return ntohs(bound.ss_family == AF_INET6 ? in6.sin6_port : in.sin_port);
}

bool http_listen(const char *address, int *fd, uint16_t *port, struct err *err)
{
    char host[HTTP_ADDRESS_SIZE];
    const char *service;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                   .ai_socktype = SOCK_STREAM};
    int yes = 1;

    if (!split(address, host, &service) || getaddrinfo(host, service, &hints, &found) != 0)
        return err_set(err, ERR_FORMAT, "an address to listen at is no ADDRESS:PORT", ERR_NO_AT);
    int s = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_bound = s >= 0 && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                    bind(s, found->ai_addr, found->ai_addrlen) == 0 && listen(s, BACKLOG) == 0;
    int number = errno;
    freeaddrinfo(found);
    errno = number;
    if (!is_bound)
        return fail_open(s, err, "cannot listen");
    if (port != NULL)
        *port = bound_port(s);
    *fd = s;
    return true;
}
