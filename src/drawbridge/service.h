/* The API over HTTP: docs/drawbridge-api.md. */
#pragma once

#include "drawbridge/policy.h"
#include "http/server.h"

struct service;

/* Answers from the registry, which it borrows, under the policy, which it takes over. ERR_MEMORY:
 * the policy is freed then too. */
MUST_CHECK bool service_new(struct registry *registry, struct policy *policy, struct service **out,
                            struct err *err);
/* From the next request on, another policy; it is taken over. Any thread. */
void service_set_policy(struct service *service, struct policy *policy);
/* When no request is left. NULL is nothing. */
void service_free(struct service *service);

/* What the server is given; its context is the service. */
extern const struct http_route service_routes[];
extern const size_t service_route_count;
