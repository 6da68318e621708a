/* Sockets: a listener and connections to it, all in one program. Arguments: the port that is
 * allowed, and one that another program has. */
#include "wasi.h"

static uint32_t count, fd;
static uint16_t flags;
static char buffer[200];

static int open_socket(const char *form, const char *port, int fdflags)
{
    char path[64];

    snprintf(path, sizeof path, form, port);
    return open_at(ROOT, path, 0, fdflags);
}

static void opening(const char *port, const char *taken)
{
    report("path_open", '-', "to listen where it is not allowed", open_socket("net/lis/%s", "1", 0),
           -E_ACCES);
    report("path_open", '-', "to listen at no port", open_socket("net/lis/%s", "http", 0),
           -E_INVAL);
    report("path_open", '-', "to listen at port 65536", open_socket("net/lis/%s", "65536", 0),
           -E_INVAL);
    report("path_open", '-', "to listen where another does", open_socket("net/lis/%s", taken, 0),
           -E_ADDRINUSE);
    report("path_open", '-', "to connect to nobody", open_socket("net/con/127.0.0.1:%s", "1", 0),
           -E_CONNREFUSED);
    report("path_open", '-', "to connect to no name",
           open_socket("net/con/nonexistent.invalid:%s", port, 0), -E_NOENT);
    report("path_open", '-', "to connect to no host", open_socket("net/con/a b:%s", port, 0),
           -E_INVAL);
    report("path_open", '-', "to connect as a directory",
           open_at(ROOT, "net/con/127.0.0.1:1", O_DIRECTORY_, 0), -E_NOTDIR);
}

static void read_file(const char *path)
{
    int f = open_to_read(ROOT, path), size;

    memset(buffer, 0, sizeof buffer);
    size = f < 0 ? f : read_some(f, buffer, sizeof buffer - 1);
    if (size < 0)
        snprintf(buffer, sizeof buffer, "error %d", size);
    w_fd_close(f);
}

static void peers(int accepted)
{
    char path[32];

    read_file("net/peer/lis");
    HOLDS(path_open, "who was accepted",
          strstr(buffer, "{\"addr\":\"127.0.0.1:") == buffer &&
              strstr(buffer, "\"peer\":{\"kind\":\"anonymous\"}}") != NULL);
    read_file("net/peer/lis");
    HOLDS(path_open, "nobody else", buffer[0] == '\0');
    read_file("net/peer/con");
    HOLDS(path_open, "who was connected to",
          strstr(buffer, "{\"host\":{\"Ipv4\":\"127.0.0.1\"},\"port\":") == buffer);
    snprintf(path, sizeof path, "net/peer/fd/%d", accepted);
    read_file(path);
    HOLDS(path_open, "who is behind a descriptor", strcmp(buffer, "{\"kind\":\"anonymous\"}") == 0);
    report("path_open", '-', "who is behind standard output", open_to_read(ROOT, "net/peer/fd/1"),
           -E_NOENT);
    report("path_open", '-', "who is behind nothing", open_to_read(ROOT, "net/peer/fd/99"),
           -E_NOENT);
    report("path_open", '-', "who is behind a word", open_to_read(ROOT, "net/peer/fd/x"), -E_NOENT);
}

static void talking(int client, int server)
{
    struct iovec_ out[2] = {iovec_of("hello ", 6), iovec_of("world", 5)}, in = iovec_of(buffer, 5);
    char rest[20] = {0};
    struct iovec_ two[2] = {iovec_of(rest, 3), iovec_of(rest + 3, 8)};

    WORKS(sock_send, "two buffers", client, place(out), 2, 0, place(&count));
    HOLDS(sock_send, "all of them", count == 11);
    WORKS(sock_recv, "a look at what comes", server, place(&in), 1, 1, place(&count),
          place(&flags));
    HOLDS(sock_recv, "is its start", count == 5 && memcmp(buffer, "hello", 5) == 0);
    WORKS(sock_recv, "all that was asked for", server, place(two), 2, 2, place(&count),
          place(&flags));
    HOLDS(sock_recv, "over two buffers",
          count == 11 && strcmp(rest, "hello world") == 0 && flags == 0);
    WORKS(fd_fdstat_set_flags, "a socket that does not wait", server, FD_NONBLOCK);
    REFUSED(sock_recv, "when nothing is there", E_AGAIN, server, place(&in), 1, 0, place(&count),
            place(&flags));
    REFUSED(sock_recv, "a look when nothing is there", E_AGAIN, server, place(&in), 1, 1,
            place(&count), place(&flags));
    REFUSED(fd_read, "a socket when nothing is there", E_AGAIN, server, place(&in), 1,
            place(&count));
    w_fd_fdstat_set_flags(server, 0);
    HOLDS(fd_write, "a socket is a file", write_text(server, "back") == 4);
    HOLDS(fd_read, "a socket is a file",
          read_some(client, buffer, 100) == 4 && memcmp(buffer, "back", 4) == 0);
}

