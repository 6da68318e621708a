/* Messages to AESM and back. A request has a connection of its own; it and its answer each stand
 * behind their size, u32le. */
#pragma once

#include <sys/un.h>

#include "base/base.h"

#define AESM_ANSWER_MAX ((uint32_t)1 << 20) /* bytes */

/* Sends a request, of less than AESM_ANSWER_MAX bytes, and waits for its answer, all of it before
 * the deadline. ERR_IO with errno, ETIMEDOUT too; ERR_FORMAT: larger than AESM_ANSWER_MAX, or cut
 * short; ERR_MEMORY. *answer is the arena's. */
MUST_CHECK bool aesm_wire_exchange(const struct sockaddr_un *address, struct deadline deadline,
                                   struct bytes request, struct arena *arena, struct bytes *answer,
                                   struct err *err);
