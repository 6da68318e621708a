/* Both ends of TLS 1.3 with AES-128-GCM over loopback, by OpenSSL alone: the client of all servers
 * that bench_net.py compares, and the echo server that a keep's is compared with.
 *
 *   tls_load download PORT BYTES [PATH]             reads to the end, which comes after BYTES or
 *                                                   more; asks for PATH first
 *   tls_load echo PORT BYTES                        sends so much while it reads it back
 *   tls_load handshakes PORT COUNT KEY CHAIN ROOTS  connects, ends, waits for the server's end, one
 *                                                   after the other; the client shows its chain and
 *                                                   verifies the server's
 *   tls_load hold PORT COUNT                        has so many connections until standard input
 *                                                   ends; says "held" when it has them
 *   tls_load serve PORT KEY CHAIN                   echoes, one connection after the other
 *
 * The first three print nanoseconds. Ends with 1 when anything goes wrong, and by a signal when it
 * takes longer than a minute. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_S = 60, CONNECTIONS_MAX = 1000, BUFFER_SIZE = 65536, WINDOW = 4 * BUFFER_SIZE };

static char sent_bytes[BUFFER_SIZE], got_bytes[BUFFER_SIZE];

static _Noreturn void fail(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void must(bool ok, const char *what)
{
    if (!ok)
        fail(what);
}

static long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static SSL_CTX *context_new(const char *key, const char *chain, const char *roots)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());

    must(ctx != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
             SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") == 1 &&
             SSL_CTX_set_num_tickets(ctx, 0) == 1,
         "TLS");
    SSL_CTX_set_read_ahead(ctx, 1);
    (void)SSL_CTX_set_mode(ctx,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    must(key == NULL || (SSL_CTX_use_certificate_chain_file(ctx, chain) == 1 &&
                         SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1),
         "key and chain");
    must(roots == NULL || SSL_CTX_load_verify_locations(ctx, roots, NULL) == 1, "roots");
    if (roots != NULL)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static struct sockaddr_in address_of(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void set_no_delay(int fd)
{
    int on = 1;

    must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "setsockopt");
}

/* ---- the client ---- */