static void refusals(int client, int listener)
{
    struct iovec_ v = iovec_of(buffer, 1), bad = {NOWHERE, 100};
    uint64_t offset;

    REFUSED(sock_recv, "unknown flags", E_INVAL, client, place(&v), 1, 4, place(&count),
            place(&flags));
    REFUSED(sock_recv, "a file", E_NOTSOCK, ROOT, place(&v), 1, 0, place(&count), place(&flags));
    REFUSED(sock_recv, "not open", E_BADF, 77, place(&v), 1, 0, place(&count), place(&flags));
    REFUSED(sock_recv, "beyond memory", E_FAULT, client, place(&bad), 1, 0, place(&count),
            place(&flags));
    REFUSED(sock_recv, "flags beyond memory", E_FAULT, client, place(&v), 1, 0, place(&count),
            NOWHERE);
    REFUSED(sock_send, "flags", E_INVAL, client, place(&v), 1, 1, place(&count));
    REFUSED(sock_send, "standard output", E_NOTSOCK, 1, place(&v), 1, 0, place(&count));
    REFUSED(sock_send, "not open", E_BADF, 77, place(&v), 1, 0, place(&count));
    REFUSED(sock_send, "beyond memory", E_FAULT, client, place(&bad), 1, 0, place(&count));
    REFUSED(sock_send, "a listener", E_NOTCAPABLE, listener, place(&v), 1, 0, place(&count));
    REFUSED(sock_accept, "a file", E_NOTSOCK, ROOT, 0, place(&fd));
    REFUSED(sock_accept, "a connection", E_NOTCAPABLE, client, 0, place(&fd));
    REFUSED(sock_accept, "not open", E_BADF, 77, 0, place(&fd));
    REFUSED(sock_accept, "unknown flags", E_INVAL, listener, 32, place(&fd));
    REFUSED(sock_accept, "beyond memory", E_FAULT, listener, 0, NOWHERE);
    REFUSED(sock_shutdown, "nothing", E_INVAL, client, 0);
    REFUSED(sock_shutdown, "unknown", E_INVAL, client, 4);
    REFUSED(sock_shutdown, "a file", E_NOTSOCK, ROOT, 1);
    REFUSED(sock_shutdown, "not open", E_BADF, 77, 1);
    REFUSED(fd_seek, "a socket", E_SPIPE, client, 0, 0, place(&offset));
    REFUSED(fd_pread, "a socket", E_SPIPE, client, place(&v), 1, 0, place(&count));
}

static void ending(int client, int server)
{
    struct iovec_ v = iovec_of(buffer, 10);

    WORKS(sock_shutdown, "writing", client, 2);
    REFUSED(sock_send, "after that", E_PIPE, client, place(&v), 1, 0, place(&count));
    WORKS(sock_recv, "at the other end", server, place(&v), 1, 0, place(&count), place(&flags));
    HOLDS(sock_recv, "is nothing", count == 0);
    HOLDS(fd_write, "the other way is open", write_text(server, "bye") == 3);
    HOLDS(fd_read, "the other way is open", read_some(client, buffer, 10) == 3);
    WORKS(sock_shutdown, "reading", client, 1);
    w_fd_close(client);
    w_fd_close(server);
}

int main(int argc, char **argv)
{
    struct fdstat_ s;

    if (argc < 3)
        return 2;
    opening(argv[1], argv[2]);
    int listener = open_socket("net/lis/%s", argv[1], FD_NONBLOCK);
    report("path_open", '+', "to listen", listener < 0 ? listener : 0, 0);
    w_fd_fdstat_get(listener, place(&s));
    HOLDS(fd_fdstat_get, "a socket", s.type == TYPE_SOCKET && s.flags == FD_NONBLOCK);
    REFUSED(sock_accept, "when nobody came", E_AGAIN, listener, 0, place(&fd));
    int client = open_socket("net/con/127.0.0.1:%s", argv[1], 0);
    report("path_open", '+', "to connect", client < 0 ? client : 0, 0);
    w_fd_fdstat_set_flags(listener, 0);
    WORKS(sock_accept, "who came", listener, 0, place(&fd));
    int server = (int)fd;
    peers(server);
    talking(client, server);
    refusals(client, listener);
    ending(client, server);
    w_fd_close(listener);
    return done_testing();
}
