/* Shows what broch_peer.h makes of things; peer_probe.rs does the same with broch_peer.rs.
 *
 *     peer_probe          reads texts, each behind a line "fd|lis|con SIZE", and prints a line for
 * each peer_probe PORT     connects to itself, and prints who is at which end, by each way to ask
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../../workloads/lib/broch_peer.h"

#ifdef __wasi__
#include <sys/socket.h>
#endif

static const char *const errors[] = {"ok",   "none",      "file",    "long",    "cut",  "syntax",
                                     "deep", "duplicate", "missing", "surplus", "value"};
static const char *const kinds[] = {"anonymous", "local", "keep"};

static void show_error(enum broch_peer_error error)
{
    printf("%s\n", errors[error]);
}

static void show(const char *before, const struct broch_peer *p)
{
    char hex[BROCH_DIGEST_HEX_SIZE];

    broch_peer_digest_hex(p, hex);
    printf("%s%s %d [%s] [%s] [%s] [%s] [%s] [%s] %d\n", before, kinds[p->kind], p->simulated,
           p->workload, p->digest, hex, p->technology, p->measurement, broch_peer_tag(p),
           broch_peer_runs(p, "registry.example/alice/chat"));
}

static void show_fd(enum broch_peer_error error, const struct broch_peer *p)
{
    if (error == BROCH_PEER_OK)
        show("", p);
    else
        show_error(error);
}

static void show_lis(enum broch_peer_error error, const struct broch_accepted *a)
{
    char before[BROCH_ADDRESS_SIZE + 4];

    (void)snprintf(before, sizeof before, "[%s] ", a->address);
    if (error == BROCH_PEER_OK)
        show(before, &a->peer);
    else
        show_error(error);
}

static void show_con(enum broch_peer_error error, const struct broch_connected *c)
{
    char before[BROCH_HOST_SIZE + 16];

    (void)snprintf(before, sizeof before, "[%s] %u ", c->host, c->port);
    if (error == BROCH_PEER_OK)
        show(before, &c->peer);
    else
        show_error(error);
}

static void texts(void)
{
    static struct broch_peer p;
    static struct broch_accepted a;
    static struct broch_connected c;
    char kind[4];
    size_t size;

    while (scanf("%3s %zu", kind, &size) == 2 && getchar() == '\n') {
        char *text = malloc(size + 1);
        if (text == NULL || fread(text, 1, size, stdin) != size)
            exit(1);
        if (kind[0] == 'f')
            show_fd(broch_peer_parse(text, size, &p), &p);
        else if (kind[0] == 'l')
            show_lis(broch_accepted_parse(text, size, &a), &a);
        else
            show_con(broch_connected_parse(text, size, &c), &c);
        free(text);
    }
}

#ifdef __wasi__
static void ask_both(int fd)
{
    static struct broch_peer p;
    static struct broch_accepted a;
    static struct broch_connected c;

    show_fd(broch_peer_of_fd(fd, &p), &p);
    show_lis(broch_peer_accepted(&a), &a);
    show_con(broch_peer_connected(&c), &c);
}

static int talk_to_self(const char *port)
{
    char where[64];
    int listener = broch_listen(port);

    (void)snprintf(where, sizeof where, "localhost:%s", port);
    ask_both(listener);
    int from = broch_connect(where), to = accept(listener, NULL, NULL);
    if (listener < 0 || from < 0 || to < 0 || !broch_set_nonblocking(to)) {
        perror("sockets");
        return 1;
    }
    ask_both(from);
    ask_both(to);
    ask_both(1);
    ask_both(99);
    return 0;
}
#endif

int main(int argc, char **argv)
{
    (void)argv;
#ifdef __wasi__
    if (argc == 2)
        return talk_to_self(argv[1]);
#endif
    (void)argc;
    texts();
    return 0;
}
