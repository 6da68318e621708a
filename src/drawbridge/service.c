/* From a request to its answer: who asks what, and in which order that is judged. */
#include "drawbridge/service.h"

#include <stdlib.h>

#include "drawbridge/service_internal.h"
#include "os/os.h"
#include "base/banned.h"

#define MESSAGE_MAX 1000
#define NAME_MAX_SHOWN 160

/* ---- the policy ---- */

bool service_new(struct registry *registry, struct policy *policy, struct service **out,
                 struct err *err)
{
    struct service *s = calloc(1, sizeof *s);

    if (s == NULL || !recall_new(&s->recall, err)) {
        free(s);
        policy_free(policy);
        return err_set(err, ERR_MEMORY, "no memory for the service", ERR_NO_AT);
    }
    s->registry = registry;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_mutex_init(&s->directory_lock, NULL);
    policy->users = 1;
    s->policy = policy;
    *out = s;
    return true;
}

static struct policy *take_policy(struct service *s)
{
    (void)pthread_mutex_lock(&s->lock);
    struct policy *policy = s->policy;
    policy->users++;
    (void)pthread_mutex_unlock(&s->lock);
    return policy;
}

static void give_policy(struct service *s, struct policy *policy)
{
    (void)pthread_mutex_lock(&s->lock);
    bool is_last = --policy->users == 0;
    (void)pthread_mutex_unlock(&s->lock);
    if (is_last)
        policy_free(policy);
}

void service_set_policy(struct service *service, struct policy *policy)
{
    policy->users = 1;
    (void)pthread_mutex_lock(&service->lock);
    struct policy *old = service->policy;
    service->policy = policy;
    (void)pthread_mutex_unlock(&service->lock);
    give_policy(service, old);
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    give_policy(service, service->policy);
    recall_free(service->recall);
    (void)pthread_mutex_destroy(&service->lock);
    (void)pthread_mutex_destroy(&service->directory_lock);
    free(service);
}

/* ---- refusals ---- */

bool deny(struct exchange *x, unsigned status, const char *code, const char *message)
{
    x->denial = (struct denial){.status = status, .code = code, .message = message};
    return false;
}

bool deny_named(struct exchange *x, unsigned status, const char *code, const char *before,
                struct bytes name, const char *after)
{
    struct writer w = writer_growable(x->arena, MESSAGE_MAX);

    writer_text(&w, before);
    writer_shown(&w, bytes_before(name, NAME_MAX_SHOWN));
    writer_text(&w, after);
    writer_u8(&w, '\0');
    return deny(x, status, code, w.failed == ERR_NONE ? (const char *)w.data : before);
}

bool deny_failed(struct exchange *x, const struct err *err)
{
    log_error("a request failed", log_str("path", x->request->path), log_err(err));
    return deny(x, 500, "internal", "the registry's store failed; its log says why");
}

bool check_answer(struct exchange *x, enum registry_answer answer, const struct err *err)
{
    switch (answer) {
    case REGISTRY_DONE:
        return true;
    case REGISTRY_ABSENT:
        return deny(x, 404, "not-found", "Not found");
    case REGISTRY_EXISTS:
        return deny(x, 409, "exists", "Already exists");
    case REGISTRY_FAILED:
        break;
    }
    return deny_failed(x, err);
}

static bool deny_method(struct exchange *x)
{
    return deny(x, 405, "method-not-allowed", "Method not allowed for this endpoint");
}

/* ---- reading ---- */

