/* A workload of a few behaviours, chosen by its first argument. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

/* newer C libraries do without it, and their header has it no more */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_raise"))) int proc_raise(
    int number);

static int depth(int n)
{
    volatile char here[64];

    here[0] = (char)n;
    return n == 0 ? here[0] : depth(n - 1) + here[0];
}

__attribute__((noinline)) static void fall_into_the_trap(void)
{
    __builtin_trap();
}

static int connect_to(const char *path)
{
    int fd = open(path, O_RDWR);

    printf("%s\n", fd >= 0 ? "connected" : strerror(errno));
    return fd >= 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "env") == 0) {
        printf("%s %s\n", getenv("A") ? getenv("A") : "-", getenv("B") ? getenv("B") : "-");
        return 0;
    }
    if (strcmp(what, "exit") == 0)
        __wasi_proc_exit((uint32_t)strtoul(argv[2], NULL, 10));
    if (strcmp(what, "raise") == 0)
        return proc_raise(atoi(argv[2])) == 0 ? 0 : 1;
    if (strcmp(what, "trap") == 0)
        fall_into_the_trap();
    if (strcmp(what, "deep") == 0)
        return depth(atoi(argv[2])) & 1;
    if (strcmp(what, "loop") == 0) {
        for (volatile unsigned i = 0;; i++) {
        }
    }
    if (strcmp(what, "memory") == 0) {
        void *volatile got = malloc((size_t)atoi(argv[2]) << 20);
        puts(got != NULL ? "got it" : "none");
        return got == NULL;
    }
    if (strcmp(what, "connect") == 0)
        return connect_to(argv[2]);
    if (strcmp(what, "cat") == 0) {
        char buffer[4096];
        ssize_t size;
        int fd = argc > 2 ? open(argv[2], O_RDONLY) : 0;
        while ((size = read(fd, buffer, sizeof buffer)) > 0)
            (void)!write(1, buffer, (size_t)size);
        return size == 0 ? 0 : 1;
    }
    puts("hello");
    return 7;
}
