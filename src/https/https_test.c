/* The client against servers that are scripted step by step, on loopback; and the reader of answers
 * alone. */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "https/internal.h"

#define PATIENCE_MS 10000
#define ARENA_MAX ((size_t)64 << 20)

/* ---- the server's side ---- */

struct stage {
    int listener, peer; /* peer -1: nobody is connected */
    struct https_address addresses[2];
    struct https_server server;
    struct https_connection *connection;
    struct arena arena;
};

static int listen_on(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

static void stage_init(struct stage *s)
{
    struct err err;

    *s = (struct stage){.peer = -1};
    s->addresses[0] = (struct https_address){.family = 4, .bytes = {127, 0, 0, 1}};
    s->server = (struct https_server){
        .host = bytes_of("localhost"), .addresses = s->addresses, .address_count = 1};
    s->listener = listen_on(&s->server.port);
    arena_init(&s->arena, arena_heap, ARENA_MAX);
    assert_true(https_connection_new(&s->server, &s->connection, &err));
}

static void peer_close(struct stage *s)
{
    if (s->peer >= 0)
        (void)close(s->peer);
    s->peer = -1;
}

static void stage_done(struct stage *s)
{
    https_connection_free(s->connection);
    peer_close(s);
    (void)close(s->listener);
    arena_done(&s->arena);
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* Whether somebody wants to connect. */
static bool has_caller(struct stage *s)
{
    struct pollfd p = {.fd = s->listener, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void peer_accept(struct stage *s)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

    peer_close(s);
    wait_for(s->listener, POLLIN);
    s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(s->peer >= 0);
    (void)setsockopt(s->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void peer_send(struct stage *s, struct bytes in)
{
    while (in.size != 0) {
        ssize_t sent = send(s->peer, in.data, in.size, MSG_NOSIGNAL);
        assert_true(sent > 0);
        in = bytes_after(in, (size_t)sent);
    }
}

/* Reads exactly this. */
static void peer_expect(struct stage *s, const char *text)
{
    char got[4096];
    size_t size = 0, wanted = strlen(text);

    assert_true(wanted < sizeof got);
    while (size < wanted) {
        ssize_t n = recv(s->peer, got + size, wanted - size, 0);
        assert_true(n > 0);
        size += (size_t)n;
    }
    got[size] = '\0';
    assert_string_equal(got, text);
}

/* ---- the client's side ---- */

static struct https_request get(struct stage *s, const char *path)
{
    return (struct https_request){
        .method = "GET", .path = bytes_of(path), .answer_max = 1 << 20, .arena = &s->arena};
}

static void begin(struct stage *s, const struct https_request *request)
{
    struct err err;
    assert_true(https_begin(s->connection, request, &err));
}

/* Advances until the answer is there, or it waits for something that does not come at once. */
static enum https_state advance(struct stage *s, struct https_answer *answer, struct err *err)
{
    for (;;) {
        bool wants_write = false;
        enum https_state state = https_advance(s->connection, answer, err);
        if (state != HTTPS_WAITING)
            return state;
        int fd = https_fd(s->connection, &wants_write);
        assert_true(fd >= 0);
        struct pollfd p = {.fd = fd, .events = wants_write ? POLLOUT : POLLIN};
        if (poll(&p, 1, wants_write ? PATIENCE_MS : 0) != 1)
            return HTTPS_WAITING;
    }
}

/* The same, after the server has done something that must be seen. */
static enum https_state advance_more(struct stage *s, struct https_answer *answer, struct err *err)
{
    bool wants_write;
    int fd = https_fd(s->connection, &wants_write);

    if (fd >= 0)
        wait_for(fd, wants_write ? POLLOUT : POLLIN);
    return advance(s, answer, err);
}

/* Sends a request that the server accepts and reads, whatever it is. */
static void ask(struct stage *s, const struct https_request *request)
{
    struct https_answer answer;
    struct err err;
    char got[16384];

    begin(s, request);
    assert_int_equal(advance(s, &answer, &err), HTTPS_WAITING);
    if (s->peer < 0 || has_caller(s))
        peer_accept(s);
    assert_true(recv(s->peer, got, sizeof got, 0) > 0);
}

static void test_one_request(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;
    char host[64];

    (void)state;
    stage_init(&s);
    struct https_request request = get(&s, "/v1/nonce?spki=00");
    begin(&s, &request);
    assert_int_equal(advance(&s, &answer, &err), HTTPS_WAITING);
    peer_accept(&s);
    peer_expect(&s, "GET /v1/nonce?spki=00 HTTP/1.1\r\n");
    (void)snprintf(host, sizeof host, "Host: localhost:%u\r\n", s.server.port);
    peer_expect(&s, host);
    peer_expect(&s, "Connection: keep-alive\r\nUser-Agent: broch/");
    peer_send(&s, bytes_of("HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\n"
                           "Content-Digest: sha-256=:AA==:\r\nContent-Length: 5\r\n\r\nhello"));
    assert_int_equal(advance_more(&s, &answer, &err), HTTPS_DONE);
    assert_int_equal(answer.status, 200);
    assert_true(bytes_is(answer.body, "hello"));
    assert_true(bytes_is(answer.content_type, "text/plain"));
    assert_true(bytes_is(answer.content_digest, "sha-256=:AA==:"));
    assert_string_equal(https_detail(s.connection), "");
    stage_done(&s);
}

static void test_connection_is_kept(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    stage_init(&s);
    struct https_request request = get(&s, "/");
    for (int i = 0; i < 3; i++) {
        ask(&s, &request);
        assert_false(has_caller(&s));
        peer_send(&s, bytes_of("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
        assert_int_equal(advance_more(&s, &answer, &err), HTTPS_DONE);
        assert_int_equal(answer.status, 404);
        assert_int_equal(answer.body.size, 0);
    }
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_request),
        cmocka_unit_test(test_connection_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
