/* Host names, by the host's own resolver. */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "host/internal.h"

size_t resolve_name(const char *name, struct keep_address out[KEEP_ADDRESSES_MAX])
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    size_t count = 0;

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return 0;
    for (const struct addrinfo *a = found; a != NULL && count < KEEP_ADDRESSES_MAX;
         a = a->ai_next) {
        struct keep_address address = {.family = a->ai_family == AF_INET ? 4 : 6};
        if (a->ai_family == AF_INET && a->ai_addrlen >= sizeof(struct sockaddr_in)) {
            struct sockaddr_in in;
            memcpy(&in, a->ai_addr, sizeof in);
            memcpy(address.bytes, &in.sin_addr, 4);
        } else if (a->ai_family == AF_INET6 && a->ai_addrlen >= sizeof(struct sockaddr_in6)) {
            struct sockaddr_in6 in6;
            memcpy(&in6, a->ai_addr, sizeof in6);
            memcpy(address.bytes, &in6.sin6_addr, 16);
        } else {
            continue;
        }
        out[count++] = address;
    }
    freeaddrinfo(found);
    return count;
}
