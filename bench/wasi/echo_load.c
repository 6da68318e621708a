/* echo_load PORT CONNECTIONS REQUESTS SIZE: keeps one request of SIZE bytes under way on each
 * connection to an echo server of this machine, until there were REQUESTS answers; prints the
 * nanoseconds. Ends with 1 when an answer is wrong, and by a signal when all takes longer than a
 * minute. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1000, SIZE_MAX_BYTES = 65536, DEADLINE_S = 60 };

struct connection {
    int fd;
    size_t missing; /* bytes of the answer that have not come */
};

static struct connection connections[CONNECTIONS_MAX];
static char request[SIZE_MAX_BYTES], answer[SIZE_MAX_BYTES];

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void open_connection(struct connection *c, uint16_t port, int poller)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("connect");
}

static void send_request(struct connection *c, size_t size)
{
    /* small enough for the socket's buffer: it never waits */
    if (send(c->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("send");
    c->missing = size;
}

/* Takes what has come of the answer; whether that was the rest. */
static bool take_answer(struct connection *c, size_t size)
{
    ssize_t got = recv(c->fd, answer, c->missing, 0);

    if (got <= 0)
        fail("recv");
    if (memcmp(answer, request + (size - c->missing), (size_t)got) != 0) {
        (void)fputs("a wrong answer\n", stderr);
        exit(1);
    }
    c->missing -= (size_t)got;
    return c->missing == 0;
}

/* The nanoseconds that so many requests take. */
static int64_t run(int poller, size_t count, uint64_t requests, size_t size)
{
    struct epoll_event events[64];
    uint64_t sent = 0, answered = 0;
    int64_t start = now_ns();

    for (size_t i = 0; i < count && sent < requests; i++, sent++)
        send_request(&connections[i], size);
    while (answered < requests) {
        int ready = epoll_wait(poller, events, 64, -1);
        if (ready < 0)
            fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!take_answer(c, size))
                continue;
            answered++;
            if (sent < requests) {
                send_request(c, size);
                sent++;
            }
        }
    }
    return now_ns() - start;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    unsigned long port = strtoul(argv[1], NULL, 10), count = strtoul(argv[2], NULL, 10);
    unsigned long requests = strtoul(argv[3], NULL, 10), size = strtoul(argv[4], NULL, 10);
    int poller = epoll_create1(EPOLL_CLOEXEC);

    if (port == 0 || port > UINT16_MAX || count == 0 || count > CONNECTIONS_MAX || requests == 0 ||
        size == 0 || size > SIZE_MAX_BYTES || poller < 0)
        return 2;
    alarm(DEADLINE_S);
    for (size_t i = 0; i < size; i++)
        request[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < count; i++)
        open_connection(&connections[i], (uint16_t)port, poller);
    run(poller, count, count, size); /* every connection is accepted */
    printf("%lld\n", (long long)run(poller, count, requests, size));
    return 0;
}
