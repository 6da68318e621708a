#include "http/metrics.h"

#include <pthread.h>
#include <stdlib.h>

#define STATUSES_MAX 24u /* of one route; further ones are counted as 0 */

struct route_figures {
    struct {
        unsigned status;
        uint64_t count;
    } statuses[STATUSES_MAX];
    uint64_t count, took_ns;
};

struct metrics {
    pthread_mutex_t lock;
    size_t routes;
    struct route_figures figures[];
};

bool metrics_new(size_t routes, struct metrics **out, struct err *err)
{
    struct metrics *m = calloc(1, sizeof *m + (routes + 1) * sizeof m->figures[0]);

    if (m == NULL)
        return err_set(err, ERR_MEMORY, "no memory for figures", ERR_NO_AT);
    (void)pthread_mutex_init(&m->lock, NULL);
    m->routes = routes;
    *out = m;
    return true;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    (void)pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

void metrics_count(struct metrics *metrics, size_t route, unsigned status, uint64_t took_ns)
{
    struct route_figures *f = &metrics->figures[route];
    size_t i = 0;

    (void)pthread_mutex_lock(&metrics->lock);
    while (i < STATUSES_MAX - 1 && f->statuses[i].count != 0 && f->statuses[i].status != status)
        i++;
    f->statuses[i].status = i < STATUSES_MAX - 1 ? status : 0;
    f->statuses[i].count++;
    f->count++;
    f->took_ns += took_ns;
    (void)pthread_mutex_unlock(&metrics->lock);
}

static void write_labels(struct writer *w, const struct http_route *routes, size_t i, size_t count)
{
    const char *name = i == count ? "" : routes[i].name != NULL ? routes[i].name : routes[i].path;

    writer_format(w, "{method=\"%s\",route=\"%s\"", i == count ? "" : routes[i].method, name);
}

void metrics_write(struct metrics *m, const struct http_route *routes, struct writer *w)
{
    (void)pthread_mutex_lock(&m->lock);
    writer_text(w, "# HELP http_requests_total Requests answered.\n"
                   "# TYPE http_requests_total counter\n");
    for (size_t i = 0; i <= m->routes; i++) {
        for (size_t k = 0; k < STATUSES_MAX && m->figures[i].statuses[k].count != 0; k++) {
            writer_text(w, "http_requests_total");
            write_labels(w, routes, i, m->routes);
            writer_format(w, ",status=\"%u\"} %llu\n", m->figures[i].statuses[k].status,
                          (unsigned long long)m->figures[i].statuses[k].count);
        }
    }
    writer_text(w, "# HELP http_request_seconds Time from a request's first header to its answer.\n"
                   "# TYPE http_request_seconds summary\n");
    for (size_t i = 0; i <= m->routes; i++) {
        const struct route_figures *f = &m->figures[i];
        writer_text(w, "http_request_seconds_sum");
        write_labels(w, routes, i, m->routes);
        writer_format(w, "} %llu.%09llu\n", (unsigned long long)(f->took_ns / 1000000000u),
                      (unsigned long long)(f->took_ns % 1000000000u));
        writer_text(w, "http_request_seconds_count");
        write_labels(w, routes, i, m->routes);
        writer_format(w, "} %llu\n", (unsigned long long)f->count);
    }
    (void)pthread_mutex_unlock(&m->lock);
}
