/* What is counted about requests, for Prometheus. Private to the room; any thread. */
#pragma once

#include "http/server.h"

struct metrics;

/* routes as the server's, which live longer. ERR_MEMORY. */
MUST_CHECK bool metrics_new(const struct http_route *routes, size_t route_count,
                            struct metrics **out, struct err *err);
void metrics_free(struct metrics *m);

/* A request was answered. route NULL: it had none. */
void metrics_answered(struct metrics *m, const struct http_route *route, const char *method,
                      unsigned status, uint64_t took_ns);
/* A request ended without an answer of ours: the client left, was cut off, or was no HTTP. */
void metrics_unanswered(struct metrics *m);
/* A request was refused for its rate. */
void metrics_refused(struct metrics *m, bool is_global);
/* A connection was closed, as its address had too many. */
void metrics_crowded(struct metrics *m);

void metrics_write(struct metrics *m, struct writer *w);
