/* WASI preview 1 as the module imports it: pointers are numbers, so that bad ones can be passed;
 * and how a case is told. Each line is "ok FUNCTION + what" or "FAIL FUNCTION - what: got 1, wanted
 * 2", + being a case that must work and - one that must be refused. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

typedef uint32_t at; /* an address in the module's memory */

WASI(args_get) int w_args_get(at argv, at text);
WASI(args_sizes_get) int w_args_sizes_get(at count, at size);
WASI(environ_get) int w_environ_get(at env, at text);
WASI(environ_sizes_get) int w_environ_sizes_get(at count, at size);
WASI(clock_res_get) int w_clock_res_get(int id, at out);
WASI(clock_time_get) int w_clock_time_get(int id, uint64_t precision, at out);
WASI(fd_advise) int w_fd_advise(int fd, uint64_t offset, uint64_t size, int advice);
WASI(fd_allocate) int w_fd_allocate(int fd, uint64_t offset, uint64_t size);
WASI(fd_close) int w_fd_close(int fd);
WASI(fd_datasync) int w_fd_datasync(int fd);
WASI(fd_fdstat_get) int w_fd_fdstat_get(int fd, at out);
WASI(fd_fdstat_set_flags) int w_fd_fdstat_set_flags(int fd, int flags);
WASI(fd_fdstat_set_rights) int w_fd_fdstat_set_rights(int fd, uint64_t base, uint64_t inheriting);
WASI(fd_filestat_get) int w_fd_filestat_get(int fd, at out);
WASI(fd_filestat_set_size) int w_fd_filestat_set_size(int fd, uint64_t size);
WASI(fd_filestat_set_times)
int w_fd_filestat_set_times(int fd, uint64_t accessed, uint64_t modified, int flags);
WASI(fd_pread) int w_fd_pread(int fd, at iovecs, uint32_t count, uint64_t offset, at done);
WASI(fd_prestat_get) int w_fd_prestat_get(int fd, at out);
WASI(fd_prestat_dir_name) int w_fd_prestat_dir_name(int fd, at out, uint32_t size);
WASI(fd_pwrite) int w_fd_pwrite(int fd, at iovecs, uint32_t count, uint64_t offset, at done);
WASI(fd_read) int w_fd_read(int fd, at iovecs, uint32_t count, at done);
WASI(fd_readdir) int w_fd_readdir(int fd, at out, uint32_t size, uint64_t cookie, at used);
WASI(fd_renumber) int w_fd_renumber(int from, int to);
WASI(fd_seek) int w_fd_seek(int fd, int64_t delta, int whence, at out);
WASI(fd_sync) int w_fd_sync(int fd);
WASI(fd_tell) int w_fd_tell(int fd, at out);
WASI(fd_write) int w_fd_write(int fd, at iovecs, uint32_t count, at done);
WASI(path_create_directory) int w_path_create_directory(int fd, at path, uint32_t size);
WASI(path_filestat_get)
int w_path_filestat_get(int fd, int lookup, at path, uint32_t size, at out);
WASI(path_filestat_set_times)
int w_path_filestat_set_times(int fd, int lookup, at path, uint32_t size, uint64_t accessed,
                              uint64_t modified, int flags);
WASI(path_link)
int w_path_link(int fd, int lookup, at path, uint32_t size, int to_fd, at to, uint32_t to_size);
WASI(path_open)
int w_path_open(int fd, int lookup, at path, uint32_t size, int oflags, uint64_t base,
                uint64_t inheriting, int flags, at out);
WASI(path_readlink)
int w_path_readlink(int fd, at path, uint32_t size, at out, uint32_t out_size, at used);
WASI(path_remove_directory) int w_path_remove_directory(int fd, at path, uint32_t size);
WASI(path_rename)
int w_path_rename(int fd, at path, uint32_t size, int to_fd, at to, uint32_t to_size);
WASI(path_symlink)
int w_path_symlink(at target, uint32_t target_size, int fd, at path, uint32_t size);
WASI(path_unlink_file) int w_path_unlink_file(int fd, at path, uint32_t size);
WASI(poll_oneoff) int w_poll_oneoff(at in, at out, uint32_t count, at happened);
WASI(proc_exit) _Noreturn void w_proc_exit(uint32_t code);
WASI(proc_raise) int w_proc_raise(int number);
WASI(sched_yield) int w_sched_yield(void);
WASI(random_get) int w_random_get(at out, uint32_t size);
WASI(sock_accept) int w_sock_accept(int fd, int flags, at out);
WASI(sock_recv)
int w_sock_recv(int fd, at iovecs, uint32_t count, int flags, at done, at out_flags);
WASI(sock_send) int w_sock_send(int fd, at iovecs, uint32_t count, int flags, at done);
WASI(sock_shutdown) int w_sock_shutdown(int fd, int how);

/* The numbers of the specification. */
enum {
    E_SUCCESS = 0,
    E_ACCES = 2,
    E_ADDRINUSE = 3,
    E_AGAIN = 6,
    E_BADF = 8,
    E_CONNREFUSED = 14,
    E_EXIST = 20,
    E_FAULT = 21,
    E_FBIG = 22,
    E_ILSEQ = 25,
    E_INVAL = 28,
    E_ISDIR = 31,
    E_LOOP = 32,
    E_NAMETOOLONG = 37,
    E_NOENT = 44,
    E_NOTCAPABLE = 76,
    E_NOTCONN = 53,
    E_NOTDIR = 54,
    E_NOTEMPTY = 55,
    E_NOTSOCK = 57,
    E_NOTSUP = 58,
    E_OVERFLOW = 61,
    E_PERM = 63,
    E_PIPE = 64,
    E_ROFS = 69,
    E_SPIPE = 70,
    E_XDEV = 75
};

