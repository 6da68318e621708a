/* A server that a test plays step by step, on loopback, and the client before it. */
#pragma once

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

static inline int listen_on(uint16_t *port)
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

/* A listener, and where a connection to it goes: made by stage_connect. */
static inline void stage_open(struct stage *s)
{
    *s = (struct stage){.peer = -1};
    s->addresses[0] = (struct https_address){.family = 4, .bytes = {127, 0, 0, 1}};
    s->server = (struct https_server){
        .host = bytes_of("localhost"), .addresses = s->addresses, .address_count = 1};
    s->listener = listen_on(&s->server.port);
    arena_init(&s->arena, arena_heap, ARENA_MAX);
}

static inline void stage_connect(struct stage *s)
{
    struct err err;
    assert_true(https_connection_new(&s->server, &s->connection, &err));
}

static inline void stage_init(struct stage *s)
{
    stage_open(s);
    stage_connect(s);
}

static inline void peer_close(struct stage *s)
{
    if (s->peer >= 0)
        (void)close(s->peer);
    s->peer = -1;
}

static inline void stage_done(struct stage *s)
{
    https_connection_free(s->connection);
    peer_close(s);
    (void)close(s->listener);
    arena_done(&s->arena);
}

static inline void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* Whether somebody wants to connect. */
static inline bool has_caller(struct stage *s)
{
    struct pollfd p = {.fd = s->listener, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static inline void peer_accept(struct stage *s)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};

    peer_close(s);
    wait_for(s->listener, POLLIN);
    s->peer = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(s->peer >= 0);
    (void)setsockopt(s->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static inline void peer_send(struct stage *s, struct bytes in)
{
    while (in.size != 0) {
        ssize_t sent = send(s->peer, in.data, in.size, MSG_NOSIGNAL);
        assert_true(sent > 0);
        in = bytes_after(in, (size_t)sent);
    }
}

/* Reads exactly this. */
static inline void peer_expect(struct stage *s, const char *text)
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

static inline struct https_request get(struct stage *s, const char *path)
{
    return (struct https_request){
        .method = "GET", .path = bytes_of(path), .answer_max = 1 << 20, .arena = &s->arena};
}

static inline void begin(struct stage *s, const struct https_request *request)
{
    struct err err;
    assert_true(https_begin(s->connection, request, &err));
}

static inline struct pollfd awaited(const struct stage *s)
{
    bool wants_write = false;
    int fd = https_fd(s->connection, &wants_write);

    return (struct pollfd){.fd = fd, .events = wants_write ? POLLOUT : POLLIN};
}

/* Advances until it waits for something that has not come: the server's move. What the server did
 * just before may take its time to come, so this is for before that. */
static inline enum https_state advance(struct stage *s, struct https_answer *answer,
                                       struct err *err)
{
    for (;;) {
        enum https_state state = https_advance(s->connection, answer, err);
        if (state != HTTPS_WAITING)
            return state;
        struct pollfd p = awaited(s);
        assert_true(p.fd >= 0);
        if (poll(&p, 1, p.events == POLLOUT ? PATIENCE_MS : 0) != 1)
            return HTTPS_WAITING;
    }
}

/* The same, once something has come. */
static inline enum https_state advance_more(struct stage *s, struct https_answer *answer,
                                            struct err *err)
{
    struct pollfd p = awaited(s);

    wait_for(p.fd, p.events);
    return advance(s, answer, err);
}

/* Advances to the request's end. */
static inline enum https_state finish(struct stage *s, struct https_answer *answer, struct err *err)
{
    enum https_state state = https_advance(s->connection, answer, err);

    while (state == HTTPS_WAITING) {
        struct pollfd p = awaited(s);
        wait_for(p.fd, p.events);
        state = https_advance(s->connection, answer, err);
    }
    return state;
}

/* Advances until there is a new connection to accept. */
static inline void expect_caller(struct stage *s)
{
    struct https_answer answer;
    struct err err;

    while (!has_caller(s)) {
        assert_int_equal(https_advance(s->connection, &answer, &err), HTTPS_WAITING);
        struct pollfd p[2] = {awaited(s), {.fd = s->listener, .events = POLLIN}};
        assert_true(poll(p, 2, PATIENCE_MS) > 0);
    }
}

/* Sends a request that the server gets, whatever it is: on the connection that there is, or on a
 * new one. */
static inline void ask(struct stage *s, const struct https_request *request)
{
    struct https_answer answer;
    struct err err;
    char got[16384];

    begin(s, request);
    assert_int_equal(advance(s, &answer, &err), HTTPS_WAITING);
    struct pollfd p[2] = {{.fd = s->listener, .events = POLLIN}, {.fd = s->peer, .events = POLLIN}};
    assert_true(poll(p, 2, PATIENCE_MS) > 0);
    if (p[0].revents == 0 && recv(s->peer, got, sizeof got, 0) > 0)
        return;
    peer_accept(s); /* the other has ended */
    assert_true(recv(s->peer, got, sizeof got, 0) > 0);
}
