/* A workload that tries what can be done with a connection over TLS, one thing each, and says how
 * it went. It listens at PORT for one caller; a line of the input lets it go on where it waits.
 *   halves PORT   ends its half first, twice, and reads all the same
 *   peek PORT     looks at what comes before it reads it
 *   early PORT    asks for callers before one has come, and while one shakes hands
 *   flood PORT    writes more than goes, without blocking
 *   linger PORT   writes what goes, closes, and stays
 *   again PORT    reads and writes on after the connection broke
 *   names         reads files of /net/peer where no peer is
 *   dial ADDRESS  calls without blocking, and asks all along whether it may read and write yet */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOOD_SIZE (8l << 20)

static char data[1 << 16];
static const char *address;
static int listener;

static void say(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %ld\n", what, result);
    fflush(stdout);
}

static void wait_for_input(void)
{
    char line[64];

    puts("waiting");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        exit(1);
}

static void listen_on(const char *port)
{
    char path[64];

    snprintf(path, sizeof path, "/net/lis/%s", port);
    listener = open(path, O_RDWR | O_NONBLOCK);
    if (listener < 0)
        exit(1);
    puts("listening");
    fflush(stdout);
}

static int take_caller(void)
{
    struct pollfd one = {.fd = listener, .events = POLLIN};
    int fd;

    while ((fd = accept(listener, NULL, NULL)) < 0)
        poll(&one, 1, -1);
    fcntl(fd, F_SETFL, 0);
    return fd;
}

/* Reads to the end; how much, -1 when it broke. */
static long read_all(int fd)
{
    long total = 0;
    ssize_t got;

    while ((got = read(fd, data, sizeof data)) > 0)
        total += got;
    return got < 0 ? -1 : total;
}

static void halves(void)
{
    int fd = take_caller();

    say("shutdown", shutdown(fd, SHUT_WR));
    wait_for_input(); /* by now there is something to be read */
    say("shutdown again", shutdown(fd, SHUT_WR));
    say("write", write(fd, "x", 1));
    say("read", read_all(fd));
    say("read again", read(fd, data, 1));
    say("close", close(fd));
}

static void say_bytes(const char *what, ssize_t got)
{
    if (got < 0)
        say(what, got);
    else
        printf("%s: %.*s\n", what, (int)got, data);
    fflush(stdout);
}

static void peek(void)
{
    int fd = take_caller();

    say("nothing", read(fd, data, 0));
    say_bytes("peek", recv(fd, data, 5, MSG_PEEK));
    say_bytes("peek", recv(fd, data, 5, MSG_PEEK));
    say_bytes("read", recv(fd, data, 3, 0));
    say_bytes("peek", recv(fd, data, sizeof data, MSG_PEEK));
    say_bytes("read", recv(fd, data, sizeof data, 0));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    say("peek", recv(fd, data, 1, MSG_PEEK));
    say("read", recv(fd, data, 1, 0));
    fcntl(fd, F_SETFL, 0);
    wait_for_input();
    say("peek", recv(fd, data, 1, MSG_PEEK));
    say("read", recv(fd, data, 1, 0));
    close(fd);
}

static void early(void)
{
    struct pollfd one = {.fd = listener, .events = POLLIN};

    say("accept", accept(listener, NULL, NULL));
    wait_for_input(); /* one has come, and says nothing */
    say("poll", poll(&one, 1, 100));
    say("accept", accept(listener, NULL, NULL));
    wait_for_input(); /* and has shaken hands */
    say("poll", poll(&one, 1, 10000));
    int fd = accept(listener, NULL, NULL);
    say("accept", fd < 0 ? -1 : 0);
    say("accept", accept(listener, NULL, NULL));
}

/* Writes on from a place as far as it goes, the same block again and again; where it stopped. */
static long write_some(int fd, long at)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    for (;;) {
        size_t from = (size_t)at % sizeof data;
        ssize_t done = at < FLOOD_SIZE ? write(fd, data + from, sizeof data - from) : -1;
        if (done <= 0)
            return at;
        at += done;
    }
}

static void flood(void)
{
    int fd = take_caller();
    struct pollfd one = {.fd = fd, .events = POLLOUT};

    fcntl(fd, F_SETFL, O_NONBLOCK);
    long at = write_some(fd, 0);
    printf("stopped: %s %s\n", at > 0 && at < FLOOD_SIZE ? "in between" : "elsewhere",
           strerror(errno));
    say("poll", poll(&one, 1, 100));
    wait_for_input();
    while (at < FLOOD_SIZE) {
        if (poll(&one, 1, 10000) != 1)
            break;
        at = write_some(fd, at);
    }
    say("written", at);
    close(fd);
}

static void linger(void)
{
    int fd = take_caller();

    fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)write_some(fd, 0);
    say("close", close(fd));
    wait_for_input();
}

static void again(void)
{
    int fd = take_caller();

    wait_for_input();
    for (int i = 0; i < 3; i++) {
        say("read", read(fd, data, sizeof data));
        say("write", write(fd, "x", 1));
        say("shutdown", shutdown(fd, SHUT_RDWR));
    }
    say("close", close(fd));
}

static void try_file(const char *path, int flags)
{
    int fd = open(path, flags);

    printf("%s ", path);
    say_bytes("read", fd < 0 ? -1 : read(fd, data, sizeof data));
    if (fd >= 0)
        close(fd);
}

static void names(void)
{
    static const char *const paths[] = {
        "/net/peer/con",  "/net/peer/lis",    "/net/peer/fd/0",  "/net/peer/fd/3",
        "/net/peer/fd/9", "/net/peer/fd/999", "/net/peer/fd/-1", "/net/peer/fd/4294967296",
        "/net/peer/fd/x", "/net/peer/fd/",    "/net/peer/other"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        try_file(paths[i], O_RDONLY);
    try_file("/net/peer/con", O_RDWR);
}

static void dial(void)
{
    char path[128];
    struct pollfd one = {.events = POLLOUT};

    snprintf(path, sizeof path, "/net/con/%s", address);
    one.fd = open(path, O_RDWR | O_NONBLOCK);
    say("open", one.fd < 0 ? -1 : 0);
    say("read", read(one.fd, data, 1));
    say("write", write(one.fd, "x", 1));
    say("shutdown", shutdown(one.fd, SHUT_WR));
    say("poll", poll(&one, 1, 100));
    snprintf(path, sizeof path, "/net/peer/fd/%d", one.fd);
    say("peer", open(path, O_RDONLY) < 0 ? -1 : 0);
    wait_for_input();
    say("poll", poll(&one, 1, 15000));
    say("peer", open(path, O_RDONLY) < 0 ? -1 : 0);
    say("read", read(one.fd, data, 1));
    say("write", write(one.fd, "a secret", 8));
    say("shutdown", shutdown(one.fd, SHUT_WR));
    one.events = POLLIN;
    say("poll", poll(&one, 1, 10000));
    say_bytes("read", read(one.fd, data, sizeof data));
    say("close", close(one.fd));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } manners[] = {{"halves", halves}, {"peek", peek},   {"early", early}, {"flood", flood},
                   {"linger", linger}, {"again", again}, {"names", names}, {"dial", dial}};

    for (size_t i = 0; argc > 1 && i < sizeof manners / sizeof *manners; i++) {
        if (strcmp(argv[1], manners[i].name) != 0)
            continue;
        address = argc > 2 ? argv[2] : "";
        if (argc > 2 && manners[i].run != dial)
            listen_on(address);
        manners[i].run();
        return 0;
    }
    fprintf(stderr, "what?\n");
    return 2;
}
