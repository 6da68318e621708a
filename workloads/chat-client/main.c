/* A chat client for keeps: connects to the chat server, looks at who it really is, and only then
 * talks, both ways at once. main.rs is the same in Rust.
 *
 *     chat-client [--allow-anonymous] [--tries N] [ADDRESS]
 *
 * Without ADDRESS, "HOST:PORT", the first line of standard input is it. --allow-anonymous talks to
 * a server that proves nothing, as over plain TCP.
 *
 * Which keeps may be the server, Keep.toml says, and the keep has checked it before a connection is
 * there; what is done here is to show it to a person. TLS needs no line of this program. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../lib/broch_peer.h"
#include "../lib/text.h"

#define TRIES 30 /* of connecting, a second apart */
#define TRIES_MAX 100000
#define DRAIN_MS 10000 /* how long the server may take to end when we have */
#define BUFFER_SIZE 16384

/* What was read and not yet passed on. */
struct buffer {
    size_t begin, end;
    char data[BUFFER_SIZE];
};

static struct buffer to_server;
static bool input_has_ended; /* standard input */
static bool has_said_so;     /* and the server knows */
static uint64_t ended_ms;

static _Noreturn void fail(const char *what, const char *why)
{
    say(STDERR_FILENO, what, why, "\n", (char *)NULL);
    exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        fail("clock: ", strerror(errno));
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads more of standard input behind what is in the buffer. */
static void read_input(void)
{
    ssize_t size = read(STDIN_FILENO, to_server.data + to_server.end, BUFFER_SIZE - to_server.end);

    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size <= 0)
        input_has_ended = true; /* a broken one, too */
    else
        to_server.end += (size_t)size;
}

/* The first line of standard input, without white space around; what follows stays in the buffer.
 */
static const char *ask_address(void)
{
    static char address[BROCH_HOST_SIZE + 8];
    struct buffer *b = &to_server;
    char *end;

    say(STDERR_FILENO, "Server address: ", (char *)NULL);
    while ((end = memchr(b->data, '\n', b->end)) == NULL && !input_has_ended &&
           b->end < BUFFER_SIZE)
        read_input();
    size_t size = end != NULL ? (size_t)(end - b->data) : b->end, first = 0;
    b->begin = end != NULL ? size + 1 : size;
    while (first < size && (b->data[first] == ' ' || b->data[first] == '\t'))
        first++;
    while (size > first && strchr(" \t\r", b->data[size - 1]) != NULL && b->data[size - 1] != '\0')
        size--;
    if (first == size)
        fail("no server address was given", "");
    if (size - first >= sizeof address || memchr(b->data + first, '\0', size - first) != NULL)
        fail("this is no server address", "");
    memcpy(address, b->data + first, size - first);
    return address;
}

/* Errors that will be the same in a second. */
static bool is_for_good(int number)
{
    return number == EACCES || number == EINVAL || number == EPERM || number == EPROTONOSUPPORT;
}

static int connect_patiently(const char *address, unsigned tries)
{
    for (;;) {
        int fd = broch_connect(address);
        if (fd >= 0)
            return fd;
        int number = errno;
        say(STDERR_FILENO, "Failed to connect to `", address, "`: ", strerror(number), "\n",
            (char *)NULL);
        if (--tries == 0 || is_for_good(number))
            exit(1);
        say(STDERR_FILENO, "Retrying in 1s\n", (char *)NULL);
        (void)sleep(1);
    }
}

/* Shows who the server is, or ends. */
static void check_server(const char *address, int fd, bool allows_anonymous)
{
    struct broch_peer peer;
    enum broch_peer_error error = broch_peer_of_fd(fd, &peer);

    if (error != BROCH_PEER_OK)
        fail(broch_peer_error_text(error), ", abort connection");
    if (peer.kind == BROCH_ANONYMOUS) {
        if (!allows_anonymous)
            fail("server did not present a valid certificate, abort connection", "");
        say(STDOUT_FILENO, "Connected to `", address, "`, which proves nothing\n", (char *)NULL);
        return;
    }
    const char *quote = peer.kind == BROCH_KEEP ? "`" : "";
    say(STDOUT_FILENO, "Connected to `", address, "` running ", quote,
        peer.kind == BROCH_KEEP ? peer.workload : "local workload", quote, " with digest `",
        peer.digest, "` (", peer.technology, peer.simulated ? ", SIMULATED: protects nothing" : "",
        ")\n", (char *)NULL);
}

