/* A server and a client of src/http, for its tests.
 *
 *   http_probe serve CERTIFICATE KEY [OPTION=NUMBER…]   prints "port N"; serves until SIGTERM
 *   http_probe get URL CA TIMEOUT_MS BODY_MAX [ACCEPT]  prints the reply, or the error's name
 *   http_probe listen ADDRESS                           prints the port, or the error's name */
#include <inttypes.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/client.h"
#include "http/server.h"
#include "os/os.h"

#define MIB ((size_t)1 << 20)

struct probe {
    struct http_server *server; /* set before the first request is sent: "port" comes after it */
};

static uint64_t number_of(const char *text, uint64_t otherwise)
{
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void answer(struct http_request *request, struct http_response *response,
                   const struct writer *w)
{
    struct err err;

    response->status = 200;
    response->content_type = "text/plain";
    if (!writer_done(w, &response->body, &err))
        http_response_fail(request, response, 500, "memory", err.msg);
}

static void handle_echo(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    response->status = 200;
    response->content_type = http_request_header(request, "Content-Type");
    response->body = request->body;
}

static void handle_size(void *context, struct http_request *request, struct http_response *response)
{
    struct writer w = writer_growable(request->arena, 100);

    (void)context;
    writer_format(&w, "%zu", request->body.size);
    answer(request, response, &w);
}

static void handle_slow(void *context, struct http_request *request, struct http_response *response)
{
    struct writer w = writer_growable(request->arena, 100);

    (void)context;
    (void)usleep((useconds_t)number_of(http_request_parameter(request, "ms"), 0) * 1000);
    writer_text(&w, "slow");
    answer(request, response, &w);
}

static void handle_whoami(void *context, struct http_request *request,
                          struct http_response *response)
{
    struct writer w = writer_growable(request->arena, 64 << 10);
    const struct bytes *certificates;
    size_t count;
    struct err err;
    const char *header = http_request_header(request, "X-Test");
    const char *parameter = http_request_parameter(request, "p");

    (void)context;
    if (!http_request_certificates(request, &certificates, &count, &err)) {
        http_response_fail(request, response, 500, "memory", err.msg);
        return;
    }
    writer_format(&w, "client=%s\nmethod=%s\npath=%s\nquery=%s\nheader=%s\nparameter=%s\n",
                  request->client, request->method, request->path, request->query,
                  header != NULL ? header : "(none)", parameter != NULL ? parameter : "(none)");
    for (size_t i = 0; i < count; i++)
        writer_format(&w, "certificate=%zu\n", certificates[i].size);
    answer(request, response, &w);
}

static void handle_accept(void *context, struct http_request *request,
                          struct http_response *response)
{
    struct writer w = writer_growable(request->arena, 100);
    const char *type = http_request_parameter(request, "type");

    (void)context;
    writer_format(&w, "%u", http_request_accepts(request, type != NULL ? type : "text/plain"));
    answer(request, response, &w);
}

static void handle_metrics(void *context, struct http_request *request,
                           struct http_response *response)
{
    const struct probe *probe = context;
    struct writer w = writer_growable(request->arena, MIB);

    http_server_write_metrics(probe->server, &w);
    answer(request, response, &w);
}

static void handle_redirect(void *context, struct http_request *request,
                            struct http_response *response)
{
    (void)context;
    (void)request;
    response->status = 302;
    http_response_header(response, "Location", "/whoami");
}

static void handle_nothing(void *context, struct http_request *request,
                           struct http_response *response)
{
    (void)context;
    (void)request;
    (void)response;
}

static void handle_bad_header(void *context, struct http_request *request,
                              struct http_response *response)
{
    (void)context;
    (void)request;
    response->status = 200;
    http_response_header(response, "X-Split", "a\r\nX-Injected: b");
}

static void handle_message(void *context, struct http_request *request,
                           struct http_response *response)
{
    (void)context;
    http_response_fail(request, response, 400, "told", "a \"b\" \\ \n \xff \xc3\xa9");
}

/* ---- a body that comes in parts ---- */

struct upload {
    EVP_MD_CTX *hash;
    uint64_t size, refuse_at;
    unsigned after; /* calls of receive that should not have been */
    bool is_refused;
};

static bool upload_begin(void *context, struct http_request *request)
{
    struct upload *u = ARENA_NEW(request->arena, struct upload);

    (void)context;
    request->state = u;
    if (u == NULL)
        return false;
    u->refuse_at = number_of(http_request_header(request, "X-Refuse-At"), UINT64_MAX);
    u->is_refused = u->refuse_at == 0;
    u->hash = EVP_MD_CTX_new();
    return u->hash != NULL && EVP_DigestInit(u->hash, EVP_sha256()) == 1 && !u->is_refused;
}

static bool upload_receive(void *context, struct http_request *request, struct bytes part)
{
    struct upload *u = request->state;

    (void)context;
    if (u->is_refused)
        u->after++;
    u->size += part.size;
    u->is_refused = u->size >= u->refuse_at;
    return EVP_DigestUpdate(u->hash, part.data, part.size) == 1 && !u->is_refused;
}

static void upload_handle(void *context, struct http_request *request,
                          struct http_response *response)
{
    struct writer w = writer_growable(request->arena, 200);
    struct upload *u = request->state;
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[64];

    (void)context;
    if (u == NULL || u->is_refused) {
        http_response_fail(request, response, u != NULL && u->after == 0 ? 409 : 500, "refused",
                           "the upload was refused");
        return;
    }
    if (EVP_DigestFinal(u->hash, digest, NULL) != 1)
        return;
    hex_encode(bytes_from(digest, 32), hex);
    writer_format(&w, "%" PRIu64 " %.64s", u->size, hex);
    answer(request, response, &w);
}

static void upload_end(void *context, struct http_request *request)
{
    struct upload *u = request->state;

    (void)context;
    if (u != NULL)
        EVP_MD_CTX_free(u->hash);
}

/* ---- an answer that is made while it is sent ---- */

struct download {
    uint64_t fail_at;
    char *canary; /* freed by done: a leak or a second call shows under the sanitizer */
};

static int64_t download_read(void *context, uint64_t at, void *out, size_t room)
{
    const struct download *d = context;
    uint8_t *bytes = out;

    if (at >= d->fail_at)
        return -1;
    for (size_t i = 0; i < room; i++)
        bytes[i] = (uint8_t)((at + i) % 251);
    return (int64_t)room;
}

static void download_done(void *context)
{
    struct download *d = context;

    free(d->canary);
}

static void handle_download(void *context, struct http_request *request,
                            struct http_response *response)
{
    struct download *d = ARENA_NEW(request->arena, struct download);

    (void)context;
    if (d == NULL)
        return;
    d->canary = malloc(1);
    d->fail_at = number_of(http_request_parameter(request, "fail"), UINT64_MAX);
    *response = (struct http_response){
        .status = 200,
        .content_type = "application/octet-stream",
        .size = number_of(http_request_parameter(request, "size"), 1),
        .read = download_read,
        .done = download_done,
        .context = d,
    };
}

static const char *const echo_types[] = {"text/plain", "application/octet-stream", NULL};

static const struct http_route routes[] = {
    {.method = "POST",
     .path = "/echo",
     .body_max = MIB,
     .media_types = echo_types,
     .handle = handle_echo},
    {.method = "PUT", .path = "/echo", .body_max = MIB, .handle = handle_echo},
    {.method = "POST", .path = "/size", .body_max = 1000, .handle = handle_size},
    {.method = "POST",
     .path = "/upload",
     .body_max = 64 * MIB,
     .handle = upload_handle,
     .begin = upload_begin,
     .receive = upload_receive,
     .end = upload_end},
    {.method = "GET", .path = "/download", .handle = handle_download},
    {.method = "GET", .path = "/slow", .handle = handle_slow},
    {.method = "GET", .path = "/whoami", .handle = handle_whoami},
    {.method = "GET", .path = "/accept", .handle = handle_accept},
    {.method = "GET", .path = "/metrics", .handle = handle_metrics},
    {.method = "GET", .path = "/redirect", .handle = handle_redirect},
    {.method = "GET", .path = "/nothing", .handle = handle_nothing},
    {.method = "GET", .path = "/bad-header", .handle = handle_bad_header},
    {.method = "GET", .path = "/message", .handle = handle_message},
    {.method = "GET", .path = "/files/*", .handle = handle_whoami, .name = "files"},
};

/* ---- main ---- */

static int complain(const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    (void)fprintf(stderr, "http_probe: %s: %s: %s\n", what, err_code_name(err->code),
                  err_text(err, os_strerror, text));
    return 1;
}

static bool set_option(struct http_server_options *o, unsigned *drain_ms, const char *argument)
{
    char name[40];
    const char *value = strchr(argument, '=');
    size_t size = value != NULL ? (size_t)(value - argument) : sizeof name;

    if (size >= sizeof name)
        return false;
    memcpy(name, argument, size);
    name[size] = '\0';
    unsigned number = (unsigned)strtoul(value + 1, NULL, 10);
    const struct {
        const char *name;
        unsigned *place;
    } places[] = {
        {"threads", &o->threads},
        {"workers", &o->workers},
        {"connections_max", &o->connections_max},
        {"address_connections", &o->address_connections},
        {"header_max", &o->header_max},
        {"request_timeout_ms", &o->request_timeout_ms},
        {"answer_rate", &o->answer_rate},
        {"idle_timeout_s", &o->idle_timeout_s},
        {"address_rate", &o->address_rate.rate},
        {"address_burst", &o->address_rate.burst},
        {"global_rate", &o->global_rate.rate},
        {"global_burst", &o->global_rate.burst},
        {"drain_ms", drain_ms},
    };
    o->ask_certificate = o->ask_certificate || strcmp(name, "ask_certificate") == 0;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (strcmp(places[i].name, name) == 0)
            *places[i].place = number;
    }
    return true;
}

