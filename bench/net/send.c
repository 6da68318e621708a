/* send PORT BYTES: gives each who connects so many bytes from memory, one after the other. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char data[1 << 18];

static void send_all(int fd, long long bytes)
{
    while (bytes > 0) {
        ssize_t sent =
            write(fd, data, bytes < (long long)sizeof data ? (size_t)bytes : sizeof data);
        if (sent <= 0)
            return;
        bytes -= sent;
    }
}

int main(int argc, char **argv)
{
    char path[32];

    if (argc != 3)
        return 2;
    snprintf(path, sizeof path, "/net/lis/%s", argv[1]);
    int listener = open(path, O_RDWR);
    if (listener < 0)
        return 1;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 2654435761u >> 24);
    puts("listening");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return 1;
        send_all(fd, atoll(argv[2]));
        close(fd);
    }
}
