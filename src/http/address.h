/* Whom a connection is from: one IPv4 address, or one IPv6 network of 64 bits, which is what one
 * customer gets. Private to the room. */
#pragma once

#include <sys/socket.h>

#include "http/server.h"

struct address_key {
    uint8_t bytes[16]; /* IPv6, IPv4 as ::ffff:a.b.c.d; the lower half of other IPv6 is zero */
};

/* The key and the text of a peer's address. Another family than the two gives zeros and "unknown".
 */
void address_of(const struct sockaddr *from, struct address_key *key, char text[HTTP_ADDRESS_SIZE]);

bool address_equal(const struct address_key *a, const struct address_key *b);
