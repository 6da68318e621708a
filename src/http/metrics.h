/* Figures of a server: requests by route and status. Private. */
#pragma once

#include "http/server.h"

struct metrics;

/* One more than the routes: for what fits none. ERR_MEMORY. */
MUST_CHECK bool metrics_new(size_t routes, struct metrics **out, struct err *err);
void metrics_free(struct metrics *metrics);
void metrics_count(struct metrics *metrics, size_t route, unsigned status, uint64_t took_ns);
void metrics_write(struct metrics *metrics, const struct http_route *routes, struct writer *w);
