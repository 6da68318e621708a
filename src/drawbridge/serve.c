/* The server's process. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#include "drawbridge/drawbridge.h"
#include "drawbridge/service.h"
#include "base/banned.h"

#define DRAIN_MS 10000u
#define CONNECTIONS 1000u
#define BODY_RATE (16u << 10) /* bytes a second, beneath which an upload is given up */

struct server {
    const char *config_path;
    struct registry *registry;
    struct service *service;
    struct http_server *http;
    sigset_t signals;
};

static struct policy *read_policy(const struct server *s)
{
    char fault[POLICY_FAULT_SIZE];
    struct policy *policy = policy_read(s->config_path, fault);

    if (policy == NULL)
        log_error(fault);
    return policy;
}

static bool start_http(struct server *s, const struct policy *policy, uint16_t *port,
                       struct err *err)
{
    const struct drawbridge_config *c = &policy->config;
    struct http_server_options options = {
        .certificate = policy->certificate,
        .key = policy->key,
        .ask_certificate = true,
        .routes = service_routes,
        .route_count = service_route_count,
        .context = s->service,
        .workers = (unsigned)c->server.workers,
        /* nobody is refused whose upload has come: each connection asks one thing at a time */
        .waiting_max = c->server.connections != 0 ? (unsigned)c->server.connections : CONNECTIONS,
        .connections_max =
            c->server.connections != 0 ? (unsigned)c->server.connections : CONNECTIONS,
        .body_rate = BODY_RATE,
        .address_rate = {.rate = (unsigned)c->server.address_rate,
                         .burst = (unsigned)c->server.address_rate},
        .global_rate = {.rate = (unsigned)c->server.global_rate,
                        .burst = (unsigned)c->server.global_rate},
    };

    return http_listen(policy->listen, &options.listener, port, err) &&
           http_server_start(&options, &s->http, err);
}

/* policy is the service's from then on. */
static bool start(struct server *s, struct policy *policy, struct err *err)
{
    uint16_t port;

    if (!registry_open(policy->store, &s->registry, err) ||
        !registry_serve_alone(s->registry, err)) {
        policy_free(policy);
        return false;
    }
    if (!service_new(s->registry, policy, &s->service, err) || !start_http(s, policy, &port, err))
        return false;
    (void)printf("broch-drawbridge: listening on %.*s:%u\n",
                 (int)(strrchr(policy->listen, ':') - policy->listen), policy->listen, port);
    (void)fflush(stdout);
    return true;
}

static void configure(struct server *s)
{
    struct policy *policy = read_policy(s);

    if (policy == NULL) {
        log_error("the configuration stays as it was");
        return;
    }
    service_set_policy(s->service, policy);
    log_info("the configuration was read again");
}

int drawbridge_serve(const char *config_path)
{
    struct server s = {.config_path = config_path};
    sigset_t old;
    struct err err;
    int number = 0;

    (void)mallopt(M_ARENA_MAX, 2); /* or each worker keeps what it took for a large directory */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of write's */
    (void)sigemptyset(&s.signals);
    (void)sigaddset(&s.signals, SIGHUP);
    (void)sigaddset(&s.signals, SIGTERM);
    (void)sigaddset(&s.signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &s.signals, &old);
    struct policy *policy = read_policy(&s);
    bool ok = policy != NULL && start(&s, policy, &err);
    if (policy != NULL && !ok)
        log_error("the Drawbridge cannot start", log_err(&err));
    while (ok && number != SIGTERM && number != SIGINT) {
        number = sigwaitinfo(&s.signals, NULL);
        if (number == SIGHUP)
            configure(&s);
    }
    http_server_stop(s.http, DRAIN_MS);
    service_free(s.service);
    registry_close(s.registry);
    return ok ? 0 : 1;
}
