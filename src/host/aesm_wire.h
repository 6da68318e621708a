/* Messages to AESM and back. A request has a connection of its own; it and its answer each stand
 * behind their size, u32le. */
#pragma once

#include "host/sgx_quoting.h"

#define AESM_ANSWER_MAX ((uint32_t)1 << 20) /* bytes */

/* Sends a request, of less than AESM_ANSWER_MAX bytes, and waits for its answer, all of it before
 * the deadline. ERR_IO with errno, ETIMEDOUT too; ERR_FORMAT: larger than AESM_ANSWER_MAX, or cut
 * short; ERR_MEMORY. *answer is the arena's. */
typedef bool aesm_exchange(const void *context, struct deadline deadline, struct bytes request,
                           struct arena *arena, struct bytes *answer, struct err *err);

/* By a socket; the context is a struct sockaddr_un. */
aesm_exchange aesm_wire_exchange;

/* As aesm_quoting_new, by another way than a socket: for tests. */
MUST_CHECK bool aesm_quoting_over(aesm_exchange *exchange, const void *context,
                                  struct sgx_quoting *out, struct err *err);
