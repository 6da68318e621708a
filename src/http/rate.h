/* How often an address may ask: a bucket of tokens for each, in a table of fixed size. Private. */
#pragma once

#include "http/server.h"

struct sockaddr;

struct rate;

/* ERR_MEMORY. */
MUST_CHECK bool rate_new(struct http_rate of_address, struct http_rate of_all, struct rate **out,
                         struct err *err);
void rate_free(struct rate *rate);

/* Whether a request from the address may be answered now; then it is counted. An IPv6 address
 * counts as its /64. NULL: of an unknown address. From any thread. */
bool rate_admits(struct rate *rate, const struct sockaddr *address, uint64_t now_ns);
