/* A workload that talks over TLS that it did not write, for tests:
 *   serve PORT[,PORT…] [COUNT]
 *                            echoes what comes, to many at once; says who came; ends after COUNT,
 *                            or when somebody says "that is all"
 *   call HOST:PORT TEXT      says who answers, sends TEXT, prints what comes back
 *   ask                      calls each address that is a line of the input, and says how it went
 *   swap HOST:PORT BYTES     sends so many and reads as many back, both at once, and compares
 *   try HOST:PORT COUNT      calls one after the other, and says how many answered
 *   send PORT BYTES          gives each caller so many bytes from memory
 *   nap MS, spin MS          waits, and computes without a call for about so long; prints the times
 *   queue PORT               accepts two and prints /net/peer/lis three times */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define LISTENERS_MAX 16

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

/* Prints a file of /net/peer, one line. */
static void print_file(const char *word, const char *path)
{
    char text[2048];
    int fd = open(path, O_RDONLY);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

    text[size > 0 ? size : 0] = '\0';
    printf("%s %s\n", word, fd < 0 ? strerror(errno) : text);
    fflush(stdout);
    if (fd >= 0)
        close(fd);
}

static void print_peer(const char *word, int fd)
{
    char path[64];

    snprintf(path, sizeof path, "/net/peer/fd/%d", fd);
    print_file(word, path);
}

static int listen_on(const char *port)
{
    char path[64];

    snprintf(path, sizeof path, "/net/lis/%s", port);
    return open(path, O_RDWR | O_NONBLOCK);
}

static int connect_to(const char *address)
{
    char path[512];

    snprintf(path, sizeof path, "/net/con/%s", address);
    return open(path, O_RDWR);
}

/* ---- echo ---- */

struct client {
    char data[16384];
    size_t size;
    int ended;
};

static struct pollfd fds[CLIENTS_MAX];
static struct client *clients[CLIENTS_MAX];
static nfds_t fd_count;

static void drop(nfds_t at)
{
    close(fds[at].fd);
    free(clients[at]);
    fds[at] = fds[fd_count - 1];
    clients[at] = clients[fd_count - 1];
    fd_count--;
}

/* One step with a client; 0: it is gone. */
static int echo(nfds_t at)
{
    struct client *c = clients[at];

    if (c->size < sizeof c->data && !c->ended) {
        ssize_t got = read(fds[at].fd, c->data + c->size, sizeof c->data - c->size);
        if (got < 0 && errno != EAGAIN) {
            printf("broke %s\n", strerror(errno));
            fflush(stdout);
            return 0;
        }
        c->ended = got == 0;
        c->size += got > 0 ? (size_t)got : 0;
        if (c->size == 11 && memcmp(c->data, "that is all", 11) == 0)
            exit(0);
    }
    if (c->size != 0) {
        ssize_t sent = write(fds[at].fd, c->data, c->size);
        if (sent < 0 && errno != EAGAIN)
            return 0;
        if (sent > 0) {
            memmove(c->data, c->data + sent, c->size - (size_t)sent);
            c->size -= (size_t)sent;
        }
    }
    fds[at].events = (short)((c->ended || c->size == sizeof c->data ? 0 : POLLIN) |
                             (c->size != 0 ? POLLOUT : 0));
    return !(c->ended && c->size == 0);
}

/* Who has come to a listener. With several listeners their ports are told apart. */
static void take_in(nfds_t at, const char *port)
{
    int fd = fds[at].revents != 0 && fd_count < CLIENTS_MAX ? accept(fds[at].fd, NULL, NULL) : -1;
    char word[32];

    if (fd < 0)
        return;
    snprintf(word, sizeof word, "%s%scame", port, *port != '\0' ? " " : "");
    print_peer(word, fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fds[fd_count] = (struct pollfd){.fd = fd, .events = POLLIN};
    clients[fd_count++] = calloc(1, sizeof(struct client));
}

static int serve(char *list, long count)
{
    const char *ports[LISTENERS_MAX];
    nfds_t listeners = 0;

    for (char *port = strtok(list, ","); port != NULL; port = strtok(NULL, ",")) {
        int listener = listeners < LISTENERS_MAX ? listen_on(port) : -1;
        if (listener < 0)
            return fail("listen");
        ports[listeners] = port;
        fds[listeners++] = (struct pollfd){.fd = listener, .events = POLLIN};
    }
    puts("serving");
    fflush(stdout);
    fd_count = listeners;
    while (count != 0) {
        if (poll(fds, fd_count, -1) < 0)
            return fail("poll");
        for (nfds_t i = fd_count; i-- > listeners;) {
            if (fds[i].revents != 0 && !echo(i)) {
                drop(i);
                count -= count > 0;
            }
        }
        for (nfds_t i = 0; i < listeners; i++)
            take_in(i, listeners > 1 ? ports[i] : "");
    }
    return 0;
}

/* ---- calls ---- */

static int call(const char *address, const char *text)
{
    char buffer[4096];
    ssize_t got;
    int fd = connect_to(address);

    if (fd < 0)
        return fail("connect");
    print_peer("peer", fd);
    print_file("con", "/net/peer/con");
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || shutdown(fd, SHUT_WR) != 0)
        return fail("write");
    printf("got ");
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        fwrite(buffer, 1, (size_t)got, stdout);
    puts("");
    if (got < 0)
        return fail("read");
    return close(fd) == 0 ? 0 : fail("close");
}