static int serve(int argc, char **argv)
{
    struct arena arena;
    struct probe probe;
    struct http_server_options o = {
        .routes = routes, .route_count = COUNT_OF(routes), .context = &probe};
    unsigned drain_ms = 5000;
    uint16_t port;
    sigset_t ends;
    int signal_number;
    struct err err;

    arena_init(&arena, arena_heap, MIB);
    for (int i = 4; i < argc; i++) {
        if (!set_option(&o, &drain_ms, argv[i]))
            return 2;
    }
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!os_log_setup(LOG_INFO, &err) ||
        !os_read_file(argv[2], MIB / 4, &arena, &o.certificate, &err) ||
        !os_read_file(argv[3], MIB / 4, &arena, &o.key, &err) ||
        !http_listen("127.0.0.1:0", &o.listener, &port, &err) ||
        !http_server_start(&o, &probe.server, &err))
        return complain("serve", &err);
    arena_done(&arena);
    (void)printf("port %u\n", port);
    (void)fflush(stdout);
    (void)sigwait(&ends, &signal_number);
    http_server_stop(probe.server, drain_ms);
    return 0;
}

static int get(int argc, char **argv)
{
    struct arena arena;
    struct http_reply reply;
    struct bytes header;
    struct err err;

    arena_init(&arena, arena_heap, 64 * MIB);
    struct bytes ca = {.size = 0};
    if (argv[3][0] != '\0' && !os_read_file(argv[3], MIB, &arena, &ca, &err)) {
        arena_done(&arena);
        return complain("get", &err);
    }
    const struct http_get request = {.url = argv[2],
                                     .ca = ca,
                                     .timeout_ms = (unsigned)number_of(argv[4], 0),
                                     .body_max = number_of(argv[5], 0),
                                     .accept = argc > 6 ? argv[6] : NULL};
    bool is_good = http_client_setup(&err) && http_get(&request, &arena, &reply, &err);
    if (!is_good) {
        arena_done(&arena);
        return complain("get", &err);
    }
    (void)printf("status %u\n", reply.status);
    if (http_reply_header(&reply, "content-TYPE", &header))
        (void)printf("type %.*s\n", (int)header.size, (const char *)header.data);
    (void)printf("body %zu\n", reply.body.size);
    if (reply.body.size != 0)
        (void)fwrite(reply.body.data, 1, reply.body.size, stdout);
    arena_done(&arena);
    return 0;
}

static int listen_at(const char *address)
{
    int fd;
    uint16_t port;
    struct err err;

    if (!http_listen(address, &fd, &port, &err))
        return complain("listen", &err);
    (void)printf("port %u\n", port);
    (void)close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "serve") == 0)
        return serve(argc, argv);
    if (argc >= 6 && strcmp(argv[1], "get") == 0)
        return get(argc, argv);
    if (argc == 3 && strcmp(argv[1], "listen") == 0)
        return listen_at(argv[2]);
    (void)fprintf(stderr, "usage: http_probe serve|get|listen …\n");
    return 2;
}
