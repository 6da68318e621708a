/* Many who are not let in: crowd PORT COUNT PARALLEL [CHAIN KEY]. Shakes hands with 127.0.0.1:PORT
 * so often, so many at a time, and waits each time for what comes of it. Prints how many were
 * refused by an alert, how many were cut off without one, and how many were told something. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PARALLEL_MAX 256
#define PATIENCE_MS 20000

static struct pollfd fds[PARALLEL_MAX];
static SSL *streams[PARALLEL_MAX];
static long begun, refused, cut, told;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void begin(size_t at, SSL_CTX *ctx, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0, "connect");
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    streams[at] = SSL_new(ctx);
    must(streams[at] != NULL && SSL_set_fd(streams[at], fd) == 1, "SSL_new");
    SSL_set_connect_state(streams[at]);
    fds[at] = (struct pollfd){.fd = fd, .events = POLLOUT};
    begun++;
}

/* One step; false: it is over, and counted. */
static bool advance(size_t at)
{
    char byte;

    ERR_clear_error();
    int got = SSL_read(streams[at], &byte, 1); /* shakes hands first */
    int error = SSL_get_error(streams[at], got);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        fds[at].events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        return true;
    }
    bool is_alert =
        error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) >= SSL_AD_REASON_OFFSET;
    told += got > 0;
    refused += got <= 0 && is_alert;
    cut += got <= 0 && !is_alert;
    return false;
}

int main(int argc, char **argv)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    must(argc == 4 || argc == 6, "usage");
    uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
    long count = strtol(argv[2], NULL, 10);
    size_t parallel = strtoul(argv[3], NULL, 10);
    must(ctx != NULL && parallel > 0 && parallel <= PARALLEL_MAX && (long)parallel <= count,
         "usage");
    if (argc == 6)
        must(SSL_CTX_use_certificate_chain_file(ctx, argv[4]) == 1 &&
                 SSL_CTX_use_PrivateKey_file(ctx, argv[5], SSL_FILETYPE_PEM) == 1,
             "certificate");
    for (size_t i = 0; i < parallel; i++)
        begin(i, ctx, port);
    while (refused + cut + told < count) {
        int ready = poll(fds, parallel, PATIENCE_MS);
        must(ready > 0, "nothing happens");
        for (size_t i = 0; i < parallel; i++) {
            if (fds[i].revents == 0 || advance(i))
                continue;
            SSL_free(streams[i]);
            (void)close(fds[i].fd);
            fds[i] = (struct pollfd){.fd = -1};
            if (begun < count)
                begin(i, ctx, port);
        }
    }
    (void)printf("%ld refused, %ld cut off, %ld told something\n", refused, cut, told);
    SSL_CTX_free(ctx);
    return 0;
}
