#include "http/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CELLS 16 /* pairs of method and status of one route; further ones share the last */

#define NS_PER_S (1000 * NS_PER_MS)

/* Upper edges of the histogram, in ms. */
static const unsigned edges_ms[] = {5, 25, 100, 500, 1000, 5000, 30000};

struct cell {
    char method[8];
    unsigned status; /* 0: not in use */
    uint64_t count;
};

struct row {
    struct cell cells[CELLS];
    uint64_t took[COUNT_OF(edges_ms)]; /* not cumulated */
    uint64_t count, sum_ns;
};

struct metrics {
    pthread_mutex_t mutex;
    const struct http_route *routes;
    size_t route_count;
    size_t *row_of; /* by route: routes of one name share a row */
    uint64_t unanswered, refused_address, refused_global, crowded;
    struct row rows[]; /* the last: no route */
};

static const char *row_name(const struct metrics *m, size_t i)
{
    if (i == m->route_count)
        return "none";
    return m->routes[i].name != NULL ? m->routes[i].name : m->routes[i].path;
}

bool metrics_new(const struct http_route *routes, size_t route_count, struct metrics **out,
                 struct err *err)
{
    struct metrics *m = calloc(1, sizeof *m + (route_count + 1) * sizeof *m->rows);

    if (m != NULL)
        m->row_of = calloc(route_count + 1, sizeof *m->row_of);
    if (m == NULL || m->row_of == NULL) {
        free(m);
        return err_set(err, ERR_MEMORY, "no memory for metrics", ERR_NO_AT);
    }
    (void)pthread_mutex_init(&m->mutex, NULL);
    m->routes = routes;
    m->route_count = route_count;
    for (size_t i = 0; i <= route_count; i++) {
        while (strcmp(row_name(m, m->row_of[i]), row_name(m, i)) != 0)
            m->row_of[i]++;
    }
    *out = m;
    return true;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    (void)pthread_mutex_destroy(&m->mutex);
    free(m->row_of);
    free(m);
}

/* A method as a label: one that anybody may invent does not get in. */
static const char *known_method(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (strcmp(known[i], method) == 0)
            return known[i];
    }
    return "other";
}

static struct cell *find_cell(struct row *row, const char *method, unsigned status)
{
    struct cell *c = row->cells;

    for (; c < row->cells + CELLS - 1 && c->status != 0; c++) {
        if (c->status == status && strcmp(c->method, method) == 0)
            return c;
    }
    bool is_last = c == row->cells + CELLS - 1;
    c->status = is_last ? 999 : status;
    (void)memcpy(c->method, is_last ? "other" : method, strlen(is_last ? "other" : method) + 1);
    return c;
}

void metrics_answered(struct metrics *m, const struct http_route *route, const char *method,
                      unsigned status, uint64_t took_ns)
{
    size_t place = route != NULL ? (size_t)(route - m->routes) : m->route_count;
    struct row *row = &m->rows[m->row_of[place]];

    (void)pthread_mutex_lock(&m->mutex);
    find_cell(row, known_method(method), status)->count++;
    row->count++;
    row->sum_ns += took_ns;
    for (size_t i = 0; i < COUNT_OF(edges_ms); i++) {
        if (took_ns <= edges_ms[i] * NS_PER_MS) {
            row->took[i]++;
            break;
        }
    }
    (void)pthread_mutex_unlock(&m->mutex);
}

static void count_one(struct metrics *m, uint64_t *counter)
{
    (void)pthread_mutex_lock(&m->mutex);
    ++*counter;
    (void)pthread_mutex_unlock(&m->mutex);
}

void metrics_unanswered(struct metrics *m)
{
    count_one(m, &m->unanswered);
}

void metrics_refused(struct metrics *m, bool is_global)
{
    count_one(m, is_global ? &m->refused_global : &m->refused_address);
}

void metrics_crowded(struct metrics *m)
{
    count_one(m, &m->crowded);
}

static void write_requests(const struct metrics *m, struct writer *w)
{
    writer_text(w, "# TYPE broch_http_requests_total counter\n");
    for (size_t i = 0; i <= m->route_count; i++) {
        for (const struct cell *c = m->rows[i].cells; c < m->rows[i].cells + CELLS; c++) {
            if (c->status != 0)
                writer_format(w,
                              "broch_http_requests_total{route=\"%s\",method=\"%s\","
                              "status=\"%u\"} %" PRIu64 "\n",
                              row_name(m, i), c->method, c->status, c->count);
        }
    }
}

/* Seconds as a decimal, without floating point. */
static void write_seconds(struct writer *w, uint64_t ns)
{
    writer_format(w, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void write_times(const struct metrics *m, struct writer *w)
{
    static const char name[] = "broch_http_request_seconds";

    writer_format(w, "# TYPE %s histogram\n", name);
    for (size_t i = 0; i <= m->route_count; i++) {
        const struct row *row = &m->rows[i];
        uint64_t count = 0;
        if (row->count == 0)
            continue;
        for (size_t k = 0; k < COUNT_OF(edges_ms); k++) {
            count += row->took[k];
            writer_format(w, "%s_bucket{route=\"%s\",le=\"%u.%03u\"} %" PRIu64 "\n", name,
                          row_name(m, i), edges_ms[k] / 1000, edges_ms[k] % 1000, count);
        }
        writer_format(w, "%s_bucket{route=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, row_name(m, i),
                      row->count);
        writer_format(w, "%s_count{route=\"%s\"} %" PRIu64 "\n", name, row_name(m, i), row->count);
        writer_format(w, "%s_sum{route=\"%s\"} ", name, row_name(m, i));
        write_seconds(w, row->sum_ns);
        writer_u8(w, '\n');
    }
}

void metrics_write(struct metrics *m, struct writer *w)
{
    (void)pthread_mutex_lock(&m->mutex);
    write_requests(m, w);
    write_times(m, w);
    writer_format(w,
                  "# TYPE broch_http_requests_unanswered_total counter\n"
                  "broch_http_requests_unanswered_total %" PRIu64 "\n"
                  "# TYPE broch_http_rate_refusals_total counter\n"
                  "broch_http_rate_refusals_total{rate=\"address\"} %" PRIu64 "\n"
                  "broch_http_rate_refusals_total{rate=\"global\"} %" PRIu64 "\n"
                  "# TYPE broch_http_connections_refused_total counter\n"
                  "broch_http_connections_refused_total %" PRIu64 "\n",
                  m->unanswered, m->refused_address, m->refused_global, m->crowded);
    (void)pthread_mutex_unlock(&m->mutex);
}
