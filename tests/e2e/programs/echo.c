/* An echo server of one loop around poll(): sends back what comes, on any number of connections,
 * until standard input ends; then says how much it was. The same source as a workload and natively,
 * where bench/wasi/bench_wasi.py compares the two. The argument is the port. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef __wasi__
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#endif

enum { CONNECTIONS_MAX = 1000, BUFFER_SIZE = 16384 };
enum { STDIN, LISTENER, FIRST }; /* places in `polled` */

struct connection {
    char buffer[BUFFER_SIZE];
    size_t begin, end; /* what is to be sent yet */
};

static struct connection *connections[CONNECTIONS_MAX];
static struct pollfd polled[FIRST + CONNECTIONS_MAX];
static size_t count;
static unsigned long long served, bytes, broken;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

#ifdef __wasi__
static int listen_at(const char *port)
{
    char path[32];

    snprintf(path, sizeof path, "/net/lis/%s", port);
    return open(path, O_RDWR | O_NONBLOCK);
}
#else
static int listen_at(const char *port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;

    address.sin6_port = htons((in_port_t)strtoul(port, NULL, 10));
    signal(SIGPIPE, SIG_IGN);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0)
        return -1;
    return fd;
}
#endif

static void add(int fd)
{
    struct connection *c = malloc(sizeof *c);

    if (c == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        fail("new connection");
    c->begin = c->end = 0;
    polled[FIRST + count] = (struct pollfd){.fd = fd, .events = POLLIN};
    connections[count++] = c;
}

static void accept_all(void)
{
    while (count < CONNECTIONS_MAX) {
        int fd = accept(polled[LISTENER].fd, NULL, NULL);
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            fail("accept");
        add(fd);
    }
}

static void drop(size_t i)
{
    if (close(polled[FIRST + i].fd) != 0)
        fail("close");
    free(connections[i]);
    count--;
    connections[i] = connections[count];
    polled[FIRST + i] = polled[FIRST + count];
    served++;
}

/* Whether the call that failed need only be made again. */
static bool is_waiting(void)
{
    if (errno == EAGAIN || errno == EINTR)
        return true;
    broken++;
    return false;
}

/* Reads and sends what can be. False when the connection is at its end. */
static bool serve(struct connection *c, int fd)
{
    if (c->begin == c->end) {
        ssize_t size = read(fd, c->buffer, BUFFER_SIZE);
        if (size <= 0)
            return size < 0 && is_waiting();
        c->begin = 0;
        c->end = (size_t)size;
        bytes += (size_t)size;
    }
    while (c->begin < c->end) {
        ssize_t size = write(fd, c->buffer + c->begin, c->end - c->begin);
        if (size < 0)
            return is_waiting();
        c->begin += (size_t)size;
    }
    return true;
}

static void serve_ready(void)
{
    for (size_t i = count; i-- > 0;) {
        struct pollfd *p = &polled[FIRST + i];
        struct connection *c = connections[i];
        if (p->revents == 0)
            continue;
        if (serve(c, p->fd))
            p->events = c->begin < c->end ? POLLOUT : POLLIN;
        else
            drop(i);
    }
}

int main(int argc, char **argv)
{
    char byte;

    if (argc != 2)
        return 2;
    polled[STDIN] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    polled[LISTENER] = (struct pollfd){.fd = listen_at(argv[1]), .events = POLLIN};
    if (polled[LISTENER].fd < 0)
        fail("listen");
    puts("listening");
    fflush(stdout);
    for (;;) {
        polled[LISTENER].events = count < CONNECTIONS_MAX ? POLLIN : 0;
        if (poll(polled, FIRST + count, -1) < 0)
            fail("poll");
        serve_ready();
        if (polled[LISTENER].revents != 0)
            accept_all();
        if (polled[STDIN].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
            break;
    }
    printf("%llu served, %zu open, %llu bytes, %llu broken\n", served, count, bytes, broken);
    return 0;
}
