/* A workload that makes a keep make every host call: it listens, connects to itself, sends, waits,
 * receives, half-closes; copies standard input to output; and looks at the clocks. Whatever it is
 * told, it ends soon: it waits STEP_MS at most, and STEPS_MAX times. An exit code of 1 and a line
 * on standard error say what failed, other answers than the true ones included.
 *
 *     guest talk NAME PORT     guest clock COUNT STEP_MS */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 50, STEPS_MAX = 16, SIZE = 3000 };

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Waits until something can be done with the descriptor, or for a step. */
static void wait_for(int fd, short events)
{
    static int steps;
    struct pollfd p = {.fd = fd, .events = events};

    if (steps++ == STEPS_MAX)
        fail("nothing happens");
    if (poll(&p, 1, STEP_MS) < 0)
        fail("poll");
}

static int accept_one(int listener)
{
    for (;;) {
        wait_for(listener, POLLIN);
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            return fd;
        if (errno != EAGAIN)
            fail("accept");
    }
}

static void send_all(int fd, const char *data, size_t size)
{
    while (size != 0) {
        wait_for(fd, POLLOUT);
        ssize_t step = send(fd, data, size, 0);
        if (step < 0 && errno != EAGAIN)
            fail("send");
        if (step > 0) {
            data += step;
            size -= (size_t)step;
        }
    }
}

/* Until the other side sends no more. */
static size_t receive_all(int fd, char *data, size_t size)
{
    size_t got = 0;

    for (;;) {
        wait_for(fd, POLLIN);
        ssize_t step = recv(fd, data + got, size - got, 0);
        if (step == 0)
            return got;
        if (step < 0 && errno != EAGAIN)
            fail("recv");
        if (step > 0)
            got += (size_t)step;
    }
}

static void check(int is_so, const char *what)
{
    errno = 0;
    if (!is_so)
        fail(what);
}

static void talk(const char *name, const char *port)
{
    static char sent[SIZE], got[SIZE + 1], path[300];
    char first;

    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)i;
    snprintf(path, sizeof path, "/net/lis/%s", port);
    int listener = open(path, O_RDWR | O_NONBLOCK);
    if (listener < 0)
        fail("listen");
    snprintf(path, sizeof path, "/net/con/%s:%s", name, port);
    int client = open(path, O_RDWR | O_NONBLOCK);
    if (client < 0)
        fail("connect");
    int server = accept_one(listener);
    send_all(client, sent, sizeof sent);
    if (shutdown(client, SHUT_WR) != 0)
        fail("shutdown");
    wait_for(server, POLLIN);
    if (recv(server, &first, 1, MSG_PEEK) != 1)
        fail("peek");
    check(first == sent[0], "something else was peeked at");
    check(receive_all(server, got, sizeof got) == sizeof sent, "it came in another size");
    check(memcmp(got, sent, sizeof sent) == 0, "something else came");
    if (close(client) != 0 || close(server) != 0 || close(listener) != 0)
        fail("close");
}

static void copy(void)
{
    char buffer[512];
    ssize_t size;

    for (;;) {
        wait_for(STDIN_FILENO, POLLIN);
        size = read(STDIN_FILENO, buffer, sizeof buffer);
        if (size == 0)
            return;
        if (size < 0 && errno != EAGAIN)
            fail("read");
        for (ssize_t at = 0; at < size;) {
            ssize_t step = write(STDOUT_FILENO, buffer + at, (size_t)(size - at));
            if (step <= 0)
                fail("write");
            at += step;
        }
    }
}

/* A line: realtime and monotonic, in nanoseconds. */
static void show_clocks(void)
{
    struct timespec real, monotonic;

    if (clock_gettime(CLOCK_REALTIME, &real) != 0 ||
        clock_gettime(CLOCK_MONOTONIC, &monotonic) != 0)
        fail("clock");
    printf("%lld%09ld %lld%09ld\n", (long long)real.tv_sec, real.tv_nsec,
           (long long)monotonic.tv_sec, monotonic.tv_nsec);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "talk") == 0) {
        talk(argv[2], argv[3]);
        copy();
        if (sched_yield() != 0)
            fail("yield");
        puts("done");
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "clock") == 0) {
        for (int i = atoi(argv[2]); i > 0; i--) {
            show_clocks();
            /* not by the clock, which may stand still */
            for (volatile int n = atoi(argv[3]) * 10000; n > 0; n--) {
            }
        }
        return 0;
    }
    return 2;
}
