/* A chat server for keeps: every line that a client sends goes to all, with who said it. main.rs is
 * the same in Rust.
 *
 *     chat-server [--allow-anonymous] [PORT]
 *
 * PORT is 50000 unless given. --allow-anonymous admits clients that prove nothing, as over plain
 * TCP.
 *
 * Which keeps may come in, Keep.toml says, and the keep has checked it before a connection gets
 * here; that anonymous clients are refused here too is defence in depth. TLS needs no line of this
 * program.
 *
 * Clients are strangers all the same. Everything has a limit: clients, lines, what waits to be
 * sent. One who does not read is dropped when its queue is full. One who floods is read only as
 * fast as it reads its own lines, a few at a time. Standard output, which the host reads, shows who
 * joins and leaves, not what is said. */
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

#define PORT "50000"
#define CLIENTS_MAX 128
#define CLIENTS_MAX_TEXT "128"
#define LINE_MAX_SIZE 4096 /* without its end */
#define LINE_MAX_TEXT "4096"
#define LINES_A_TURN 8 /* of one client, before the next one's turn */
#define ACCEPTS_A_TURN 16
#define QUEUE_SIZE 65536 /* what waits to be sent to one client */
#define NAME_SIZE (BROCH_WORKLOAD_SIZE + 16)
#define DRAIN_MS 10000 /* for a client that has ended to read what is left for it */
#define PAUSE_MS 1000  /* without accepting, when that cannot be */

enum state {
    HERE,
    LEAVING, /* has ended; what is queued for it is still sent */
    GONE     /* to be forgotten */
};

struct client {
    int fd;
    enum state state;
    bool is_announced;    /* that it left */
    bool has_ended;       /* it will send nothing more */
    bool is_in_long_line; /* what comes up to the next end of line is lost */
    const char *why;      /* it left */
    uint64_t until_ms;    /* LEAVING: how long */
    size_t input_size;    /* of a line and its end, or several */
    size_t begin, end;    /* of what is queued */
    char name[NAME_SIZE]; /* "#1 host/user/repo:tag" */
    char input[LINE_MAX_SIZE + 1];
    char queue[QUEUE_SIZE];
};

static struct client *clients[CLIENTS_MAX];
static size_t count;
static unsigned last_id;
static bool allows_anonymous;
static uint64_t paused_until_ms;

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

/* ---- to clients ---- */

/* The client is no longer here. It is forgotten at the end of the turn. */
static void leave(struct client *c, enum state state, const char *why)
{
    if (c->state == HERE)
        c->why = why;
    c->state = state;
    c->until_ms = now_ms() + DRAIN_MS;
}

/* Sends of the queue what can be sent. */
static void flush(struct client *c)
{
    while (c->begin < c->end) {
        ssize_t size = write(c->fd, c->queue + c->begin, c->end - c->begin);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size < 0) {
            leave(c, GONE, ": connection lost");
            return;
        }
        c->begin += (size_t)size;
    }
    c->begin = c->end = 0;
}

/* Queues a text; the turn's end sends it. */
static void send_text(struct client *c, const struct text *t)
{
    if (t->size > QUEUE_SIZE - c->end)
        flush(c);
    if (t->size > QUEUE_SIZE - c->end && c->begin != 0) {
        memmove(c->queue, c->queue + c->begin, c->end - c->begin);
        c->end -= c->begin;
        c->begin = 0;
    }
    if (c->state == GONE)
        return;
    if (t->size > QUEUE_SIZE - c->end) {
        leave(c, GONE, ": too slow");
        return;
    }
    memcpy(c->queue + c->end, t->data, t->size);
    c->end += t->size;
}

static void send_all(const struct text *t)
{
    for (size_t i = 0; i < count; i++) {
        if (clients[i]->state == HERE)
            send_text(clients[i], t);
    }
}

/* To all clients, and to whoever runs this. */
static void announce(const struct text *t)
{
    (void)write_all(STDOUT_FILENO, t->data, t->size);
    send_all(t);
}

/* ---- joining ---- */

