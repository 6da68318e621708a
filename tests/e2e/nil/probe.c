/* Takes the keep's place, and tries what a keep must not: a workload that had broken out of the
 * engine would. What it tries is chosen by the content of main.wasm in the boot request. Prints a
 * line for each try. */
#include <arpa/inet.h>
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sallyport/sallyport.h"

static void show(const char *what, long result)
{
    printf("%s %s\n", what, result >= 0 ? "done" : strerrorname_np(errno));
}

#define TRY(name, ...) show(name, syscall(__VA_ARGS__))

static void forbidden_calls(void)
{
    static char text[] = "x";
    char *const none[] = {NULL};
    struct iovec {
        void *base;
        size_t size;
    } iov = {text, 1};
    struct msghdr message = {.msg_name = NULL};

    TRY("open", SYS_open, "/etc/passwd", O_RDONLY);
    TRY("openat", SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
    TRY("openat2", SYS_openat2, AT_FDCWD, "/etc/passwd", text, 24);
    TRY("execve", SYS_execve, "/bin/true", none, none);
    TRY("execveat", SYS_execveat, AT_FDCWD, "/bin/true", none, none, 0);
    /* the loader's way to start its image, whose descriptor does not matter to an absolute path */
    TRY("execveat-path", SYS_execveat, 5, "/bin/true", none, none, AT_EMPTY_PATH);
    TRY("execveat-image", SYS_execveat, 5, "", none, none, AT_EMPTY_PATH);
    TRY("fork", SYS_fork);
    TRY("clone", SYS_clone, SIGCHLD, 0, 0, 0, 0);
    TRY("clone3", SYS_clone3, text, 64);
    TRY("ptrace", SYS_ptrace, 0, 0, 0, 0);
    TRY("kill", SYS_kill, getppid(), 0);
    TRY("tgkill", SYS_tgkill, 1, 1, 0);
    TRY("io_uring_setup", SYS_io_uring_setup, 1, text);
    TRY("process_vm_readv", SYS_process_vm_readv, 1, &iov, 1, &iov, 1, 0);
    TRY("ioctl", SYS_ioctl, 0, 0x5401, text);
    TRY("fcntl", SYS_fcntl, 0, F_GETFL);
    TRY("dup", SYS_dup, 0);
    TRY("prctl", SYS_prctl, 1, 0, 0, 0, 0);
    TRY("seccomp", SYS_seccomp, 0, 0, NULL);
    TRY("sendmsg", SYS_sendmsg, BOOT_SOCKET, &message, 0);
    TRY("recvmsg", SYS_recvmsg, BOOT_SOCKET, &message, 0);
    TRY("chmod", SYS_chmod, "/tmp", 0777);
    TRY("bpf", SYS_bpf, 0, NULL, 0);
    TRY("userfaultfd", SYS_userfaultfd, 0);
    TRY("pidfd_getfd", SYS_pidfd_getfd, 0, 0, 0);
    TRY("memfd_create", SYS_memfd_create, text, 0);
    TRY("unknown", 9999);
}

static void forbidden_arguments(void)
{
    static char text[] = "x";

    TRY("mmap-exec", SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
        0);
    TRY("mmap-shared", SYS_mmap, NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    TRY("mmap-file", SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, BOOT_FILE, 0);
    TRY("mmap-high-bits", SYS_mmap, NULL, 4096, PROT_READ | 1L << 40, MAP_PRIVATE | MAP_ANONYMOUS,
        -1, 0);
    TRY("mprotect-exec", SYS_mprotect, (uintptr_t)text & ~4095ul, 4096,
        PROT_READ | PROT_WRITE | PROT_EXEC);
    TRY("socket-unix", SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    TRY("socket-netlink", SYS_socket, AF_NETLINK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    TRY("socket-datagram", SYS_socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    TRY("socket-raw", SYS_socket, AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 1);
    TRY("socket-high-bits", SYS_socket, AF_INET | 1L << 32,
        SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    TRY("sendto-flags", SYS_sendto, BOOT_SOCKET, text, 1, MSG_OOB, NULL, 0);
    TRY("sendto-address", SYS_sendto, BOOT_SOCKET, text, 1, MSG_NOSIGNAL, text, 16);
    TRY("recvfrom-flags", SYS_recvfrom, BOOT_SOCKET, text, 1, MSG_ERRQUEUE, NULL, NULL);
    TRY("getsockopt", SYS_getsockopt, BOOT_SOCKET, SOL_SOCKET, SO_PEERCRED, text, text);
    TRY("clock", SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, NULL);
    TRY("x32-write", SYS_write | 0x40000000, 1, text, 1);
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(20 /* getpid */)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-result;
    show("32-bit-getpid", result);
}

/* A value that the argument may have. */
static int64_t fitting(const struct call_arg *arg)
{
    return arg->kind == CALL_ARG_IS || arg->kind == CALL_ARG_EITHER ? arg->value : 0;
}

static bool is_misfit(const struct call_arg *arg, int64_t value)
{
    switch (arg->kind) {
    case CALL_ARG_MASK:
        return (value & ~arg->value) != 0;
    case CALL_ARG_IS: /* of a negative int the kernel takes the lower half */
        return arg->value < 0 ? (int32_t)value != (int32_t)arg->value : value != arg->value;
    case CALL_ARG_EITHER:
        return value != arg->value && value != arg->other;
    default:
        return false;
    }
}

/* Every enforced argument of the table, with each bit of a good value turned over: those calls that
 * do not fit are made, and must be refused. */
static void table(void)
{
    long tried = 0;

    for (size_t i = 0; i < call_count; i++) {
        const struct call *call = &calls[i];
        int64_t args[6];
        for (size_t k = 0; k < 6; k++)
            args[k] = fitting(&call->args[k]);
        for (size_t k = 0; k < 6; k++) {
            int64_t good = args[k];
            for (unsigned bit = 0; bit < 64; bit++) {
                args[k] = (int64_t)((uint64_t)good ^ UINT64_C(1) << bit);
                if (!is_misfit(&call->args[k], args[k]))
                    continue;
                tried++;
                if (syscall(call->number, args[0], args[1], args[2], args[3], args[4], args[5]) !=
                        -1 ||
                    errno != ENOSYS)
                    printf("%s, argument %zu, bit %u\n", call->name, k, bit);
            }
            args[k] = good;
        }
    }
    printf("tried %ld\n", tried);
}

static void allowed(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    show("socket", fd);
    show("bind", bind(fd, (struct sockaddr *)&any, sizeof any));
    show("listen", listen(fd, 1));
    show("accept4", accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    show("mmap",
         mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
             ? -1
             : 0);
    show("close", close(fd));
}

static void descriptors(void)
{
    for (int fd = 0; fd < 4096; fd++) {
        if (fd != 1 && close(fd) == 0)
            printf("%d\n", fd);
    }
}

static void keep_calls(void)
{
    static char out[17 * 16], text[70000];
    char *const bad = (char *)16;

    memset(text, 'a', sizeof text);
    TRY("resolve", KEEP_CALL_RESOLVE, "localhost", 9, out, sizeof out);
    TRY("resolve-no-room", KEEP_CALL_RESOLVE, "localhost", 9, out, 16);
    TRY("resolve-unknown", KEEP_CALL_RESOLVE, "nonexistent.invalid", 19, out, sizeof out);
    TRY("resolve-empty", KEEP_CALL_RESOLVE, "", 0, out, sizeof out);
    TRY("resolve-long", KEEP_CALL_RESOLVE, text, 254, out, sizeof out);
    TRY("resolve-huge", KEEP_CALL_RESOLVE, text, -1L, out, sizeof out);
    TRY("resolve-nul", KEEP_CALL_RESOLVE, "a\0b", 3, out, sizeof out);
    TRY("resolve-option", KEEP_CALL_RESOLVE, "a b;c", 5, out, sizeof out);
    TRY("resolve-from-nowhere", KEEP_CALL_RESOLVE, bad, 9, out, sizeof out);
    TRY("resolve-to-nowhere", KEEP_CALL_RESOLVE, "localhost", 9, bad, sizeof out);
    TRY("log", KEEP_CALL_LOG, LOG_WARN, "one\nerror two\33[31m", 18);
    TRY("log-nothing", KEEP_CALL_LOG, LOG_WARN, "", 0);
    TRY("log-long", KEEP_CALL_LOG, LOG_WARN, text, KEEP_LOG_MAX + 1);
    TRY("log-level", KEEP_CALL_LOG, 9, "x", 1);
    TRY("log-from-nowhere", KEEP_CALL_LOG, LOG_WARN, bad, 1);
    TRY("attest", KEEP_CALL_ATTEST, text, 64, out, sizeof out);
}

/* Many calls that are refused: each is answered, and named once. */
static void flood(void)
{
    long wrong = 0;

    for (int i = 0; i < 20000; i++)
        wrong += syscall(SYS_getpid) != -1 || errno != ENOSYS;
    printf("wrong %ld\n", wrong);
}

static void say(struct keep_request request, const void *body, size_t size)
{
    (void)!write(BOOT_SOCKET, &request, sizeof request);
    (void)!write(BOOT_SOCKET, body, size);
}

static void hear(void)
{
    struct keep_reply reply = {.result = -9999};
    char rest[512];

    (void)!read(BOOT_SOCKET, &reply, sizeof reply);
    if (reply.size != 0)
        (void)!read(BOOT_SOCKET, rest, sizeof rest);
    printf("reply %lld\n", (long long)reply.result);
}

static void messages(void)
{
    struct keep_request resolve = {.number = KEEP_CALL_RESOLVE, .size = 9, .space = 272};

    say(resolve, "localhost", 9);
    hear();
    resolve.space = 3;
    say(resolve, "localhost", 9);
    hear();
    say((struct keep_request){.number = KEEP_CALL_LOG, .size = 5, .value = LOG_WARN}, "hello", 5);
    hear();
    say((struct keep_request){.number = KEEP_CALL_LOG, .size = 5, .value = 77}, "hello", 5);
    hear();
    say((struct keep_request){.number = 1}, "", 0);
    hear();
    say((struct keep_request){.number = KEEP_CALL_LOG, .size = 0xffffffff}, "hello", 5);
    hear(); /* and nobody listens any more */
}

static void half_a_message(void)
{
    (void)!write(BOOT_SOCKET, "half", 4);
}

/* Asks, and does not wait for the answer. */
static void gone(void)
{
    for (int i = 0; i < 50; i++)
        say((struct keep_request){.number = KEEP_CALL_RESOLVE, .size = 9, .space = 272},
            "localhost", 9);
    _exit(3);
}

/* Asks for ever, and never reads an answer. */
static void deaf(void)
{
    for (;;)
        say((struct keep_request){.number = KEEP_CALL_ATTEST}, "", 0);
}

/* Begins a message, and makes calls: the first may be faster, another waits behind it. */
static void stuck(void)
{
    half_a_message();
    for (;;)
        (void)syscall(KEEP_CALL_ATTEST, NULL, 0, NULL, 0);
}

static void crash(void)
{
    volatile uintptr_t nowhere = 16;
    *(volatile int *)nowhere = 1;
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"forbidden-calls", forbidden_calls},
    {"forbidden-arguments", forbidden_arguments},
    {"table", table},
    {"allowed", allowed},
    {"descriptors", descriptors},
    {"keep-calls", keep_calls},
    {"flood", flood},
    {"messages", messages},
    {"half-a-message", half_a_message},
    {"gone", gone},
    {"deaf", deaf},
    {"stuck", stuck},
    {"crash", crash},
};

int main(void)
{
    static char boot[65536];
    ssize_t size = read(BOOT_FILE, boot, sizeof boot - 1);
    const char *mode = size > 0 ? memmem(boot, (size_t)size, "main.wasm", 9) : NULL;

    (void)setvbuf(stdout, NULL, _IOFBF, 4096);
    for (size_t i = 0; mode != NULL && i < sizeof modes / sizeof modes[0]; i++) {
        if (strncmp(mode + 9, modes[i].name, strlen(modes[i].name)) == 0) {
            modes[i].run();
            (void)fflush(stdout);
            return 0;
        }
    }
    return 99;
}
