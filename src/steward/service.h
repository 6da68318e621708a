/* What the Steward answers, over HTTP: docs/steward-api.md. Lives in the process that speaks to the
 * network. */
#pragma once

#include "http/server.h"
#include "steward/config.h"
#include "steward/signer.h"
#include "steward/store.h"

struct service;

struct service_options {
    struct store *store;
    struct signer *signer;
    struct signer *simulation; /* NULL: simulated platforms have no CA here */
    unsigned workers;
};

/* Takes over text and files, also when it fails. ERR_FORMAT with *error: the configuration. */
MUST_CHECK bool service_new(const struct service_options *options, struct bytes text,
                            struct file_set *files, struct service **out, struct text_error *error,
                            struct err *err);
/* Puts another configuration in the place of the one before: policy, endorsements, certificates of
 * CAs; what is about server, store and keys stays as it was. Requests under way end by the old one.
 * As service_new. */
MUST_CHECK bool service_configure(struct service *service, struct bytes text,
                                  struct file_set *files, struct text_error *error,
                                  struct err *err);
void service_free(struct service *service);

/* Its routes, for as long as the service lives; their context is the service. */
const struct http_route *service_routes(size_t *count);
/* The server whose figures /metrics shows beside its own. */
void service_set_server(struct service *service, struct http_server *server);