/* Names the client, and says to all who it is. */
static void join(struct client *c, const struct broch_peer *peer)
{
    struct text t = {.size = 0};

    text_add(&t, "#");
    text_add_number(&t, ++last_id);
    text_add(&t, " ");
    text_add(&t, peer->kind == BROCH_KEEP    ? peer->workload
                 : peer->kind == BROCH_LOCAL ? "local"
                                             : "anonymous");
    memcpy(c->name, t.data, t.size); /* c is zeroed; an id has ten digits at most */
    text_add(&t, " joined the chat");
    if (peer->kind != BROCH_ANONYMOUS) {
        text_add(&t, " with digest ");
        text_add(&t, peer->digest);
        text_add(&t, " (");
        text_add(&t, peer->technology);
        text_add(&t, peer->simulated ? ", SIMULATED: protects nothing)" : ")");
    }
    text_add(&t, "\n");
    announce(&t);
}

/* Whether the peer of a new connection may come in; else says why not. */
static bool is_welcome(int fd, struct broch_peer *peer)
{
    static const char full[] = "* the server is full: it has " CLIENTS_MAX_TEXT " clients\n";
    enum broch_peer_error error = broch_peer_of_fd(fd, peer);

    if (error != BROCH_PEER_OK) {
        say(STDERR_FILENO, broch_peer_error_text(error), ", refuse connection\n", (char *)NULL);
        return false;
    }
    if (peer->kind == BROCH_ANONYMOUS && !allows_anonymous) {
        say(STDERR_FILENO, "client did not present a valid certificate, refuse connection\n",
            (char *)NULL);
        return false;
    }
    if (count == CLIENTS_MAX) {
        say(STDERR_FILENO, "there are " CLIENTS_MAX_TEXT " clients, refuse connection\n",
            (char *)NULL);
        (void)write(fd, full, sizeof full - 1); /* a new connection has room for it */
        return false;
    }
    return true;
}

static void welcome(int fd)
{
    struct broch_peer peer;
    struct client *c;

    if (!broch_set_nonblocking(fd) || !is_welcome(fd, &peer)) {
        (void)close(fd);
        return;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        say(STDERR_FILENO, "no memory, refuse connection\n", (char *)NULL);
        (void)close(fd);
        return;
    }
    c->fd = fd;
    clients[count++] = c;
    join(c, &peer);
}

static void accept_some(int listener)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) {
            welcome(fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            /* too many connections, as it may be: it passes */
            say(STDERR_FILENO, "failed to accept: ", strerror(errno), "\n", (char *)NULL);
            paused_until_ms = now_ms() + PAUSE_MS;
            return;
        }
    }
}

/* ---- from clients ---- */

/* What a terminal would obey is made visible: control characters, also those of two bytes. */
static void make_harmless(char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)line[i];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            line[i] = '?';
        if (byte == 0xc2 && i + 1 < size && ((unsigned char)line[i + 1] & 0xe0) == 0x80)
            line[i] = line[i + 1] = '?';
    }
}

static void say_line(struct client *c, char *line, size_t size)
{
    struct text t = {.size = 0};

    if (c->is_in_long_line) {
        c->is_in_long_line = false;
        text_add(&t, "* a line of more than " LINE_MAX_TEXT " bytes was not sent\n");
        send_text(c, &t);
        return;
    }
    if (size != 0 && line[size - 1] == '\r')
        size--;
    make_harmless(line, size);
    text_add(&t, c->name);
    text_add(&t, ": ");
    text_add_bytes(&t, line, size);
    text_add(&t, "\n");
    send_all(&t);
}

/* Whether there is something to be said for the client, which has read what was sent to it before.
 */
static bool has_turn(const struct client *c)
{
    return c->state == HERE && c->end == 0 &&
           (c->has_ended || c->input_size == sizeof c->input ||
            memchr(c->input, '\n', c->input_size) != NULL);
}

/* Says some of the client's lines; at its end the rest is one, too. */
static void say_some(struct client *c)
{
    size_t at = 0;
    char *end = NULL;

    for (int i = 0; i < LINES_A_TURN && c->state == HERE; i++) {
        end = memchr(c->input + at, '\n', c->input_size - at);
        if (end == NULL)
            break;
        say_line(c, c->input + at, (size_t)(end - c->input) - at);
        at = (size_t)(end - c->input) + 1;
    }
    memmove(c->input, c->input + at, c->input_size - at);
    c->input_size -= at;
    if (end != NULL)
        return; /* there may be more of them */
    if (c->input_size == sizeof c->input) {
        c->is_in_long_line = true;
        c->input_size = 0;
    }
    if (c->has_ended && c->state == HERE) {
        if (c->input_size != 0 || c->is_in_long_line)
            say_line(c, c->input, c->input_size);
        c->input_size = 0;
        if (c->state == HERE)
            leave(c, LEAVING, "");
    }
}