static bool is_reading(const struct http_request *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

static bool read_any(struct exchange *x, struct http_response *response)
{
    static bool (*const readers[])(struct exchange * x, struct http_response * response) = {
        [ENDPOINT_USERS] = read_users,       [ENDPOINT_REPOS] = read_repos,
        [ENDPOINT_USER] = read_user,         [ENDPOINT_REPO] = read_repo,
        [ENDPOINT_TAGS] = read_tags,         [ENDPOINT_TAG] = read_tag,
        [ENDPOINT_NODE] = read_node,         [ENDPOINT_MISSING] = read_missing,
        [ENDPOINT_STEWARDS] = read_stewards, [ENDPOINT_STEWARD] = NULL,
    };

    if (readers[x->route.endpoint] == NULL)
        return deny_method(x);
    return caller_read(x) && readers[x->route.endpoint](x, response);
}

/* ---- as the server calls ---- */

static struct exchange *exchange_make(struct service *s, struct http_request *request)
{
    struct exchange *x = ARENA_NEW(request->arena, struct exchange);

    if (x == NULL)
        return NULL;
    *x = (struct exchange){.service = s,
                           .policy = take_policy(s),
                           .request = request,
                           .arena = request->arena,
                           .recall_age = recall_age(s->recall),
                           .now = os_unix_ms() / 1000,
                           .body = writer_growable(request->arena, SMALL_BODY_MAX)};
    request->state = x;
    return x;
}

static bool on_begin(void *context, struct http_request *request)
{
    struct exchange *x = exchange_make(context, request);
    struct route_fault fault;

    if (x == NULL)
        return false;
    if (!route_parse(bytes_of(request->path), &x->route, &fault))
        return deny(x, fault.status,
                    fault.status == 404   ? "not-found"
                    : fault.status == 501 ? "unsupported-version"
                                          : "malformed",
                    fault.message);
    if (x->route.endpoint == ENDPOINT_HEALTH || is_reading(request))
        return true;
    return write_begin(x);
}

static bool on_receive(void *context, struct http_request *request, struct bytes part)
{
    struct exchange *x = request->state;
    struct err err;

    (void)context;
    x->received += part.size;
    if (x->is_upload) {
        if (x->received > x->length)
            return deny(x, 400, "length-mismatch", "Content length mismatch");
        return blob_upload_add(&x->upload, part, &err) || deny_failed(x, &err);
    }
    writer_bytes(&x->body, part);
    return x->body.failed == ERR_NONE ||
           deny(x, 413, "body-too-large", "the body is larger than 64 KiB");
}

static void fail(const struct exchange *x, struct http_response *response)
{
    *response = (struct http_response){.status = 0};
    http_response_fail(x->request, response, x->denial.status, x->denial.code, x->denial.message);
    if (x->denial.status == 401)
        http_response_header(response, "WWW-Authenticate", "Bearer");
}

static void on_handle(void *context, struct http_request *request, struct http_response *response)
{
    struct exchange *x = request->state;

    (void)context;
    if (x == NULL) {
        http_response_fail(request, response, 503, "busy", "the server has no memory");
        return;
    }
    if (x->denial.status == 0 && x->route.endpoint == ENDPOINT_HEALTH) {
        response->status = 200;
        return;
    }
    bool ok = x->denial.status == 0 &&
              (is_reading(request) ? read_any(x, response) : write_end(x, response));
    blob_upload_done(&x->upload); /* before the answer, whoever waits for that finds nothing left */
    if (!ok)
        fail(x, response);
    else if (x->is_lasting && response->status == 200 && response->read == NULL &&
             x->request->query[0] == '\0')
        recall_keep(x->service->recall, x->recall_age, request->path, response);
}

/* Who says more than a path is to be looked at. */
static bool on_recall(void *context, const struct http_request *request,
                      struct http_response *response)
{
    static const char *const others[] = {"Authorization", "If-None-Match", "Range"};
    struct service *s = context;

    if (!is_reading(request) || request->query[0] != '\0')
        return false;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (http_request_has(request, others[i]))
            return false;
    }
    return recall_find(s->recall, request->path, request->arena, response);
}

static void on_end(void *context, struct http_request *request)
{
    struct exchange *x = request->state;

    (void)context;
    if (x == NULL)
        return;
    blob_upload_done(&x->upload);
    give_policy(x->service, x->policy);
}

const struct http_route service_routes[] = {
    {.method = "*",
     .path = "*",
     .body_max = (size_t)1 << 50,
     .begin = on_begin,
     .receive = on_receive,
     .handle = on_handle,
     .end = on_end,
     .recall = on_recall,
     .name = "api"},
};
const size_t service_route_count = COUNT_OF(service_routes);