enum { O_CREAT_ = 1, O_DIRECTORY_ = 2, O_EXCL_ = 4, O_TRUNC_ = 8 };
enum { FD_APPEND = 1, FD_NONBLOCK = 4 };
enum { FOLLOW = 1, NO_FOLLOW = 0 };
enum { ROOT = 3 }; /* where the first preopened directory is */
enum {
    TYPE_CHARACTER = 2,
    TYPE_DIRECTORY = 3,
    TYPE_REGULAR = 4,
    TYPE_SOCKET = 6,
    TYPE_SYMLINK = 7
};

#define RIGHTS_ALL ((1u << 30) - 1)
#define RIGHT_READ (UINT64_C(1) << 1)
#define RIGHT_SEEK (UINT64_C(1) << 2)
#define RIGHT_TELL (UINT64_C(1) << 5)
#define RIGHT_WRITE (UINT64_C(1) << 6)

#define NOWHERE 0xfffffff0u /* an address beyond the memory's end */

static int failures;

static inline at place(const volatile void *p)
{
    return (at)(uintptr_t)p;
}

static inline void report(const char *function, char sign, const char *what, int64_t got,
                          int64_t wanted)
{
    if (got == wanted) {
        printf("ok %s %c %s\n", function, sign, what);
    } else {
        failures++;
        printf("FAIL %s %c %s: got %lld, wanted %lld\n", function, sign, what, (long long)got,
               (long long)wanted);
    }
}

/* A call that must work; something that must be so; a call that must be refused with an error. */
#define WORKS(function, what, ...) report(#function, '+', what, w_##function(__VA_ARGS__), 0)
#define HOLDS(function, what, condition) report(#function, '+', what, (condition) ? 1 : 0, 1)
#define REFUSED(function, what, error, ...) \
    report(#function, '-', what, w_##function(__VA_ARGS__), error)

static inline int done_testing(void)
{
    return failures == 0 ? 0 : 1;
}

/* ---- conveniences over the calls ---- */

struct iovec_ {
    at data;
    uint32_t size;
};

static inline struct iovec_ iovec_of(const volatile void *data, uint32_t size)
{
    return (struct iovec_){place(data), size};
}

#define PATH(text) place(text), (uint32_t)strlen(text)

static inline int open_at(int dir, const char *path, int oflags, int flags)
{
    uint32_t fd = 0xdead;
    /* what is asked for of sockets and directories is less than of files */
    uint64_t rights =
        (oflags & O_DIRECTORY_) != 0
            ? RIGHTS_ALL & ~(RIGHT_WRITE | RIGHT_SEEK | RIGHT_TELL | 1u << 8 | 1u << 22)
            : RIGHTS_ALL;
    int error = w_path_open(dir, FOLLOW, PATH(path), oflags, rights, RIGHTS_ALL, flags, place(&fd));

    return error == 0 ? (int)fd : -error;
}

/* For reading alone: the package's files can be had so. */
static inline int open_to_read(int dir, const char *path)
{
    uint32_t fd = 0xdead;
    int error = w_path_open(dir, FOLLOW, PATH(path), 0,
                            RIGHT_READ | RIGHT_SEEK | RIGHT_TELL | 1u << 21, 0, 0, place(&fd));

    return error == 0 ? (int)fd : -error;
}

static inline int write_text(int fd, const char *text)
{
    struct iovec_ v = iovec_of(text, (uint32_t)strlen(text));
    uint32_t done = 0;
    int error = w_fd_write(fd, place(&v), 1, place(&done));

    return error == 0 ? (int)done : -error;
}

/* Reads into one buffer; the count, or a negative error. */
static inline int read_some(int fd, void *out, uint32_t size)
{
    struct iovec_ v = iovec_of(out, size);
    uint32_t done = 0;
    int error = w_fd_read(fd, place(&v), 1, place(&done));

    return error == 0 ? (int)done : -error;
}

static inline void make_file(const char *path, const char *text)
{
    int fd = open_at(ROOT, path, O_CREAT_ | O_TRUNC_, 0);

    if (fd < 0 || write_text(fd, text) != (int)strlen(text))
        report("path_open", '+', path, fd, 0);
    w_fd_close(fd);
}

struct filestat_ {
    uint64_t device, inode;
    uint8_t type;
    uint64_t links, size, accessed, modified, changed;
};
_Static_assert(sizeof(struct filestat_) == 64, "as the specification has it");

struct fdstat_ {
    uint8_t type;
    uint16_t flags;
    uint64_t base, inheriting;
};
_Static_assert(sizeof(struct fdstat_) == 24, "as the specification has it");

static inline struct filestat_ stat_of(const char *path)
{
    struct filestat_ s = {0};

    if (w_path_filestat_get(ROOT, NO_FOLLOW, PATH(path), place(&s)) != 0)
        memset(&s, 0xff, sizeof s);
    return s;
}