/* One line of answer to one of input. */
static void ask_one(const char *address)
{
    char buffer[4096];
    int fd = connect_to(address);
    ssize_t got = -1;

    if (fd < 0) {
        printf("refused %s\n", strerror(errno));
    } else {
        print_peer("peer", fd);
        if (write(fd, "a secret", 8) == 8 && shutdown(fd, SHUT_WR) == 0)
            got = read(fd, buffer, sizeof buffer);
        printf("got %.*s\n", got < 0 ? 0 : (int)got, buffer);
        close(fd);
    }
    puts("next");
    fflush(stdout);
}

static int ask(void)
{
    char line[256];

    puts("next");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ask_one(line);
    }
    return 0;
}

/* The byte at a place of what is sent by swap. */
static char byte_at(long at)
{
    return (char)((unsigned long)at * 2654435761u >> 13);
}

static int swap(const char *address, long bytes)
{
    static char data[1 << 16];
    long sent = 0, got = 0;
    int fd = connect_to(address);

    if (fd < 0)
        return fail("connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (got < bytes) {
        struct pollfd one = {.fd = fd, .events = (short)(POLLIN | (sent < bytes ? POLLOUT : 0))};
        if (poll(&one, 1, -1) < 0)
            return fail("poll");
        long step = bytes - sent < (long)sizeof data ? bytes - sent : (long)sizeof data;
        for (long i = 0; i < step; i++)
            data[i] = byte_at(sent + i);
        ssize_t done = step != 0 ? write(fd, data, (size_t)step) : 0;
        if (done < 0 && errno != EAGAIN)
            return fail("write");
        sent += done > 0 ? done : 0;
        done = read(fd, data, sizeof data);
        if (done == 0 || (done < 0 && errno != EAGAIN))
            return fail("read");
        for (ssize_t i = 0; i < done; i++) {
            if (data[i] != byte_at(got++)) {
                printf("wrong at %ld\n", got - 1);
                return 1;
            }
        }
    }
    printf("swapped %ld\n", got);
    return close(fd) == 0 ? 0 : fail("close");
}

static int try_calls(const char *address, long count)
{
    long good = 0;
    char byte;

    for (long i = 0; i < count; i++) {
        int fd = connect_to(address);
        if (fd < 0)
            continue;
        good += write(fd, "x", 1) == 1 && read(fd, &byte, 1) == 1;
        close(fd);
    }
    printf("answered %ld\n", good);
    return 0;
}

static int send_bytes(const char *port, long long bytes)
{
    static char data[1 << 18];
    int listener = listen_on(port);

    if (listener < 0)
        return fail("listen");
    puts("serving");
    fflush(stdout);
    for (;;) {
        struct pollfd one = {.fd = listener, .events = POLLIN};
        poll(&one, 1, -1);
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        fcntl(fd, F_SETFL, 0);
        for (long long left = bytes; left > 0;) {
            size_t step = left < (long long)sizeof data ? (size_t)left : sizeof data;
            ssize_t sent = write(fd, data, step);
            if (sent <= 0)
                break;
            left -= sent;
        }
        close(fd);
    }
}

/* ---- time ---- */

static long long now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_times(void)
{
    printf("realtime %lld monotonic %lld\n", now_ms(CLOCK_REALTIME), now_ms(CLOCK_MONOTONIC));
    fflush(stdout);
}

static int nap(int ms)
{
    print_times();
    poll(NULL, 0, ms);
    print_times();
    return 0;
}

static volatile unsigned long long sum;

static int spin(long long ms)
{
    long long end = now_ms(CLOCK_MONOTONIC) + ms;

    do {
        for (unsigned i = 0; i < 20000000; i++)
            sum += i;
    } while (now_ms(CLOCK_MONOTONIC) < end);
    print_times();
    return 0;
}

static int queue(const char *port)
{
    int listener = listen_on(port);

    if (listener < 0)
        return fail("listen");
    puts("serving");
    fflush(stdout);
    fcntl(listener, F_SETFL, 0);
    for (int i = 0; i < 2; i++) {
        if (accept(listener, NULL, NULL) < 0)
            return fail("accept");
    }
    for (int i = 0; i < 3; i++)
        print_file("next", "/net/peer/lis");
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "serve") == 0 && argc > 2)
        return serve(argv[2], argc > 3 ? atol(argv[3]) : -1);
    if (strcmp(what, "call") == 0 && argc > 3)
        return call(argv[2], argv[3]);
    if (strcmp(what, "ask") == 0)
        return ask();
    if (strcmp(what, "swap") == 0 && argc > 3)
        return swap(argv[2], atol(argv[3]));
    if (strcmp(what, "try") == 0 && argc > 3)
        return try_calls(argv[2], atol(argv[3]));
    if (strcmp(what, "send") == 0 && argc > 3)
        return send_bytes(argv[2], atoll(argv[3]));
    if (strcmp(what, "nap") == 0 && argc > 2)
        return nap(atoi(argv[2]));
    if (strcmp(what, "spin") == 0 && argc > 2)
        return spin(atoll(argv[2]));
    if (strcmp(what, "queue") == 0 && argc > 2)
        return queue(argv[2]);
    fprintf(stderr, "what?\n");
    return 2;
}
