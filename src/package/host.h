/* Hosts and ports as people write them, in the one form in which they are compared. */
#pragma once

#include "base/base.h"

/* Writes a host as it is compared: lower case; an IPv6 address in its shortest form in brackets, an
 * IPv4 address in dotted decimal; a domain name of letters, digits, '-', '_' and dots, 253 bytes at
 * most. False when it is none of these. The bytes are the arena's. */
MUST_CHECK bool config_host_canonical(struct bytes host, struct arena *arena, struct bytes *out);

/* The same for an address that may also be an IPv6 one without its brackets. */
MUST_CHECK bool config_address_canonical(struct bytes address, struct arena *arena,
                                         struct bytes *out);

/* Splits "HOST", "HOST:PORT", "[IPv6]:PORT" (port 0 when there is none), HOST made canonical. */
MUST_CHECK bool config_host_parse(struct bytes text, struct arena *arena, struct bytes *host,
                                  uint16_t *port, struct err *err);

/* A port of one to five digits, 0 to 65535. */
MUST_CHECK bool config_port_parse(struct bytes text, uint16_t *out);