/* Passes what the server sends on to standard output. False when there will be no more. */
static bool receive(int fd)
{
    static char data[BUFFER_SIZE];
    ssize_t size = read(fd, data, sizeof data);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (size < 0)
        fail("* failed to receive: ", strerror(errno));
    if (size > 0 && !write_all(STDOUT_FILENO, data, (size_t)size))
        fail("* standard output: ", strerror(errno));
    return size > 0;
}

static void send_some(int fd)
{
    struct buffer *b = &to_server;

    if (b->begin < b->end) {
        ssize_t size = write(fd, b->data + b->begin, b->end - b->begin);
        if (size < 0 && errno != EAGAIN && errno != EINTR) {
            /* the server may have said why, which is still to be read */
            say(STDERR_FILENO, "* failed to send: ", strerror(errno), "\n", (char *)NULL);
            input_has_ended = true;
            b->begin = b->end;
        } else if (size > 0) {
            b->begin += (size_t)size;
        }
    }
    if (b->begin == b->end)
        b->begin = b->end = 0;
}

/* When there is nothing more to say, says that. */
static void end_sending(int fd)
{
    if (!input_has_ended || to_server.end != 0 || has_said_so)
        return;
    if (shutdown(fd, SHUT_WR) != 0 && (errno == EAGAIN || errno == EINTR))
        return;
    has_said_so = true; /* or the connection is broken, which the next read tells */
    ended_ms = now_ms();
}

static void talk(int fd)
{
    for (;;) {
        struct pollfd polled[2] = {{.fd = fd, .events = POLLIN},
                                   {.fd = STDIN_FILENO, .events = POLLIN}};
        bool is_sending = to_server.end != 0 || (input_has_ended && !has_said_so);
        int timeout_ms = -1;
        if (is_sending)
            polled[0].events |= POLLOUT;
        if (has_said_so) {
            uint64_t passed_ms = now_ms() - ended_ms;
            if (passed_ms >= DRAIN_MS)
                fail("* the server does not end the connection", "");
            timeout_ms = (int)(DRAIN_MS - passed_ms);
        }
        /* standard input waits while what it had is under way */
        if (poll(polled, !is_sending && !input_has_ended ? 2 : 1, timeout_ms) < 0 && errno != EINTR)
            fail("poll: ", strerror(errno));
        if (polled[0].revents != 0 && !receive(fd))
            return;
        if (polled[1].revents != 0)
            read_input();
        send_some(fd);
        end_sending(fd);
    }
}

static unsigned parse_tries(const char *text)
{
    char *end;
    unsigned long tries = text != NULL ? strtoul(text, &end, 10) : 0;

    if (tries == 0 || tries > TRIES_MAX || *end != '\0')
        fail("--tries wants a number from 1 to 100000", "");
    return (unsigned)tries;
}

int main(int argc, char **argv)
{
    const char *address = NULL;
    bool allows_anonymous = false;
    unsigned tries = TRIES;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--allow-anonymous") == 0)
            allows_anonymous = true;
        else if (strcmp(argv[i], "--tries") == 0)
            tries = parse_tries(i + 1 < argc ? argv[++i] : NULL);
        else if (argv[i][0] == '-' || address != NULL)
            fail("usage: chat-client [--allow-anonymous] [--tries N] [ADDRESS]", "");
        else
            address = argv[i];
    }
    if (address == NULL)
        address = ask_address();
    int fd = connect_patiently(address, tries);
    check_server(address, fd, allows_anonymous);
    if (!broch_set_nonblocking(fd))
        fail("the connection: ", strerror(errno));
    talk(fd);
    if (!has_said_so)
        fail("* the server closed the connection", "");
    return 0;
}