static SSL *connect_to(SSL_CTX *ctx, const char *port)
{
    struct sockaddr_in address = address_of(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SSL *ssl = SSL_new(ctx);

    must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    set_no_delay(fd);
    must(ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1, "handshake");
    return ssl;
}

static void disconnect(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_free(ssl);
    (void)close(fd);
}

/* Our end, then theirs: with TLS 1.3 only that says that a server took our certificate. */
static void end(SSL *ssl)
{
    must(SSL_shutdown(ssl) >= 0, "end");
    must(SSL_read(ssl, got_bytes, sizeof got_bytes) == 0 &&
             SSL_get_shutdown(ssl) == (SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN),
         "the server's end");
}

static long long download(SSL *ssl, long long bytes, const char *path)
{
    char request[512];
    long long begin = now_ns(), got = 0;

    if (path != NULL) {
        int size = snprintf(request, sizeof request, "GET /%s HTTP/1.0\r\n\r\n", path);
        must(SSL_write(ssl, request, size) == size, "request");
    }
    for (int step; (step = SSL_read(ssl, got_bytes, sizeof got_bytes)) > 0;)
        got += step;
    long long took = now_ns() - begin;
    must(got >= bytes && got < bytes + 1024, "other bytes came");
    return took;
}

/* Notes what an operation that did not succeed waits for. */
static void note_wait(SSL *ssl, int returned, short *events)
{
    int error = SSL_get_error(ssl, returned);

    must(error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE, "echo");
    *events |= error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
}

/* What came is what was sent there, the buffer's bytes over and over. */
static void check(const char *bytes, size_t size, long long at)
{
    size_t from = (size_t)(at % BUFFER_SIZE),
           first = size < BUFFER_SIZE - from ? size : BUFFER_SIZE - from;

    must(memcmp(bytes, sent_bytes + from, first) == 0 &&
             memcmp(bytes + first, sent_bytes, size - first) == 0,
         "a wrong answer");
}

/* Sends as much as goes. */
static void send_some(SSL *ssl, long long end, long long *sent, short *events)
{
    while (*sent < end) {
        size_t from = (size_t)(*sent % BUFFER_SIZE), left = BUFFER_SIZE - from;
        int step = SSL_write(ssl, sent_bytes + from,
                             (int)(end - *sent < (long long)left ? end - *sent : (long long)left));
        if (step <= 0) {
            note_wait(ssl, step, events);
            return;
        }
        *sent += step;
    }
}

static void read_some(SSL *ssl, long long sent, long long *got, short *events)
{
    while (*got < sent) {
        int step = SSL_read(ssl, got_bytes, sizeof got_bytes);
        if (step <= 0) {
            note_wait(ssl, step, events);
            return;
        }
        check(got_bytes, (size_t)step, *got);
        *got += step;
    }
}

static long long echo(SSL *ssl, long long bytes)
{
    long long begin = now_ns(), sent = 0, got = 0, asked = 0;

    must(fcntl(SSL_get_fd(ssl), F_SETFL, O_NONBLOCK) == 0, "fcntl");
    while (got < bytes) {
        struct pollfd one = {.fd = SSL_get_fd(ssl)};
        if (sent == asked) /* what OpenSSL was asked to send must be asked for again */
            asked = got + WINDOW < bytes ? got + WINDOW : bytes;
        send_some(ssl, asked, &sent, &one.events);
        read_some(ssl, sent, &got, &one.events);
        if (sent == asked && sent < bytes && sent - got < WINDOW / 2)
            continue;
        must(got == bytes || poll(&one, 1, -1) >= 0, "poll");
    }
    return now_ns() - begin;
}

static long long handshakes(SSL_CTX *ctx, const char *port, long count)
{
    long long begin = now_ns();

    for (long i = 0; i < count; i++) {
        SSL *ssl = connect_to(ctx, port);
        end(ssl);
        disconnect(ssl);
    }
    return now_ns() - begin;
}

static void hold(SSL_CTX *ctx, const char *port, long count)
{
    static SSL *held[CONNECTIONS_MAX];

    must(count <= CONNECTIONS_MAX, "too many");
    for (long i = 0; i < count; i++) {
        held[i] = connect_to(ctx, port);
        must(SSL_write(held[i], "x", 1) == 1 && SSL_read(held[i], got_bytes, 1) == 1, "an answer");
    }
    (void)puts("held");
    (void)fflush(stdout);
    while (getchar() != EOF)
        continue;
    for (long i = 0; i < count; i++)
        disconnect(held[i]);
}

/* ---- the echo server ---- */

static void serve_one(SSL_CTX *ctx, int fd)
{
    SSL *ssl = SSL_new(ctx);
    int got;

    set_no_delay(fd);
    must(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "TLS");
    if (SSL_accept(ssl) == 1) {
        while ((got = SSL_read(ssl, got_bytes, sizeof got_bytes)) > 0)
            must(SSL_write(ssl, got_bytes, got) == got, "write");
        (void)SSL_shutdown(ssl);
    }
    ERR_clear_error();
    disconnect(ssl);
}

static _Noreturn void serve(SSL_CTX *ctx, const char *port)
{
    struct sockaddr_in address = address_of(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    (void)signal(SIGPIPE, SIG_IGN);
    must(listener >= 0 && setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
             bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
             listen(listener, 16) == 0,
         "listen");
    (void)puts("listening");
    (void)fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            serve_one(ctx, fd);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";
    long long count = argc > 3 ? strtoll(argv[3], NULL, 10) : 0, took;
    bool is_download = strcmp(what, "download") == 0;

    for (size_t i = 0; i < sizeof sent_bytes; i++)
        sent_bytes[i] = (char)('a' + i % 26);
    if (strcmp(what, "serve") == 0 && argc == 5)
        serve(context_new(argv[3], argv[4], NULL), argv[2]);
    (void)alarm(DEADLINE_S);
    if (strcmp(what, "hold") == 0) {
        hold(context_new(NULL, NULL, NULL), argv[2], (long)count);
        return 0;
    }
    if (strcmp(what, "handshakes") == 0 && argc == 7) {
        took = handshakes(context_new(argv[4], argv[5], argv[6]), argv[2], (long)count);
    } else if (is_download || strcmp(what, "echo") == 0) {
        SSL *ssl = connect_to(context_new(NULL, NULL, NULL), argv[2]);
        took = is_download ? download(ssl, count, argc > 4 ? argv[4] : NULL) : echo(ssl, count);
    } else {
        return 2;
    }
    (void)printf("%lld\n", took);
    return 0;
}