static void receive(struct client *c)
{
    ssize_t size = read(c->fd, c->input + c->input_size, sizeof c->input - c->input_size);

    if (size > 0)
        c->input_size += (size_t)size;
    else if (size == 0)
        c->has_ended = true;
    else if (errno != EAGAIN && errno != EINTR)
        leave(c, GONE, ": connection lost");
}

/* ---- leaving ---- */

/* Sends what is queued, and says who has left. That can make others leave, who do not read it. */
static void end_turn(void)
{
    for (bool is_done = false; !is_done;) {
        is_done = true;
        for (size_t i = 0; i < count; i++) {
            if (clients[i]->state != GONE)
                flush(clients[i]);
        }
        for (size_t i = 0; i < count; i++) {
            struct client *c = clients[i];
            struct text t = {.size = 0};
            if (c->state == HERE || c->is_announced)
                continue;
            c->is_announced = true;
            is_done = false;
            text_add(&t, c->name);
            text_add(&t, " left the chat");
            text_add(&t, c->why);
            text_add(&t, "\n");
            announce(&t);
        }
    }
}

static void forget_gone(void)
{
    for (size_t i = count; i-- > 0;) {
        struct client *c = clients[i];
        if (c->state == HERE || (c->state == LEAVING && c->end != 0 && now_ms() < c->until_ms))
            continue;
        (void)close(c->fd);
        free(c);
        clients[i] = clients[--count];
    }
}

/* ---- the turns ---- */

/* What a client is waited for: to be read from only when it has read its own. */
static short events_of(const struct client *c)
{
    if (c->end != 0)
        return POLLOUT;
    return c->state == HERE && !c->has_ended && !has_turn(c) ? POLLIN : 0;
}

static void turn(int listener)
{
    static struct pollfd polled[CLIENTS_MAX + 1];
    static struct client *of[CLIENTS_MAX + 1];
    size_t size = 0;
    int timeout_ms = -1;
    bool is_paused = paused_until_ms != 0 && now_ms() < paused_until_ms;

    if (!is_paused) {
        of[size] = NULL;
        polled[size++] = (struct pollfd){.fd = listener, .events = POLLIN};
    }
    for (size_t i = 0; i < count; i++) {
        short events = events_of(clients[i]);
        if (has_turn(clients[i]))
            timeout_ms = 0;
        else if (timeout_ms < 0 && (clients[i]->state == LEAVING || is_paused))
            timeout_ms = PAUSE_MS;
        if (events == 0)
            continue; /* poll() of wasi-libc knows no such entries */
        of[size] = clients[i];
        polled[size++] = (struct pollfd){.fd = clients[i]->fd, .events = events};
    }
    if (is_paused && timeout_ms < 0)
        timeout_ms = PAUSE_MS;
    int happened = poll(polled, size, timeout_ms);
    if (happened < 0 && errno != EINTR)
        fail("poll: ", strerror(errno));
    for (size_t i = 0; happened > 0 && i < size; i++) {
        if (polled[i].revents == 0 || of[i] == NULL || of[i]->state == GONE)
            continue;
        if (of[i]->end != 0)
            flush(of[i]);
        else if (of[i]->state == HERE && !of[i]->has_ended)
            receive(of[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (has_turn(clients[i]))
            say_some(clients[i]);
    }
    if (happened > 0 && !is_paused && polled[0].revents != 0)
        accept_some(listener);
    end_turn();
    forget_gone();
}

int main(int argc, char **argv)
{
    const char *port = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--allow-anonymous") == 0)
            allows_anonymous = true;
        else if (argv[i][0] == '-' || port != NULL)
            fail("usage: chat-server [--allow-anonymous] [PORT]", "");
        else
            port = argv[i];
    }
    if (port == NULL)
        port = PORT;
    int listener = broch_listen(port);
    if (listener < 0 || !broch_set_nonblocking(listener))
        fail("failed to listen: ", strerror(errno));
    say(STDOUT_FILENO, "Listening on port ", port, "\n", (char *)NULL);
    for (;;)
        turn(listener);
}
